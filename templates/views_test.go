package templates

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"quietpost/digest"
)

// The views of the goldens: what the domain would hand over, written out.

func berlin(t testing.TB) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// at is an instant of November 2026 in UTC; the reader's Berlin is an hour ahead.
func at(day, hour, minute int) time.Time {
	return time.Date(2026, 11, day, hour, minute, 0, 0, time.UTC)
}

func baseView(t testing.TB) *digest.View {
	return &digest.View{
		Edition: digest.Edition{Occasion: digest.OccasionDigest, Slot: at(24, 8, 0), From: 1042, To: 1187},
		Name:    "Ana", Address: "ana@example.com", Loc: berlin(t), Now: at(24, 8, 0),
		Subject: "Apollo: release 2.4 out, 2 questions for you (+19)",
		Why:     "You get this because you follow all projects.",
		NextAt:  at(25, 8, 0), Schedule: "daily",
		Links: digest.Links{
			Leave:   "https://quiet.example.com/leave/d.7.mAc",
			Edition: "https://quiet.example.com/e/e.k3v9.mAc",
			Mailto:  "mailto:updates+u-d.7.mAc@example.com?subject=unsubscribe",
		},
	}
}

func steps(words ...any) []digest.Step {
	var out []digest.Step
	for i := 0; i+2 < len(words); i += 3 {
		out = append(out, digest.Step{What: words[i].(string), Count: words[i+1].(int), At: words[i+2].(time.Time)})
	}
	return out
}

// ordinary is the digest of a small team on a Tuesday, with everything a digest knows.
func ordinary(t testing.TB) *digest.View {
	v := baseView(t)
	v.Grouping = digest.Grouping{
		Items: 43, Shown: 14, Lines: 14, More: 39, Questions: 1, Requests: 1,
		Needs: []digest.Line{
			{Project: "apollo", ProjectTitle: "Apollo", Title: "Which region do we open first, Lisbon or Warsaw?", Kind: "question",
				URL: "https://tracker.example.com/apollo/APL-311", State: "open", Authors: []string{"Marta Nowak", "Ben Okafor"}, Count: 3,
				First: at(21, 15, 20), Last: at(23, 16, 2), History: steps("question", 1, at(21, 15, 20), "comment", 2, at(23, 16, 2)),
				Due: "2026-11-25", Tags: []string{"launch"},
				Excerpt: "Both contracts are ready to sign. **Lisbon** is cheaper by 12 %, *Warsaw* is nearer to the two largest customers. " +
					"The [comparison](https://docs.example.com/regions?a=1&b=2) has the numbers; we need one word from you by Wednesday so that the network team can order the lines before the freeze."},
			{Project: "website", ProjectTitle: "Website", Title: "Please look over the new pricing page", Kind: "request",
				URL: "https://git.example.com/website/pull/88", State: "review", Authors: []string{"Ines"}, Count: 1, First: at(24, 5, 30), Last: at(24, 5, 30),
				History: steps("request", 1, at(24, 5, 30))},
		},
		Decisions: []digest.Line{
			{Project: "apollo", ProjectTitle: "Apollo", Title: "We keep PostgreSQL 15 until spring", Kind: "decision", State: "decided",
				URL: "https://tracker.example.com/apollo/APL-298", Authors: []string{"Ben Okafor"}, Count: 1, First: at(23, 13, 0), Last: at(23, 13, 0),
				History: steps("decision", 1, at(23, 13, 0)),
				Excerpt: "The move costs two weeks and buys nothing before March.\n\n- no new features needed\n- security fixes until November 2027"},
		},
		Sections: []digest.Section{
			{Project: "apollo", Title: "Apollo", Items: 61, Urgent: 1, More: 37, Lines: []digest.Line{
				{Project: "apollo", Title: "Checkout answers with 502", Kind: "incident", State: "resolved", URL: "https://alerts.example.com/i/5512",
					Authors: []string{"prometheus"}, Urgent: true, Count: 2, First: at(24, 1, 10), Last: at(24, 1, 40),
					History: steps("firing", 1, at(24, 1, 10), "resolved", 1, at(24, 1, 40)),
					Excerpt: "`checkout-7d9` ran out of memory after the cache grew; restarted with 2 GiB."},
				{Project: "apollo", Title: "Release 2.4 is out", Kind: "announcement", URL: "https://git.example.com/apollo/releases/v2.4",
					Authors: []string{"Ana"}, Count: 1, First: at(23, 17, 30), Last: at(23, 17, 30), History: steps("announcement", 1, at(23, 17, 30)),
					Excerpt: "## What is new\n\nSearch is **three times faster**, exports run in the background, and the old editor is gone."},
				{Project: "apollo", Title: "Retry payments that time out", Kind: "review", State: "merged", URL: "https://git.example.com/apollo/pull/1204",
					Authors: []string{"Jo Lindqvist", "Ben Okafor", "Ana"}, Count: 14, First: at(20, 9, 0), Last: at(24, 7, 12),
					History: steps("open", 1, at(20, 9, 0), "comment", 12, at(24, 7, 2), "merged", 1, at(24, 7, 12)), Tags: []string{"payments", "backend"}},
				{Project: "apollo", Title: "Nightly build", Kind: "deploy", State: "failed", URL: "https://ci.example.com/apollo/nightly/771",
					Authors: []string{"ci"}, Count: 3, First: at(22, 1, 0), Last: at(24, 1, 0), History: steps("failed", 3, at(24, 1, 0)),
					Excerpt: "`TestExportLarge` timed out after 10m0s"},
				{Project: "apollo", Title: "Sign the data processing agreement", Kind: "status", State: "open", Authors: []string{"Ines"}, Count: 1, Due: "2026-12-01",
					First: at(23, 10, 5), Last: at(23, 10, 5), History: steps("open", 1, at(23, 10, 5)), URL: "https://tracker.example.com/apollo/APL-305"},
				{Project: "apollo", Title: "Disk on db-2 above 90 %", Kind: "incident", State: "resolved", URL: "https://alerts.example.com/i/5498", Urgent: true, Alerted: true,
					Authors: []string{"prometheus", "Ben Okafor"}, Count: 3, First: at(23, 12, 0), Last: at(23, 13, 20),
					History: steps("firing", 1, at(23, 12, 0), "resolved", 1, at(23, 12, 50), "comment", 1, at(23, 13, 20)),
					Excerpt: "I moved the old logs; 40 % are free now.", Untold: "I moved the old logs; 40 % are free now."},
				{Project: "apollo", Title: "Bump yaml from 4.0.0 to 4.0.1", Kind: "review", State: "merged", Low: true, URL: "https://git.example.com/apollo/pull/1209",
					Authors: []string{"dependabot[bot]"}, Count: 2, First: at(24, 3, 0), Last: at(24, 3, 20), History: steps("open", 1, at(24, 3, 0), "merged", 1, at(24, 3, 20))},
			}},
			{Project: "website", Title: "Website", Items: 5, Lines: []digest.Line{
				{Project: "website", Title: "النسخة العربية جاهزة للمراجعة", Kind: "status", State: "ready", URL: "https://git.example.com/website/pull/91",
					Authors: []string{"ليلى", "Ines"}, Count: 2, First: at(23, 8, 0), Last: at(24, 6, 45), History: steps("status", 2, at(24, 6, 45))},
				{Project: "website", Private: true, Title: "Salary of the new designer", Authors: []string{"Secret Person"}, Count: 1, First: at(23, 9, 0), Last: at(23, 9, 0),
					Excerpt: "never shown", URL: "https://hr.example.com/secret", Tags: []string{"hush"}, History: steps("status", 1, at(23, 9, 0))},
				{Project: "website", Title: "Weekly notes", Kind: "recap", Authors: []string{"Ines"}, Count: 1, First: at(23, 15, 0), Last: at(23, 15, 0),
					Excerpt: "Done: pricing page, cookie banner gone. Next: the map. Thanks, Marta!"},
			}},
			{Project: "research", Title: "Research", Items: 2, More: 2},
		},
	}
	return v
}

// small is a digest of one bare line: whatever may be empty is.
func small(t testing.TB) *digest.View {
	v := baseView(t)
	v.Subject, v.Schedule, v.Links, v.Address = "Apollo: Tea is ready", "", digest.Links{}, ""
	v.Edition.From, v.Edition.To = 7, 7
	v.NextAt = time.Time{}
	v.Grouping = digest.Grouping{Items: 1, Shown: 1, Lines: 1,
		Sections: []digest.Section{{Project: "apollo", Items: 1, Lines: []digest.Line{{Project: "apollo", Title: "Tea is ready", Count: 1}}}}}
	return v
}

func late(t testing.TB) *digest.View {
	v := small(t)
	v.Edition.Late, v.Now = true, at(24, 10, 22)
	v.Edition.From, v.Edition.To = 8, 7
	v.NextAt = at(24, 15, 0)
	return v
}

// private is a window of private lines in all places.
func privateView(t testing.TB) *digest.View {
	v := baseView(t)
	v.Subject = "1 question for you (+2)"
	line := digest.Line{Project: "hr", ProjectTitle: "People", Title: "SECRET title", URL: "https://hr.example.com/SECRET", Excerpt: "SECRET body", Private: true,
		Authors: []string{"SECRET author"}, Tags: []string{"SECRET"}, Due: "2026-12-01", State: "SECRET", Level: "SECRET", Count: 1,
		First: at(22, 8, 0), Last: at(23, 8, 0), History: steps("SECRET", 2, at(23, 8, 0)), Kind: "question"}
	decided, several := line, line
	decided.Kind, several.Kind, several.Count, several.Urgent = "decision", "status", 4, true
	v.Grouping = digest.Grouping{Items: 6, Shown: 3, Lines: 3, Questions: 1, Needs: []digest.Line{line}, Decisions: []digest.Line{decided},
		Sections: []digest.Section{{Project: "hr", Title: "People", Items: 6, Urgent: 4, Lines: []digest.Line{several}}}}
	return v
}

// big has so many lines that its HTML must be refused; n is how many a project shows.
func big(t testing.TB, n int) *digest.View {
	v := baseView(t)
	v.Edition.Occasion = digest.OccasionCatchUp
	for p := range 8 {
		s := digest.Section{Project: fmt.Sprintf("p%d", p), Title: fmt.Sprintf("Project %d", p), Items: 60, More: 60 - n}
		for i := range n {
			s.Lines = append(s.Lines, digest.Line{Project: s.Project, Title: fmt.Sprintf("Change %d of project %d, with a title of the usual length", i, p),
				URL: fmt.Sprintf("https://git.example.com/p%d/pull/%d", p, i), State: "merged", Authors: []string{"Ana", "Ben"}, Count: 5, Kind: "review",
				First: at(20, 8, 0), Last: at(23, 8, i%60), History: steps("open", 1, at(20, 8, 0), "comment", 3, at(21, 8, 0), "merged", 1, at(23, 8, i%60)),
				Excerpt: strings.Repeat("It makes the thing do what it should have done before. ", 12)})
		}
		v.Grouping.Sections = append(v.Grouping.Sections, s)
		v.Grouping.Items += 60
		v.Grouping.More += s.More
	}
	return v
}

// hostile is a digest in which every text tries to be something else.
func hostile(t testing.TB) *digest.View {
	v := baseView(t)
	v.Subject = "Hello\r\nBcc: all@example.com"
	v.Why = `<b>bold</b> "quoted" & 'so on'`
	script := `<script>alert(1)</script>`
	line := func(title, url, excerpt string) digest.Line {
		return digest.Line{Project: "x", Title: title, URL: url, Excerpt: excerpt, Count: 1, First: at(23, 8, 0), Last: at(23, 8, 0), State: `open"><i>`,
			Authors: []string{script}, Tags: []string{`a"b`, script}, Due: "tomorrow & <b>never</b>", History: steps(script, 2, at(23, 8, 0), "a", 1, at(23, 9, 0))}
	}
	v.Grouping = digest.Grouping{Items: 9, Sections: []digest.Section{{Project: "x", Title: `{{.Subject}} <img src=x onerror=alert(1)>`, Items: 9, Lines: []digest.Line{
		line(script, "javascript:alert(1)", script+"\n\n<img src=http://tracker.example.com/p.gif>\n\n![](http://tracker.example.com/p.gif) seen ![a picture](http://tracker.example.com/q.gif)"),
		line("safe\u202Etxt.exe\u202C and\nsecond line\x00", "https://example.com/a(b)'c\"d<e>?x=1&y=2#z", "[click](javascript:alert(1)) [data](data:text/html,x) [ok](https://example.com/ok) [mail](mailto:a@example.com) <https://example.com/auto>"),
		line(strings.Repeat("W", 240), "https://example.com/"+strings.Repeat("u", 400), strings.Repeat("x", 900)),
		line("שלום 123 (abc) עולם", "data:text/html;base64,AAAA", "**open *broken _marks `code [link](http:// \n\n| a | b\n|--\n| c\n\n```\nfence <b>\n"),
		line("A style=\"x\" & more", "//example.com/relative", `<p style="position:fixed" onclick=x()>inline</p> <a href="https://example.com/raw" onmouseover=x>raw</a> &lt;script&gt; &#x3c;b&#x3e;`),
		line("\u2067\u2066", "https://", strings.Repeat("> ", 400)+"deep"),
		line("漢字の長い題名は空白を含まないのでどこでも折り返せる必要があります。漢字の長い題名は空白を含まないので。", "https://example.com/漢字?q=é", "👩‍👩‍👧 e\u0301 "+strings.Repeat("́", 300)),
		line("", "ftp://example.com/x", "\x1b[31mred\x07 \u202Eevil"),
		line("Links in links", "https://user:pass@example.com/", "[a [b](https://example.com/in) c](https://example.com/out) [![alt](https://t.example.com/i.png)](https://example.com/badge) www.example.com/w"),
	}}}}
	return v
}

func alertView(t testing.TB, alerts ...digest.AlertView) *digest.View {
	v := baseView(t)
	v.Edition = digest.Edition{Occasion: digest.OccasionAlert, From: 1201, To: 1203}
	v.Subject = "Urgent, Apollo: Checkout answers with 502"
	v.Why = "You get this because you want alerts of Apollo."
	v.Now = at(24, 1, 12)
	v.NextAt = at(24, 8, 0)
	v.Links.Leave, v.Links.Mailto, v.Links.Edition = "https://quiet.example.com/leave/a.3.mAc", "mailto:updates+u-a.3.mAc@example.com", ""
	v.Alerts = alerts
	return v
}

func firing(n int64) digest.Item {
	return digest.Item{Number: n, Project: "apollo", Kind: "incident", Title: "Checkout answers with 502", State: "firing", Level: "critical",
		URL: "https://alerts.example.com/i/5512", Author: "prometheus", Thread: "alert/5512", Urgent: true, Tags: []string{"eu-west"},
		OccurredAt: at(24, 1, 10), ReceivedAt: at(24, 1, 11),
		Body: "More than **5 %** of the answers of `checkout` are errors.\n\n### Where\n\n| pod | errors | since |\n|---|---|---|\n| checkout-7d9 | 41 % | 02:06 |\n| checkout-8aa | 38 % | 02:07 |\n\n" +
			"1. Look at the [dashboard](https://grafana.example.com/d/checkout?from=now-1h&to=now)\n2. Then the log:\n\n```\nOOMKilled checkout-7d9\n  limit 1Gi, used 1.02Gi\n```\n\n> Runbook: restart, *then* raise the limit.\n"}
}

func alertSingle(t testing.TB) *digest.View {
	return alertView(t, digest.AlertView{Project: "apollo", ProjectTitle: "Apollo", Why: "its level is critical", OpenedAt: at(24, 1, 10), Items: []digest.Item{firing(1201)}})
}

func alertFollowUp(t testing.TB) *digest.View {
	second, third := firing(1202), firing(1203)
	second.Kind, second.Title, second.Body, second.State = "comment", "Comment on: Checkout answers with 502", "Restarted both pods, watching.", ""
	second.Author, second.OccurredAt, second.Level, second.Tags = "Jo Lindqvist", at(24, 1, 15), "", nil
	third.Body, third.OccurredAt, third.Title = "Still 12 % errors after the restart.", at(24, 1, 17), "Checkout answers with 502 (3 pods)"
	second.ReceivedAt, third.ReceivedAt = at(24, 1, 15), at(24, 1, 17)
	v := alertView(t, digest.AlertView{Project: "apollo", ProjectTitle: "Apollo", Why: "its level is critical", FollowUp: true, OpenedAt: at(24, 1, 10), Earlier: 1,
		Items: []digest.Item{second, third}})
	v.Subject, v.Now = "Follow-up, Apollo: Checkout answers with 502 (3 pods)", at(24, 1, 18)
	return v
}

func alertResolved(t testing.TB) *digest.View {
	over := firing(1204)
	over.State, over.Level, over.Body, over.OccurredAt, over.ReceivedAt, over.Urgent = "resolved", "", "Errors are back to 0.1 %.", at(24, 1, 40), at(24, 1, 40), false
	v := alertView(t, digest.AlertView{Project: "apollo", ProjectTitle: "Apollo", FollowUp: true, Resolved: true, OpenedAt: at(24, 1, 10), ResolvedAt: at(24, 1, 40),
		Earlier: 3, Items: []digest.Item{over}})
	v.Subject, v.Now, v.Held = "Resolved, Apollo: Checkout answers with 502", at(24, 6, 0), "held: quiet hours"
	return v
}

// storm is 33 incidents in 4 projects in one mail.
func storm(t testing.TB) *digest.View {
	var alerts []digest.AlertView
	for i := range 33 {
		it := firing(int64(2000 + i))
		p := []string{"apollo", "website", "search", "billing"}[i%4]
		it.Project, it.Title, it.URL = p, fmt.Sprintf("Host %s-%02d does not answer", p, i), fmt.Sprintf("https://alerts.example.com/i/%d", 6000+i)
		it.Body = "No answer on port 443 for 60 s.\n\n- last seen 02:09\n- rack " + fmt.Sprint(i%5)
		a := digest.AlertView{Project: p, ProjectTitle: strings.ToUpper(p[:1]) + p[1:], Why: "its level is critical", OpenedAt: at(24, 1, 10), Items: []digest.Item{it}}
		switch {
		case i%5 == 3:
			a.FollowUp, a.Earlier = true, 2
		case i%5 == 4:
			a.FollowUp, a.Resolved, a.ResolvedAt, a.Earlier = true, true, at(24, 1, 11), 1
			a.Items[0].State = "resolved"
		}
		alerts = append(alerts, a)
	}
	alerts[2].Items[0].Private = true
	v := alertView(t, alerts...)
	v.Subject = "33 incidents in 4 projects"
	v.Held = "held: many alerts in the past hour are being gathered"
	return v
}

type golden struct {
	name  string
	alert bool
	view  func(testing.TB) *digest.View
}

var goldens = []golden{
	{"digest-ordinary", false, ordinary},
	{"digest-one-line", false, small},
	{"digest-late", false, late},
	{"digest-private", false, privateView},
	{"digest-big", false, func(t testing.TB) *digest.View { return big(t, 7) }},
	{"digest-hostile", false, hostile},
	{"alert-single", true, alertSingle},
	{"alert-follow-up", true, alertFollowUp},
	{"alert-resolved", true, alertResolved},
	{"alert-storm", true, storm},
}

func render(t testing.TB, g golden) digest.Rendered {
	t.Helper()
	tm, err := New()
	if err != nil {
		t.Fatal(err)
	}
	f := tm.Digest
	if g.alert {
		f = tm.Alert
	}
	r, err := f(g.view(t))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
