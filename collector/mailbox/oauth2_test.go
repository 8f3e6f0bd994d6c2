package mailbox

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A tokenServer gives tokens as providers do: each refresh token is good until a newer one was used.
type tokenServer struct {
	*httptest.Server
	mu       sync.Mutex
	asked    []url.Values
	good     map[string]bool // refresh tokens
	rotate   bool
	access   int
	withdraw bool // what was given is not good at the mail server
	life     int  // seconds
	lasts    int  // seconds of the refresh token; 0: it does not say
}

func newTokenServer(t *testing.T) *tokenServer {
	s := &tokenServer{good: map[string]bool{"r0": true}, life: 3600}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		r.ParseForm()
		s.asked = append(s.asked, r.PostForm)
		w.Header().Set("Content-Type", "application/json")
		refresh := r.PostForm.Get("refresh_token")
		if r.PostForm.Get("grant_type") == "refresh_token" && !s.good[refresh] {
			w.WriteHeader(400)
			json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant", "error_description": "Token has been expired or revoked."})
			return
		}
		s.access++
		answer := map[string]any{"access_token": fmt.Sprintf("a%d", s.access), "token_type": "Bearer", "expires_in": s.life}
		if s.lasts > 0 {
			answer["refresh_token_expires_in"] = s.lasts
		}
		if s.rotate {
			next := fmt.Sprintf("r%d", s.access)
			delete(s.good, refresh)
			s.good[next], answer["refresh_token"] = true, next
		}
		json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *tokenServer) lock(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

// tokenIMAP is a mail server that takes the newest token of s only, by these mechanisms.
func tokenIMAP(t *testing.T, s *tokenServer, mechanisms string) int {
	return scriptGreeting(t, "* OK ready", func(c net.Conn, tag, line string) string {
		switch {
		case strings.HasPrefix(line, "CAPABILITY"):
			return "* CAPABILITY IMAP4rev1 SASL-IR LOGINDISABLED " + mechanisms + "\r\n" + tag + " OK done\r\n"
		case strings.HasPrefix(line, "AUTHENTICATE "):
			f := strings.Fields(line)
			raw, _ := base64.StdEncoding.DecodeString(f[2])
			s.mu.Lock()
			newest, withdraw := fmt.Sprintf("a%d", s.access), s.withdraw
			s.mu.Unlock()
			want := "user=updates\x01auth=Bearer " + newest + "\x01\x01"
			if f[1] == "OAUTHBEARER" {
				want = "n,a=updates,\x01host=127.0.0.1\x01port=" + portOf(c) + "\x01auth=Bearer " + newest + "\x01\x01"
			}
			if string(raw) == want && !withdraw {
				return tag + " OK welcome\r\n"
			}
			fmt.Fprint(c, "+ "+base64.StdEncoding.EncodeToString([]byte(`{"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}`))+"\r\n")
			buf := make([]byte, 100) // the client's empty answer
			c.Read(buf)
			return tag + " NO [AUTHENTICATIONFAILED] Invalid credentials\r\n"
		}
		return polite(tag, line)
	})
}

func portOf(c net.Conn) string { _, port, _ := net.SplitHostPort(c.LocalAddr().String()); return port }

func secret(s string) func() (string, error) { return func() (string, error) { return s, nil } }

func (s *tokenServer) options(t *testing.T) *OAuth2 {
	return &OAuth2{TokenURL: s.URL, ClientID: "id", ClientSecret: secret("hush"), RefreshToken: secret("r0"),
		Kept: filepath.Join(t.TempDir(), "oauth2", "updates.json"), Now: time.Now}
}

func TestTokenLogin(t *testing.T) {
	for mechanisms, used := range map[string]string{"AUTH=XOAUTH2": "", "AUTH=OAUTHBEARER AUTH=XOAUTH2": ""} {
		t.Run(mechanisms+used, func(t *testing.T) {
			s := newTokenServer(t)
			o := hostile(t, tokenIMAP(t, s, mechanisms), newIntake())
			o.OAuth2, o.Password = s.options(t), nil
			m, _ := run(t, o)
			eventually(t, "connected", func() bool { return m.Status().Connected })
		})
	}
}

// A token that the mail server refuses though its time is not over is asked for anew, and the refusal is told in full.
func TestTokenWithdrawn(t *testing.T) {
	s := newTokenServer(t)
	s.withdraw = true
	o := hostile(t, tokenIMAP(t, s, "AUTH=XOAUTH2"), newIntake())
	o.OAuth2, o.Password = s.options(t), nil
	m, _ := run(t, o)
	eventually(t, "refused", func() bool { return strings.Contains(m.Status().Err, "wanted scope https://mail.google.com/") })
	s.lock(func() { s.withdraw = false })
	eventually(t, "connected with another", func() bool { return m.Status().Connected })
	s.lock(func() {
		if len(s.asked) < 2 {
			t.Errorf("asked %d times", len(s.asked))
		}
	})
}

// When the refresh token runs out is known where the provider says so, and not longer than it says so.
func TestWhenTheRefreshTokenRunsOut(t *testing.T) {
	s := newTokenServer(t)
	o := s.options(t)
	for _, lasts := range []int{0, 604799, 0} {
		s.lock(func() { s.lasts = lasts })
		now := o.Now()
		if _, err := o.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.Forget()
		until := o.RunsOut()
		if lasts == 0 && !until.IsZero() || lasts > 0 && until.Sub(now).Round(time.Minute) != 7*24*time.Hour {
			t.Errorf("%d seconds: until %v", lasts, until)
		}
	}
}

func TestServerTakesOnlyTokens(t *testing.T) {
	o := hostile(t, tokenIMAP(t, newTokenServer(t), "AUTH=XOAUTH2"), newIntake())
	m, _ := run(t, o)
	eventually(t, "told", func() bool { return strings.Contains(m.Status().Err, "use oauth2 instead of password_file") })
}

// An access token is used until a minute before its end. A rotated refresh token is kept, also over a restart; a new one
// in the configuration counts at once; and when the kept one is void the configured one is tried.
func TestRefreshTokens(t *testing.T) {
	s := newTokenServer(t)
	s.rotate = true
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	o := s.options(t)
	o.Now = func() time.Time { return now }
	step := func(name, wantToken, wantRefresh string) {
		t.Helper()
		got, err := o.Token(t.Context())
		if err != nil || got != wantToken {
			t.Errorf("%s: %q, %v; want %q", name, got, err, wantToken)
		}
		if last := s.asked[len(s.asked)-1].Get("refresh_token"); last != wantRefresh {
			t.Errorf("%s: the refresh token was %q, want %q", name, last, wantRefresh)
		}
	}
	step("first", "a1", "r0")
	now = now.Add(58 * time.Minute)
	step("still good", "a1", "r0")
	now = now.Add(2 * time.Minute)
	step("refreshed with the rotated one", "a2", "r1")
	again := s.options(t)
	again.Kept, again.Now = o.Kept, o.Now
	o = again
	step("after a restart", "a3", "r2")
	if info, err := os.Stat(o.Kept); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of the token: %v, %v", info, err)
	}

	s.good["new"] = true
	o.RefreshToken = secret("new")
	o.Forget()
	step("a new one was configured", "a4", "new")
	o.Forget()
	delete(s.good, "r4")
	s.good["new"] = true
	step("the kept one is void", "a5", "new")

	s.good = map[string]bool{}
	o.Forget()
	_, err := o.Token(t.Context())
	if err == nil || !strings.Contains(err.Error(), "invalid_grant") || !strings.Contains(err.Error(), "refresh_token_file") {
		t.Errorf("void: %v", err)
	}
	for _, hidden := range []string{"hush", "r4", "r5"} {
		if strings.Contains(fmt.Sprint(err), hidden) {
			t.Errorf("%q stands in the error: %v", hidden, err)
		}
	}
}

// A disk that takes no file costs no token: it is kept in memory and written at the next chance.
func TestRefreshTokenCannotBeWritten(t *testing.T) {
	s := newTokenServer(t)
	s.rotate = true
	o := s.options(t)
	dir := filepath.Dir(o.Kept)
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	if _, err := o.Token(t.Context()); err == nil || !strings.Contains(err.Error(), "keeping the refresh token") {
		t.Errorf("got %v", err)
	}
	os.Remove(dir)
	if _, err := o.Token(t.Context()); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(o.Kept); err != nil || !strings.Contains(string(data), `"r2"`) {
		t.Errorf("kept %s, %v", data, err)
	}
}

// Without a refresh token the application itself logs in; each provider gets what it needs.
func TestProviders(t *testing.T) {
	s := newTokenServer(t)
	for _, c := range []struct {
		o     *OAuth2
		grant string
		scope string
		url   string
	}{
		{&OAuth2{Provider: Google, RefreshToken: secret("r0")}, "refresh_token", "", "https://oauth2.googleapis.com/token"},
		{&OAuth2{Provider: Microsoft, RefreshToken: secret("r0")}, "refresh_token", "", "https://login.microsoftonline.com/common/oauth2/v2.0/token"},
		{&OAuth2{Provider: Microsoft, Tenant: "example.com"}, "client_credentials", "https://outlook.office365.com/.default",
			"https://login.microsoftonline.com/example.com/oauth2/v2.0/token"},
	} {
		if got := c.o.tokenURL(); got != c.url {
			t.Errorf("%s", got)
		}
		c.o.TokenURL, c.o.ClientID, c.o.ClientSecret, c.o.Now = s.URL, "id", secret("hush"), time.Now
		if _, err := c.o.Token(t.Context()); err != nil {
			t.Errorf("%s: %v", c.url, err)
		}
		form := s.asked[len(s.asked)-1]
		if form.Get("grant_type") != c.grant || form.Get("scope") != c.scope || form.Get("client_secret") != "hush" {
			t.Errorf("asked with %v", form)
		}
	}
}

func TestHints(t *testing.T) {
	for _, c := range []struct {
		host  string
		oauth bool
		want  string
	}{
		{"imap.gmail.com", false, "apppasswords"}, {"imap.gmail.com", true, "mail.google.com"},
		{"outlook.office365.com", false, "no passwords"}, {"Outlook.Office365.com", true, "IMAP.AccessAsUser.All"},
		{"imap.mail.me.com", false, "app password"}, {"imap.example.com", false, "IMAP on"}, {"notgmail.com", false, "IMAP on"},
	} {
		if got := hint(c.host, c.oauth); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", c.host, got)
		}
	}
}

// A provider that is busy refuses nobody: its next try is soon, and nobody is told to get a new token.
func TestBusyProvider(t *testing.T) {
	for status, body := range map[int]string{429: `{"error":"too_many_requests"}`, 400: `{"error":"temporarily_unavailable"}`, 503: "later"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
		o := &OAuth2{TokenURL: s.URL, ClientID: "id", RefreshToken: secret("r0"), Kept: filepath.Join(t.TempDir(), "x", "k.json"), Now: time.Now}
		if _, err := o.Token(t.Context()); err == nil || errors.As(err, new(*LoginError)) || !strings.Contains(err.Error(), fmt.Sprint(status)) {
			t.Errorf("%d: %v", status, err)
		}
		s.Close()
	}
}
