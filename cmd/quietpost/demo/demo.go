// Package demo is a small world to try quietpost in: real IMAP and SMTP servers inside the process, a story that sample
// tools post over HTTP and people write by mail, and a page that shows both sides. It knows the daemon only by HTTP, IMAP
// and SMTP, as the world does, and imports nothing of it.
//
// mailserver.go is the mail servers, story.go what is posted, once.go what has to come of it, viewer.go the page.
package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Options of a world.
type Options struct {
	Dir    string        // an empty folder that is the world's: configuration, secrets, the daemon's data
	Listen string        // the viewer's address; empty for 127.0.0.1:8026, or any free port where that is taken
	Out    io.Writer     // where Once prints what was delivered
	Wait   time.Duration // how long Once waits for the mails, 0 for 30 seconds

	// Refuse makes the SMTP server refuse a mail for good when it gives an answer; for tests. May be nil.
	Refuse func(to string, raw []byte) string
}

// A World is everything around the daemon. Close ends it.
type World struct {
	Config string // path of the daemon's configuration
	Daemon string // the daemon's address as the configuration has it, http://127.0.0.1:…
	Viewer string // the page's address

	o       Options
	post    *postOffice
	secrets map[string]string // by source; "api" reads the daemon's items
	web     *http.Server
	client  *http.Client

	deliver sync.Mutex // held while something is posted, until it is noted
	mu      sync.Mutex // guards what follows
	posted  []Posted
	mails   []Mail
	known   map[string]bool // ids of items that we posted or have seen
	samples int
}

// readers are the people who get mail. Ana wants everything, alerts too; Ben only the news of one project.
var readers = []reader{
	{Key: "ana", Name: "Ana", Address: "ana@example.com", Wants: "all projects and alerts, in Lisbon"},
	{Key: "ben", Name: "Ben", Address: "ben@example.com", Wants: "Beacon only and no alerts, in Berlin"},
}

type reader struct{ Key, Name, Address, Wants string }

// sources are the doors of the daemon, by name.
var sources = []string{"github", "chat", "scripts", "monitor"}

const inbox = "updates@example.com"

// Start starts the mail servers and the viewer and writes the daemon's configuration; the daemon is the caller's to run.
func Start(ctx context.Context, o Options) (_ *World, err error) {
	w := &World{o: o, secrets: map[string]string{}, known: map[string]bool{}, client: &http.Client{Timeout: 20 * time.Second}}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	if w.post, err = openPostOffice(o.Refuse); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	w.Daemon = fmt.Sprintf("http://127.0.0.1:%d", port)
	every, err := period(ctx)
	if err != nil {
		return nil, err
	}
	if err := w.configure(port, every); err != nil {
		return nil, err
	}
	l, err := listen(o.Listen)
	if err != nil {
		return nil, err
	}
	w.Viewer = "http://" + l.Addr().String()
	w.web = &http.Server{Handler: w.viewer(), ReadHeaderTimeout: 10 * time.Second}
	go w.web.Serve(l) // ends with Close
	return w, nil
}

// Close ends the servers.
func (w *World) Close() error {
	var errs []error
	if w.web != nil {
		errs = append(errs, w.web.Close())
	}
	if w.post != nil {
		w.post.close()
	}
	w.client.CloseIdleConnections()
	return errors.Join(errs...)
}

// Curl is a command that posts an urgent update, to be pasted into a shell.
func (w *World) Curl() string {
	return fmt.Sprintf(`curl %s/v1/items -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' -d '{"project": "apollo", "title": "Posted with curl", "urgent": true}'`,
		w.Daemon, w.secrets["scripts"])
}

// configure writes the daemon's configuration and the secrets it names.
func (w *World) configure(port int, every time.Duration) error {
	for _, name := range append(sources, "api") {
		w.secrets[name] = rand.Text()
		if err := os.WriteFile(filepath.Join(w.o.Dir, name+".secret"), []byte(w.secrets[name]+"\n"), 0o600); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(w.o.Dir, "mail.secret"), []byte(w.post.password+"\n"), 0o600); err != nil {
		return err
	}
	w.Config = filepath.Join(w.o.Dir, "quietpost.yaml")
	return os.WriteFile(w.Config, fmt.Appendf(nil, configuration, port, port, w.post.smtpPort(), w.post.imapPort(), every, every), 0o600)
}

const configuration = `# The configuration of quietpost's demo. It is removed when the demo ends.
base_url: http://127.0.0.1:%d
data_dir: data
http: {listen: "127.0.0.1:%d"}
api: {token_file: api.secret}
mail:
  from: Quietpost <digest@example.com>
  reply_to: updates@example.com
  smtp: {host: 127.0.0.1, port: %d, tls: none, username: digest@example.com, password_file: mail.secret, connections: 2}
inboxes:
  - name: updates
    address: updates@example.com
    imap: {host: 127.0.0.1, port: %d, tls: none, username: updates@example.com, password_file: mail.secret}
    since: 1h
    trust: inside
sources:
  - {name: github, type: github, secret_file: github.secret}
  - {name: chat, type: slack, secret_file: chat.secret}
  - {name: scripts, type: generic, secret_file: scripts.secret}
  - {name: monitor, type: generic, secret_file: monitor.secret}
projects:
  - {name: apollo, title: Apollo, aliases: [acme/apollo]}
  - {name: beacon, title: Beacon, aliases: [acme/beacon]}
  - {name: harbor, title: Harbor, aliases: [acme/harbor]}
alerts: {gather: 2s, follow_up_every: 10s, max_per_hour: 60}
subscribers:
  - {address: ana@example.com, name: Ana, time_zone: Europe/Lisbon, projects: ["*"], schedule: "@every %s", alerts: true}
  - {address: ben@example.com, name: Ben, time_zone: Europe/Berlin, projects: [beacon], schedule: "@every %s", alerts: false}
`

// period chooses how often digests are due. Slots are multiples of it since 1970, so of a few periods that are all right
// it takes one whose next slot leaves the time to post the whole story: one digest of it all, within ten seconds.
func period(ctx context.Context) (time.Duration, error) {
	for {
		now := time.Now().UnixMilli()
		for _, d := range []time.Duration{8 * time.Second, 9 * time.Second, 7 * time.Second, 10 * time.Second} {
			if left := d.Milliseconds() - now%d.Milliseconds(); left >= 5000 && left <= 7500 {
				return d, nil
			}
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// listen opens the viewer's address.
func listen(addr string) (net.Listener, error) {
	if addr != "" {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("--listen: %w", err)
		}
		return l, nil
	}
	if l, err := net.Listen("tcp", "127.0.0.1:8026"); err == nil {
		return l, nil
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// freePort finds a port for the daemon: it stands in the configuration twice, since links in mails name it.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// readerOf finds a reader by key or address.
func readerOf(name string) (reader, bool) {
	for _, r := range readers {
		if r.Key == name || strings.EqualFold(r.Address, name) {
			return r, true
		}
	}
	return reader{}, false
}
