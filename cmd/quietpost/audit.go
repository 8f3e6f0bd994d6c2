package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"quietpost/digest/audit"
)

type auditCmd struct {
	Maildir string `arg:"" help:"A folder of mails, one a file: a Maildir with its folders, or saved .eml files." type:"existingdir"`
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
		switch m, ok, err := audit.Read(raw); {
		case err != nil:
			faults = append(faults, path+": "+err.Error())
		case ok:
			mails = append(mails, m)
		default:
			others++
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
		return fmt.Errorf("%s not kept, see above", counted(len(r.Faults), "promise was", "promises were"))
	case len(mails) == 0:
		return errors.New("there is no mail of quietpost's in " + c.Maildir)
	}
	return nil
}

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
