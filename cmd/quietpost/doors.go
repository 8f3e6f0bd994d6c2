package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"quietpost/collector/mailbox"
	"quietpost/collector/tools"
	"quietpost/collector/webhook"
	"quietpost/config"
	"quietpost/digest"
)

// doors read raw bytes as the daemon's doors would under the present configuration, without any secret or connection.
type doors struct {
	cfg    *config.Config
	policy *digest.Policy
	intake *digest.Intake
	hooks  *webhook.Handler
	tools  *tools.Library
	boxes  map[string]*mailbox.Mailbox
	now    func() time.Time
}

// doors makes them; more are sources beside those of the file. leave ends what the signed link in a mail is for; nil: no
// such mail is read.
func (e *env) doors(ctx context.Context, cfg *config.Config, store digest.IntakeStore, leave func(context.Context, string) error,
	more ...webhook.Source) (*doors, error) {
	d := &doors{cfg: cfg, intake: &digest.Intake{Store: store}, boxes: map[string]*mailbox.Mailbox{}, now: e.now}
	var err error
	if d.policy, err = policyOf(cfg); err != nil {
		return nil, err
	}
	if err := d.intake.SetPolicy(ctx, d.policy); err != nil {
		return nil, err
	}
	if d.tools, err = e.libraryOf(cfg); err != nil {
		return nil, err
	}
	d.hooks = webhook.New(webhook.Options{Intake: d.intake, Tools: d.tools, Now: e.now})
	sources := more
	for i := range cfg.Sources {
		s, err := sourceOf(&cfg.Sources[i], d.tools)
		if err != nil {
			return nil, err
		}
		sources = append(sources, s)
	}
	d.hooks.SetSources(sources)
	for i := range cfg.Inboxes {
		in := &cfg.Inboxes[i]
		o := mailOptions(in)
		o.Intake, o.Leave, o.Now = d.intake, leave, e.now
		if d.boxes[in.Name], err = mailbox.New(o); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// mailOptions are those of an inbox without what only the running daemon has.
func mailOptions(in *config.Inbox) mailbox.Options {
	return mailbox.Options{Name: in.Name, Address: in.Address, Host: in.IMAP.Host, Port: in.IMAP.Port, TLS: in.IMAP.TLS,
		Username: in.IMAP.Username, Folder: in.IMAP.Folder, After: in.After, Since: in.Since.Std(), Accept: in.Accept, Trust: in.Trust,
		Project: in.Project, LookupTXT: net.DefaultResolver.LookupTXT}
}

// again reads what a receipt kept. It fails where the source is gone, or where not all was kept.
func (d *doors) again(ctx context.Context, r *digest.Receipt) (digest.Delivery, error) {
	if place, rest, cut := bytes.Cut(r.Header, []byte("\r\n")); cut && bytes.HasPrefix(place, []byte("X-Quietpost-Original: ")) {
		if len(rest)+len(r.Raw) == 0 { // the server would not give it
			return digest.Delivery{}, fmt.Errorf("it could not be fetched, so nothing of it was kept; it lies at %s: with a mail program, move it "+
				"to another folder and back, then it is fetched anew", bytes.TrimPrefix(place, []byte("X-Quietpost-Original: ")))
		}
		return digest.Delivery{}, fmt.Errorf("it is above 5 MiB, so only its header and text were kept; the whole lies at %s",
			bytes.TrimPrefix(place, []byte("X-Quietpost-Original: ")))
	}
	if len(r.Raw) >= mailbox.MaxMail {
		return digest.Delivery{}, errors.New("it is above 5 MiB, of which the rest was not kept; have the tool send it again")
	}
	if len(r.Header)+len(r.Raw) == 0 {
		return digest.Delivery{}, errors.New("its raw bytes are gone")
	}
	if r.Tool == digest.MailTool {
		box := d.boxes[r.Source]
		if box == nil {
			return digest.Delivery{}, fmt.Errorf("the configuration has no inbox %s any more; name it again to read its mail", r.Source)
		}
		return box.Delivery(ctx, append(bytes.Clone(r.Header), r.Raw...), r.ReceivedAt)
	}
	got, err := d.hooks.Again(r.Source, r.Header, r.Raw)
	if errors.Is(err, webhook.ErrNoSource) {
		return got, fmt.Errorf("the configuration has no source %s any more; name it again to read what it sent", r.Source)
	}
	return got, err
}

// nowhere is a store of nothing: what there is before the first start.
type nowhere struct{}

func (nowhere) AddItems(context.Context, digest.Delivery) (digest.Result, error) {
	return digest.Result{}, digest.ErrUnavailable
}
func (nowhere) AddBatch(context.Context, []digest.Delivery) ([]digest.Result, error) {
	return nil, digest.ErrUnavailable
}
func (nowhere) Mark(context.Context, string) (digest.Mark, error) {
	return digest.Mark{}, digest.ErrNotFound
}
func (nowhere) SetMark(context.Context, digest.Mark) error    { return digest.ErrUnavailable }
func (nowhere) ProjectKeys(context.Context) ([]string, error) { return nil, nil }
func (nowhere) ThreadOf(context.Context, []string) (string, string, error) {
	return "", "", digest.ErrNotFound
}
