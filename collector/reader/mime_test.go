package reader

import (
	"strings"
	"testing"
	"time"
)

// crlf makes a mail of lines.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// mimeCases are mails as they should not be, and what is to be got out of them.
var mimeCases = []struct {
	name, mail    string
	subject, body string
	attached      string // names, joined by a comma
}{
	{"plain", "Subject: a\n\nb\n", "a", "b", ""},
	{"no header at all", "just text\nin two lines\n", "", "just text\nin two lines", ""},
	{"mbox line and spaces before the first field", "From ana@example.com Mon Nov 23 2026\n Subject: a\nX: y\n\nb\n", "a", "b", ""},
	{"only CR", "Subject: a\rFrom: x@example.com\r\rb\rc\r", "a", "b\nc", ""},
	{"NULs", "Sub\x00ject: a\x00b\n\nc\x00d\n", "ab", "cd", ""},
	{"header without a blank line behind it", "Subject: a\nthis is no field\nmore\n", "a", "this is no field\nmore", ""},
	{"words in Latin-1", "Subject: =?iso-8859-1?Q?Gr=FC=DFe?=\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe=\n!\n", "Grüße", "Grüße!", ""},
	{"UTF-8 labelled Latin-1", "Subject: a\nContent-Type: text/plain; charset=iso-8859-1\n\nGrüße aus Köln\n", "a", "Grüße aus Köln", ""},
	{"Latin-1 labelled UTF-8", "Subject: a\nContent-Type: text/plain; charset=utf-8\n\nGr\xfc\xdfe\n", "a", "Grüße", ""},
	{"unlabelled, with the charset in the subject", "Subject: =?koi8-r?B?8NLJ18XU?=\n\n\xf0\xd2\xc9\xd7\xc5\xd4\n", "Привет", "Привет", ""},
	{"header in the body's charset", "Subject: \xc8\xab\xd0\xc2\nContent-Type: text/plain; charset=gb2312\n\n\xc8\xab\xd0\xc2\n", "全新", "全新", ""},
	{"EUC-JP labelled ISO-2022-JP", "Subject: a\nContent-Type: text/plain; charset=iso-2022-jp\n\n\xa5\xe1\xa1\xbc\xa5\xeb\xa4\xc7\xa4\xb9\xa1\xa3\n", "a", "メールです。", ""},
	{"an unknown charset", "Subject: a\nContent-Type: text/plain; charset=klingon\n\nGr\xfc\xdfe\n", "a", "Grüße", ""},
	{"UTF-7", "Subject: =?utf-7?Q?Gr+APwA3w-e?=\nContent-Type: text/plain; charset=utf-7\n\nGr+APwA3w-e +- 2+-2\n", "Grüße", "Grüße + 2+2", ""},
	{"UTF-16 with its mark", "Subject: a\nContent-Transfer-Encoding: base64\n\n//5HAHIA/ADfAGUA\n", "a", "Grüße", ""},
	{"charset in the HTML only", "Subject: a\nContent-Type: text/html\n\n<meta charset=windows-1251><p>\xcf\xf0\xe8\xe2\xe5\xf2</p>\n", "a", "Привет", ""},
	{"base64 with garbage behind its end", "Subject: a\nContent-Transfer-Encoding: base64\n\naGVsbG8= not base64\n", "a", "hello", ""},
	{"base64 with signs of no alphabet", "Subject: a\nContent-Transfer-Encoding: base64\n\naGV*s\nbG8\n", "a", "hello", ""},
	{"format=flowed", "Subject: a\nContent-Type: text/plain; format=flowed\n\none line \nthat goes on\n> quoted \n> too\nnext\n", "a", "one line that goes on\n> quoted too\nnext", ""},
	{"format=flowed with DelSp", "Subject: a\nContent-Type: text/plain; format=flowed; delsp=yes\n\nver \nylong\n", "a", "verylong", ""},
	{"several texts", "Subject: a\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\none\n--x\nContent-Type: text/plain\n\ntwo\n--x--\n", "a", "one\n\ntwo", ""},
	{"an unclosed multipart", "Subject: a\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\none\n--x\nContent-Type: application/pdf; name=a.pdf\n\nQUJD\n", "a", "one", "a.pdf"},
	{"no boundary named", "Subject: a\nContent-Type: multipart/mixed\n\n--xyz\n\none\n--xyz--\n", "a", "one", ""},
	{"empty plain beside HTML", "Subject: a\nContent-Type: multipart/alternative; boundary=x\n\n--x\n\n \n--x\nContent-Type: text/html\n\n<b>full</b>\n--x--\n", "a", "**full**", ""},
	{"plain that sends to HTML", "Subject: a\nContent-Type: multipart/alternative; boundary=x\n\n--x\n\nThis message needs an HTML reader.\n--x\nContent-Type: text/html\n\n<b>full</b>\n--x--\n", "a", "**full**", ""},
	{"a text with a file's name and no other", "Subject: a\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain; name=note.txt\n\nthe text\n--x--\n", "a", "the text", "note.txt"},
	{"inner headers are not ours", "Subject: ours\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nsee below\n--x\nContent-Type: message/rfc822\n\nSubject: theirs\nIn-Reply-To: <z@z>\n\ninner\n--x--\n", "ours", "see below", "theirs"},
	{"only a forwarded mail", "Subject: ours\nContent-Type: message/rfc822\n\nSubject: theirs\n\ninner\n", "ours", "inner", "theirs"},
	{"uuencode", "Subject: a\n\nbefore\nbegin 644 cat.txt\n#0V%T\n`\nend\nafter\n", "a", "before\n\nafter", "cat.txt"},
	{"begin is a word", "Subject: a\n\nbegin 644 things\nand go on with words that are long and longer, and longer still, and so on and on.\n", "a", "begin 644 things\nand go on with words that are long and longer, and longer still, and so on and on.", ""},
	{"a data table in HTML", "Subject: a\nContent-Type: text/html\n\n<table><tr><th>Host</th><th>State</th></tr><tr><td>db1</td><td>down</td></tr></table>\n", "a", "| Host | State |\n|---|---|\n| db1 | down |", ""},
	{"HTML that hides and runs", "Subject: a\nContent-Type: text/html\n\n<style>p{}</style><script>x()</script><div style='display:none'>preheader</div><p>seen <a href='javascript:x()'>link</a><img src='http://t/x.gif'></p>\n", "a", "seen link", ""},
	{"an OpenPGP signature around the text", "Subject: a\n\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nsigned\n-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n", "a", "signed", ""},
	{"encrypted", "Subject: a\n\n-----BEGIN PGP MESSAGE-----\n\nabc\n-----END PGP MESSAGE-----\n", "a", encrypted, ""},
	{"duplicate subject: the first counts", "Subject: a\nSubject: b\n\nc\n", "a", "c", ""},
}

func TestMIME(t *testing.T) {
	for _, c := range mimeCases {
		for ends, mail := range map[string]string{"LF": c.mail, "CRLF": crlf(c.mail)} {
			r := Read([]byte(mail), Options{})
			var names []string
			for _, a := range r.Attachments {
				names = append(names, a.Name)
			}
			if r.Subject != c.subject || r.Body != c.body || strings.Join(names, ",") != c.attached {
				t.Errorf("%s, %s: subject %q, body %q, attached %q", c.name, ends, r.Subject, r.Body, names)
			}
			fit(t, &r)
		}
	}
}

func TestInvitations(t *testing.T) {
	head := "From: eve@example.com\nSubject: Planning\nContent-Type: multipart/alternative; boundary=x\n\n--x\n\nPlease come.\n--x\nContent-Type: text/calendar; method=%\n\nBEGIN:VCALENDAR\nMETHOD:%\nBEGIN:VTIMEZONE\nTZID:Europe/Berlin\nBEGIN:STANDARD\nDTSTART:16010101T030000\nEND:STANDARD\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:42@example.com\n" +
		"SUMMARY:Planning\\, second\n  round\nDTSTART;TZID=Europe/Berlin:20261201T100000\nDTEND;TZID=Europe/Berlin:20261201T113000\nORGANIZER;CN=\"Eve: E.\":mailto:eve@example.com\nLOCATION:Room 4\nATTENDEE;PARTSTAT=DECLINED;CN=Ben:mailto:ben@example.com\nBEGIN:VALARM\nSUMMARY:not this\nEND:VALARM\nEND:VEVENT\nEND:VCALENDAR\n--x--\n"
	for method, want := range map[string]struct{ event, state, due, body string }{
		"REQUEST": {"calendar.request", "invited", "2026-12-01",
			"Planning, second round\nWhen: Tue 1 December 2026, 10:00–11:30 (Europe/Berlin)\nWhere: Room 4\nBy: Eve: E.\n\nPlease come."},
		"REPLY": {"calendar.reply", "", "2026-12-01",
			"Declined: Planning, second round\nWhen: Tue 1 December 2026, 10:00–11:30 (Europe/Berlin)\nWhere: Room 4\nBy: Eve: E.\n\nPlease come."},
		"CANCEL": {"calendar.cancel", "cancelled", "",
			"Cancelled: Planning, second round\nWhen: Tue 1 December 2026, 10:00–11:30 (Europe/Berlin)\nWhere: Room 4\nBy: Eve: E.\n\nPlease come."},
	} {
		r := Read([]byte(crlf(strings.ReplaceAll(head, "%", method))), Options{})
		if r.Event != want.event || r.State != want.state || r.Due != want.due || r.Body != want.body || r.Thread != "calendar/42@example.com" {
			t.Errorf("%s: %s %s %s %s\n%s", method, r.Event, r.State, r.Due, r.Thread, r.Body)
		}
	}
}

func TestIcalDuration(t *testing.T) {
	for value, want := range map[string]time.Duration{"PT1H": time.Hour, "PT1H30M": 90 * time.Minute, "P1DT2H": 26 * time.Hour, "P2W": 14 * 24 * time.Hour, "+PT15M": 15 * time.Minute,
		"": 0, "P": 0, "-PT15M": 0, "PT99999999999H": 0, "nonsense": 0} {
		if got := icalDuration(value); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func TestToolMails(t *testing.T) {
	for _, c := range []struct{ mail, project, thread, event, state string }{
		{"From: Ana <notifications@github.com>\nList-ID: acme/web <web.acme.github.com>\nMessage-ID: <acme/web/pull/42/c1@github.com>\nX-GitHub-Reason: mention\nSubject: Re: [acme/web] Fix (PR #42)\n\nMerged #42 into main.\n", "acme/web", "pr/42", "github", "merged"},
		{"X-GitLab-Project-Path: acme/api\nX-GitLab-MergeRequest-IID: 7\nX-GitLab-MergeRequest-State: merged\nSubject: Fix\n\nx\n", "acme/api", "mr/7", "gitlab", "merged"},
		{"X-GitLab-Project: api\nX-GitLab-Pipeline-Ref: main\nX-GitLab-Pipeline-Status: failed\nSubject: api | Failed pipeline\n\nx\n", "api", "pipeline/main", "gitlab", "failed"},
		{"Subject: [JIRA] (APOLLO-12) Disk is full\n\nx\n", "APOLLO", "issue/APOLLO-12", "jira", ""},
		{"X-Sentry-Project: apollo\nX-Sentry-Logger-Level: Fatal\nSubject: TypeError\n\nx\n", "apollo", "", "sentry", ""},
		{"Subject: [FIRING:2] HighLoad (db1 critical)\n\nx\n", "", "alert/HighLoad", "alert", "firing"},
		{"Subject: [RESOLVED] HighLoad (db1)\n\nx\n", "", "alert/HighLoad", "alert", "resolved"},
		{"Subject: ** PROBLEM Service Alert: db1/Disk is CRITICAL **\n\nx\n", "", "check/db1/Disk", "nagios", "critical"},
		{"Subject: ** RECOVERY Service Alert: db1/Disk is OK **\n\nx\n", "", "check/db1/Disk", "nagios", "ok"},
		{"Subject: Build failed in Jenkins: web #12\n\nx\n", "web", "build/web", "jenkins", "failed"},
		{"Subject: Jenkins build is back to normal : web #13\n\nx\n", "web", "build/web", "jenkins", "fixed"},
		{"Subject: Cron <root@db1> /usr/bin/backup --all\nX-Cron-Env: <SHELL=/bin/sh>\n\nx\n", "", "cron/db1//usr/bin/backup --all", "cron", ""},
		{"Subject: we talked of [FIRING] things\n\nx\n", "", "", "", ""},
	} {
		r := Read([]byte(crlf(c.mail)), Options{})
		if r.ToolProject != c.project || r.Thread != c.thread || r.Event != c.event || r.State != c.state {
			t.Errorf("%.60q: %q %q %q %q", c.mail, r.ToolProject, r.Thread, r.Event, r.State)
		}
	}
}

func TestListSoftwareIsSeenThrough(t *testing.T) {
	list := "List-Id: Apollo <apollo.lists.example.com>\nSubject: a\n"
	for _, c := range []struct{ head, want string }{
		{"From: Ana Lima via Apollo <apollo@lists.example.com>\nReply-To: Ana Lima <ana@example.com>\n" + list, "Ana Lima <ana@example.com>"},
		{"From: \"Ana via Apollo\" <apollo@lists.example.com>\nX-Original-From: ana@example.com\n" + list, "Ana <ana@example.com>"},
		{"From: Ana via Apollo <apollo@lists.example.com>\nReply-To: apollo@lists.example.com\n" + list, "Ana <>"},
		{"From: Ana <ana@example.com>\n" + list, " <>"},
		{"From: Ana via Train <ana@example.com>\nSubject: a\n", " <>"}, // no list
	} {
		r := Read([]byte(crlf(c.head+"\nx\n")), Options{})
		if got := r.Writer.Name + " <" + r.Writer.Address + ">"; got != c.want {
			t.Errorf("%q: %s, want %s", c.head, got, c.want)
		}
	}
}

// TestBounds: mails made to cost time or memory are read all the same; a generous deadline of the test binary is the clock.
func TestBounds(t *testing.T) {
	nested := ""
	for i := range 2000 {
		nested += "Content-Type: multipart/mixed; boundary=b" + strings.Repeat("x", i%50) + "\n\n--b" + strings.Repeat("x", i%50) + "\n"
	}
	for name, mail := range map[string]string{
		"nested multiparts":   nested + "text",
		"one boundary, twice": strings.Repeat("Content-Type: multipart/mixed; boundary=b\n\n--b\n", 3000),
		"ten thousand parts":  "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 10_000),
		"ten thousand fields": strings.Repeat("X: y\n", 10_000) + "\nx",
		"an endless line":     "Subject: a\nIn-Reply-To: <1@x>\n\n" + strings.Repeat("wrote: On 2026 ", 30_000),
		"many attributions":   "Subject: a\nIn-Reply-To: <1@x>\n\nown\n" + strings.Repeat("On Mon, 2 Nov 2026, Ana wrote:\n> x\n", 8_000),
		"many footers":        "Subject: a\nIn-Reply-To: <1@x>\n\nown\n" + strings.Repeat("Disclaimer:\nwords\n", 10_000),
		"deep HTML":           "Content-Type: text/html\n\n" + strings.Repeat("<div><blockquote>", 20_000) + "x",
		"wide table":          "Content-Type: text/html\n\n<table>" + strings.Repeat("<tr>"+strings.Repeat("<td>x", 100), 500),
		"a span of millions":  "Content-Type: text/html\n\n<table><tr><td colspan=99999999 rowspan=99999999>x<td>y<tr><td>z<td>w</table>",
		"nested and tiny":     "Content-Type: text/html\n\n" + strings.Repeat("<div style=font-size:0>", 450) + strings.Repeat("<b style=x>", 4_000) + "<i style=font-size:9px>x",
		"many uuencoded":      "Subject: a\n\n" + strings.Repeat("begin 644 x\n", 20_000),
		"a large report": "From: mailer-daemon@x\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\n" +
			strings.Repeat("user@example.com unknown\n", 9_000) + "--b\nContent-Type: message/delivery-status\n\n" +
			strings.Repeat("Final-Recipient: rfc822; a@b.c\nAction: failed\n\n", 3_000) + "--b--\n",
		"long ids": "References: " + strings.Repeat("<"+strings.Repeat("a", 300)+"@x> ", 3_000) + "\n\nx",
	} {
		start := time.Now()
		r := Read([]byte(mail), Options{})
		t.Logf("%-20s %4d KB %v", name, len(mail)>>10, time.Since(start).Round(time.Millisecond))
		fit(t, &r)
		if r.NoAnswer == "it could not be read" {
			t.Errorf("%s: only the fallback could read it", name)
		}
	}
}

// BenchmarkRead reads a plain mail of 12 KB from a person: the commonest there is, of which nothing special is to be found.
func BenchmarkRead(b *testing.B) {
	raw := []byte("From: Ana <ana@example.com>\r\nTo: updates@example.com\r\nSubject: News\r\nMessage-ID: <1@example.com>\r\n" +
		"Date: Mon, 05 Oct 2026 09:00:00 +0200\r\n\r\n" + strings.Repeat("some words of a report and a number 1234567, as long as a line is\r\n", 180))
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		Read(raw, Options{})
	}
}
