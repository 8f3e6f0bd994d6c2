package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"quietpost/config"
	"quietpost/digest"
)

type postCmd struct {
	Project string   `required:"" help:"Project key." placeholder:"KEY"`
	Title   string   `required:"" help:"What happened, in one line."`
	Urgent  bool     `help:"Leaves at once instead of with the digest."`
	Kind    string   `help:"status, decision, question, …"`
	Due     string   `help:"A day, such as 2026-12-01."`
	URL     string   `help:"Where to read on." name:"url"`
	Tag     []string `help:"A tag; may be repeated."`
	Author  string   `help:"Who says so."`
	Thread  string   `help:"What it belongs to: items of one thread become one line."`
	Key     string   `help:"The same key twice is one item."`
	Source  string   `help:"Post as this source of the configuration; default the first generic one." placeholder:"NAME"`

	To        string `help:"Address of a daemon elsewhere, such as https://quiet.example.com." placeholder:"URL"`
	TokenFile string `help:"File with the source's secret, with --to." placeholder:"FILE" type:"path"`
}

// Example is printed with the help.
func (*postCmd) Example() string {
	return `echo "All tables checked." | quietpost post --project apollo --title "Backup done" --tag nightly
quietpost post --project apollo --title "Database is down" --urgent </dev/null`
}

// Run posts to the running daemon, by HTTP as everybody does.
func (c *postCmd) Run(e *env) error {
	body, err := e.body()
	if err != nil {
		return err
	}
	to, secret, err := c.target(e)
	if err != nil {
		return err
	}
	item := map[string]any{"project": c.Project, "title": c.Title, "body": body, "url": c.URL, "kind": c.Kind, "author": c.Author,
		"thread": c.Thread, "due": c.Due, "key": c.Key, "tags": c.Tag, "urgent": c.Urgent}
	for k, v := range item {
		switch v := v.(type) {
		case string:
			if v == "" {
				delete(item, k)
			}
		case []string:
			if len(v) == 0 {
				delete(item, k)
			}
		}
	}
	payload, err := json.Marshal(item)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(e.ctx, http.MethodPost, to, bytes.NewReader(payload))
	if err != nil {
		return usage{fmt.Errorf("--to: %w", err)}
	}
	req.Header.Set("Content-Type", "application/json")
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	resp, err := (&http.Client{Timeout: 30 * time.Second}).Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("no daemon answers at %s; start it with `quietpost serve`", req.URL.Host)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return c.answer(e, resp)
}

// answer prints what the daemon says.
func (c *postCmd) answer(e *env, resp *http.Response) error {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	var got struct {
		Status, Title, Detail, Reason string
		Items                         []struct {
			ID      string `json:"id"`
			Seq     int64  `json:"seq"`
			Project string `json:"project"`
			Urgent  bool   `json:"urgent"`
		}
	}
	var problem struct{ Title, Detail string }
	if resp.StatusCode >= 300 {
		if json.Unmarshal(raw, &problem) == nil && problem.Title+problem.Detail != "" {
			return fmt.Errorf("refused (%d): %s: %s", resp.StatusCode, problem.Title, problem.Detail)
		}
		return fmt.Errorf("refused (%s): %s", resp.Status, digest.OneLine(string(raw), 200))
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return fmt.Errorf("what answers there is no quietpost: %s", digest.OneLine(string(raw), 100))
	}
	if e.json {
		_, err := e.stdout.Write(append(bytes.TrimSpace(append([]byte("["), append(raw, ']')...)), '\n'))
		return err
	}
	for _, it := range got.Items {
		mark := ""
		if it.Urgent {
			mark = ", urgent"
		}
		fmt.Fprintf(e.stdout, "%s: item %s (number %d) in %s%s\n", got.Status, it.ID, it.Seq, it.Project, mark)
	}
	if len(got.Items) == 0 {
		fmt.Fprintln(e.stdout, strings.TrimSpace(got.Status+" "+got.Reason))
	}
	return nil
}

// body is standard input, unless that is a terminal or nothing.
func (e *env) body() (string, error) {
	if f, ok := e.stdin.(*os.File); ok {
		if st, err := f.Stat(); err != nil || st.Mode()&os.ModeCharDevice != 0 {
			return "", nil
		}
	}
	b, err := io.ReadAll(io.LimitReader(e.stdin, 1<<20))
	if err != nil {
		return "", fmt.Errorf("reading the body from standard input: %w", err)
	}
	return string(b), nil
}

// target is where to post, and with which secret.
func (c *postCmd) target(e *env) (to, secret string, err error) {
	if c.To != "" {
		u, err := url.Parse(c.To)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return "", "", usage{fmt.Errorf("--to %q is no address; it should look like https://quiet.example.com", c.To)}
		}
		if c.TokenFile == "" {
			return "", "", usage{errors.New("--to needs --token-file with the secret of a generic source")}
		}
		b, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return "", "", err
		}
		return u.JoinPath("v1", "items").String(), strings.TrimSpace(strings.SplitN(string(b), "\n", 2)[0]), nil
	}
	cfg, err := e.read()
	if err != nil {
		return "", "", err
	}
	host, port, err := net.SplitHostPort(cfg.HTTP.Listen)
	if err != nil {
		return "", "", fmt.Errorf("http.listen: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	base := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
	for _, s := range cfg.Sources {
		if c.Source != s.Name && (c.Source != "" || s.Type != digest.NativeTool) {
			continue
		}
		if s.Type != digest.NativeTool {
			return "", "", fmt.Errorf("source %s is of type %s; post needs one of type generic", s.Name, s.Type)
		}
		if !s.SecretFile.Set() {
			return base.JoinPath("hooks", s.Name).String(), "", nil
		}
		secrets, err := config.ReadSecrets(s.SecretFile)
		if err != nil {
			return "", "", err
		}
		return base.JoinPath("v1", "items").String(), string(secrets[0]), nil
	}
	if c.Source != "" {
		return "", "", fmt.Errorf("no source %q in the configuration", c.Source)
	}
	return "", "", errors.New("the configuration has no source of type generic to post to; add one: {name: shell, type: generic, open: true}")
}
