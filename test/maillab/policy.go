package maillab

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
)

// policy answers Postfix's questions about recipients (SMTPD_POLICY_README of Postfix: attributes one a line, an empty
// line, then an action and an empty line). Unlike an access map it takes effect at once, also on connections that stay
// open, and it can count.
type policy struct {
	ln    net.Listener
	mu    sync.Mutex
	rules map[string]string // recipient → action such as "451 4.3.0 try later"
	asked map[string]int    // recipient → RCPT commands seen
}

func newPolicy() (*policy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &policy{ln: ln, rules: map[string]string{}, asked: map[string]int{}}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p, nil
}

func (p *policy) port() int { return p.ln.Addr().(*net.TCPAddr).Port }

func (p *policy) serve(c net.Conn) {
	defer c.Close()
	rcpt := ""
	for lines := bufio.NewScanner(c); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), "=")
		switch name {
		case "recipient":
			rcpt = value
		case "":
			if _, err := fmt.Fprintf(c, "action=%s\n\n", p.answer(rcpt)); err != nil {
				return
			}
			rcpt = ""
		}
	}
}

func (p *policy) answer(rcpt string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	rcpt = strings.ToLower(rcpt)
	p.asked[rcpt]++
	if action, ok := p.rules[rcpt]; ok {
		return action
	}
	return "DUNNO"
}
