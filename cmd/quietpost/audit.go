package main

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/klauspost/compress/zstd"

	"quietpost/digest/audit"
)

type auditCmd struct {
	Maildir string `arg:"" help:"A Maildir with its folders, saved .eml files or an mbox; also compressed, as Dovecot keeps mail." type:"path"`
}

// Example is printed with the help.
func (*auditCmd) Example() string { return "quietpost audit ~/Maildir" }

// Run proves from a reader's own mails that nothing is missing and nothing came twice. It needs no configuration and no
// database: that is its worth.
func (c *auditCmd) Run(e *env) error {
	var mails []audit.Mail
	var faults []string
	others := 0
	err := filepath.WalkDir(c.Maildir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "tmp": // deliveries that have not ended (maildir(5))
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		texts, err := unfold(raw)
		if err != nil {
			faults = append(faults, path+": "+err.Error())
		}
		for _, text := range texts {
			switch m, ok, err := audit.Read(text); {
			case err != nil:
				faults = append(faults, path+": "+err.Error())
			case ok:
				mails = append(mails, m)
			default:
				others++
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r := audit.Check(mails)
	r.Faults = append(faults, r.Faults...)
	if e.json {
		if err := e.print([]audit.Report{r}, "", nil); err != nil {
			return err
		}
	} else {
		c.tell(e, &r, others)
	}
	switch {
	case len(r.Faults) > 0:
		return fmt.Errorf("faults: %d, see above. A mail that was deleted or lies elsewhere is missing here too; `quietpost trace NUMBER` tells "+
			"whether a mail server took it", len(r.Faults))
	case len(mails) == 0:
		return errors.New("there is no mail of quietpost's in " + c.Maildir)
	}
	return nil
}

// unfold gives the mails that a file holds: one, or those of an mbox; compressed or not.
func unfold(raw []byte) ([][]byte, error) {
	var r io.Reader
	var err error
	switch in := bytes.NewReader(raw); {
	case bytes.HasPrefix(raw, []byte("\x1f\x8b")):
		r, err = gzip.NewReader(in)
	case bytes.HasPrefix(raw, []byte("BZh")):
		r = bzip2.NewReader(in)
	case bytes.HasPrefix(raw, []byte("\x28\xb5\x2f\xfd")):
		r, err = zstd.NewReader(in)
	case bytes.HasPrefix(raw, []byte("\xfd7zXZ")), bytes.HasPrefix(raw, []byte("Dovecot-LZ4")), bytes.HasPrefix(raw, []byte("\x04\x22\x4d\x18")):
		err = errors.New("it is compressed by xz or lz4, which cannot be read here; export the mails to a folder of their own")
	}
	if err == nil && r != nil {
		raw, err = io.ReadAll(io.LimitReader(r, maxUnfolded))
	}
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(raw, []byte("From ")) {
		return [][]byte{raw}, nil
	}
	mails := mboxLine.Split(string(raw), -1) // RFC 4155
	texts := make([][]byte, 0, len(mails))
	for _, m := range mails[1:] {
		texts = append(texts, []byte(strings.ReplaceAll(m, "\n>From ", "\nFrom ")))
	}
	return texts, nil
}

// mboxLine begins a mail in an mbox.
var mboxLine = regexp.MustCompile(`(?m)(?:\A|\r?\n\r?\n|^\r?\n)From [^\n]*\n`)

// maxUnfolded bounds what one compressed file may hold.
const maxUnfolded = 1 << 30

func (c *auditCmd) tell(e *env, r *audit.Report, others int) {
	fmt.Fprintf(e.stdout, "%s of quietpost's, %s\n", counted(r.Editions+r.Doubles, "mail", "mails"), counted(others, "other file", "other files"))
	for _, s := range r.Series {
		fmt.Fprintf(e.stdout, "%s: %s the numbers %d-%d\n", s.List, counted(s.Digests, "digest covers", "digests cover"), s.From, s.To)
	}
	if r.Doubles > 0 {
		fmt.Fprintf(e.stdout, "%d came again under the same Message-ID: a mail server took them and the answer was lost\n", r.Doubles)
	}
	for _, f := range r.Faults {
		fmt.Fprintln(e.stdout, "FAULT:", f)
	}
	if len(r.Faults) == 0 && r.Editions > 0 {
		fmt.Fprintln(e.stdout, "Nothing is missing between the first and the last, and nothing came twice otherwise.")
	}
}
