package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"quietpost/digest"
	"quietpost/store/sqlite"
)

// run runs a command of the shell beside the daemon, and gives its exit status and what it printed.
func (s *service) run(stdin string, args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	var out, errs bytes.Buffer
	e := s.env(s.t.Context())
	e.stdin, e.stdout, e.stderr = strings.NewReader(stdin), &out, &errs
	code = run(e, append([]string{"--config", s.file}, args...))
	return code, out.String(), errs.String()
}

// list runs a command that prints a JSON array.
func list[T any](s *service, args ...string) (values []T) {
	s.t.Helper()
	code, out, errs := s.run("", append(args, "--json")...)
	if code > 1 {
		s.t.Fatalf("%v: %d %s", args, code, errs)
	}
	if err := json.Unmarshal([]byte(out), &values); err != nil {
		s.t.Fatalf("%v: %v\n%s%s", args, err, out, errs)
	}
	return values
}

// textOf waits for a mail with these words in its subject and gives its text.
func (s *service) textOf(subject string) string {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		s.inbox.mu.Lock()
		texts := s.inbox.texts
		s.inbox.mu.Unlock()
		for _, raw := range texts {
			m, err := mail.ReadMessage(strings.NewReader(raw))
			s.must(err)
			if strings.Contains(m.Header.Get("Subject"), subject) {
				body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
				s.must(err)
				return string(body)
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("no mail about %q among %d\n%s", subject, len(texts), s.log.String())
		}
	}
}

// mails counts those with these words in their subject.
func (s *service) mails(subject string) (n int) {
	s.inbox.mu.Lock()
	defer s.inbox.mu.Unlock()
	for _, m := range s.inbox.mails {
		if strings.Contains(m.Header.Get("Subject"), subject) {
			n++
		}
	}
	return n
}

const ruled = `
  - name: jenkins
    type: generic
    secret_file: jenkins.token
    map: {project: payload.job, title: 'payload.job + " #" + payload.number + " " + payload.result', urgent: payload.result == "FAILURE", due: payload.deadline}
operators: [ops@example.com]
rules:
  - {when: 'source == "jenkins" && title contains "#7 "', drop: true}
  - {when: 'source == "lab" && title matches "(?i)disk"', set: {kind: incident, tags: [disk]}}
kinds: {incident: {urgent: true}}
subscribers:
  - {address: ana@example.com, time_zone: Europe/Lisbon, schedule: "0 9 * * *"}
`

func newRuled(t *testing.T) *service {
	t.Helper()
	var s *service
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "jenkins.token"), []byte("butler\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = newService(t, strings.Replace(ruled, "jenkins.token", filepath.Join(dir, "jenkins.token"), 1))
	return s
}

func TestMapsAndRulesInTheHouse(t *testing.T) {
	s := newRuled(t)
	code, v := s.do("POST", "/hooks/jenkins", "butler", `{"job": "web", "number": 8, "result": "SUCCESS"}`)
	if code != 202 || v["status"] != "accepted" {
		t.Fatalf("%d %v", code, v)
	}
	code, v = s.do("POST", "/hooks/jenkins", "butler", `{"job": "web", "number": 7, "result": "FAILURE"}`)
	if code != 200 || v["status"] != "ignored" || v["reason"] != `dropped by rule 1: source == "jenkins" && title contains "#7 "` {
		t.Errorf("%d %v", code, v)
	}
	if code, v = s.post(`{"project": "web", "title": "Disk is full"}`); code != 202 {
		t.Errorf("%d %v", code, v)
	}
	if alert := s.textOf("Disk is full"); !strings.Contains(alert, "every incident is urgent here") && !strings.Contains(alert, "Disk") {
		t.Errorf("%s", alert)
	}
	type item struct {
		Title, Kind string
		Tags        []string
		Reasons     map[string]string
	}
	items := list[item](s, "items", "list")
	if len(items) != 2 || items[1].Title != "web #8 SUCCESS" || items[1].Reasons["project"] != "map: payload.job" ||
		items[0].Kind != "incident" || items[0].Reasons["kind"] != `rule 2: source == "lab" && title matches "(?i)disk"` || items[0].Tags[0] != "disk" {
		t.Errorf("%+v", items)
	}
}

func TestQuarantineIsReadAgainAfterAFix(t *testing.T) {
	s := newRuled(t)
	const body = `{"job": "web", "number": 9, "result": "FAILURE", "deadline": "soon", "log": "trace"}`
	good, err := os.ReadFile(s.file)
	s.must(err)
	s.write("quietpost.yaml", strings.Replace(string(good), "payload.job,", "payload - 1,", 1))
	s.hup <- syscall.SIGHUP
	s.eventually("msg=reloaded")
	code, v := s.do("POST", "/hooks/jenkins", "butler", body)
	if code != 202 || v["status"] != "quarantined" || v["id"] == "" {
		t.Fatalf("%d %v", code, v)
	}
	s.do("POST", "/hooks/jenkins", "butler", `{"job": "web", "number": 10}`)
	if told := s.textOf("input of jenkins was not understood"); !strings.Contains(told, "map.project") || !strings.Contains(told, "quarantine replay") {
		t.Errorf("%s", told)
	}
	kept := list[receiptJSON](s, "quarantine", "list", "--source", "jenkins")
	if len(kept) != 2 || kept[1].ID != 1 || !strings.Contains(kept[1].Reason, "map.project") {
		t.Fatalf("%+v", kept)
	}
	if _, out, _ := s.run("", "quarantine", "show", "1"); !strings.HasSuffix(out, "\n\n"+body) || strings.Contains(out, "butler") {
		t.Errorf("%s", out)
	}
	code, out, errs := s.run("", "quarantine", "replay", "1")
	if code != 1 || !strings.Contains(out, "map.project") || !strings.Contains(errs, "still in quarantine: 1 of 1") {
		t.Errorf("before the fix: %d %s %s", code, out, errs)
	}

	s.write("quietpost.yaml", string(good))
	code, out, errs = s.run("", "quarantine", "replay", "1")
	if code != 0 || !strings.Contains(out, "accepted") || errs != "" {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	s.textOf("web #9 FAILURE") // the running daemon alerts
	if code, _, errs := s.run("", "quarantine", "replay", "1"); code != 1 || !strings.Contains(errs, "not in quarantine: it is accepted") {
		t.Errorf("a second time: %d %s", code, errs)
	}
	if code, v := s.do("POST", "/hooks/jenkins", "butler", body); code != 200 || v["status"] != "duplicate" || len(v["items"].([]any)) != 1 {
		t.Errorf("the sender's next try: %d %v", code, v)
	}
	if code, out, errs := s.run("", "quarantine", "drop", "2"); code != 0 || out != "receipt 2 is dropped\n" {
		t.Errorf("%d %s %s", code, out, errs)
	}
	for _, args := range [][]string{{"replay", "2"}, {"drop", "2"}, {"drop", "99"}, {"show", "99"}, {"replay", "99"}} {
		if code, _, errs := s.run("", append([]string{"quarantine"}, args...)...); code != 1 || !strings.Contains(errs, "receipt") {
			t.Errorf("%v: %d %s", args, code, errs)
		}
	}
	if left := list[receiptJSON](s, "quarantine", "list"); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
	if code, _, _ := s.run("", "quarantine", "replay"); code != 2 {
		t.Errorf("replay of nothing: %d", code)
	}
	s.must(s.stop())
	if _, _, errs := s.run("", "quarantine", "replay", "--source", "jenkins"); !strings.Contains(errs, "no daemon is running") {
		t.Errorf("%s", errs)
	}
}

// TestMailIsReadAgainToo: as it was kept, by the inbox as it is now; one that was not kept whole stays.
func TestMailIsReadAgainToo(t *testing.T) {
	s := newRuled(t)
	s.must(s.stop())
	good, err := os.ReadFile(s.file)
	s.must(err)
	s.write("quietpost.yaml", string(good)+`
inboxes: [{name: updates, address: updates@example.com, trust: inside, accept: ["*@partner.example"], imap: {host: imap.example.com, username: u, password_file: /none}}]
`)
	db, err := sqlite.Open(t.Context(), filepath.Join(s.dir, "data", "quietpost.db"), sqlite.Options{})
	s.must(err)
	for i, header := range []string{"From: Eve <eve@partner.example>\r\nTo: updates+apollo@example.com\r\nSubject: [question] When?\r\nMessage-ID: <q@partner.example>\r\n\r\n",
		"X-Quietpost-Original: imap://u@imap.example.com/INBOX;UIDVALIDITY=1/;UID=7 (9000000 bytes)\r\nFrom: eve@partner.example\r\n\r\n",
		"From: mallory@example.net\r\nTo: updates@example.com\r\nSubject: x\r\n\r\n"} {
		_, err := db.AddItems(t.Context(), digest.Delivery{Receipt: digest.Receipt{Source: "updates", Tool: digest.MailTool, Key: fmt.Sprint(i), State: digest.Quarantined,
			Reason: "eve@partner.example may not post here", Header: []byte(header), Raw: []byte("The text.\r\n"), ReceivedAt: s.clock.now()}})
		s.must(err)
	}
	s.must(db.Close())
	code, out, errs := s.run("", "quarantine", "replay", "--source", "updates")
	if code != 1 || !strings.Contains(errs, "still in quarantine: 2 of 3") || !strings.Contains(out, "the whole lies at imap://u@imap.example.com/INBOX;UIDVALIDITY=1/;UID=7") ||
		!strings.Contains(out, "mallory@example.net may not post here") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	items := list[map[string]any](s, "items", "list")
	if len(items) != 1 || items[0]["title"] != "When?" || items[0]["project"] != "apollo" || items[0]["kind"] != "question" || items[0]["body"] != "The text." {
		t.Errorf("%v", items)
	}
}

func TestARuleAtFaultQuarantinesAlsoTheNativeForm(t *testing.T) {
	const rules = "rules:\n  - {when: 'title startsWith \"n=\" && int(replace(title, \"n=\", \"\")) > 5', set: {priority: high}}\n"
	s := newService(t, rules)
	if code, v := s.post(`{"project": "a", "title": "n=many"}`); code != 202 || v["status"] != "quarantined" || !strings.Contains(fmt.Sprint(v["reason"]), "rule 1: title startsWith") {
		t.Fatalf("%d %v", code, v)
	}
	good, err := os.ReadFile(s.file)
	s.must(err)
	s.write("quietpost.yaml", strings.Replace(string(good), rules, "", 1))
	if code, out, errs := s.run("", "quarantine", "replay", "1"); code != 0 || !strings.Contains(out, "accepted") {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	if items := list[map[string]any](s, "items", "list"); len(items) != 1 || items[0]["title"] != "n=many" {
		t.Errorf("%v", items)
	}
}

func TestOperatorsHearOnceOfASourceInTrouble(t *testing.T) {
	s := newRuled(t)
	for range 5 {
		if code, _ := s.do("POST", "/hooks/jenkins", "wrong", `{}`); code != 401 {
			t.Fatalf("%d", code)
		}
	}
	s.must(s.clock.at("2026-11-23 08:02:00"))
	if told := s.textOf("jenkins is refused"); !strings.Contains(told, "secret_file") {
		t.Errorf("%s", told)
	}
	if v := list[sourceJSON](s, "sources", "list"); len(v) != 2 || v[1].Refused != 5 || len(v[1].Troubles) != 1 || v[0].Name != "lab" || len(v[0].Troubles) != 0 {
		t.Errorf("%+v", v)
	}
	s.must(s.stop())
	s.start() // forgets nothing, and tells nothing again
	s.do("POST", "/hooks/jenkins", "butler", `{"job": "web", "number": 8}`)
	s.must(s.clock.at("2026-11-23 08:04:00"))
	s.textOf("jenkins is let in again")
	if n := s.mails("jenkins is refused"); n != 1 {
		t.Errorf("told %d times", n)
	}
	v := list[sourceJSON](s, "sources", "list")
	if len(v[1].Troubles) != 0 || v[1].Day != 1 || v[1].Week != 1 || v[1].Last == nil || *v[1].Last != "2026-11-23T08:02:00Z" {
		t.Errorf("%+v", v[1])
	}
	if _, out, _ := s.run("", "sources", "list"); !strings.Contains(out, "jenkins  generic  2026-11-23 08:02:00 UTC  1    1   0            5        -") {
		t.Errorf("%s", out)
	}
}

func TestOperatorsHearOfSilence(t *testing.T) {
	s := newRuled(t)
	s.must(s.stop())
	db, err := sqlite.Open(t.Context(), filepath.Join(s.dir, "data", "quietpost.db"), sqlite.Options{})
	s.must(err)
	var hours []digest.SourceHour
	now := s.clock.now()
	for h := 10 * 24; h > 0; h-- { // both were there every hour; then jenkins fell silent
		at := now.Add(-time.Duration(h) * time.Hour)
		hours = append(hours, digest.SourceHour{Hour: digest.HourOf(at), Accepted: 1, Last: at})
		if h > 30 {
			hours = append(hours, digest.SourceHour{Source: "jenkins", Hour: digest.HourOf(at), Accepted: 1, Last: at})
		}
	}
	s.must(db.AddSourceHours(t.Context(), hours))
	s.must(db.Close())
	s.start()
	if told := s.textOf("jenkins is silent"); !strings.Contains(told, "nothing since 2026-11-22 01:00") {
		t.Errorf("%s", told)
	}
	s.must(s.stop())
	s.start()
	s.must(s.clock.at("2026-11-23 10:02:00"))
	s.do("POST", "/hooks/jenkins", "butler", `{"job": "web", "number": 8}`)
	s.must(s.clock.at("2026-11-23 10:04:00"))
	s.textOf("jenkins speaks again")
	if n := s.mails("jenkins is silent"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

func TestExplain(t *testing.T) {
	s := newRuled(t)
	eml := "From: Ana <ana@example.com>\r\nTo: updates+apollo@example.com\r\nSubject: [question] Which region?\r\nMessage-ID: <a@example.com>\r\n\r\nFor the new cluster.\r\n"
	s.write("mail.eml", eml)
	for name, c := range map[string]struct {
		stdin string
		args  []string
		want  string // parts between |
		code  int
	}{
		"a body":           {`{"job": "web", "number": 8, "result": "FAILURE"}`, []string{"--source", "jenkins"}, "read by the map of jenkins|web #8 FAILURE|project    web (map: payload.job)|urgent     true (map: payload.result == \"FAILURE\")|to         ana@example.com, alert 2026-11-23T08:00:00Z (urgent, and wants alerts)|ana@example.com, digest 2026-11-23T09:00:00Z (You get this because you follow all projects.)", 0},
		"a dropped one":    {`{"job": "web", "number": 7, "result": "SUCCESS"}`, []string{"--source", "jenkins"}, "matched    rule 1: |dropped    dropped by rule 1", 0},
		"a request":        {"POST /hooks/jenkins HTTP/1.1\r\nHost: quiet.example.com\r\nContent-Type: application/json\r\n\r\n" + `{"job": "web", "number": 8}`, nil, "source     jenkins|web #8", 0},
		"a github request": {"X-GitHub-Event: ping\nContent-Type: application/json\n\n{\"zen\": \"x\"}", []string{"--type", "github"}, "(github), read by the adapter for github|delivery   ignored", 0},
		"not understood":   {`{"job": `, []string{"--source", "jenkins"}, "delivery   quarantined (the body cannot be read: not JSON", 0},
		"which":            {`{}`, nil, "it could have come to lab, jenkins; name one with --source", 2},
		"no such":          {`{}`, []string{"--source", "x"}, `no source or inbox "x" in the configuration; there are lab, jenkins`, 2},
		"no such type":     {`{}`, []string{"--type", "x"}, "--type x is not known; `quietpost tools list`", 2},
		"a mail, no inbox": {"", []string{filepath.Join(s.dir, "mail.eml")}, "no source that this could have come to", 2},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := s.run(c.stdin, append([]string{"explain"}, c.args...)...)
			if code != c.code {
				t.Errorf("exit status %d: %s", code, errs)
			}
			for _, part := range strings.Split(c.want, "|") {
				if !strings.Contains(out+errs, part) {
					t.Errorf("lacks %q:\n%s%s", part, out, errs)
				}
			}
		})
	}
	if items := list[map[string]any](s, "items", "list"); len(items) != 0 {
		t.Errorf("explain kept %v", items)
	}
	_, out, _ := s.run(`{"job": "web", "number": 8}`, "explain", "--source", "jenkins", "--json")
	var v []explainedJSON
	s.must(json.Unmarshal([]byte(out), &v))
	if len(v) != 1 || len(v[0].Items) != 1 || len(v[0].Items[0].Ways) != 1 || v[0].Items[0].Ways[0].How != "digest" {
		t.Errorf("%s", out)
	}
}

// TestExplainBeforeTheFirstStart: people are those of the file, and no database is made.
func TestExplainBeforeTheFirstStart(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "quietpost.yaml")
	err := os.WriteFile(file, fmt.Appendf(nil, `
data_dir: %s/data
mail: {from: digest@example.com, smtp: {host: 127.0.0.1}}
inboxes: [{name: updates, address: updates@example.com, trust: inside, imap: {host: imap.example.com, username: u, password_file: /none}}]
sources: [{name: hook, type: generic, secret_file: /none}]
subscribers: [{address: ana@example.com, quiet: "22:00-07:00", schedule: "0 9 * * *"}, {address: ben@example.com, projects: [zeus]}]
`, dir), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	eml := filepath.Join(dir, "mail.eml")
	if err := os.WriteFile(eml, []byte("From: Ana <ana@example.com>\r\nTo: updates+apollo@example.com\r\nSubject: [urgent] Fire\r\nMessage-ID: <a@example.com>\r\n\r\nIn the kitchen.\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	e := &env{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: func(string) string { return "" },
		now: func() time.Time { return time.Date(2026, 11, 23, 23, 0, 0, 0, time.UTC) }, tick: testTick, shipped: testTools}
	if code := run(e, []string{"--config", file, "explain", eml}); code != 0 {
		t.Fatalf("%d %s", code, errs.String())
	}
	for _, part := range []string{"updates (mail)", "project    apollo (it was sent to updates+apollo@example.com)", "urgent     true (",
		"ana@example.com, alert 2026-11-24T07:00:00Z (urgent, but held by quiet hours: 22:00-07:00)", "ana@example.com, digest 2026-11-24T09:00:00Z"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("lacks %q:\n%s", part, out.String())
		}
	}
	if strings.Contains(out.String(), "ben@") {
		t.Errorf("ben follows zeus only:\n%s", out.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Error("explain made a database")
	}
}

// The examples of the documentation do what they say to what the tools post.
func TestDocumentedRules(t *testing.T) {
	s := newService(t, `
rules:
  - {when: 'type == "sentry" && level == "fatal"', set: {urgent: true}}
  - {when: 'author == "dependabot[bot]"', set: {priority: low}}
  - {when: 'event == "star"', drop: true}
`)
	for _, c := range []struct{ typ, head, body, want string }{
		{"github", "X-GitHub-Event: star", `{"action": "created", "repository": {"full_name": "acme/web"}, "sender": {"login": "ana"}}`, `dropped    dropped by rule 3: event == "star"`},
		{"github", "X-GitHub-Event: watch", `{"action": "started", "repository": {"full_name": "acme/web"}, "sender": {"login": "ana"}}`, `dropped    dropped by rule 3: event == "star"`},
		{"github", "X-GitHub-Event: pull_request", `{"action": "opened", "pull_request": {"number": 1, "title": "Bump x"}, "repository": {"full_name": "acme/web"}, "sender": {"login": "dependabot[bot]"}}`,
			`priority   low (rule 2: author == "dependabot[bot]")`},
		{"sentry", "Sentry-Hook-Resource: event_alert", `{"action": "triggered", "data": {"event": {"title": "Boom", "level": "fatal", "issue_id": "1"}}}`,
			`urgent     true (rule 1: type == "sentry" && level == "fatal")`},
	} {
		code, out, errs := s.run("POST /hooks/x HTTP/1.1\n"+c.head+"\n\n"+c.body, "explain", "--type", c.typ)
		if code != 0 || !strings.Contains(out, c.want) {
			t.Errorf("%s of %s: %d %s\n%s", c.head, c.typ, code, errs, out)
		}
	}
}
