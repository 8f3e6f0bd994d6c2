// Command quietpost collects a team's updates from webhooks and inboxes and mails each subscriber a digest at the hours
// they chose; what is urgent leaves at once.
//
// This folder joins the rooms: one file a command, the wiring of the daemon in serve.go. Only here are the real clock,
// the logger and the signals, and only here do loops begin and end.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
	_ "time/tzdata" // zones must not depend on what the machine has

	"github.com/alecthomas/kong"

	"quietpost/collector/tools"
	"quietpost/mailer"
)

// version and commit are set by the build.
var version, commit = "dev", ""

// env is what a command may touch: handed in, so that tests can hand in others.
type env struct {
	ctx    context.Context
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string
	now    func() time.Time
	uptime func() time.Duration // a clock that nobody can set; nil: the machine's
	dns    mailer.Resolver      // nil: the DNS is not asked
	// dialTLS gives the state of a TLS connection to host and port; nil: the certificate before the pages is not looked at.
	dialTLS func(ctx context.Context, addr string) (*tls.ConnectionState, error)
	tick    time.Duration // how long a loop sleeps at most: rows that the shell writes are seen within it
	config  string
	json    bool

	shipped func() (*tools.Library, error) // read once: there are hundreds of files
}

// cli is the whole command line. kong prints it as help.
type cli struct {
	Config string `help:"The configuration file." placeholder:"FILE" type:"path"`
	JSON   bool   `help:"Print data as JSON." name:"json"`

	Serve       serveCmd       `cmd:"" help:"Run the daemon until SIGTERM or SIGINT; SIGHUP reloads the configuration."`
	Demo        demoCmd        `cmd:"" help:"Try it all with nothing to set up: sample tools, real IMAP and SMTP, mails to read in a browser."`
	Init        initCmd        `cmd:"" help:"Write a configuration to begin with; asks on a terminal."`
	Check       checkCmd       `cmd:"" help:"Check the configuration and tell all faults at once."`
	Post        postCmd        `cmd:"" help:"Post one item to a running daemon; its body is read from standard input."`
	Send        sendCmd        `cmd:"" help:"Send one person's digest now."`
	Preview     previewCmd     `cmd:"" help:"Show one person's next digest as it would be now; changes nothing."`
	Items       itemsCmd       `cmd:"" help:"What was collected."`
	Projects    projectsCmd    `cmd:"" help:"The projects that items belong to."`
	Trace       traceCmd       `cmd:"" help:"The way of one item: received, grouped, held, queued, accepted, per person."`
	Audit       auditCmd       `cmd:"" help:"Prove from a reader's own mails that nothing is missing and nothing came twice."`
	Outbox      outboxCmd      `cmd:"" help:"Mail on its way."`
	Sources     sourcesCmd     `cmd:"" help:"Where updates come from, and how that goes."`
	Quarantine  quarantineCmd  `cmd:"" help:"Input that was not understood, to be read again after a fix."`
	Tools       toolsCmd       `cmd:"" help:"The tools whose webhooks are understood, and how to connect them."`
	Explain     explainCmd     `cmd:"" help:"What a webhook or mail would become, and who would get it; nothing is kept."`
	Subscribers subscribersCmd `cmd:"" help:"Who gets mail."`
	Backup      backupCmd      `cmd:"" help:"Write a consistent copy of the database while the daemon runs."`
	Restore     restoreCmd     `cmd:"" help:"Put a copy in the place of the database; the daemon must be stopped."`
	Doctor      doctorCmd      `cmd:"" help:"Try the real thing, a line a probe: what works, what does not, and what to do."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	e := &env{ctx: ctx, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, now: time.Now, dns: net.DefaultResolver,
		dialTLS: dialTLS, tick: time.Second, shipped: sync.OnceValues(shipped)}
	os.Exit(run(e, os.Args[1:]))
}

// usage is an error of the caller's words: exit status 2.
type usage struct{ error }

// run parses the arguments and runs one command; it gives the exit status.
func run(e *env, args []string) int {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	var c cli
	exited := -1
	k, err := kong.New(&c, kong.Name("quietpost"), kong.Writers(e.stdout, e.stderr), kong.Exit(func(code int) {
		if exited < 0 {
			exited = code
		}
	}), kong.Description("Quiet by default, urgent at once: a team's updates as digests by mail."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Help(helpWithExamples), kong.Bind(e))
	if err != nil {
		panic(err) // a fault in cli itself
	}
	cmd, err := k.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err == nil {
		e.config, e.json = c.Config, c.JSON
		err = cmd.Run(e)
	} else {
		err = usage{fmt.Errorf("%w; see quietpost --help", err)}
	}
	return e.status(err)
}

// status prints an error, if there is one, and gives the exit status it stands for.
func (e *env) status(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(e.stderr, "quietpost: %v\n", err)
	if errors.As(err, &usage{}) {
		return 2
	}
	return 1
}

// exampler is a command that shows how it is called.
type exampler interface{ Example() string }

func helpWithExamples(o kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(o, ctx); err != nil {
		return err
	}
	if n := ctx.Selected(); n != nil && n.Target.CanAddr() {
		if x, ok := n.Target.Addr().Interface().(exampler); ok {
			fmt.Fprintf(ctx.Stdout, "\nExample:\n  %s\n", strings.ReplaceAll(x.Example(), "\n", "\n  "))
		}
	}
	return nil
}

// configFile is the file that is asked for, else the first of the usual ones that is there.
func (e *env) configFile() (string, error) {
	if e.config != "" {
		return e.config, nil
	}
	usual := []string{"quietpost.yaml", "/etc/quietpost/quietpost.yaml"}
	for _, f := range usual {
		if _, err := os.Stat(f); err == nil {
			return f, nil
		}
	}
	abs, _ := filepath.Abs(usual[0])
	return "", fmt.Errorf("no configuration: neither %s nor %s is there; name one with --config FILE", abs, usual[1])
}

// logger writes to standard error. Under systemd, which adds the time itself, lines begin without one.
func (e *env) logger() *slog.Logger {
	o := &slog.HandlerOptions{}
	if e.getenv("JOURNAL_STREAM") != "" {
		o.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	return slog.New(slog.NewTextHandler(e.stderr, o))
}
