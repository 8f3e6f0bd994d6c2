package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"quietpost/config"
	"quietpost/digest"
	"quietpost/mailer"
	"quietpost/templates"
)

type initCmd struct {
	Dir string `arg:"" optional:"" help:"The folder to write to." default:"." type:"path"`
	Ask *bool  `help:"Ask for what must be known; by default, on a terminal." negatable:""`
}

// Example is printed with the help.
func (*initCmd) Example() string { return "sudo quietpost init /etc/quietpost" }

// An answer is one thing that init asks for, and the line of the example that it stands for.
type answer struct {
	key, question, def string
	line, with         string                       // with has %s for the answer; "" as line: none
	check              func(string) (string, error) // gives the answer as it is to be written
}

var answers = []answer{
	{key: "host", question: "The mail server that takes your mail (SMTP), such as smtp.example.com", line: "    host: smtp.example.com", with: "    host: %s", check: word},
	{key: "tls", question: "How it is encrypted: starttls (port 587), implicit (port 465) or none (port 25)", def: "starttls",
		line: "    #tls: starttls", with: "    tls: %s", check: oneOf("starttls", "implicit", "none")},
	{key: "port", question: "Its port, if it is another (Enter for the usual one)", def: "-", line: "    #port: 587", with: "    port: %s", check: word},
	{key: "username", question: "The user name to log in with (- for no login)", def: "-", line: "    #username: digest@example.com", with: "    username: %s", check: word},
	{key: "password"}, // asked without an echo, kept in a file
	{key: "from", question: "The address that digests come from", line: "  from: Quietpost <digest@example.com>", with: "  from: Quietpost <%s>", check: address},
	{key: "operator", question: "Who is told when something is wrong: your address", line: "#operators: [ops@example.com]", with: "operators: [%s]", check: address},
	{key: "zone", question: "Your team's time zone, such as Europe/Berlin", line: "#time_zone: Europe/Berlin", with: "time_zone: %s", check: timeZone},
	{key: "base_url", question: "The address of this service as people reach it (Enter if only on this machine)", def: "-",
		line: "#base_url: https://quiet.example.com", with: "base_url: %s", check: word},
}

// Run writes a configuration that check accepts; on a terminal it asks first, and sends a digest to try it out.
func (c *initCmd) Run(e *env) error {
	file := filepath.Join(c.Dir, "quietpost.yaml")
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already; remove it first, or name another folder: quietpost init DIR", file)
	}
	if err := os.MkdirAll(c.Dir, 0o750); err != nil {
		return err
	}
	ask := isTerminal(e.stdin)
	if c.Ask != nil {
		ask = *c.Ask
	}
	text, q := string(config.Example), &questions{e: e, in: bufio.NewReader(e.stdin), got: map[string]string{}}
	if ask {
		if err := q.all(); err != nil {
			return err
		}
		text = q.write(text)
		if err := secret(c.Dir, "smtp.password", q.got["password"]); err != nil {
			return err
		}
	}
	if c.Dir == "/etc/quietpost" { // commands that people run must find what the service writes
		text = strings.Replace(text, "#data_dir: /var/lib/quietpost\n", "data_dir: /var/lib/quietpost\n", 1)
	}
	token := make([]byte, 24)
	rand.Read(token)
	if err := secret(c.Dir, "scripts.token", hex.EncodeToString(token)); err != nil {
		return err
	}
	text += "\n# Your own scripts post with this secret: quietpost post, or curl with it as bearer token.\n" +
		"sources:\n  - {name: scripts, type: generic, secret_file: scripts.token}\n"
	if who := q.got["operator"]; who != "" {
		text += fmt.Sprintf("\nsubscribers:\n  - {address: %s, projects: [\"*\"], schedule: daily}\n", who)
	}
	cfg, faults := config.Parse(file, []byte(text), e.options())
	if cfg == nil {
		return fmt.Errorf("these answers make no good configuration; nothing was written: %w", faults.Err())
	}
	if err := writeNew(c.Dir, "quietpost.yaml", text, 0o640); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "\nWritten: %s\n", file)
	if !ask {
		fmt.Fprintf(e.stdout, "Next: fill in mail.from and mail.smtp in it, then\n  quietpost check --config %s\n", file)
		return nil
	}
	if err := q.tryOut(cfg); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "Next:\n  quietpost check --config %s\n  quietpost serve --config %s     (or: systemctl enable --now quietpost)\n", file, file)
	return nil
}

// questions asks on a terminal.
type questions struct {
	e   *env
	in  *bufio.Reader
	got map[string]string
}

func (q *questions) all() error {
	fmt.Fprint(q.e.stdout, "A few questions; Enter takes what stands in brackets.\n\n")
	for _, a := range answers {
		if a.key == "password" {
			if q.got["username"] == "" {
				continue
			}
			p, err := q.hidden("Its password (it is not shown; kept in smtp.password)")
			if err != nil {
				return err
			}
			q.got[a.key] = p
			continue
		}
		if a.key == "zone" {
			a.def = localZone()
		}
		for {
			v, err := q.line(a.question, a.def)
			if err != nil {
				return err
			}
			if v == "-" {
				break
			}
			if v, err = a.check(v); err == nil {
				q.got[a.key] = v
				break
			}
			fmt.Fprintf(q.e.stdout, "  %v\n", err)
		}
	}
	return nil
}

func (q *questions) line(question, def string) (string, error) {
	shown := ""
	if def != "" && def != "-" {
		shown = " [" + def + "]"
	}
	fmt.Fprintf(q.e.stdout, "%s%s: ", question, shown)
	s, err := q.in.ReadString('\n')
	if s = strings.TrimSpace(s); s == "" {
		s = def
	}
	if err != nil && s == "" {
		return "", errors.New("the input ended before all was answered; nothing was written")
	}
	return s, nil
}

func (q *questions) hidden(question string) (string, error) {
	f, ok := q.e.stdin.(*os.File)
	if !ok || !isTerminal(f) {
		return q.line(question, "")
	}
	fmt.Fprintf(q.e.stdout, "%s: ", question)
	p, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(q.e.stdout)
	return string(bytes.TrimSpace(p)), err
}

// write puts the answers into the example, in the place of the lines that show their keys.
func (q *questions) write(text string) string {
	for _, a := range answers {
		if v := q.got[a.key]; v != "" && a.line != "" {
			text = strings.Replace(text, a.line+"\n", fmt.Sprintf(a.with, v)+"\n", 1)
		}
	}
	if q.got["password"] != "" {
		text = strings.Replace(text, "    #password_file: \"${CREDENTIALS_DIRECTORY}/smtp\"\n", "    password_file: smtp.password\n", 1)
	}
	return text
}

// tryOut sends the operator a digest as it will look.
func (q *questions) tryOut(cfg *config.Config) error {
	to := q.got["operator"]
	v, err := q.line("Send a digest to "+to+" now, to try it out? yes or no", "yes")
	if err != nil || !strings.HasPrefix(strings.ToLower(v), "y") {
		return err
	}
	m, err := sample(cfg, to, q.e.now())
	if err != nil {
		return err
	}
	t, err := mailer.NewTransport(mailer.TransportOptions{Host: cfg.Mail.SMTP.Host, Port: cfg.Mail.SMTP.Port, TLS: cfg.Mail.SMTP.TLS,
		Username: cfg.Mail.SMTP.Username, From: cfg.Mail.From, Timeout: time.Minute,
		Password: func() (string, error) { return q.got["password"], nil }})
	if err != nil {
		return err
	}
	defer t.Close()
	ctx, cancel := context.WithTimeout(q.e.ctx, time.Minute)
	defer cancel()
	if err := t.Send(ctx, m); err != nil {
		return fmt.Errorf("the configuration is written, but the mail was not taken: %w. Correct mail.smtp in the file; `quietpost doctor` tries it again", err)
	}
	fmt.Fprintf(q.e.stdout, "Sent: the mail server took it. If it does not arrive, look into the spam folder.\n\n")
	return nil
}

// sample is a first digest.
func sample(cfg *config.Config, to string, now time.Time) (*digest.Message, error) {
	r, err := templates.New()
	if err != nil {
		return nil, err
	}
	c, err := mailer.NewComposer(mailer.ComposerOptions{From: mail.Address{Name: cfg.Mail.FromName, Address: cfg.Mail.From}})
	if err != nil {
		return nil, err
	}
	items := []digest.Item{
		{Number: 1, Project: "quietpost", Kind: digest.KindQuestion, Title: "Which tools should report here?", Author: "quietpost",
			Body: "GitHub, Grafana, scripts, mail: the README shows what to paste where.", ReceivedAt: now, Thread: "1"},
		{Number: 2, Project: "quietpost", Kind: digest.KindAnnouncement, Title: "This is what a digest looks like", Author: "quietpost",
			Body: "Each project has a part of its own; what needs an answer stands first.", ReceivedAt: now, Thread: "2"},
	}
	v := &digest.View{Address: to, Loc: cfg.TimeZone, Now: now, Why: "You get this because `quietpost init` sent it to try out your mail server.",
		Edition: digest.Edition{Occasion: digest.OccasionDigest, From: 1, To: 2, Items: 2, CreatedAt: now, Slot: now}}
	v.Grouping = digest.Group(items, nil, func(key string) string { return key }, 20)
	v.Subject = "quietpost is set up: your first digest"
	rendered, err := r.Digest(v)
	if err != nil {
		return nil, err
	}
	id := fmt.Sprintf("try-%d@%s", now.UnixNano(), c.Host())
	raw, err := c.Compose(&digest.Letter{Rendered: rendered, To: to, MessageID: id, Date: now})
	return &digest.Message{To: to, MessageID: id, Subject: v.Subject, Bytes: raw}, err
}

// secret writes a file that holds a secret; an empty one is none.
func secret(dir, name, text string) error {
	if text == "" {
		return nil
	}
	return writeNew(dir, name, text+"\n", 0o640)
}

// writeNew writes a file that must not be there. Its group is the folder's: root writes what the service is to read.
func writeNew(dir, name, text string, mode fs.FileMode) error {
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already; remove it first", path)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		if err := f.Chown(-1, int(st.Gid)); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(f, text); err != nil {
		return err
	}
	return errors.Join(f.Chmod(mode), f.Sync())
}

func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// localZone is this machine's zone as its link names it, else UTC.
func localZone() string {
	if to, err := os.Readlink("/etc/localtime"); err == nil {
		if _, name, ok := strings.Cut(to, "zoneinfo/"); ok {
			return name
		}
	}
	return "UTC"
}

func word(s string) (string, error) {
	if strings.ContainsAny(s, " \t\"'#,{}[]") {
		return "", fmt.Errorf("%q has characters that do not belong there", s)
	}
	return s, nil
}

func oneOf(words ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		for _, w := range words {
			if strings.EqualFold(s, w) {
				return w, nil
			}
		}
		return "", fmt.Errorf("%q is none of %s", s, strings.Join(words, ", "))
	}
}

func address(s string) (string, error) { return digest.NormalizeAddress(s) }

func timeZone(s string) (string, error) {
	if _, err := time.LoadLocation(s); err != nil {
		return "", fmt.Errorf("%q is not a zone; it should look like Europe/Berlin", s)
	}
	return s, nil
}
