package maillab

import (
	"bytes"
	"fmt"
	"net"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// A process is a server in the foreground that leads a process group, in which its children are.
type process struct {
	cmd    *exec.Cmd
	output *output
	ports  []int         // that it listens on
	done   chan struct{} // closed when it has ended
	err    error         // how; read after done
}

// An output collects what a server prints.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func run(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, output: &output{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM // also when the test is killed
	cmd.WaitDelay = time.Second                 // children of the server may keep its output open
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// listening waits until all the ports answer.
func (p *process) listening(ports ...int) error {
	p.ports = ports
	end := time.Now().Add(deadline)
	for _, port := range ports {
		for {
			c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
			if err == nil {
				c.Close()
				break
			}
			select {
			case <-p.done:
				return fmt.Errorf("%s ended: %v\n%s", p.cmd.Path, p.err, p.output)
			case <-time.After(20 * time.Millisecond):
			}
			if time.Now().After(end) {
				return fmt.Errorf("%s does not answer on port %d within %v: %w", p.cmd.Path, port, deadline, err)
			}
		}
	}
	return nil
}

// stop ends the process and its children and waits until it is gone. A stopped one stays so.
func (p *process) stop() error {
	pid := p.cmd.Process.Pid
	select {
	case <-p.done:
	default:
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return fmt.Errorf("%s: %w", p.cmd.Path, err)
		}
		select {
		case <-p.done:
		case <-time.After(deadline):
			_ = syscall.Kill(-pid, syscall.SIGKILL)
			<-p.done
			return fmt.Errorf("%s did not end within %v of SIGTERM", p.cmd.Path, deadline)
		}
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL) // what is left of its group; ESRCH is the good answer
	return p.released()
}

// released waits until nobody listens on the ports any more: children that were killed close them a moment later, and
// until then the server cannot be started again.
func (p *process) released() error {
	end := time.Now().Add(deadline)
	for _, port := range p.ports {
		for {
			ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err == nil {
				ln.Close()
				break
			}
			if time.Now().After(end) {
				return fmt.Errorf("%s has ended, its port %d is still in use after %v: %w", p.cmd.Path, port, deadline, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return nil
}
