package digest

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// The desk's words. They go to whoever an address belongs to, also when somebody else wrote in its name, so nothing of what
// was written is repeated but names of projects and what could not be read, shortened.

const footerText = "\n-- \nYou get this because somebody wrote to quietpost in the name of your address.\nIf that was not you, nothing needs to be done.\n"

// helpText tells the commands.
func helpText(inbox string) string {
	local, host, _ := strings.Cut(inbox, "@")
	return "Write one of these as the subject of a mail to " + local + "+desk@" + host + ", or answer any mail from here with it:\n\n" +
		"  subscribe                        everything, as a daily digest\n" +
		"  subscribe apollo weekly          one project, once a week\n" +
		"  subscribe apollo daily at 16:30 Europe/Lisbon\n" +
		"  subscribe weekly at 8:00         what you follow already, at other times\n" +
		"  unsubscribe apollo               that project no more\n" +
		"  unsubscribe                      no more mail\n" +
		"  settings                         what is in force, and when mail comes\n" +
		"  pause until 2026-12-01           nothing is lost: it comes in the first digest after\n" +
		"  resume                           ends a pause\n" +
		"  catch up 7d                      the last seven days once more\n" +
		"  catch up 2 weeks apollo          the same of one project\n" +
		"  help                             this\n"
}

func wholeDigestText(inbox string) string {
	return "Thank you: what you wrote is kept as an update of its own, and others will read it in their digests.\n\n" +
		"It does not belong to any one line of the digest, because you answered the digest as a whole. To answer one line so that\n" +
		"your words stand beneath it: answer the alert about it, or write a mail with the project in square brackets in its\n" +
		"subject, for example: [apollo] Re: the line's title.\n\nThis is said only once.\n"
}

// StateText says what is in force for a person; nil for nobody. It ends in the next three times.
func StateText(s *Subscriber, set *Settings, now time.Time) string {
	if s == nil || s.State == Pending || s.State == Left {
		return "No mail from here comes to this address.\nTo begin, write: subscribe\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "In force for %s:\n\n", s.Address)
	loc := s.Location(set.Calendar.Zone)
	sub := s.current()
	if sub == nil {
		b.WriteString("  digest   none\n")
		return b.String()
	}
	fmt.Fprintf(&b, "  follows  %s\n", projectWords(sub.Projects, set.Policy))
	sched, _, err := set.Calendar.Of(s, sub)
	switch {
	case sub.Ended:
		b.WriteString("  digest   none\n")
	case err != nil:
		fmt.Fprintf(&b, "  digest   %s\n", sub.Schedule)
	default:
		fmt.Fprintf(&b, "  digest   %s, %s\n", sched.Words(), loc)
	}
	switch {
	case !s.Alerts:
		b.WriteString("  alerts   none\n")
	case s.Quiet != "":
		fmt.Fprintf(&b, "  alerts   at once, but not in %s\n", s.Quiet)
	default:
		b.WriteString("  alerts   at once\n")
	}
	switch {
	case s.State == Suspended:
		fmt.Fprintf(&b, "\nMail to this address came back on %s, so none is sent now: %s.\nTo begin again, write: resume\n",
			s.Bounces.SuspendedAt.In(loc).Format("Mon 2 January 2006, 15:04 MST"), strings.TrimSuffix(string(s.Bounces.Reason), "."))
	case s.State == Paused && s.PausedUntil.IsZero():
		b.WriteString("\nAll of it is paused until you write: resume\n")
	case s.State == Paused:
		fmt.Fprintf(&b, "\nAll of it is paused until %s, or until you write: resume\n", s.PausedUntil.In(loc).Format("Mon 2 January 2006, 15:04 MST"))
		now = s.PausedUntil
		fallthrough
	default:
		if err != nil || sub.Ended {
			break
		}
		b.WriteString("\nThe next three times are\n\n")
		for t, i := now, 0; i < 3; i++ {
			if t = sched.Next(t, loc); t.IsZero() {
				break
			}
			fmt.Fprintf(&b, "  %s\n", t.In(loc).Format("Mon 2 January 2006, 15:04:05 MST"))
		}
		b.WriteString("\nA digest without news is not sent.\n")
	}
	return b.String()
}

func projectWords(patterns []string, p *Policy) string {
	var names []string
	for i, pattern := range patterns {
		if pattern == "*" {
			return "all projects"
		}
		if i == 12 {
			return strings.Join(names, ", ") + fmt.Sprintf(" and %d more", len(patterns)-i)
		}
		names = append(names, OneLine(p.Title(pattern), 60))
	}
	if len(names) == 0 {
		return "no project"
	}
	return strings.Join(names, ", ")
}

// confirmText asks for the person's word.
func confirmText(s *Subscriber, w wish, set *Settings, token string) string {
	after := *s
	after.Subscriptions = append([]Subscription(nil), s.Subscriptions...)
	after.grant(w, &set.Calendar, w.At)
	var b strings.Builder
	b.WriteString("Somebody, we hope you, asked quietpost to send mail to this address:\n\n")
	sub := after.current()
	sched, loc, err := set.Calendar.Of(&after, sub)
	fmt.Fprintf(&b, "  digests of %s", projectWords(sub.Projects, set.Policy))
	if err == nil {
		fmt.Fprintf(&b, ", %s, %s\n  the first one %s\n", sched.Words(), loc, sched.Next(w.At, loc).In(loc).Format("Mon 2 January 2006, 15:04 MST"))
	} else {
		b.WriteByte('\n')
	}
	b.WriteString("\nIf that is what you want, answer this mail; what you write does not matter.\n")
	if url := publicURL(set.BaseURL); url != "" {
		b.WriteString("Or open this page and press the button:\n\n  " + url + "/c/" + token + "\n")
	}
	b.WriteString("\nWithout your word nothing comes. It is waited for a week.\n")
	return b.String()
}

// publicURL is the address of the pages if others than this machine can reach it.
func publicURL(base string) string {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" || u.Hostname() == "localhost" {
		return ""
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		return ""
	}
	return base
}
