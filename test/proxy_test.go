package test

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A proxy stands between a client and a server and can do to their connections what networks do.
type proxy struct {
	ln   net.Listener
	to   string
	hang atomic.Bool  // nothing goes either way, and nobody is told
	cut  atomic.Int64 // bytes from the server after which the connection is reset; 0: none
	half atomic.Bool  // the server's side is gone, the client's stays open

	mu    sync.Mutex
	conns []*net.TCPConn // of clients
}

func newProxy(t testing.TB, to int) *proxy {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, to: fmt.Sprintf("127.0.0.1:%d", to)}
	t.Cleanup(func() { ln.Close(); p.reset() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go p.serve(c.(*net.TCPConn))
		}
	}()
	return p
}

func (p *proxy) port() int { return p.ln.Addr().(*net.TCPAddr).Port }

func (p *proxy) serve(client *net.TCPConn) {
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		client.SetLinger(0)
		client.Close()
		return
	}
	p.mu.Lock()
	p.conns = append(p.conns, client)
	p.mu.Unlock()
	go func() {
		io.Copy(server, pausing{client, p})
		server.Close()
	}()
	buf := make([]byte, 16<<10)
	for {
		n, err := pausing{server, p}.Read(buf)
		if left := p.cut.Load(); left > 0 && n > 0 {
			if left = p.cut.Add(-int64(n)); left <= 0 {
				p.cut.Store(0)
				client.Write(buf[:n/2]) // in the midst of it
				client.SetLinger(0)
				client.Close()
				server.Close()
				return
			}
		}
		if p.half.Load() && n > 0 {
			server.Close()
			return // the client's side stays open, and hears nothing any more
		}
		if _, werr := client.Write(buf[:n]); err != nil || werr != nil {
			client.Close()
			server.Close()
			return
		}
	}
}

// reset breaks all connections.
func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.SetLinger(0)
		c.Close()
	}
	p.conns = nil
}

// A pausing reader gives nothing while its proxy hangs.
type pausing struct {
	net.Conn
	p *proxy
}

func (r pausing) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	for r.p.hang.Load() {
		time.Sleep(20 * time.Millisecond)
	}
	return n, err
}
