// Package maillab runs real mail servers for tests: Dovecot (IMAP, IMAPS, LMTP) and Postfix (submission, and a door to
// the world that delivers into Dovecot), private to the test, on free ports of 127.0.0.1, everything below one
// temporary folder, under a certificate authority of its own. It needs root (Postfix's master does) and the packages
// that test/install.sh installs. It ends the processes that it started and no other.
package maillab

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/template"
	"time"
)

// Users have a mailbox NAME@lab.test with the password that Password gives. Mail to NAME+anything arrives there too. That of
// "full" has room for one KiB: Postfix takes mail for it, and then returns it.
var Users = []string{"inbox", "digest", "reader", "second", "third", "operator", "full"}

// Address is a user's mail address and login name.
func Address(name string) string { return name + "@lab.test" }

// Password is that of a user.
func Password(name string) string { return name + "-password" }

// Ports of the servers on 127.0.0.1.
type Ports struct {
	IMAP        int // STARTTLS
	IMAPS       int
	LMTP        int
	SASL        int
	MX          int // takes mail for lab.test from anybody
	Submission  int // STARTTLS, login needed
	Submissions int // implicit TLS, login needed
	Policy      int
}

// A Lab is a running mail system.
type Lab struct {
	Dir    string // everything is below
	User   string // whom Dovecot runs as
	Group  string
	CAFile string // PEM; give it to a client as SSL_CERT_FILE
	Ports  Ports

	uid, gid uint32
	policy   *policy
	dovecot  *process
	postfix  *process
	master   string // Postfix's master program
}

//go:embed conf
var conf embed.FS

// deadline for a server to come up or go down.
const deadline = 30 * time.Second

// Start brings a lab up and takes it down when the test is over. Without root the test is skipped, loudly.
func Start(t testing.TB) *Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: the tests with real mail servers need root, because Postfix does; run them as root")
	}
	l, err := start()
	if l != nil {
		t.Cleanup(func() { l.stop(t) })
	}
	if err != nil {
		t.Fatalf("the mail servers do not come up (test/install.sh installs them): %v", err)
	}
	return l
}

func start() (*Lab, error) {
	if err := dovecotVersion(); err != nil {
		return nil, err
	}
	l := &Lab{User: "dovecot"}
	if err := l.findPrograms(); err != nil {
		return nil, err
	}
	// Not t.TempDir: its parents shut out Dovecot's user, and its names are too long for Unix sockets.
	dir, err := os.MkdirTemp("", "maillab")
	if err != nil {
		return nil, err
	}
	l.Dir, l.CAFile = dir, filepath.Join(dir, "tls", "ca.pem")
	if err := errors.Join(l.prepare(), l.StartIMAP(), l.StartSMTP()); err != nil {
		return l, fmt.Errorf("%w\n%s", err, l.Logs())
	}
	return l, nil
}

// dovecotVersion refuses what conf/dovecot.conf is not written for: 2.4 renamed most settings.
func dovecotVersion() error {
	out, err := exec.Command("dovecot", "--version").Output()
	if err != nil {
		return fmt.Errorf("dovecot: %w", err)
	}
	if !strings.HasPrefix(string(out), "2.3.") {
		return fmt.Errorf("the configuration here is for Dovecot 2.3, not for %s", strings.TrimSpace(string(out)))
	}
	return nil
}

func (l *Lab) findPrograms() error {
	u, err := user.Lookup(l.User)
	if err != nil {
		return err
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		return err
	}
	l.Group = g.Name
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	l.uid, l.gid = uint32(uid), uint32(gid)
	out, err3 := exec.Command("postconf", "-d", "-h", "daemon_directory").Output()
	l.master = filepath.Join(strings.TrimSpace(string(out)), "master")
	return errors.Join(err1, err2, err3)
}

// prepare writes folders, certificates, users and configuration.
func (l *Lab) prepare() error {
	if err := os.Chmod(l.Dir, 0o755); err != nil {
		return err
	}
	for _, d := range []string{"tls", "mail", "run", "state", "log", "pf", "spool", "pfdata"} {
		if err := os.Mkdir(filepath.Join(l.Dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := writeCerts(filepath.Join(l.Dir, "tls")); err != nil {
		return err
	}
	var err error
	if l.policy, err = newPolicy(); err != nil {
		return err
	}
	l.Ports = Ports{FreePort(), FreePort(), FreePort(), FreePort(), FreePort(), FreePort(), FreePort(), l.policy.port()}
	users := ""
	for _, name := range Users {
		users += Address(name) + ":{PLAIN}" + Password(name) + "::::::"
		if name == "full" {
			users += "userdb_quota_rule=*:storage=1K"
		}
		users += "\n"
	}
	if err := os.WriteFile(filepath.Join(l.Dir, "users"), []byte(users), 0o644); err != nil {
		return err
	}
	for name, to := range map[string]string{"dovecot.conf": "dovecot.conf", "main.cf": "pf/main.cf", "master.cf": "pf/master.cf"} {
		if err := l.fill(name, to); err != nil {
			return err
		}
	}
	if err := l.chown(); err != nil {
		return err
	}
	// Makes the folders of the queue.
	if out, err := exec.Command("postfix", "-c", filepath.Join(l.Dir, "pf"), "check").CombinedOutput(); err != nil {
		return fmt.Errorf("postfix check: %w\n%s", err, out)
	}
	return nil
}

func (l *Lab) fill(name, to string) error {
	tmpl, err := template.ParseFS(conf, "conf/"+name)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(l.Dir, to))
	if err != nil {
		return err
	}
	return errors.Join(tmpl.Execute(f, l), f.Close())
}

func (l *Lab) chown() error {
	pf, err := user.Lookup("postfix")
	if err != nil {
		return err
	}
	pfUID, err := strconv.Atoi(pf.Uid)
	if err != nil {
		return err
	}
	errs := []error{os.Chown(filepath.Join(l.Dir, "pfdata"), pfUID, -1)}
	for _, d := range []string{"mail", "run", "state", "log"} {
		errs = append(errs, os.Chown(filepath.Join(l.Dir, d), int(l.uid), int(l.gid)))
	}
	return errors.Join(errs...)
}

var owned sync.Map // port → the listener that keeps it ours

// FreePort is a port of 127.0.0.1 that nobody listens on, and that nobody takes while its server is down: it lies below those
// that Linux gives to outgoing connections (from 32768 on), and this process is its owner for as long as it lives, by an
// abstract socket of that name, for other tests that look for one.
func FreePort() int {
	for {
		port := 20000 + rand.IntN(12000)
		owner, err := net.Listen("unix", fmt.Sprintf("@quietpost-test-port-%d", port))
		if err != nil {
			continue
		}
		owned.Store(port, owner)
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		ln.Close()
		return port
	}
}

// StartIMAP starts Dovecot (IMAP and LMTP) and waits until it answers.
func (l *Lab) StartIMAP() error {
	cmd := exec.Command("dovecot", "-F", "-c", filepath.Join(l.Dir, "dovecot.conf"))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:    true, // Postfix's master makes a session of its own
		Credential: &syscall.Credential{Uid: l.uid, Gid: l.gid},
	}
	var err error
	if l.dovecot, err = run(cmd); err != nil {
		return fmt.Errorf("dovecot: %w", err)
	}
	return l.dovecot.listening(l.Ports.IMAP, l.Ports.IMAPS, l.Ports.LMTP, l.Ports.SASL)
}

// StopIMAP stops Dovecot; mail to it waits in Postfix's queue.
func (l *Lab) StopIMAP() error { return l.dovecot.stop() }

// StartSMTP starts Postfix and waits until it answers.
func (l *Lab) StartSMTP() error {
	var err error
	if l.postfix, err = run(exec.Command(l.master, "-c", filepath.Join(l.Dir, "pf"), "-s")); err != nil {
		return fmt.Errorf("postfix: %w", err)
	}
	return l.postfix.listening(l.Ports.MX, l.Ports.Submission, l.Ports.Submissions)
}

// StopSMTP stops Postfix. Mail it has taken and not yet delivered waits for StartSMTP.
func (l *Lab) StopSMTP() error { return l.postfix.stop() }

// Kick ends a user's IMAP connections, as an operator would; an error if there are none.
func (l *Lab) Kick(name string) error {
	_, err := l.Doveadm("kick", Address(name))
	return err
}

// Doveadm runs Dovecot's tool for operators and gives what it prints.
func (l *Lab) Doveadm(args ...string) (string, error) {
	cmd := exec.Command("doveadm", append([]string{"-c", filepath.Join(l.Dir, "dovecot.conf")}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: l.uid, Gid: l.gid}}
	cmd.Dir = l.Dir
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("doveadm %s: %w\n%s", args[0], err, words.Bytes())
	}
	return out.String(), nil
}

// Fill puts n mails of that time and the minutes after it into a user's INBOX, as if they had always been there: it
// writes the files of the Maildir itself. text gives the body of each, with CRLF.
func (l *Lab) Fill(name string, n int, from time.Time, text func(i int) string) error {
	dir := filepath.Join(l.Dir, "mail", Address(name), "Maildir")
	for _, d := range []string{"", "cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return err
		}
	}
	for i := range n {
		at := from.Add(time.Duration(i) * time.Minute)
		raw := fmt.Sprintf("From: bot@lab.test\r\nTo: %s\r\nSubject: old %d\r\nMessage-ID: <old-%d@lab.test>\r\nDate: %s\r\n\r\n%s",
			Address(name), i, i, at.Format(time.RFC1123Z), text(i))
		file := filepath.Join(dir, "cur", fmt.Sprintf("%d.M%dP1.lab,S=%d:2,S", at.Unix(), i, len(raw)))
		if err := errors.Join(os.WriteFile(file, []byte(raw), 0o600), os.Chtimes(file, at, at), os.Chown(file, int(l.uid), int(l.gid))); err != nil {
			return err
		}
	}
	for _, d := range []string{"..", "", "cur", "new", "tmp"} {
		if err := os.Chown(filepath.Join(dir, d), int(l.uid), int(l.gid)); err != nil {
			return err
		}
	}
	return nil
}

// Refuse makes Postfix answer RCPT TO for this address with an SMTP reply such as "451 4.3.0 Try again later" or
// "550 5.1.1 No such user", from now on and also on connections that are open.
func (l *Lab) Refuse(addr, reply string) {
	l.policy.mu.Lock()
	defer l.policy.mu.Unlock()
	l.policy.rules[strings.ToLower(addr)] = reply
}

// Allow ends Refuse.
func (l *Lab) Allow(addr string) {
	l.policy.mu.Lock()
	defer l.policy.mu.Unlock()
	delete(l.policy.rules, strings.ToLower(addr))
}

// Asked counts the RCPT TO commands for an address so far, refused or not.
func (l *Lab) Asked(addr string) int {
	l.policy.mu.Lock()
	defer l.policy.mu.Unlock()
	return l.policy.asked[strings.ToLower(addr)]
}

// Logs are the servers' last words.
func (l *Lab) Logs() string {
	var b strings.Builder
	for _, name := range []string{"dovecot.log", "postfix.log"} {
		data, err := os.ReadFile(filepath.Join(l.Dir, "log", name))
		if err != nil {
			continue
		}
		fmt.Fprintf(&b, "-- %s\n%s", name, data[max(0, len(data)-4000):])
	}
	for _, p := range []*process{l.dovecot, l.postfix} {
		if p != nil {
			b.WriteString(p.output.String())
		}
	}
	return b.String()
}

func (l *Lab) stop(t testing.TB) {
	if t.Failed() {
		t.Logf("mail servers:\n%s", l.Logs())
	}
	for _, p := range []*process{l.postfix, l.dovecot} {
		if p == nil {
			continue
		}
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	}
	if l.policy != nil {
		l.policy.ln.Close()
	}
	if err := os.RemoveAll(l.Dir); err != nil {
		t.Error(err)
	}
}
