package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"quietpost/cmd/quietpost/demo"
)

type demoCmd struct {
	Once   bool   `help:"Go through it once, print the mails, and end."`
	Listen string `help:"Address of the page that shows it all; default 127.0.0.1:8026, or a free port." placeholder:"ADDR"`
}

// Example is printed with the help.
func (*demoCmd) Example() string { return "quietpost demo\nquietpost demo --once" }

// Run starts a world of mail servers and tools in a temporary folder, and the daemon in its midst.
func (c *demoCmd) Run(e *env) (err error) {
	dir, err := os.MkdirTemp("", "quietpost-demo-")
	if err != nil {
		return err
	}
	defer closing(&err, func() error { return os.RemoveAll(dir) })
	return c.run(e, demo.Options{Dir: dir, Listen: c.Listen, Out: e.stdout})
}

// run runs the world, and the daemon as serve does: with a configuration, and no more than its doors between both.
func (c *demoCmd) run(e *env, o demo.Options) (err error) {
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	w, err := demo.Start(ctx, o)
	if err != nil {
		return err
	}
	defer closing(&err, w.Close)
	logFile := filepath.Join(o.Dir, "quietpost.log")
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer closing(&err, log.Close)

	d := *e
	d.ctx, d.stderr = ctx, log // its lines would drown what people came to see
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- serve(&d, w.Config, nil, func(*house, net.Addr) { close(ready) }) }()
	select {
	case err := <-ended:
		return errors.Join(err, ctx.Err())
	case <-ready:
	}
	if c.Once {
		err = w.Once(ctx)
	} else {
		err = c.show(e, w, logFile, ended)
	}
	cancel()
	if !c.Once && e.ctx.Err() != nil {
		err = nil // it was told to stop
	}
	err = errors.Join(err, <-ended)
	if err != nil {
		c.troubles(e, logFile)
	}
	return err
}

// show prints where to look, tells the story, and stays until the context ends.
func (*demoCmd) show(e *env, w *demo.World, logFile string, ended chan error) error {
	fmt.Fprintf(e.stdout, `quietpost demo: a daemon, its mail servers and a small team, all in this process.

  read the mails     %s
  the hooks are at   %s/hooks/…
  post an urgent one yourself:
    %s
  look inside:
    %s --config %s items list

An alert is there within a second or two, the first digest within ten. Ctrl-C ends it and leaves nothing behind.
`, w.Viewer, w.Daemon, w.Curl(), os.Args[0], w.Config)
	if err := w.Play(e.ctx); err != nil {
		return err
	}
	fmt.Fprintln(e.stdout, "The story is posted; its digest is due in a few seconds.")
	select {
	case <-e.ctx.Done():
		fmt.Fprintln(e.stdout, "\nstopping")
		return nil
	case err := <-ended:
		ended <- err
		return errors.Join(errors.New("the daemon ended by itself"), err)
	}
}

// troubles prints the daemon's warnings, for whoever wants to know why something did not arrive.
func (*demoCmd) troubles(e *env, logFile string) {
	raw, err := os.ReadFile(logFile)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(raw)) {
		if !strings.Contains(line, " level=INFO ") {
			fmt.Fprint(e.stderr, line)
		}
	}
}
