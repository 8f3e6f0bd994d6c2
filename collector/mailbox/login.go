package mailbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"

	"quietpost/digest"
)

// A LoginError says that the server, or the one that gives tokens, refuses our credentials.
type LoginError struct {
	Username string
	Err      error
	Hint     string // what to do; may be empty
}

func (e *LoginError) Error() string {
	text := fmt.Sprintf("login as %s: %v", e.Username, e.Err)
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// Unwrap gives the answer.
func (e *LoginError) Unwrap() error { return e.Err }

// refusal makes a LoginError of an answer to a login, if it is one: not of a broken connection, nor of a server that
// is only busy (RFC 5530).
func (m *Mailbox) refusal(err error) error {
	var answer *imap.Error
	if err == nil || !errors.As(err, &answer) {
		return err
	}
	switch answer.Code {
	case imap.ResponseCodeUnavailable, imap.ResponseCodeInUse, imap.ResponseCodeLimit, imap.ResponseCodeServerBug,
		imap.ResponseCodeOverQuota, "THROTTLED":
		return fmt.Errorf("login as %s: %w", m.o.Username, err)
	}
	if busy.MatchString(answer.Text) {
		return fmt.Errorf("login as %s: %w", m.o.Username, err)
	}
	return &LoginError{Username: m.o.Username, Err: err, Hint: hint(m.o.Host, m.o.OAuth2 != nil)}
}

// busy is how servers say without a code that they are: Gmail, Exchange, Dovecot, Courier and Cyrus among them.
var busy = regexp.MustCompile(`(?i)too many|simultaneous|maximum number of|bandwidth|temporar|try again|unavailable|\bbusy\b`)

// hint says what the large providers want, which their own answers do not.
func hint(host string, oauth bool) string {
	host = strings.ToLower(host)
	is := func(names ...string) bool {
		for _, n := range names {
			if host == n || strings.HasSuffix(host, "."+n) {
				return true
			}
		}
		return false
	}
	switch {
	case is("gmail.com", "googlemail.com") && !oauth:
		return "Gmail takes no account password here: turn on 2-step verification and make an app password " +
			"(https://myaccount.google.com/apppasswords), or use oauth2 with provider: google"
	case is("gmail.com", "googlemail.com"):
		return "the token must be one of this account, with the scope https://mail.google.com/"
	case is("office365.com", "outlook.com", "hotmail.com") && !oauth:
		return "Microsoft takes no passwords by IMAP any more: use oauth2 with provider: microsoft"
	case is("office365.com", "outlook.com", "hotmail.com"):
		return "IMAP must be on for this mailbox, and the app needs IMAP.AccessAsUser.All; without a refresh token " +
			"IMAP.AccessAsApp and access to the mailbox (Add-MailboxPermission)"
	case is("mail.yahoo.com", "mail.me.com", "icloud.com", "yandex.com", "yandex.ru", "fastmail.com", "zoho.com", "zoho.eu"):
		return "this provider wants an app password, made in the account's security settings"
	case oauth:
		return "is the token one for this mailbox?"
	}
	return "is the password right, and is IMAP on for this mailbox?"
}

// login greets and logs in.
func (s *session) login(ctx context.Context) error {
	options := &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		// Runs in the goroutine that reads: it must not block, nor send a command.
		Expunge: func(uint32) { s.guard.spoke() },
		Fetch: func(msg *imapclient.FetchMessageData) {
			for item := msg.Next(); item != nil; item = msg.Next() { // it has to be read to its end
				if body, ok := item.(imapclient.FetchItemDataBodySection); ok && body.Literal != nil && s.stray.Add(-body.Literal.Size()) >= 0 {
					s.guard.allow(body.Literal.Size())
				}
			}
			s.guard.spoke()
		},
		Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				select {
				case s.kick <- struct{}{}:
				default:
				}
			}
		},
	}}
	return s.within(2*commandTime, func() (err error) {
		s.client = imapclient.New(s.guard, options)
		if err := s.client.WaitGreeting(); err != nil {
			return err
		}
		if s.client.State() != imap.ConnStateAuthenticated { // PREAUTH: who may connect is logged in already
			if s.m.o.OAuth2 != nil {
				err = s.loginToken(ctx)
			} else {
				err = s.loginPassword()
			}
		}
		return err
	})
}

func (s *session) loginPassword() error {
	password, err := s.m.o.Password()
	if err != nil {
		return fmt.Errorf("the password: %w", err)
	}
	switch caps := s.client.Caps(); {
	case caps.Has(imap.AuthCap("PLAIN")):
		err = s.client.Authenticate(sasl.NewPlainClient("", s.m.o.Username, password))
	case caps.Has(imap.CapLoginDisabled):
		if caps.Has(imap.AuthCap("XOAUTH2")) || caps.Has(imap.AuthCap("OAUTHBEARER")) {
			return &LoginError{Username: s.m.o.Username, Err: errors.New("the server takes no passwords, only tokens"),
				Hint: "use oauth2 instead of password_file"}
		}
		return errors.New("the server allows no login on this connection; it wants TLS")
	default:
		err = s.client.Login(s.m.o.Username, password).Wait()
	}
	return s.m.refusal(err)
}

// loginToken logs in with an OAuth 2 access token: OAUTHBEARER (RFC 7628) where the server has it, else XOAUTH2, which is
// all that Microsoft has.
func (s *session) loginToken(ctx context.Context) error {
	token, err := s.m.o.OAuth2.Token(ctx)
	if err != nil {
		return err
	}
	bearer := &bearer{user: s.m.o.Username, token: token, host: s.m.o.Host, port: s.m.o.Port}
	switch caps := s.client.Caps(); {
	case caps.Has(imap.AuthCap("OAUTHBEARER")):
		bearer.mechanism = "OAUTHBEARER"
	case caps.Has(imap.AuthCap("XOAUTH2")):
		bearer.mechanism = "XOAUTH2"
	default:
		return errors.New("the server takes no tokens (neither OAUTHBEARER nor XOAUTH2); use password_file instead of oauth2")
	}
	if err = s.client.Authenticate(bearer); err == nil {
		return nil
	}
	if errors.As(err, new(*imap.Error)) {
		s.m.o.OAuth2.Forget() // it may have been withdrawn: the next try asks for a new one
	}
	if bearer.why != "" {
		err = fmt.Errorf("%w (%s)", err, bearer.why)
	}
	return s.m.refusal(err)
}

// A bearer is the client of OAUTHBEARER and XOAUTH2. When the server refuses the token it first says why, and wants an
// answer before it says NO.
type bearer struct {
	mechanism, user, token, host string
	port                         int
	why                          string
}

// Start implements sasl.Client.
func (b *bearer) Start() (mechanism string, first []byte, err error) {
	if b.mechanism == "XOAUTH2" {
		return b.mechanism, []byte("user=" + b.user + "\x01auth=Bearer " + b.token + "\x01\x01"), nil
	}
	name := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(b.user) // RFC 5801, section 4
	return b.mechanism, fmt.Appendf(nil, "n,a=%s,\x01host=%s\x01port=%d\x01auth=Bearer %s\x01\x01", name, b.host, b.port, b.token), nil
}

// Next implements sasl.Client.
func (b *bearer) Next(challenge []byte) ([]byte, error) {
	var said struct{ Status, Scope string }
	if json.Unmarshal(challenge, &said) == nil && said.Status != "" {
		b.why = digest.OneLine("status "+said.Status, 100)
		if said.Scope != "" {
			b.why += digest.OneLine(", wanted scope "+said.Scope, 200)
		}
	}
	if b.mechanism == "XOAUTH2" {
		return []byte{}, nil
	}
	return []byte{1}, nil // RFC 7628, section 3.2.3
}
