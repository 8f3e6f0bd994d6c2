package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"quietpost/config"
	"quietpost/digest"
	"quietpost/store/sqlite"
)

type sourcesCmd struct {
	List sourcesListCmd `cmd:"" help:"Each source and inbox: when it last spoke, how often, and what is wrong with it."`
}

type sourcesListCmd struct{}

// Example is printed with the help.
func (*sourcesListCmd) Example() string { return "quietpost sources list --json" }

type sourceJSON struct {
	Name        string   `json:"name"`
	Type        string   `json:"type"`
	Last        *string  `json:"last_received_at"`
	Day         int      `json:"deliveries_24h"`
	Week        int      `json:"deliveries_7d"`
	Quarantined int      `json:"quarantined_7d"`
	Refused     int      `json:"refused_7d"`
	Troubles    []string `json:"troubles"`
}

// Run lists what the configuration names.
func (*sourcesListCmd) Run(e *env) error {
	return e.with(func(ctx context.Context, db *sqlite.DB, cfg *config.Config) error {
		now := e.now()
		hours, err := db.SourceHours(ctx, now.Add(-digest.HoursKept))
		if err != nil {
			return err
		}
		troubles, err := db.Troubles(ctx)
		if err != nil {
			return err
		}
		values, rows := []sourceJSON{}, []string(nil)
		for _, n := range namesAndTypes(cfg) {
			v := sourceJSON{Name: n[0], Type: n[1], Troubles: []string{}}
			last := v.count(now, hours)
			v.Last = rfc3339(last)
			had := func(what string) bool {
				return slices.ContainsFunc(troubles, func(t digest.Trouble) bool { return t.Source == v.Name && t.What == what })
			}
			own := slices.DeleteFunc(slices.Clone(hours), func(s digest.SourceHour) bool { return s.Source != v.Name })
			daemon := slices.DeleteFunc(slices.Clone(hours), func(s digest.SourceHour) bool { return s.Source != "" })
			for _, d := range digest.Diagnose(now, own, ranIn(daemon), had) {
				v.Troubles = append(v.Troubles, d.What+": "+string(d.Why))
			}
			for _, t := range troubles {
				switch t.What { // the daemon's own: see keepNotices
				case digest.FaultInbox + "/" + v.Name:
					v.Troubles = append(v.Troubles, "cannot be read since "+stamp(t.Since, cfg.TimeZone))
				case digest.FaultAfter + "/" + v.Name:
					v.Troubles = append(v.Troubles, "its server refuses `after` since "+stamp(t.Since, cfg.TimeZone))
				}
			}
			wrong := strings.Join(v.Troubles, "; ")
			if wrong == "" {
				wrong = "-"
			}
			values = append(values, v)
			rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s", v.Name, v.Type, stamp(last, cfg.TimeZone), v.Day, v.Week, v.Quarantined, v.Refused, wrong))
		}
		return e.print(values, "SOURCE\tTYPE\tLAST\t24H\t7D\tQUARANTINED\tREFUSED\tWRONG", rows)
	})
}

// count adds up the hours of the source and gives when it last spoke. The past 24 hours are told to the hour.
func (v *sourceJSON) count(now time.Time, hours []digest.SourceHour) (last time.Time) {
	for _, s := range hours {
		if s.Source != v.Name {
			continue
		}
		if s.Last.After(last) {
			last = s.Last
		}
		n := s.Accepted + s.Ignored + s.Quarantined
		if s.Hour.After(now.Add(-24 * time.Hour)) {
			v.Day += n
		}
		if s.Hour.After(now.Add(-7 * 24 * time.Hour)) {
			v.Week += n
			v.Quarantined += s.Quarantined
			v.Refused += s.Refused
		}
	}
	return last
}

// namesAndTypes are the sources and inboxes of the configuration.
func namesAndTypes(cfg *config.Config) (out [][2]string) {
	for _, s := range cfg.Sources {
		out = append(out, [2]string{s.Name, s.Type})
	}
	for _, b := range cfg.Inboxes {
		out = append(out, [2]string{b.Name, digest.MailTool})
	}
	return out
}
