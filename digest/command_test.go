package digest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"quietpost/digest"
)

// TestParseCommand: what people write, with slips, and what is understood. A wish that begins with "error:" is one.
func TestParseCommand(t *testing.T) {
	lisbon, err := time.LoadLocation("Europe/Lisbon")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, lisbon) // a Wednesday
	named := map[string]string{"daily": "0 9 * * MON-FRI", "twice": "0 9,16 * * MON-FRI", "weekly": "0 9 * * MON", "try": "@every 2s"}
	for line, want := range map[string]string{
		"subscribe":                                        "subscribe [] '' ''",
		"Subscribe Apollo":                                 "subscribe [apollo] '' ''",
		"SUBSCRIBE apollo, zeus daily":                     "subscribe [apollo zeus] 'daily' ''",
		"subcribe apollo weekly":                           "subscribe [apollo] 'weekly' ''",
		"suscribe to all projects":                         "subscribe [*] '' ''",
		"sign up apollo":                                   "subscribe [apollo] '' ''",
		"subscribe acme/* acme/web":                        "subscribe [acme/* acme/web] '' ''",
		"subscribe apollo at 9":                            "subscribe [apollo] '0 9 * * *' ''",
		"subscribe apollo daily at 16:30":                  "subscribe [apollo] '30 16 * * MON-FRI' ''",
		"subscribe apollo daily at 5 pm Europe/Lisbon":     "subscribe [apollo] '0 17 * * MON-FRI' 'Europe/Lisbon'",
		"subscribe apollo weekly at 7.15 america/new_york": "subscribe [apollo] '15 7 * * MON' 'America/New_York'",
		"subscribe mondays and thursdays at 08:00 utc":     "subscribe [] '0 8 * * MON,THU' 'UTC'",
		"subscribe apollo every day at 9:00 and at 16:00":  "subscribe [apollo] '0 9,16 * * *' ''",
		"subscribe apollo every week":                      "subscribe [apollo] '0 9 * * MON' ''",
		"subscribe @daily":                                 "subscribe [] '@daily' ''",
		"subscribe try":                                    "subscribe [] 'try' ''",
		"subscribe @every 2s":                              "error: is more often than mail should come",
		"subscribe @dayly":                                 "error: is not known",
		"subscribe at 25:00":                               "error: is no time of day",
		"subscribe at 9:00 at 16:30":                       "error: same minute",
		"subscribe !!!":                                    "subscribe [] '' ''",
		"subscribe €€":                                     "error: is no name of a project",
		"unsubscribe":                                      "unsubscribe [] '' ''",
		"Unsubscribe.":                                     "unsubscribe [] '' ''",
		"unsubscribe from apollo please":                   "unsubscribe [apollo] '' ''",
		"unsubcribe [apollo]":                              "unsubscribe [apollo] '' ''",
		"stop":                                             "unsubscribe [] '' ''",
		"leave":                                            "unsubscribe [] '' ''",
		"settings":                                         "settings [] '' ''",
		"setings":                                          "settings [] '' ''",
		"pause until 2026-12-01":                           "pause 2026-12-01 00:00 WET",
		"pause till 1 Dec":                                 "pause 2026-12-01 00:00 WET",
		"pause until December 1st":                         "pause 2026-12-01 00:00 WET",
		"pause until 1.12.":                                "pause 2026-12-01 00:00 WET",
		"pause until 3 March":                              "pause 2027-03-03 00:00 WET",
		"pause until Monday":                               "pause 2026-11-30 00:00 WET",
		"pause until next wednesday":                       "pause 2026-12-02 00:00 WET",
		"pause for 2 weeks":                                "pause 2026-12-09 00:00 WET",
		"pause 3d":                                         "pause 2026-11-28 00:00 WET",
		"pause until tomorrow":                             "pause 2026-11-26 00:00 WET",
		"pause":                                            "pause for good",
		"pause until later":                                "error: is no date",
		"pause until 2026-11-25":                           "error: not in the future",
		"pause until 2031-01-01":                           "error: more than a year",
		"resume":                                           "resume [] '' ''",
		"help":                                             "help [] '' ''",
		"Hlep":                                             " [] '' ''", // too short to guess at
		"?":                                                "help [] '' ''",
		"catch up 7d":                                      "catch up [] '' ''", "catch up 7d apollo acme/*": "catch up [apollo acme/*] '' ''",
		"Catch up #Apollo, last 2 weeks, please": "catch up [apollo] '' ''",
		"catch up":                               "catch up [] '' ''",
		"catch up 90d":                           "error: is too long ago",
		"catch up 3 moons":                       "error: is no time span",

		"please help me":                                          "help [] '' ''",
		"Please remove me from this list":                         "unsubscribe [] '' ''",
		"I want to unsubscribe from apollo":                       "unsubscribe [apollo] '' ''",
		"my settings":                                             "settings [] '' ''",
		"[EXTERNAL] unsubscribe":                                  "unsubscribe [] '' ''",
		"[Suspected spam] subscribe apollo":                       "subscribe [apollo] '' ''",
		"[apollo] subscribe weekly":                               "subscribe [apollo] 'weekly' ''",
		"Unsubscribe | quietpost":                                 "unsubscribe [] '' ''",
		"subscribe apollo daily 9am Berlin":                       "subscribe [apollo] '0 9 * * MON-FRI' 'Europe/Berlin'",
		"subscribe berlin at 9":                                   "subscribe [berlin] '0 9 * * *' ''", // a project
		"subscribe daily at 9 New York":                           "subscribe [] '0 9 * * MON-FRI' 'America/New_York'",
		"subscribe apollo at 08.30 CET":                           "subscribe [apollo] '30 8 * * *' 'Europe/Berlin'",
		"subscribe apollo weekly friday 2pm":                      "subscribe [apollo] '0 14 * * FRI' ''",
		"subscribe apollo 9 am in Lisbon":                         "subscribe [apollo] '0 9 * * *' 'Europe/Lisbon'",
		"subscribe apollo every morning at 8":                     "subscribe [apollo] '0 8 * * *' ''",
		"subscribe apollo once a week":                            "subscribe [apollo] '0 9 * * MON' ''",
		"subscribe apollo täglich um 9 Uhr":                       "subscribe [apollo] '0 9 * * *' ''",
		"subscribe area9 9":                                       "subscribe [area9 9] '' ''",
		"pause a week":                                            "pause 2026-12-02 00:00 WET",
		"pause for two weeks please":                              "pause 2026-12-09 00:00 WET",
		"please pause bis Montag":                                 "pause 2026-11-30 00:00 WET",
		"catch-up 7d":                                             "catch up [] '' ''",
		"catchup two weeks apollo":                                "catch up [apollo] '' ''",
		"catch up since Monday":                                   "error: is no time span",
		"The release is out":                                      " [] '' ''",
		"":                                                        " [] '' ''",
		"subscribe " + strings.Repeat("x ", 300):                  " [] '' ''",
		"subscribe" + strings.Repeat(" a1 b2 c3", 1) + " UTC UTC": "subscribe [a1 b2 c3] '' 'UTC'",
	} {
		c, err := digest.ParseCommand(line, named, now, lisbon)
		got := fmt.Sprintf("%s %v '%s' '%s'", c.Verb, c.Projects, c.Schedule, c.Zone)
		if c.Verb == digest.VerbPause {
			got = "pause for good"
			if !c.Until.IsZero() {
				got = "pause " + c.Until.Format("2006-01-02 15:04 MST")
			}
		}
		if text, isErr := strings.CutPrefix(want, "error: "); isErr {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%q: %v, want an error that says %q", line, err, text)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%q: %s (%v), want %s", line, got, err, want)
		}
	}
}

// TestIsCommand: what in answer to a digest is a command, and what is an answer.
func TestIsCommand(t *testing.T) {
	for line, want := range map[string]bool{
		"unsubscribe": true, "Unsubscribe apollo": true, "stop": true, "pause until monday": true, "settings": true, "help": true,
		"catch up 7d": true, "pause": true,
		"stop the deploy, please": false, "help me with this": false, "pause the rollout": false, "unsubscribe me? why?": false,
		"subscribing is fine": false, "resume the tests": false, "": false, "Thanks!": false, "show": false,
	} {
		if got := digest.IsCommand(line); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

func FuzzParseCommand(f *testing.F) {
	for _, s := range []string{"subscribe apollo daily at 9:00 Europe/Lisbon", "pause until 1.12.", "unsubscribe a b", "catch up 7d", "subscribe @every 1ns", "subscribe ../../etc/passwd"} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, line string) {
		c, err := digest.ParseCommand(line, map[string]string{"daily": "0 9 * * *"}, now, time.UTC)
		if err == nil && c.Verb == digest.VerbPause && !c.Until.IsZero() && !c.Until.After(now) {
			t.Errorf("%q pauses until %v", line, c.Until)
		}
		for _, p := range c.Projects {
			if p != "*" && digest.ProjectKey(strings.TrimSuffix(p, "/*")) != strings.TrimSuffix(p, "/*") {
				t.Errorf("%q names %q", line, p)
			}
		}
	})
}
