package digest

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"quietpost/digest/schedule"
)

// Verbs of commands.
const (
	VerbSubscribe   = "subscribe"
	VerbUnsubscribe = "unsubscribe"
	VerbSettings    = "settings"
	VerbPause       = "pause"
	VerbResume      = "resume"
	VerbCatchUp     = "catch up"
	VerbHelp        = "help"
)

// A Command is what a person wrote to the desk.
type Command struct {
	Verb     string   // empty for words that are no command
	Projects []string // patterns; "*" for all
	Schedule string   // a named schedule or a specification; empty: not said
	Zone     string   // empty: not said
	Until    time.Time
	Since    time.Duration // of a catch-up
}

// verbs are the words that people use, in the languages that the letters' readers write. The first of a verb is its own.
var verbs = map[string][]string{
	VerbSubscribe:   {"subscribe", "join", "follow", "signup", "add", "abonnieren", "anmelden", "abonner", "suscribir", "iscrivi", "inscrever", "aanmelden"},
	VerbUnsubscribe: {"unsubscribe", "leave", "stop", "quit", "signoff", "unfollow", "remove", "abmelden", "abbestellen", "désabonner", "cancelar", "afmelden"},
	VerbSettings:    {"settings", "setting", "status", "show", "info", "options", "einstellungen", "réglages"},
	VerbPause:       {"pause", "hold", "vacation", "suspend", "mute"},
	VerbResume:      {"resume", "unpause", "continue", "restart", "unmute"},
	VerbHelp:        {"help", "commands", "usage", "hilfe", "aide", "ayuda", "?"},
}

// ParseCommand reads one line. A line that begins with no verb, also not a misspelt one, gives an empty Verb. An error is for
// the person: what is wrong and what would be right. now and loc are theirs.
func ParseCommand(line string, named map[string]string, now time.Time, loc *time.Location) (Command, error) {
	words := strings.Fields(line)
	if len(words) == 0 || len(line) > 500 {
		return Command{}, nil
	}
	c := Command{Verb: verbOf(words[0])}
	rest := words[1:]
	if c.Verb == "" && len(rest) > 0 {
		switch two := strings.ToLower(words[0] + " " + bare(rest[0])); two {
		case "catch up":
			c.Verb, rest = VerbCatchUp, rest[1:]
		case "sign up", "opt in":
			c.Verb, rest = VerbSubscribe, rest[1:]
		case "sign off", "opt out":
			c.Verb, rest = VerbUnsubscribe, rest[1:]
		}
	}
	var err error
	switch c.Verb {
	case VerbSubscribe:
		err = c.subscribe(rest, named)
	case VerbUnsubscribe:
		c.Projects, err = projectList(rest)
	case VerbPause:
		c.Until, err = parseUntil(rest, now.In(loc))
	case VerbCatchUp:
		c.Since, c.Projects, err = parseCatchUp(rest)
	}
	return c, err
}

// IsCommand tells that a line is a command and nothing else, as a person writes one in answer to a digest: a verb of its own
// with no slip, and few words.
func IsCommand(line string) bool {
	words := strings.Fields(line)
	if len(words) == 0 || len(words) > 10 {
		return false
	}
	verb := strings.ToLower(bare(words[0]))
	switch verb {
	case "subscribe", "unsubscribe":
		return !strings.ContainsAny(line, "?!;")
	case "settings", "resume", "help", "stop":
		return len(words) == 1
	case "pause":
		return len(words) == 1 || slices.Contains([]string{"until", "for", "till"}, strings.ToLower(words[1]))
	case "catch":
		return len(words) > 1 && strings.EqualFold(words[1], "up")
	}
	return false
}

// bare is a word without the signs people put around it.
func bare(w string) string {
	w = strings.Trim(w, ".,;:!\"'<>()“”„`_")
	if w == "*" || strings.HasSuffix(w, "/*") { // a pattern of projects
		return w
	}
	return strings.Trim(w, "*")
}

// verbOf finds a verb, with a slip or two in the longer ones.
func verbOf(word string) string {
	w := strings.ToLower(bare(word))
	if w == "" && strings.HasPrefix(word, "?") {
		return VerbHelp
	}
	best, least := "", 3
	for _, verb := range []string{VerbSubscribe, VerbUnsubscribe, VerbSettings, VerbPause, VerbResume, VerbHelp} {
		for _, known := range verbs[verb] {
			if w == known {
				return verb
			}
			if d := slips(w, known); len(known) >= 5 && d <= len(known)/4 && d < least {
				best, least = verb, d
			}
		}
	}
	return best
}

// slips counts the letters that have to be added, left out, changed or swapped with their neighbour to make b of a.
func slips(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) > 2 || len(y)-len(x) > 2 {
		return 9
	}
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range y {
		rows[0][j+1] = j + 1
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}

// fillers are words that say nothing here.
var fillers = map[string]bool{"to": true, "the": true, "me": true, "please": true, "project": true, "projects": true, "digest": true,
	"digests": true, "and": true, "in": true, "every": true, "on": true, "each": true, "from": true, "of": true, "&": true, ",": true}

// usual are schedules that people name and the configuration may not.
var usual = map[string]string{
	"hourly": "0 * * * *", "daily": "0 9 * * *", "weekdays": "0 9 * * MON-FRI", "workdays": "0 9 * * MON-FRI", "weekday": "0 9 * * MON-FRI",
	"weekly": "0 9 * * MON", "monthly": "0 9 1 * *", "day": "0 9 * * *", "week": "0 9 * * MON",
}

var weekdays = map[string]string{"monday": "MON", "tuesday": "TUE", "wednesday": "WED", "thursday": "THU", "friday": "FRI",
	"saturday": "SAT", "sunday": "SUN", "mon": "MON", "tue": "TUE", "tues": "TUE", "wed": "WED", "thu": "THU", "thur": "THU",
	"thurs": "THU", "fri": "FRI", "sat": "SAT", "sun": "SUN"}

// subscribe reads [PROJECT…] [SCHEDULE] [at HH:MM] [ZONE], in any order.
func (c *Command) subscribe(words []string, named map[string]string) error {
	var days, times []string
	spec := ""
	for i := 0; i < len(words); i++ {
		word := bare(words[i])
		low := strings.ToLower(word)
		switch {
		case low == "at" && i+1 < len(words):
			i++
			for _, w := range strings.Split(words[i], ",") {
				t, ok := parseClock(w, words[i+1:])
				if !ok {
					return fmt.Errorf("%q is no time of day; write it as 9:00 or 16:30", bare(words[i]))
				}
				times = append(times, t)
			}
		case named[word] != "" || named[low] != "":
			if c.Schedule = low; named[word] != "" {
				c.Schedule = word
			}
			spec = named[c.Schedule]
		case usual[low] != "" && !fillers[low]:
			c.Schedule, spec = usual[low], usual[low]
		case weekdays[strings.TrimSuffix(low, "s")] != "" || weekdays[low] != "":
			day := weekdays[low]
			if day == "" {
				day = weekdays[strings.TrimSuffix(low, "s")]
			}
			days = append(days, day)
		case strings.HasPrefix(word, "@"):
			spec = word
			if low == "@every" && i+1 < len(words) {
				i++
				spec += " " + bare(words[i])
			}
			c.Schedule = spec
		case (low == "am" || low == "pm" || low == "uhr" || low == "o'clock") && len(times) > 0, fillers[low], low == "":
		case zoneOf(word) != "":
			c.Zone = zoneOf(word)
		default:
			t, ok := parseClock(word, nil)
			if ok && strings.Contains(word, ":") {
				times = append(times, t)
				continue
			}
			list, err := projectList(strings.Split(word, ","))
			if err != nil {
				return err
			}
			c.Projects = append(c.Projects, list...)
		}
	}
	own := ""
	if named[c.Schedule] != "" && len(days) == 0 && len(times) == 0 {
		own = c.Schedule // the operator's word is not questioned
	}
	return c.settle(spec, own, days, times)
}

// settle makes one schedule of the days and times that were named.
func (c *Command) settle(spec, named string, days, times []string) error {
	if len(c.Projects) > 50 {
		return fmt.Errorf("%d projects are too many for one mail; name at most 50", len(c.Projects))
	}
	if len(days) > 0 {
		spec = "0 9 * * " + strings.Join(days, ",")
		c.Schedule = spec
	}
	if len(times) > 0 {
		if spec == "" {
			spec = usual["daily"]
		}
		var err error
		if c.Schedule, err = atTimes(spec, times); err != nil {
			return err
		}
		spec = c.Schedule
	}
	if spec == "" {
		return nil
	}
	sched, err := schedule.Parse(spec)
	if err != nil {
		return err
	}
	if named == "" && tooOften(sched) {
		return fmt.Errorf("%q is more often than mail should come; @hourly is the most", spec)
	}
	return nil
}

// projectList makes patterns of the words.
func projectList(words []string) ([]string, error) {
	var out []string
	for _, w := range words {
		w = strings.TrimPrefix(bare(w), "#")
		low := strings.ToLower(strings.Trim(w, "[]"))
		if fillers[low] || low == "" {
			if w == "" {
				continue
			}
			if fillers[low] {
				continue
			}
		}
		switch low {
		case "*", "all", "everything", "alle", "alles", "tout", "todo":
			out = append(out, "*")
			continue
		}
		key, below := strings.CutSuffix(low, "/*")
		key = ProjectKey(key)
		if key == "" || strings.ContainsFunc(low, func(r rune) bool { return unicode.IsControl(r) }) {
			return nil, fmt.Errorf("%q is no name of a project; names have letters and digits, such as apollo or acme/web", w)
		}
		if below {
			key += "/*"
		}
		if !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	return out, nil
}

// zoneOf is the zone of that name, written in any case; empty if there is none.
func zoneOf(word string) string {
	switch strings.ToUpper(word) {
	case "UTC", "GMT":
		return strings.ToUpper(word)
	}
	if !strings.Contains(word, "/") || len(word) > 40 || strings.ContainsAny(word, `.\`) || strings.HasPrefix(word, "/") {
		return ""
	}
	parts := strings.FieldsFunc(strings.ToLower(word), func(r rune) bool { return r == '/' })
	for i, p := range parts {
		runes := []rune(p)
		for j := range runes {
			if j == 0 || runes[j-1] == '_' || runes[j-1] == '-' {
				runes[j] = unicode.ToUpper(runes[j])
			}
		}
		parts[i] = string(runes)
	}
	for _, name := range []string{word, strings.Join(parts, "/")} {
		if _, err := time.LoadLocation(name); err == nil {
			return name
		}
	}
	return ""
}
