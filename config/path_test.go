package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, file, text string, mode os.FileMode) Path {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
	return Path{Written: file, Value: file}
}

func TestReadSecrets(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"one":                            "one",
		"one\n":                          "one",
		"one \t\r\ntwo\r\n\r\n  \nthree": "one|two|three",
		" leading stays":                 " leading stays",
		"\ufeffone\n":                    "one",
		"#is a secret too\n":             "#is a secret too",
	} {
		secrets, err := ReadSecrets(write(t, filepath.Join(dir, "s"), text, 0o600))
		var got []string
		for _, s := range secrets {
			got = append(got, string(s))
		}
		if strings.Join(got, "|") != want || err != nil {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestReadSecretsSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	empty := write(t, filepath.Join(dir, "empty"), " \n\r\n", 0o600)
	large := write(t, filepath.Join(dir, "large"), strings.Repeat("hunter2\n", 9000), 0o600)
	for _, c := range []struct {
		path Path
		says string
	}{
		{Path{}, "no path is set"},
		{Path{Written: "$A/${B}/s", Value: "$A/${B}/s", Unset: []string{"A", "B"}}, "$A/${B}/s: the variables A and B are not set"},
		{Path{Value: filepath.Join(dir, "none")}, "none cannot be opened: no such file"},
		{Path{Value: dir}, " cannot be read: is a directory"},
		{empty, "empty is empty; write the secret into it"},
		{large, "large is larger than 64 KiB"},
	} {
		s, err := ReadSecrets(c.path)
		if err == nil || s != nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v: %v", c.path, err)
		}
		if _, err := ReadPassword(c.path); err == nil {
			t.Errorf("%+v has a password", c.path)
		}
	}
}

func TestReadPassword(t *testing.T) {
	dir := t.TempDir()
	if got, err := ReadPassword(write(t, filepath.Join(dir, "p"), "pass word \n", 0o600)); got != "pass word" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := ReadPassword(write(t, filepath.Join(dir, "p"), "hunter2\ntwo\n", 0o600)); err == nil || got != "" || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestSecretNotes(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "good"), "x", 0o640)
	write(t, filepath.Join(dir, "bare"), "x", 0o644)
	write(t, filepath.Join(dir, "imap"), "x", 0o604)
	file := filepath.Join(dir, "quietpost.yaml")
	write(t, file, `mail: {from: a@example.com, smtp: {host: h, username: u, password_file: good}}
api: {token_file: bare}
inboxes: [{name: i, address: i@example.com, imap: {host: h, username: u, password_file: imap}}]
sources:
  - {name: a, type: generic, secret_file: none}
  - {name: b, type: generic, secret_file: .}
  - {name: c, type: generic, secret_file: $NOWHERE/c}
  - {name: d, type: generic, open: true}
`, 0o600)
	c, faults := Load(file, testOptions(home))
	if c == nil {
		t.Fatal(faults)
	}
	want := `q:2:19: note: D/bare can be read by everybody on this machine; chmod 640 it
q:3:89: note: D/imap can be read by everybody on this machine; chmod 640 it
q:5:43: note: D/none is not there; write the secret into it before the service starts
q:6:43: note: D is a folder; name a file
`
	if got := strings.ReplaceAll(strings.ReplaceAll(c.SecretNotes().String(), file, "q"), dir, "D"); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if f := c.Fault(c.Sources[0].Pos, "text"); f.Severity != Wrong || !strings.HasSuffix(f.String(), "quietpost.yaml:5:5: text") {
		t.Errorf("%v", f)
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "5s": 5 * time.Second, "1h30m": 90 * time.Minute, "14d": 14 * 24 * time.Hour, "2w": 14 * 24 * time.Hour,
		"1.5d": 36 * time.Hour, "1w2d3h": 9*24*time.Hour + 3*time.Hour, "100ms": 100 * time.Millisecond, "400d": 400 * 24 * time.Hour,
	} {
		got, err := ParseDuration(text)
		if err != nil || got.Std() != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		b, _ := got.MarshalText()
		var again Duration
		if err := again.UnmarshalText(b); err != nil || again != got {
			t.Errorf("%q is written %q, which reads %v, %v", text, b, again, err)
		}
	}
	for _, text := range []string{"", "5", "d", "-5m", "+5m", "5 m", "1x", "1.2.3s", "5m-", "200000w", "106751d106751d", "1e3s", "∞"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s", time.Hour: "1h", 90 * time.Minute: "1h30m", 24 * time.Hour: "1d", 14 * 24 * time.Hour: "2w",
		25 * time.Hour: "25h", time.Hour + time.Second: "1h0m1s", 10 * time.Minute: "10m", 1500 * time.Millisecond: "1.5s"} {
		if got := Duration(d).String(); got != want {
			t.Errorf("%v is written %q, want %q", d, got, want)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"1w2d", "0.5d", "9999999h", "1.d", ".5h", "1µs"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			return
		}
		if again, err := ParseDuration(d.String()); d < 0 || err != nil || again != d {
			t.Errorf("%q is %d, written %s, read %d, %v", s, d, d, again, err)
		}
	})
}

func TestSecretFaults(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"empty": " \n\n", "one": "secret-one\n", "both": "old-secret\nsecret-one \n", "api": "secret-api\n", "two": "secret-two\nsecret-two\n",
		"key1": "whpk_x\nk1", "key2": "whpk_x\nk2", "large": strings.Repeat("x", 70<<10)} {
		write(t, filepath.Join(dir, name), text, 0o640)
	}
	file := filepath.Join(dir, "quietpost.yaml")
	write(t, file, `mail: {from: a@example.com, smtp: {host: h}}
api: {token_file: api}
sources:
  - {name: a, type: generic, secret_file: one}
  - {name: b, type: generic, secret_file: both}
  - {name: c, type: generic, secret_file: empty}
  - {name: d, type: generic, secret_file: ./api}
  - {name: e, type: generic, secret_file: two}
  - {name: f, type: generic, secret_file: none}
  - {name: g, type: generic, secret_file: $NOWHERE/c}
  - {name: h, type: generic, open: true}
  - {name: i, type: discord, secret_file: key1}
  - {name: j, type: discord, secret_file: key2}
  - {name: k, type: generic, secret_file: large}
`, 0o600)
	c, faults := Load(file, testOptions(home))
	if c == nil {
		t.Fatal(faults)
	}
	want := `q:5:43: a line of D/both is a secret of the source a too; give each a secret of its own
q:6:43: D/empty is empty; write the secret into it
q:7:43: a line of D/api is a secret of api.token_file too; give each a secret of its own
q:14:43: D/large is larger than 64 KiB; a file of secrets has one on each line
`
	if got := strings.ReplaceAll(strings.ReplaceAll(c.SecretFaults().String(), file, "q"), dir, "D"); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}
