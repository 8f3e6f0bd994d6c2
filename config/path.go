package config

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v4"
)

// A Path names a file or folder. $NAME and ${NAME} in it are expanded when the configuration is read; a relative one
// is relative to the configuration's folder.
type Path struct {
	Written string   // as it stands in the file
	Value   string   // expanded and absolute; where a variable is unset, it is kept as written
	Unset   []string // variables that were not set
	Pos     Pos      // where it stands; zero for a default
}

// Set tells whether a path is there at all.
func (p Path) Set() bool { return p.Value != "" }

// Resolve gives the path, or an error that names the variables that are not set.
func (p Path) Resolve() (string, error) {
	switch {
	case !p.Set():
		return "", errors.New("no path is set")
	case len(p.Unset) > 0:
		return "", fmt.Errorf("%s: %s; set it, or write the path out", p.Written, unset(p.Unset))
	}
	return p.Value, nil
}

// unset says which variables are not set.
func unset(names []string) string {
	if len(names) == 1 {
		return "the variable " + names[0] + " is not set"
	}
	return "the variables " + strings.Join(names, " and ") + " are not set"
}

var variable = regexp.MustCompile(`\$(?:\{[A-Za-z_][A-Za-z0-9_]*\}|[A-Za-z_][A-Za-z0-9_]*)`)

// expand gives the text with its variables replaced, and the names of those that are not set, which stay.
func expand(s string, getenv func(string) string) (string, []string) {
	var missing []string
	s = variable.ReplaceAllStringFunc(s, func(m string) string {
		name := strings.Trim(m, "${}")
		if v := getenv(name); v != "" {
			return v
		}
		if !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
		return m
	})
	return s, missing
}

// file reads a Path.
func file(dst *Path) value {
	return value{ptr: dst, schema: &jsonschema.Schema{Type: "string", MinLength: jsonschema.Ptr(1)}, read: func(r *reader, p place, n *yaml.Node) {
		var written string
		text(&written, line).read(r, p, n)
		switch {
		case written == "":
			return
		case written == "~" || strings.HasPrefix(written, "~/"):
			r.wrong(pos(n), "%s: ~ is not expanded; write $HOME%s", p.path, written[1:])
			return
		}
		*dst = Path{Written: written, Pos: pos(n)}
		dst.Value, dst.Unset = expand(written, r.opts.Getenv)
		switch {
		case len(dst.Unset) > 0:
			r.note(pos(n), "%s: %s here, so the path stays as written; what reads it will need it", p.path, unset(dst.Unset))
		case !filepath.IsAbs(dst.Value):
			dst.Value = filepath.Join(r.dir, dst.Value)
		}
	}}
}

// maxSecret is far above any secret; it only keeps a wrong file out.
const maxSecret = 64 << 10

// ReadSecrets reads a file of secrets, one a line, each valid, so that a secret can be changed without a gap. Space at
// a line's end and empty lines are dropped. There is at least one secret, and none is empty. Errors name the file as
// written and the variable that is not set, never what the file holds.
func ReadSecrets(p Path) ([][]byte, error) {
	path, err := p.Resolve()
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be opened: %w", path, reason(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read: %w", path, reason(err))
	case len(data) > maxSecret:
		return nil, contentError(path + " is larger than 64 KiB; a file of secrets has one on each line")
	}
	var secrets [][]byte
	for l := range bytes.Lines(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))) { // a byte order mark is no part of a secret
		if l = bytes.TrimRight(l, " \t\r\n"); len(l) > 0 {
			secrets = append(secrets, l)
		}
	}
	if len(secrets) == 0 {
		return nil, contentError(path + " is empty; write the secret into it")
	}
	return secrets, nil
}

// A contentError is about what a file of secrets holds, not about reaching it.
type contentError string

func (e contentError) Error() string { return string(e) }

// SecretFaults compares the secrets of the doors (sources and api.token_file) as far as they can be read here: one that
// is empty, and one that two doors share, by which nobody could tell who posts. What cannot be read is SecretNotes's.
// Public keys ("whpk_…", "ed25519:…") may be shared. No fault shows a secret.
func (c *Config) SecretFaults() Faults {
	type door struct {
		name string
		path Path
	}
	doors := []door{{"api.token_file", c.API.TokenFile}}
	for _, s := range c.Sources {
		doors = append(doors, door{"the source " + s.Name, s.SecretFile})
	}
	var faults Faults
	owner := map[[sha256.Size]byte]string{}
	for _, d := range doors {
		if !d.path.Set() {
			continue
		}
		secrets, err := ReadSecrets(d.path)
		if content := contentError(""); errors.As(err, &content) {
			faults = append(faults, c.Fault(d.path.Pos, content.Error()))
		}
		for _, s := range secrets {
			sum := sha256.Sum256(s)
			if first := owner[sum]; first == "" {
				owner[sum] = d.name
			} else if first != d.name && !bytes.HasPrefix(s, []byte("whpk_")) && !bytes.HasPrefix(s, []byte("ed25519:")) {
				faults = append(faults, c.Fault(d.path.Pos, "a line of "+d.path.Value+" is a secret of "+first+" too; give each a secret of its own"))
				break
			}
		}
	}
	faults.sort()
	return faults
}

// ReadPassword reads a file that holds one secret.
func ReadPassword(p Path) (string, error) {
	s, err := ReadSecrets(p)
	if err != nil {
		return "", err
	}
	if len(s) > 1 {
		return "", fmt.Errorf("%s has %d lines; a password is one line", p.Value, len(s))
	}
	return string(s[0]), nil
}

// SecretNotes looks at the files of secrets without reading them: a note for each that is not there, cannot be looked
// at, or can be read by everybody on this machine. Who reads one says with Fault what came of it.
func (c *Config) SecretNotes() Faults {
	paths := []Path{c.API.TokenFile, c.Mail.SMTP.PasswordFile}
	for _, b := range c.Inboxes {
		paths = append(paths, b.IMAP.PasswordFile, b.IMAP.OAuth2.ClientSecretFile, b.IMAP.OAuth2.RefreshTokenFile)
	}
	for _, s := range c.Sources {
		paths = append(paths, s.SecretFile)
	}
	var notes Faults
	for _, p := range paths {
		if text := secretNote(p); text != "" {
			f := c.Fault(p.Pos, text)
			f.Severity = Note
			notes = append(notes, f)
		}
	}
	notes.sort()
	return notes
}

func secretNote(p Path) string {
	path, err := p.Resolve()
	if err != nil {
		return "" // not set, or Load has noted the variable
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path + " is not there; write the secret into it before the service starts"
	case err != nil:
		return fmt.Sprintf("%s cannot be looked at: %v", path, reason(err))
	case info.IsDir():
		return path + " is a folder; name a file"
	case info.Mode().Perm()&0o004 != 0:
		return path + " can be read by everybody on this machine; chmod 640 it"
	}
	return ""
}

// Fault is a fault at a place of this configuration, for who finds one later.
func (c *Config) Fault(at Pos, text string) Fault { return Fault{c.File, at, Wrong, text} }
