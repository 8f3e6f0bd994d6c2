package main

import (
	"context"
	"fmt"
	"strings"

	"quietpost/collector/mailbox"
	"quietpost/mailer"
)

type doctorCmd struct{}

// Example is printed with the help.
func (*doctorCmd) Example() string {
	return "sudo quietpost doctor --config /etc/quietpost/quietpost.yaml"
}

// A finding is what one probe saw.
type finding struct {
	Probe string `json:"probe"` // what was tried: "inbox updates: login"
	OK    bool   `json:"ok"`
	Text  string `json:"text"`         // what was seen
	Do    string `json:"do,omitempty"` // what to do about it
}

// probes are all that doctor tries, in this order.
func probes() []func(ctx context.Context, e *env, cfg *loaded) []finding {
	return []func(context.Context, *env, *loaded) []finding{probeHouse, probeInboxes, probeMail, probePages, probeExpires}
}

// Run tries the real thing and prints a line a probe. It changes nothing, and may run beside the daemon.
func (*doctorCmd) Run(e *env) error {
	file, err := e.configFile()
	if err != nil {
		return err
	}
	cfg, err := e.load(file)
	if err != nil {
		return err
	}
	all, failed := []finding{}, 0
	for _, probe := range probes() {
		for _, f := range probe(e.ctx, e, cfg) {
			if all = append(all, f); !f.OK {
				failed++
			}
			if !e.json {
				fmt.Fprintln(e.stdout, f)
			}
		}
	}
	if e.json {
		if err := e.print(all, "", nil); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%s not well, see above", counted(failed, "thing is", "things are"))
	}
	return nil
}

// String is the line that is printed.
func (f finding) String() string {
	state := "ok  "
	if !f.OK {
		state = "FAIL"
	}
	text := state + "  " + f.Probe + ": " + f.Text
	if f.Do != "" {
		text += "\n      → " + f.Do
	}
	return text
}

// probeInboxes tries each inbox step by step, up to the first that fails.
func probeInboxes(ctx context.Context, e *env, cfg *loaded) (out []finding) {
	for i := range cfg.Inboxes {
		in := &cfg.Inboxes[i]
		o, err := inboxOptions(cfg.dataDir, in, e.now)
		if err != nil {
			out = append(out, finding{Probe: "inbox " + in.Name, Text: err.Error(),
				Do: "name a file that the user the service runs as can read; credentials of systemd are only there inside its service"})
			continue
		}
		for _, s := range mailbox.Probe(ctx, o) {
			out = append(out, finding{Probe: "inbox " + in.Name + ": " + s.Name, OK: s.OK, Text: strings.TrimSpace(s.Text), Do: s.Do})
		}
	}
	return out
}

// probeMail tries the mail server as a mail would, sending nothing, and asks the DNS about the sender.
func probeMail(ctx context.Context, e *env, cfg *loaded) (out []finding) {
	o, err := transportOptions(cfg, []byte("doctor")) // the return path looks like a real one and means nothing
	if err == nil {
		var t *mailer.Transport
		if t, err = mailer.NewTransport(o); err == nil {
			for _, s := range t.Probe(ctx) {
				out = append(out, finding{Probe: s.Name, OK: s.OK, Text: s.Text, Do: s.Do})
			}
		}
	}
	if err != nil {
		out = append(out, finding{Probe: "smtp", Text: err.Error(),
			Do: "name files that the user the service runs as can read; credentials of systemd are only there inside its service"})
	}
	if e.dns == nil {
		return out
	}
	for _, s := range mailer.ProbeDNS(ctx, e.dns, mailer.Sender{From: cfg.Mail.From, ReturnPath: o.From, Signer: o.Signer}) {
		out = append(out, finding{Probe: s.Name, OK: s.OK, Text: s.Text, Do: s.Do})
	}
	return out
}
