package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"quietpost/config"
	"quietpost/digest"
	"quietpost/store/sqlite"
)

type quarantineCmd struct {
	List   quarantineListCmd   `cmd:"" help:"The newest deliveries that were not understood, and why."`
	Show   quarantineShowCmd   `cmd:"" help:"One of them with its raw bytes."`
	Replay quarantineReplayCmd `cmd:"" help:"Read some again, after a fix of the configuration: what is understood now becomes items."`
	Drop   quarantineDropCmd   `cmd:"" help:"Take some out of quarantine without reading them."`
}

type quarantineListCmd struct {
	Source string `help:"Only of this source or inbox." placeholder:"NAME"`
	Limit  int    `help:"At most so many." default:"20"`
}

// Example is printed with the help.
func (*quarantineListCmd) Example() string { return "quietpost quarantine list --source jenkins" }

type receiptJSON struct {
	ID         int64   `json:"id"`
	Source     string  `json:"source"`
	Type       string  `json:"type"`
	State      string  `json:"state"`
	Reason     string  `json:"reason"`
	Key        string  `json:"key,omitempty"`
	ReceivedAt *string `json:"received_at"`
	Header     string  `json:"header,omitempty"`
	Body       string  `json:"body,omitempty"`
}

func newReceiptJSON(r *digest.Receipt) receiptJSON {
	return receiptJSON{ID: r.ID, Source: r.Source, Type: r.Tool, State: r.State, Reason: string(r.Reason), Key: r.Key,
		ReceivedAt: rfc3339(r.ReceivedAt), Header: string(r.Header), Body: string(r.Raw)}
}

// inQuarantine are the newest of a source, or of all.
func inQuarantine(ctx context.Context, db *sqlite.DB, source string, limit int) (out []digest.Receipt, err error) {
	all := limit
	if source != "" {
		all = 1 << 20
	}
	kept, err := db.Receipts(ctx, digest.Quarantined, all)
	for _, r := range kept {
		if len(out) < limit && (source == "" || r.Source == source) {
			out = append(out, r)
		}
	}
	return out, err
}

// Run lists.
func (c *quarantineListCmd) Run(e *env) error {
	return e.with(func(ctx context.Context, db *sqlite.DB, cfg *config.Config) error {
		kept, err := inQuarantine(ctx, db, c.Source, c.Limit)
		if err != nil {
			return err
		}
		values, rows := []receiptJSON{}, []string(nil)
		for i := range kept {
			r := &kept[i]
			values = append(values, newReceiptJSON(r))
			rows = append(rows, strings.Join([]string{fmt.Sprint(r.ID), stamp(r.ReceivedAt, cfg.TimeZone), r.Source, r.Tool,
				digest.OneLine(string(r.Reason), 120)}, "\t"))
		}
		return e.print(values, "ID\tRECEIVED\tSOURCE\tTYPE\tREASON", rows)
	})
}

type quarantineShowCmd struct {
	ID int64 `arg:"" help:"The receipt's id."`
}

// Example is printed with the help.
func (*quarantineShowCmd) Example() string {
	return "quietpost quarantine show 7\nquietpost quarantine show 7 | quietpost explain --source jenkins -"
}

// Run prints header and body as they came, with what is known of them before; with a pipe behind it, only the former.
func (c *quarantineShowCmd) Run(e *env) error {
	return e.with(func(ctx context.Context, db *sqlite.DB, cfg *config.Config) error {
		r, err := db.Receipt(ctx, c.ID)
		if errors.Is(err, digest.ErrNotFound) {
			return fmt.Errorf("no receipt %d; `quietpost quarantine list` shows those in quarantine", c.ID)
		}
		if err != nil || e.json {
			if err == nil {
				err = e.print([]receiptJSON{newReceiptJSON(&r)}, "", nil)
			}
			return err
		}
		fmt.Fprintf(e.stderr, "receipt %d from %s (%s), %s: %s: %s\n", r.ID, r.Source, r.Tool, stamp(r.ReceivedAt, cfg.TimeZone), r.State, r.Reason)
		header := string(r.Header)
		if r.Tool != digest.MailTool {
			header = strings.TrimRight(header, "\n") + "\n\n"
		}
		_, err = fmt.Fprint(e.stdout, strings.TrimLeft(header, "\n"), string(r.Raw))
		return err
	})
}

type quarantineReplayCmd struct {
	ID     []int64 `arg:"" optional:"" help:"The receipts' ids."`
	Source string  `help:"All of this source or inbox." placeholder:"NAME"`
}

// Example is printed with the help.
func (*quarantineReplayCmd) Example() string {
	return "quietpost quarantine replay 7 8\nquietpost quarantine replay --source jenkins"
}

type replayJSON struct {
	ID     int64    `json:"id"`
	State  string   `json:"state"`
	Reason string   `json:"reason,omitempty"`
	Items  []string `json:"items"`
}

// Run reads them again, oldest first. What cannot be read now, either, stays where it is; then the exit status is 1.
func (c *quarantineReplayCmd) Run(e *env) error {
	if (len(c.ID) == 0) == (c.Source == "") {
		return usage{errors.New("name the receipts, or --source NAME for all of one source")}
	}
	return e.with(func(ctx context.Context, db *sqlite.DB, cfg *config.Config) error {
		ids := c.ID
		if c.Source != "" {
			kept, err := inQuarantine(ctx, db, c.Source, 1<<20)
			if err != nil {
				return err
			}
			for i := len(kept) - 1; i >= 0; i-- {
				ids = append(ids, kept[i].ID)
			}
		}
		key, err := db.InstanceKey(ctx)
		if err != nil {
			return err
		}
		desk := &digest.Desk{Store: db}
		doors, err := e.doors(ctx, cfg, db, func(ctx context.Context, token string) error {
			_, err := desk.Leave(ctx, key, token)
			return err
		})
		if err != nil {
			return err
		}
		values, rows, failed := []replayJSON{}, []string(nil), 0
		for _, id := range ids {
			res, err := e.replay(ctx, db, doors, id)
			if err != nil && !errors.Is(err, errNotReplayed) {
				return err
			}
			v := replayJSON{ID: id, State: res.State, Reason: string(res.Reason), Items: []string{}}
			if err != nil {
				v.State, v.Reason = digest.Quarantined, strings.TrimPrefix(err.Error(), errNotReplayed.Error()+": ")
			}
			if v.State == digest.Quarantined {
				failed++
			}
			for _, it := range res.Items {
				v.Items = append(v.Items, digest.ItemID(it.Number))
			}
			values = append(values, v)
			rows = append(rows, fmt.Sprintf("%d\t%s\t%s\t%s", id, v.State, strings.Join(v.Items, " "), v.Reason))
		}
		if err := e.print(values, "ID\tSTATE\tITEMS\tREASON", rows); err != nil {
			return err
		}
		e.sayIfAlone(cfg)
		if failed > 0 {
			return fmt.Errorf("not understood, and still in quarantine: %d of %d", failed, len(ids))
		}
		return nil
	})
}

// errNotReplayed is what keeps one receipt in quarantine and no other.
var errNotReplayed = errors.New("not replayed")

// replay reads one receipt again and hands over what came of it, in one transaction with the receipt's new state: an item
// comes once, whoever replays at the same time. Its items are news of now; when it happened is when it came.
func (e *env) replay(ctx context.Context, db *sqlite.DB, doors *doors, id int64) (digest.Result, error) {
	r, err := db.Receipt(ctx, id)
	switch {
	case errors.Is(err, digest.ErrNotFound):
		return digest.Result{}, fmt.Errorf("no receipt %d; `quietpost quarantine list` shows those in quarantine", id)
	case err != nil:
		return digest.Result{}, err
	case r.State != digest.Quarantined:
		return digest.Result{}, fmt.Errorf("receipt %d is not in quarantine: it is %s", id, r.State)
	}
	d, err := doors.again(ctx, &r)
	if err != nil {
		return digest.Result{}, fmt.Errorf("%w: %w", errNotReplayed, err)
	}
	if d.Receipt.State == digest.Quarantined {
		return digest.Result{}, fmt.Errorf("%w: %s", errNotReplayed, d.Receipt.Reason)
	}
	d.Replay, d.Receipt.ReceivedAt, d.Mark = id, e.now(), nil
	for i := range d.Items {
		if it := &d.Items[i]; it.OccurredAt.IsZero() {
			it.OccurredAt = r.ReceivedAt
		}
	}
	res, err := doors.intake.Accept(ctx, d)
	if errors.Is(err, digest.ErrConflict) {
		return res, fmt.Errorf("receipt %d is not in quarantine any more: somebody else was first", id)
	}
	return res, err
}

type quarantineDropCmd struct {
	ID []int64 `arg:"" help:"The receipts' ids."`
}

// Example is printed with the help.
func (*quarantineDropCmd) Example() string { return "quietpost quarantine drop 7 8" }

// Run drops; the raw bytes stay as long as those of any receipt.
func (c *quarantineDropCmd) Run(e *env) error {
	return e.with(func(ctx context.Context, db *sqlite.DB, cfg *config.Config) error {
		for _, id := range c.ID {
			_, err := db.AddItems(ctx, digest.Delivery{Replay: id, Receipt: digest.Receipt{State: digest.Ignored,
				Reason: "dropped from quarantine by the operator", ReceivedAt: e.now()}})
			switch {
			case errors.Is(err, digest.ErrNotFound), errors.Is(err, digest.ErrConflict):
				return fmt.Errorf("receipt %d is not in quarantine; `quietpost quarantine list` shows those that are", id)
			case err != nil:
				return err
			}
			fmt.Fprintf(e.stdout, "receipt %d is dropped\n", id)
		}
		return nil
	})
}

// sayIfAlone says that nobody acts on what was written while no daemon runs.
func (e *env) sayIfAlone(cfg *config.Config) {
	dir, err := resolve(cfg.DataDir)
	if err != nil {
		return
	}
	if release, err := sqlite.Lock(filepath.Join(dir, "quietpost.db")); err == nil {
		release()
		fmt.Fprintln(e.stderr, "no daemon is running: mails go out when it is started")
	}
}
