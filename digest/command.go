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

// ParseCommand reads one line. A line that begins with no verb, also not a misspelt one, gives an empty Verb. An error is for
// the person: what is wrong and what would be right. now and loc are theirs.
func ParseCommand(line string, named map[string]string, now time.Time, loc *time.Location) (Command, error) {
	verb, rest := verbIn(line)
	c := Command{Verb: verb}
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

// verbIn is the verb that a line begins with, past what people say to be kind and what stands before it in
// square brackets: a project, or a gateway's warning. rest are the words behind it.
func verbIn(line string) (verb string, rest []string) {
	words := strings.Fields(line)
	if len(words) == 0 || len(line) > 500 {
		return "", nil
	}
	if lead, after, ok := strings.Cut(strings.TrimSpace(line), "]"); ok && strings.HasPrefix(lead, "[") && strings.TrimSpace(after) != "" {
		words = strings.Fields(after)
		if lead = strings.ToLower(lead[1:]); !gateways[lead] && !strings.Contains(lead, " ") {
			words = append(words, lead)
		}
	}
	for len(words) > 1 && courtesies[strings.ToLower(bare(words[0]))] {
		words = words[1:]
	}
	rest = words[1:]
	if verb = verbOf(words[0]); verb == "" && len(rest) > 0 {
		switch two := strings.ToLower(words[0] + " " + bare(rest[0])); two {
		case "catch up":
			return VerbCatchUp, rest[1:]
		case "sign up", "opt in":
			return VerbSubscribe, rest[1:]
		case "sign off", "opt out":
			return VerbUnsubscribe, rest[1:]
		}
	}
	return verb, rest
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
	w = strings.Trim(w, ".,;:!|\"'<>()“”„`_–—")
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
	for _, verb := range []string{VerbSubscribe, VerbUnsubscribe, VerbSettings, VerbPause, VerbResume, VerbCatchUp, VerbHelp} {
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

// subscribe reads [PROJECT…] [SCHEDULE] [at HH:MM] [ZONE], in any order.
func (c *Command) subscribe(words []string, named map[string]string) error {
	var days, times []string
	spec, before := "", ""
	for i := 0; i < len(words); i++ {
		word := bare(words[i])
		low := strings.ToLower(word)
		place, n := "", 0
		if before == "in" || before == "time" { // only there: a project may be called Berlin
			place, n = placeOf(words[i:])
		}
		if before = low; low == "am" || low == "pm" || low == "uhr" || low == "o'clock" {
			before = "time"
		}
		switch {
		case place != "":
			c.Zone = place
			i += n - 1
		case (low == "at" || low == "um") && i+1 < len(words):
			before = "time"
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
		case before == "time" && len(times) > 0, fillers[low], low == "":
		case zoneOf(word) != "":
			c.Zone = zoneOf(word)
		default:
			if t, ok := parseClock(word, words[i+1:]); ok && isClock(word, words[i+1:]) {
				times, before = append(times, t), "time"
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
