package test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"quietpost/test/maillab"
)

// patience is how long a thing may take before a test gives it up. A mail that a server refused for now is tried again
// after a quarter of a minute, then half a minute.
const patience = 90 * time.Second

// Secrets of the sources, and the token that reads /v1.
const (
	githubSecret = "github-secret"
	chatSecret   = "chat-secret"
	toolSecret   = "tool-secret"
	readToken    = "read-token"
)

// A house is a daemon with its mail servers: it reads inbox@lab.test over IMAP and sends through Postfix as
// digest@lab.test; readers' mail ends in Dovecot.
type house struct {
	*maillab.Lab
	t       testing.TB
	dir     string
	file    string // its configuration
	url     string
	log     journal
	process *process
	mails   int      // that the test's users wrote
	under   []string // what the daemon is run by, such as strace; empty: by nobody
}

// A process is one life of the daemon.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how; read after done
}

// journal is a log that may be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func (j *journal) count(text string) int { return strings.Count(j.String(), text) }

// A plan is what a test says of the configuration.
type plan struct {
	base    string // base_url; default the daemon's own address
	accept  string // of the inbox; default its domain
	sources string // further ones
	more    string // further sections
}

const config = `
base_url: %s
data_dir: %s/data
http: {listen: "%s"}
api: {token_file: api.token}
operators: [operator@lab.test]
mail:
  from: Quietpost <digest@lab.test>
  reply_to: inbox@lab.test
  smtp: {host: localhost, port: %d, tls: starttls, ca_file: %[5]s, username: digest@lab.test, password_file: smtp.password}
inboxes:
  - name: inbox
    address: inbox@lab.test
    imap: {host: localhost, port: %[6]d, tls: implicit, ca_file: %[5]s, username: inbox@lab.test, password_file: imap.password}
    since: 1d
    trust: inside
    accept: %[7]s
sources:
  - {name: github, type: github, secret_file: github.secret}
  - {name: chat, type: slack, secret_file: chat.secret, project: apollo}
  - {name: tool, type: generic, secret_file: tool.secret}
%[8]sprojects:
  - {name: apollo, title: Apollo, aliases: [acme/apollo]}
%[9]s
`

// newHouse starts mail servers and the daemon; all ends with the test.
func newHouse(t testing.TB, p plan) *house {
	t.Helper()
	h := &house{t: t, Lab: maillab.Start(t), dir: t.TempDir()}
	h.file = filepath.Join(h.dir, "quietpost.yaml")
	listen := fmt.Sprintf("127.0.0.1:%d", maillab.FreePort())
	h.url = "http://" + listen
	if p.base == "" {
		p.base = h.url
	}
	if p.accept == "" {
		p.accept = `["*@lab.test"]`
	}
	for name, text := range map[string]string{
		"api.token": readToken, "github.secret": githubSecret, "chat.secret": chatSecret, "tool.secret": toolSecret,
		"smtp.password": maillab.Password("digest"), "imap.password": maillab.Password("inbox"),
	} {
		h.write(name, text+"\n")
	}
	h.write("quietpost.yaml", fmt.Sprintf(config, p.base, h.dir, listen, h.Ports.Submission, h.CAFile, h.Ports.IMAPS, p.accept, p.sources, p.more))
	t.Cleanup(h.end)
	h.start()
	return h
}

func (h *house) write(name, text string) {
	h.t.Helper()
	h.must(os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600))
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// raceOptions have the race detector's runtime wait less than a second at each end of a process.
const raceOptions = "GORACE=halt_on_error=0 atexit_sleep_ms=50"

// launch starts the daemon and does not wait for it.
func (h *house) launch() {
	h.t.Helper()
	args := append(slices.Clone(h.under), binary, "serve", "--config", h.file)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = h.dir, &h.log, &h.log
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, raceOptions}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // also when the test is killed
	h.must(cmd.Start())
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	h.process = p
}

// start starts the daemon and waits until it answers.
func (h *house) start() {
	h.t.Helper()
	h.launch()
	h.eventually("the daemon answers", func() bool {
		select {
		case <-h.process.done:
			h.t.Fatalf("the daemon ended: %v", h.process.err)
		default:
		}
		resp, err := http.Get(h.url + "/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// kill is kill -9.
func (h *house) kill() {
	h.t.Helper()
	h.must(h.process.cmd.Process.Kill())
	<-h.process.done
}

// stop is SIGTERM; the daemon must end by itself, without a fault and within its ten seconds.
func (h *house) stop() {
	h.t.Helper()
	h.must(h.process.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-h.process.done:
		if h.process.err != nil {
			h.t.Errorf("the daemon ended badly: %v", h.process.err)
		}
	case <-time.After(10 * time.Second):
		h.t.Errorf("the daemon did not end within ten seconds of SIGTERM")
		h.kill()
	}
}

// end takes the daemon down after the test and looks for what the race detector and panics left in its log.
func (h *house) end() {
	select {
	case <-h.process.done:
	default:
		h.stop()
	}
	for _, bad := range []string{"DATA RACE", "panic:", "a fault in the program", "a fault in quietpost itself"} {
		if h.log.count(bad) > 0 {
			h.t.Errorf("the daemon's log says %q", bad)
		}
	}
	if log := h.log.String(); h.t.Failed() {
		h.t.Logf("the daemon's last words:\n%s", log[max(0, len(log)-20_000):])
	}
}

// eventually waits until ok, or fails the test.
func (h *house) eventually(what string, ok func() bool) {
	h.t.Helper()
	h.within(patience, what, ok)
}

func (h *house) within(d time.Duration, what string, ok func() bool) {
	h.t.Helper()
	for end := time.Now().Add(d); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("it never came to this: %s", what)
		}
	}
}

// reload puts a changed configuration in force.
func (h *house) reload(change func(string) string) {
	h.t.Helper()
	old, err := os.ReadFile(h.file)
	h.must(err)
	h.write("quietpost.yaml", change(string(old)))
	n := h.log.count("msg=reloaded")
	h.hangup()
	h.eventually("the configuration is reloaded", func() bool { return h.log.count("msg=reloaded") > n })
}

func (h *house) hangup() {
	h.t.Helper()
	h.must(h.process.cmd.Process.Signal(syscall.SIGHUP))
}

// Named schedules: one that never comes while a test runs, so that all that the test brings is in one digest, and what
// it becomes when the test wants that digest.
const (
	never = `schedules: {when-asked: "0 0 29 2 *"}`
	now   = `schedules: {when-asked: "@every 1s"}`
)

// cut makes the digests of all who read when asked.
func (h *house) cut() {
	h.t.Helper()
	h.reload(func(s string) string { return strings.Replace(s, never, now, 1) })
}

// hold ends cut.
func (h *house) hold() {
	h.t.Helper()
	h.reload(func(s string) string { return strings.Replace(s, now, never, 1) })
}
