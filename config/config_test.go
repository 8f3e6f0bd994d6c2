package config

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v4"
)

const minimal = "mail:\n  from: digest@example.com\n  smtp: {host: smtp.example.com}\n"

// parse is Parse of a file that must be good, without notes.
func parse(t *testing.T, yaml string, env map[string]string) *Config {
	t.Helper()
	c, faults := Parse("/etc/quietpost/quietpost.yaml", []byte(yaml), testOptions(env))
	if len(faults) > 0 {
		t.Fatalf("%s", faults)
	}
	return c
}

// switchedOn is the example with all that is commented out switched on: a '#' directly before a key, or before the
// indentation of one.
func switchedOn() string {
	return regexp.MustCompile(`(?m)^( *)#(\S| {2,})`).ReplaceAllString(string(Example), "$1$2")
}

var ignorePlaces = cmp.Options{
	cmpopts.IgnoreTypes(Pos{}),
	cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmpopts.EquateEmpty(),
}

func TestMinimalFileIsComplete(t *testing.T) {
	want := &Config{
		File:     "/etc/quietpost/quietpost.yaml",
		BaseURL:  "http://127.0.0.1:8025",
		DataDir:  Path{Written: "$STATE_DIRECTORY", Value: "/var/lib/quietpost"},
		TimeZone: time.UTC,
		HTTP:     HTTP{Listen: "127.0.0.1:8025"},
		Mail: Mail{From: "digest@example.com", SMTP: SMTP{Host: "smtp.example.com", Port: 587,
			TLS: StartTLS, Connections: 4}},
		Schedules: map[string]string{"daily": "0 9 * * MON-FRI", "twice": "0 9,16 * * MON-FRI", "weekly": "0 9 * * MON"},
		Digests:   Digests{Top: 20, Empty: "skip"},
		Alerts:    Alerts{Gather: Duration(5 * time.Second), FollowUpEvery: Duration(5 * time.Minute), MaxPerHour: 12},
		Retention: Retention{Raw: Duration(14 * 24 * time.Hour), Items: Duration(400 * 24 * time.Hour), Editions: Duration(400 * 24 * time.Hour)},
	}
	env := map[string]string{"STATE_DIRECTORY": "/var/lib/quietpost:/var/lib/other", "HOME": "/home/ana"}
	for _, text := range []string{minimal, "\ufeff" + minimal, strings.ReplaceAll(minimal, "\n", "\r\n"), "---\n" + minimal + "...\n",
		minimal + "http:\nsubscribers:\nkinds: {}\napi: {}\n"} {
		if diff := cmp.Diff(want, parse(t, text, env), ignorePlaces); diff != "" {
			t.Errorf("%q:\n%s", text, diff)
		}
	}
	example := parse(t, string(Example), env)
	want.Mail.FromName = "Quietpost"
	if diff := cmp.Diff(want, example, ignorePlaces); diff != "" {
		t.Errorf("the example as it stands is more than the needed keys:\n%s", diff)
	}
}

func TestExampleSwitchedOn(t *testing.T) {
	got := parse(t, switchedOn(), map[string]string{"CREDENTIALS_DIRECTORY": "/run/credentials/quietpost.service"})
	path := func(written, value string) Path { return Path{Written: written, Value: value} }
	plain := func(p string) Path { return path(p, p) }
	want := &Config{
		File:      "/etc/quietpost/quietpost.yaml",
		BaseURL:   "https://quiet.example.com",
		DataDir:   plain("/var/lib/quietpost"),
		TimeZone:  mustZone(t, "Europe/Berlin"),
		Operators: []string{"ops@example.com"},
		HTTP:      HTTP{Listen: "127.0.0.1:8025", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}},
		API:       API{TokenFile: plain("/etc/quietpost/api.token")},
		ToolsDir:  plain("/etc/quietpost/tools"),
		Mail: Mail{FromName: "Quietpost", From: "digest@example.com", ReplyTo: "updates@example.com", ReturnPath: "updates@example.com",
			DKIM: DKIM{Domain: "example.com", Selector: "quietpost", KeyFile: Path{Written: "/etc/quietpost/dkim.pem", Value: "/etc/quietpost/dkim.pem"}},
			SMTP: SMTP{Host: "smtp.example.com", Port: 587, TLS: StartTLS, CAFile: plain("/etc/quietpost/ca.pem"),
				Username: "digest@example.com", Connections: 4,
				PasswordFile: path("${CREDENTIALS_DIRECTORY}/smtp", "/run/credentials/quietpost.service/smtp")}},
		Inboxes: []Inbox{{Name: "updates", Address: "updates@example.com", After: "keep",
			Accept: []string{"*@example.com"}, Trust: "mx.example.com", Project: "apollo",
			IMAP: IMAP{Host: "imap.example.com", Port: 993, TLS: ImplicitTLS, CAFile: plain("/etc/quietpost/ca.pem"),
				Username: "updates@example.com", Folder: "INBOX",
				PasswordFile: path("${CREDENTIALS_DIRECTORY}/imap", "/run/credentials/quietpost.service/imap")}},
			{Name: "office", Address: "office@example.com", After: "move:Archive", Accept: []string{"*@example.com"},
				IMAP: IMAP{Host: "outlook.office365.com", Port: 993, TLS: ImplicitTLS, Username: "office@example.com", Folder: "INBOX",
					OAuth2: OAuth2{Provider: Microsoft, Tenant: "example.onmicrosoft.com", ClientID: "00000000-0000-0000-0000-000000000000",
						ClientSecretFile: path("${CREDENTIALS_DIRECTORY}/imap-client", "/run/credentials/quietpost.service/imap-client"),
						RefreshTokenFile: path("${CREDENTIALS_DIRECTORY}/imap-refresh", "/run/credentials/quietpost.service/imap-refresh"),
						Scopes:           []string{"https://outlook.office.com/IMAP.AccessAsUser.All", "offline_access"}}}},
			{Name: "other", Address: "other@example.net", After: "keep", Accept: []string{"*@example.net"},
				IMAP: IMAP{Host: "imap.example.net", Port: 993, TLS: ImplicitTLS, Username: "other@example.net", Folder: "INBOX",
					OAuth2: OAuth2{TokenURL: "https://login.example.net/token", ClientID: "quietpost", RefreshTokenFile: plain("/etc/quietpost/other.refresh")}}}},
		Sources: []Source{
			{Name: "github", Type: "github", SecretFile: plain("/etc/quietpost/github.secret")},
			{Name: "chat", Type: "slack", SecretFile: plain("/etc/quietpost/chat.token"), Project: "apollo"},
			{Name: "lab", Type: "auto", Open: true, Rate: 20, From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
			{Name: "jenkins", Type: "generic", SecretFile: plain("/etc/quietpost/jenkins.token"), Map: []Mapping{
				{Key: "key", Value: `payload.job + "/" + payload.number`},
				{Key: "ignore", Value: `payload.phase == "QUEUED"`},
				{Key: "project", Value: "payload.job"},
				{Key: "title", Value: `payload.job + " #" + string(payload.number) + " " + payload.result`},
				{Key: "body", Value: `join(map(payload.culprits, "- " + .name), "\n")`},
				{Key: "url", Value: "payload.url"},
				{Key: "author", Value: "payload.build.user"},
				{Key: "kind", Value: `"deploy"`},
				{Key: "thread", Value: `"build/" + payload.job`},
				{Key: "event", Value: "payload.phase"},
				{Key: "state", Value: `payload.result == "SUCCESS" ? "resolved" : "failed"`},
				{Key: "urgent", Value: `payload.result == "FAILURE" && payload.branch == "main"`},
				{Key: "private", Value: "payload.confidential"},
				{Key: "occurred_at", Value: "payload.timestamp"},
			}},
			{Name: "alarms", Type: "generic", SecretFile: plain("/etc/quietpost/alarms.token"), Map: []Mapping{
				{Key: "each", Value: "payload.alarms"},
				{Key: "project", Value: "either(item.service, payload.service)"},
				{Key: "title", Value: "item.summary"},
				{Key: "thread", Value: "item.id"},
				{Key: "level", Value: "item.severity"},
				{Key: "priority", Value: `item.severity == "info" ? "low" : ""`},
				{Key: "tags", Value: "item.labels"},
				{Key: "due", Value: "item.deadline"},
			}},
		},
		Rules: []Rule{
			{When: `type == "sentry" && level == "fatal"`, Set: []Mapping{{Key: "urgent", Value: "true"}}},
			{When: `author == "dependabot[bot]"`, Set: []Mapping{{Key: "priority", Value: "low"}}},
			{When: `event == "star"`, Drop: true},
			{When: `project startsWith "acme/" && title matches "(?i)security"`, Set: []Mapping{{Key: "kind", Value: "incident"},
				{Key: "tags", Value: `= tags + ["security"]`}}},
		},
		Projects: []Project{{Name: "apollo", Title: "Apollo", Aliases: []string{"acme/apollo", "acme/apollo-web"},
			Owners: []string{"ana@example.com"}}},
		Kinds:     map[string]Kind{"incident": {Urgent: true}},
		Schedules: map[string]string{"daily": "0 9 * * MON-FRI", "twice": "0 9,16 * * MON-FRI", "weekly": "0 9 * * MON"},
		Digests:   Digests{Top: 20, Empty: "skip"},
		Alerts:    Alerts{Gather: Duration(5 * time.Second), FollowUpEvery: Duration(5 * time.Minute), MaxPerHour: 12},
		Retention: Retention{Raw: Duration(14 * 24 * time.Hour), Items: Duration(400 * 24 * time.Hour), Editions: Duration(400 * 24 * time.Hour)},
		Subscribers: []Subscriber{
			{Address: "ana@example.com", Name: "Ana", TimeZone: "Europe/Lisbon", Projects: []string{"*"},
				Kinds: []string{"decision", "question", "status"}, Schedule: "daily", Alerts: true, Quiet: "22:00-07:00", Locale: "pt-PT"},
			{Address: "ben@example.com", Projects: []string{"apollo", "acme/*"}, Schedule: "30 16 * * FRI"},
		},
	}
	if diff := cmp.Diff(want, got, ignorePlaces); diff != "" {
		t.Error(diff)
	}
	for what, at := range map[string]Pos{"inbox": got.Inboxes[0].Pos, "source": got.Sources[1].Pos, "project": got.Projects[0].Pos,
		"subscriber": got.Subscribers[0].Pos, "secret": got.Sources[1].SecretFile.Pos} {
		if at.Line < 2 || at.Column < 3 {
			t.Errorf("%s has no place: %v", what, at)
		}
	}
	line := strings.Split(switchedOn(), "\n")[got.Sources[1].SecretFile.Pos.Line-1]
	if rest := line[got.Sources[1].SecretFile.Pos.Column-1:]; rest != "/etc/quietpost/chat.token" {
		t.Errorf("the place of chat's secret_file shows %q", rest)
	}
	if s := got.Spec("weekly"); s != "0 9 * * MON" || got.Spec("@daily") != "@daily" {
		t.Errorf("weekly is %q, @daily is %q", s, got.Spec("@daily"))
	}
}

func mustZone(t *testing.T, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestExampleHasEveryKey walks the schema: who looks for a key finds it in the example.
func TestExampleHasEveryKey(t *testing.T) {
	var all any
	if err := yaml.Load([]byte(switchedOn()), &all); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, s *jsonschema.Schema, values []any)
	walk = func(path string, s *jsonschema.Schema, values []any) {
		if s.Items != nil {
			var entries []any
			for _, v := range values {
				list, _ := v.([]any)
				entries = append(entries, list...)
			}
			s, values = s.Items, entries
		}
		for name, sub := range s.Properties {
			var below []any
			for _, v := range values {
				if m, ok := v.(map[string]any); ok && m[name] != nil {
					below = append(below, m[name])
				}
			}
			if len(below) == 0 && path != ".rules.set" { // the fields of an item, which all stand under map
				t.Errorf("%s.%s is not in the example", path, name)
			}
			if sub.Description == "" {
				t.Errorf("%s.%s has no description", path, name)
			}
			walk(path+"."+name, sub, below)
		}
	}
	walk("", root(), []any{all})
}

func TestSchema(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	validate := func(text string) error {
		var v any
		if err := yaml.Load([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(v) // as an editor would see it
		if err != nil {
			t.Fatal(err)
		}
		v = nil
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		return resolved.Validate(v)
	}
	for _, good := range []string{minimal, string(Example), switchedOn(), minimal + "http:\nsubscribers:\nkinds: {a: }\n"} {
		if err := validate(good); err != nil {
			t.Errorf("%.60q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"time_zone: UTC", "mail: {from: a@example.com}", minimal + "colour: blue", minimal + "rules: 1",
		minimal + "sources: [{name: a, type: 7, secret_file: /a}]", minimal + "digests: {top: many}", minimal + "digests: {top: 0}",
		minimal + "subscribers: [{address: a@example.com, alerts: 1}]", minimal + "projects: {name: a}", minimal + "kinds: {a: {b: c}}",
	} {
		if validate(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
		if _, faults := Parse("f.yaml", []byte(bad), testOptions(home)); !faults.Wrong() {
			t.Errorf("%q is refused by the schema and loads", bad)
		}
	}
	if s.Schema != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("the schema names %q as its dialect", s.Schema)
	}
	golden(t, "testdata/schema.json", string(text)+"\n")
}

// TestNotYet holds the table of what comes later to its word: no row is a key of this version, and each is refused.
func TestNotYet(t *testing.T) {
	refused, err := os.ReadFile("testdata/later.faults")
	if err != nil {
		t.Fatal(err)
	}
	for path, words := range notYet {
		parts := strings.Split(path, ".")
		if words == nil {
			s, known := root(), true
			for _, p := range parts {
				if s.Items != nil {
					s = s.Items
				}
				if p == "*" {
					s = s.AdditionalProperties
				} else if s, known = s.Properties[p]; !known {
					break
				}
			}
			if known {
				t.Errorf("%s is a key of this version; delete its row", path)
			}
		}
		if want := ": " + strings.Replace(path, "*", "question", 1) + ": "; !strings.Contains(string(refused), want) {
			t.Errorf("no fault in testdata/later.faults begins with %q", want)
		}
	}
}

func TestDefaultsThatDepend(t *testing.T) {
	const inbox = "inboxes: [{name: i, address: i+x@Bücher.example, imap: {host: h, username: u, password_file: /p, %}}]\n"
	for _, c := range []struct {
		smtp, imap       string
		port, imapPort   int
		smtpTLS, imapTLS string
	}{
		{"", "", 587, 993, StartTLS, ImplicitTLS},
		{"tls: implicit", "tls: starttls", 465, 143, ImplicitTLS, StartTLS},
		{"tls: none", "tls: none", 25, 143, NoTLS, NoTLS},
		{"port: 465", "port: 143", 465, 143, ImplicitTLS, StartTLS},
		{"port: 2525", "port: 1993", 2525, 1993, StartTLS, ImplicitTLS},
		{"port: 465, tls: none", "port: 993, tls: none", 465, 993, NoTLS, NoTLS},
	} {
		text := "mail: {from: a@example.com, smtp: {host: 127.0.0.1, " + c.smtp + "}}\n" +
			strings.Replace(strings.Replace(inbox, "%", c.imap, 1), "host: h", "host: localhost", 1)
		got := parse(t, text, home)
		s, i := got.Mail.SMTP, got.Inboxes[0].IMAP
		if s.Port != c.port || s.TLS != c.smtpTLS || i.Port != c.imapPort || i.TLS != c.imapTLS {
			t.Errorf("%q, %q: %s on %d, %s on %d", c.smtp, c.imap, s.TLS, s.Port, i.TLS, i.Port)
		}
		if a := got.Inboxes[0].Accept; len(a) != 1 || a[0] != "*@xn--bcher-kva.example" {
			t.Errorf("accept is %q", a)
		}
	}
	c := parse(t, minimal+"sources: [{name: a, type: generic, open: true}, {name: b, type: slack, secret_file: /b}]", home)
	if f := c.Sources[0].From; len(f) != 2 || !f[0].Contains(netip.MustParseAddr("127.1.2.3")) || !f[1].Contains(netip.IPv6Loopback()) {
		t.Errorf("an open source takes from %v", f)
	}
	if f := c.Sources[1].From; f != nil {
		t.Errorf("a source with a secret takes from %v only", f)
	}
	c = parse(t, minimal+"inboxes: [{name: i, address: i@example.com, accept: [], imap: {host: h, username: u, password_file: /p}}]\n"+
		"subscribers: [{address: a@example.com, alerts: false}]\nalerts: {gather: 0s}\n", home)
	if a := c.Inboxes[0].Accept; a == nil || len(a) != 0 || c.Subscribers[0].Alerts || c.Alerts.Gather != 0 {
		t.Errorf("what is switched off on purpose came on: %q, %v, %v", a, c.Subscribers[0].Alerts, c.Alerts.Gather)
	}
}

func TestDataDir(t *testing.T) {
	for _, c := range []struct {
		env          map[string]string
		file, folder string
	}{
		{map[string]string{"STATE_DIRECTORY": "/s", "XDG_DATA_HOME": "/x", "HOME": "/h"}, "", "/s"},
		{map[string]string{"XDG_DATA_HOME": "/x", "HOME": "/h"}, "", "/x/quietpost"},
		{map[string]string{"XDG_DATA_HOME": "relative", "HOME": "/h"}, "", "/h/.local/share/quietpost"},
		{home, "data_dir: data", "/etc/quietpost/data"},
		{home, "data_dir: $HOME/${HOME}x/$9", "/home/ana//home/anax/$9"},
		{nil, "data_dir: /d", "/d"},
	} {
		if got := parse(t, minimal+c.file, c.env).DataDir; got.Value != c.folder {
			t.Errorf("%v %s: %s, want %s", c.env, c.file, got.Value, c.folder)
		}
	}
	_, faults := Parse("f.yaml", []byte(minimal), Options{})
	if err := faults.Err(); err == nil || !strings.Contains(err.Error(), "data_dir is missing") {
		t.Errorf("without any folder: %v", err)
	}
}

func TestAliasesAreResolved(t *testing.T) {
	c := parse(t, minimal+"projects: [{name: Apollo, aliases: [Acme Web, acme web, 2024]}]\n"+
		"subscribers: [{address: a@example.com, projects: [acme-web, Zeus, 'ACME*']}]\n", home)
	p, s := c.Projects[0], c.Subscribers[0]
	if diff := cmp.Diff([]string{"acme-web", "2024"}, p.Aliases); diff != "" || p.Name != "apollo" || p.Title != "apollo" {
		t.Errorf("%+v %s", p, diff)
	}
	if diff := cmp.Diff([]string{"apollo", "zeus", "acme*"}, s.Projects); diff != "" {
		t.Error(diff)
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, bytes.Repeat([]byte("#\n"), MaxFile/2+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		filepath.Join(dir, "none.yaml"): "none.yaml: there is no such file; `quietpost init` writes",
		dir:                             ": cannot be read: is a directory",
		large:                           "large.yaml: the file is larger than 1 MiB",
	} {
		c, faults := Load(file, Options{})
		if err := faults.Err(); c != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
	if _, faults := Parse("f.yaml", bytes.Repeat([]byte("#\n"), MaxFile/2), Options{}); strings.Contains(faults.String(), "larger") {
		t.Errorf("a file of 1 MiB: %s", faults)
	}
}

func TestFaults_AreBounded(t *testing.T) {
	_, faults := Parse("f.yaml", []byte(minimal+"operators: ["+strings.Repeat("~,", 5000)+"]\n"+strings.Repeat("{a: b}: c\n", 5000)), testOptions(home))
	if n := len(faults); n != maxFaults+1 || !strings.Contains(faults[n-1].Text, "there are more") {
		t.Errorf("%d faults, the last: %v", n, faults[n-1])
	}
	_, faults = Parse("f.yaml", []byte(minimal+"projects: ["+strings.Repeat("~,", maxList+1)+"]"), testOptions(home))
	if len(faults) != 1 || !strings.Contains(faults[0].Text, "at most 20000") {
		t.Errorf("%.300s", faults)
	}
	_, faults = Parse("f.yaml", []byte(minimal+"kinds: {"+strings.Repeat("a: ~,", maxNames+1)+"}"), testOptions(home))
	if len(faults) != 1 || !strings.Contains(faults[0].Text, "at most 1000") {
		t.Errorf("%.300s", faults)
	}
	_, faults = Parse("f.yaml", []byte(minimal+"base_url: "+strings.Repeat("a", maxText+1)), testOptions(home))
	if len(faults) != 1 || !strings.Contains(faults[0].Text, "far too long") || len(faults[0].Text) > 300 {
		t.Errorf("%.300s", faults)
	}
}

func TestFaultsTellNotesApart(t *testing.T) {
	f := Faults{{"f.yaml", Pos{2, 3}, Note, "a note"}, {"f.yaml", Pos{}, Wrong, "a fault"}}
	if got, want := f.String(), "f.yaml:2:3: note: a note\nf.yaml: a fault\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if err := f.Err(); !f.Wrong() || err == nil || err.Error() != "f.yaml: a fault" {
		t.Errorf("%v", err)
	}
	if err := f[:1].Err(); f[:1].Wrong() || err != nil {
		t.Errorf("a note is an error: %v", err)
	}
}

func TestClosest(t *testing.T) {
	words := []string{"name", "address", "time_zone", "tls", "top"}
	for word, want := range map[string]string{"adress": "address", "timezone": "time_zone", "tsl": "tls", "TLS": "tls", "nmae": "name",
		"": "", "colour": "", "x": "", "zone": "", strings.Repeat("a", 1000): ""} {
		if got := closest(word, words); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		d    int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}} {
		if got := distance(c.a, c.b); got != c.d || distance(c.b, c.a) != c.d {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.d)
		}
	}
}

// FuzzLoad: whatever the file holds, Load answers, keeps its bounds, and gives a configuration exactly if nothing is
// wrong.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(Example)
	f.Add([]byte(switchedOn()))
	for _, s := range []string{"[", "{", "&a *a", "- - - -", "? ? ?", "!!binary a", "a: |\n\tb", "%TAG ! !\n--- !a b", "\x00", "\xef\xbb\xbf", strings.Repeat("[", 2000)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, faults := Parse("f.yaml", data, testOptions(home))
		if (c == nil) != faults.Wrong() || len(faults) > maxFaults+1 {
			t.Fatalf("configuration %v with %d faults", c != nil, len(faults))
		}
		for _, x := range faults {
			if x.Text == "" || len(x.Text) > 2400 || strings.ContainsFunc(x.Text, unicode.IsControl) {
				t.Errorf("fault of another than one line: %q", x.Text)
			}
		}
		if c != nil && (c.Mail.From == "" || c.Mail.SMTP.Host == "" || c.Mail.SMTP.Port == 0 || !c.DataDir.Set() || c.TimeZone == nil) {
			t.Errorf("a good file without what is needed: %+v", c)
		}
	})
}
