package mailbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"quietpost/digest"
)

// Scopes and addresses of the providers that are known by name.
const (
	Google    = "google"
	Microsoft = "microsoft"

	googleToken = "https://oauth2.googleapis.com/token"
	// The tenant goes in.
	microsoftToken = "https://login.microsoftonline.com/%s/oauth2/v2.0/token"
	microsoftUser  = "https://outlook.office.com/IMAP.AccessAsUser.All"
	microsoftApp   = "https://outlook.office365.com/.default"
)

// tokenEarly is how long before its end an access token is not used any more.
const tokenEarly = time.Minute

// OAuth2 gets access tokens for one inbox. With a refresh token it logs in as the person who gave it; without one as
// the application itself (client credentials, RFC 6749, section 4.4).
type OAuth2 struct {
	Provider     string // Google, Microsoft, or empty: TokenURL counts
	Tenant       string // Microsoft's; default common
	TokenURL     string
	ClientID     string
	ClientSecret func() (string, error) // nil: a public client
	RefreshToken func() (string, error) // nil: none
	Scopes       []string               // default what the provider needs
	// Kept is the file in which a refresh token is kept when the provider gives a new one in place of the old, which may
	// be void from then on. Its folder is made.
	Kept   string
	Now    func() time.Time
	Client *http.Client // nil: http.DefaultClient with a timeout

	mu      sync.Mutex
	access  string
	until   time.Time
	refresh time.Time  // when the refresh token runs out; zero where the provider does not say
	unsaved *keptToken // a new refresh token that could not be written down yet
}

// Token gives an access token that is valid for a minute at least. What the provider refuses is a LoginError.
func (o *OAuth2) Token(ctx context.Context) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.access != "" && o.Now().Before(o.until) {
		return o.access, nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	client := o.Client
	if client == nil {
		client = &http.Client{Timeout: commandTime}
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, client)
	secret, err := read(o.ClientSecret)
	if err != nil {
		return "", fmt.Errorf("the client secret: %w", err)
	}
	var t *oauth2.Token
	if o.RefreshToken == nil {
		c := clientcredentials.Config{ClientID: o.ClientID, ClientSecret: secret, TokenURL: o.tokenURL(), Scopes: o.scopes(), AuthStyle: o.style()}
		t, err = c.Token(ctx)
	} else {
		t, err = o.renew(ctx, secret)
	}
	if err != nil {
		return "", o.refusal(err)
	}
	// Google says so of apps in testing and of access given for a time, Microsoft of apps in a browser.
	if left, ok := t.Extra("refresh_token_expires_in").(float64); ok && left > 0 {
		o.refresh = o.Now().Add(time.Duration(left) * time.Second)
	} else {
		o.refresh = time.Time{}
	}
	o.access, o.until = t.AccessToken, o.Now().Add(time.Duration(t.ExpiresIn)*time.Second-tokenEarly)
	return o.access, nil
}

// RunsOut is when the refresh token runs out, as the provider said when it last gave an access token; zero where it does not say.
func (o *OAuth2) RunsOut() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.refresh
}

// Forget drops the access token, so that the next Token asks for another.
func (o *OAuth2) Forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.access = ""
}

// renew asks for an access token with the refresh token that was kept, if it descends from the configured one; else, or
// when it is void, with the configured one.
func (o *OAuth2) renew(ctx context.Context, secret string) (*oauth2.Token, error) {
	given, err := o.RefreshToken()
	if err != nil {
		return nil, fmt.Errorf("the refresh token: %w", err)
	}
	c := oauth2.Config{ClientID: o.ClientID, ClientSecret: secret, Scopes: o.scopes(), Endpoint: oauth2.Endpoint{TokenURL: o.tokenURL(), AuthStyle: o.style()}}
	kept := o.kept(given)
	with := given
	if kept != "" {
		with = kept
	}
	t, err := c.TokenSource(ctx, &oauth2.Token{RefreshToken: with}).Token()
	if answer := (*oauth2.RetrieveError)(nil); kept != "" && errors.As(err, &answer) && answer.ErrorCode == "invalid_grant" {
		with = given
		t, err = c.TokenSource(ctx, &oauth2.Token{RefreshToken: with}).Token()
	}
	if err == nil && t.RefreshToken != "" && t.RefreshToken != with {
		o.unsaved = &keptToken{sumOf(given), t.RefreshToken}
	}
	if err == nil && o.unsaved != nil {
		if err = o.keep(*o.unsaved); err == nil {
			o.unsaved = nil
		}
	}
	return t, err
}

// A keptToken is what stands in the file: a refresh token, and the sum of the configured one that it descends from, so
// that a new one in the configuration counts at once.
type keptToken struct {
	From         string `json:"from"`
	RefreshToken string `json:"refresh_token"`
}

func (o *OAuth2) kept(given string) string {
	var k keptToken
	if o.unsaved != nil {
		k = *o.unsaved
	} else if data, err := os.ReadFile(o.Kept); err != nil || json.Unmarshal(data, &k) != nil {
		return ""
	}
	if k.From != sumOf(given) {
		return ""
	}
	return k.RefreshToken
}

// keep writes the file so that a crash leaves the old or the new one.
func (o *OAuth2) keep(k keptToken) error {
	data, err := json.Marshal(k)
	if err != nil {
		return err
	}
	dir := filepath.Dir(o.Kept)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keeping the refresh token: %w", err)
	}
	f, err := os.CreateTemp(dir, ".token-*") // mode 0600
	if err != nil {
		return fmt.Errorf("keeping the refresh token: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close(), giveTo(filepath.Dir(dir), dir, f.Name())); err == nil {
		err = os.Rename(f.Name(), o.Kept)
	}
	if err != nil {
		return fmt.Errorf("keeping the refresh token: %w", errors.Join(err, os.Remove(f.Name())))
	}
	d, err := os.Open(dir) // the name has to be on disk too: the old token may be void already
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	return err
}

// giveTo makes files those of a folder's owner: what root writes beside the service (doctor) the service has to read.
func giveTo(folder string, files ...string) error {
	info, err := os.Stat(folder)
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		for _, f := range files {
			err = errors.Join(err, os.Chown(f, int(st.Uid), int(st.Gid)))
		}
	}
	return err
}

func sumOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// refusal makes a LoginError of a provider's refusal. Nothing of it but the code and the first words is told: the rest
// may hold what is secret.
func (o *OAuth2) refusal(err error) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		return fmt.Errorf("asking %s for a token: %w", o.tokenURL(), err)
	}
	if code := answer.ErrorCode; answer.Response != nil && (answer.Response.StatusCode >= 500 ||
		answer.Response.StatusCode == http.StatusTooManyRequests || code == "temporarily_unavailable" || code == "server_error") {
		return fmt.Errorf("asking %s for a token: it answers %s", o.tokenURL(), answer.Response.Status)
	}
	what := answer.ErrorCode
	if what == "" && answer.Response != nil {
		what = answer.Response.Status
	}
	if answer.ErrorDescription != "" {
		what += ": " + answer.ErrorDescription
	}
	hints := map[string]string{
		"invalid_grant": "the refresh token has run out or was withdrawn: get a new one and write it into refresh_token_file" +
			" (Google voids those of an app in testing after 7 days, and at a change of password)",
		"invalid_client":      "client_id or client_secret_file is not right; Microsoft's secrets run out after two years at most",
		"unauthorized_client": "client_id is not that of the app which the refresh token was given to, or the app lacks a permission",
		"invalid_scope":       "the app lacks the permission for IMAP",
	}
	return &LoginError{Username: "client " + o.ClientID, Err: fmt.Errorf("%s gives no token: %s", o.tokenURL(), digest.OneLine(what, 200)),
		Hint: hints[answer.ErrorCode]}
}

func (o *OAuth2) tokenURL() string {
	switch {
	case o.TokenURL != "":
		return o.TokenURL
	case o.Provider == Google:
		return googleToken
	}
	tenant := o.Tenant
	if tenant == "" {
		tenant = "common"
	}
	return fmt.Sprintf(microsoftToken, tenant)
}

// style is how the client's secret is sent: both providers take it in the body; others are tried out.
func (o *OAuth2) style() oauth2.AuthStyle {
	if o.Provider != "" {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleAutoDetect
}

func (o *OAuth2) scopes() []string {
	switch {
	case len(o.Scopes) > 0 || o.Provider != Microsoft:
		return o.Scopes // Google's are those the refresh token was given with
	case o.RefreshToken == nil:
		return []string{microsoftApp}
	}
	return []string{microsoftUser, "offline_access"}
}

func read(secret func() (string, error)) (string, error) {
	if secret == nil {
		return "", nil
	}
	s, err := secret()
	return strings.TrimSpace(s), err
}
