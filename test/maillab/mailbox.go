package maillab

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Mailbox gives all mails of a user's INBOX in the order in which they came, raw, read over IMAP.
func (l *Lab) Mailbox(name string) ([][]byte, error) {
	var mails [][]byte
	err := l.imap(name, func(_ net.Conn, c *imapclient.Client) error {
		box, err := c.Select("INBOX", &imap.SelectOptions{ReadOnly: true}).Wait()
		if err != nil || box.NumMessages == 0 {
			return err
		}
		all := imap.SeqSet{}
		all.AddRange(1, box.NumMessages)
		body := &imap.FetchItemBodySection{Peek: true}
		got, err := c.Fetch(all, &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{body}}).Collect()
		for _, m := range got {
			mails = append(mails, m.FindBodySection(body))
		}
		return err
	})
	return mails, err
}

// Append puts mails into a user's INBOX by IMAP, as a migration tool would.
func (l *Lab) Append(name string, raws ...[]byte) error {
	return l.imap(name, func(conn net.Conn, c *imapclient.Client) error {
		for _, raw := range raws {
			if err := conn.SetDeadline(time.Now().Add(deadline)); err != nil {
				return err
			}
			cmd := c.Append("INBOX", int64(len(raw)), nil)
			_, err := cmd.Write(raw)
			if err := errors.Join(err, cmd.Close()); err != nil {
				return err
			}
			if _, err = cmd.Wait(); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *Lab) imap(name string, do func(net.Conn, *imapclient.Client) error) error {
	cfg, err := l.TLS()
	if err != nil {
		return err
	}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: deadline}, "tcp", addr(l.Ports.IMAPS), cfg)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(deadline)); err != nil {
		return err
	}
	c := imapclient.New(conn, nil)
	if err := c.Login(Address(name), Password(name)).Wait(); err != nil {
		return err
	}
	if err := do(conn, c); err != nil {
		return err
	}
	_ = c.Logout().Wait() // what was asked for is done
	return nil
}

// Deliver hands a mail to the door that is open to the world, without a login, from the envelope address from to to.
func (l *Lab) Deliver(from, to string, raw io.Reader) error {
	c, err := smtp.Dial(addr(l.Ports.MX))
	if err != nil {
		return err
	}
	return send(c, from, to, raw)
}

// DeliverLocal hands a mail to Dovecot itself by LMTP; without an error it is in the mailbox.
func (l *Lab) DeliverLocal(from, to string, raw io.Reader) error {
	conn, err := net.DialTimeout("tcp", addr(l.Ports.LMTP), deadline)
	if err != nil {
		return err
	}
	return send(smtp.NewClientLMTP(conn), from, to, raw)
}

// Submit hands a mail in as a user would: STARTTLS, login, one recipient.
func (l *Lab) Submit(name, to string, raw io.Reader) error {
	cfg, err := l.TLS()
	if err != nil {
		return err
	}
	c, err := smtp.DialStartTLS(addr(l.Ports.Submission), cfg)
	if err != nil {
		return err
	}
	if err := c.Auth(sasl.NewPlainClient("", Address(name), Password(name))); err != nil {
		return errors.Join(err, c.Close())
	}
	return send(c, Address(name), to, raw)
}

func send(c *smtp.Client, from, to string, raw io.Reader) error {
	defer c.Close()
	c.CommandTimeout = deadline
	if err := c.SendMail(from, []string{to}, raw); err != nil {
		return err
	}
	return c.Quit()
}

// TLS trusts the lab's certificate authority.
func (l *Lab) TLS() (*tls.Config, error) {
	pem, err := os.ReadFile(l.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", l.CAFile)
	}
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}, nil
}

func addr(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
