package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"quietpost/store/sqlite"
)

type backupCmd struct {
	File string `arg:"" help:"The copy to write; it must not be there yet." type:"path"`
}

// Example is printed with the help.
func (*backupCmd) Example() string {
	return "quietpost backup /var/backups/quietpost-$(date +%F).db"
}

// Run copies.
func (c *backupCmd) Run(e *env) error {
	cfg, err := e.read()
	if err != nil {
		return err
	}
	dir, err := resolve(cfg.DataDir)
	if err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	newest, err := sqlite.Copy(e.ctx, filepath.Join(dir, "quietpost.db"), c.File)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already; choose another name or remove it", c.File)
	}
	if err != nil {
		return err
	}
	info, err := os.Stat(c.File)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s: %d KiB, up to item number %d\n", c.File, info.Size()>>10, newest)
	return nil
}

type restoreCmd struct {
	File string `arg:"" help:"A copy that backup made." type:"existingfile"`
}

// Example is printed with the help.
func (*restoreCmd) Example() string {
	return "systemctl stop quietpost\nquietpost restore /var/backups/quietpost-2026-11-20.db\nsystemctl start quietpost"
}

// Run restores, and tells what that means for readers.
func (c *restoreCmd) Run(e *env) error {
	cfg, err := e.read()
	if err != nil {
		return err
	}
	dir, err := resolve(cfg.DataDir)
	if err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	path := filepath.Join(dir, "quietpost.db")
	unlock, err := sqlite.Lock(path)
	if err != nil {
		return err
	}
	defer unlock()
	r, err := sqlite.Restore(e.ctx, path, c.File, e.now())
	if err != nil {
		return err
	}
	out := func(format string, args ...any) { fmt.Fprintf(e.stdout, format+"\n", args...) }
	out("%s now stands at %s: items up to number %d, the newest of %s", c.File, path, r.Newest, stamp(r.LastAt, cfg.TimeZone))
	if r.Replaced != "" {
		out("The database that was there is kept as %s; remove it when all is well.", r.Replaced)
	}
	if r.TakenOver {
		out("From it were taken over: readers with all they changed, how far each was served, what was sent, mails on their way,")
		out("how far the inboxes were read, and %d items received since the copy. Nothing is sent again and nothing is left out.", r.Later)
		return nil
	}
	out("Nothing could be taken over from the database before (%s). So:", r.Why)
	out("- Numbers go on at %d, above any that the lost database can have given.", r.Jump+1)
	out("- Each reader's next digest begins there. What was received after the copy is lost: `quietpost audit` tells of that gap.")
	if r.Unsent > 0 {
		out("- %s not been in everybody's digest, the oldest of %s. That does not come by itself:",
			counted(int(r.Unsent), "update in the copy has", "updates in the copy have"), stamp(r.UnsentAt, cfg.TimeZone))
		out("  `quietpost send ADDRESS --catch-up %dd` sends it, and what else came in that time, also what was sent before.",
			int(e.now().Sub(r.UnsentAt)/(24*time.Hour))+1)
	} else {
		out("- All that the copy holds had been sent; `quietpost send ADDRESS --catch-up 7d` would send the last seven days' once more.")
	}
	out("- %s in the copy given up: they may have been delivered since.", counted(int(r.Dropped), "mail that was on its way is", "mails that were on their way are"))
	out("- Inboxes are read on from where the copy stood: mails that came since appear once more.")
	out("- Who left or changed something after %s has to say so again.", stamp(r.LastAt, cfg.TimeZone))
	return nil
}
