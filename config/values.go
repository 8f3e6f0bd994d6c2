package config

import (
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"quietpost/digest"

	"golang.org/x/text/language"
)

// The parsers of values. Each gives the value as it is kept, or an error made by wrong.

// line is any text of one line.
func line(s string) (string, error) {
	switch {
	case strings.TrimSpace(s) == "":
		return "", wrong("is empty", "")
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", wrong("has line breaks or control characters", "write it on one line")
	}
	return strings.TrimSpace(s), nil
}

// zone is a name of the IANA time zone database.
func zone(s string) (*time.Location, error) {
	if s != "" && s != "Local" {
		if l, err := time.LoadLocation(s); err == nil {
			return l, nil
		}
	}
	if l, err := time.LoadLocation(capitals(s)); err == nil && s != "" && s != "Local" {
		return nil, wrong("is not the name of a time zone", "did you mean "+l.String()+"?")
	}
	return nil, wrong("is not the name of a time zone", "write one such as Europe/Berlin, America/New_York or UTC")
}

// capitals writes "america/new york" as zones are named: America/New_York.
func capitals(s string) string {
	up := true
	return strings.Map(func(r rune) rune {
		if r == ' ' {
			r = '_'
		}
		if up {
			r = unicode.ToUpper(r)
		} else {
			r = unicode.ToLower(r)
		}
		up = r == '/' || r == '_' || r == '-'
		return r
	}, s)
}

func zoneName(s string) (string, error) {
	l, err := zone(s)
	if err != nil {
		return "", err
	}
	return l.String(), nil
}

// name is a source's or inbox's: it stands in addresses of the web.
func name(s string) (string, error) {
	if !nameForm.MatchString(s) {
		return "", wrong("cannot stand in an address", "write letters, digits, '-', '_' and '.', beginning with a letter or digit, at most 64")
	}
	return s, nil
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func projectKey(s string) (string, error) {
	key := digest.ProjectKey(s)
	if key == "" || key != strings.ToLower(s) {
		return "", wrong("is not a project's name", keyHint(key, "letters, digits, '.', '_', '/' and '-', at most 100"))
	}
	return key, nil
}

func keyHint(key, form string) string {
	if key != "" {
		return "write " + key
	}
	return "write " + form
}

// alias is what a tool calls a project, in whatever form; it is kept as the key that items of the tool get.
func alias(s string) (string, error) {
	key := digest.ProjectKey(s)
	if key == "" {
		return "", wrong("has no letter or digit", "")
	}
	return key, nil
}

// projectPattern is a key, or a pattern over keys: "*", "acme/*".
func projectPattern(s string) (string, error) {
	if s == "" || strings.ContainsFunc(s, unicode.IsSpace) {
		return "", wrong("is not a project or a pattern", "")
	}
	if _, err := path.Match(s, ""); err != nil {
		return "", wrong("is not a pattern", "write '*' for all, a project, or a beginning such as acme/*")
	}
	return strings.ToLower(s), nil
}

func kindKey(s string) (string, error) {
	key := digest.KindKey(s)
	if key == "" || key != strings.ToLower(s) {
		return "", wrong("is not a kind", keyHint(key, "letters, digits, '.', '_' and '-'"))
	}
	return key, nil
}

func scheduleName(s string) (string, error) {
	if !scheduleForm.MatchString(s) {
		return "", wrong("cannot be a schedule's name", "write small letters, digits, '-' and '_', beginning with a letter, at most 50")
	}
	return s, nil
}

var scheduleForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,49}$`)

// trusted is an authserv-id (RFC 8601, section 2.5) or the word inside.
func trusted(s string) (string, error) {
	if s = strings.ToLower(s); s == "inside" {
		return s, nil
	}
	if s == "" || strings.ContainsAny(s, " \t\r\n;\"()<>@,") {
		return "", wrong("is not the name of a server", "write the name that its Authentication-Results begin with, or inside")
	}
	if closest(s, []string{"inside"}) != "" && !strings.Contains(s, ".") {
		return "", wrong("is not the name of a server", "did you mean inside?")
	}
	return s, nil
}

// after is what becomes of a mail in its mailbox.
func after(s string) (string, error) {
	folder, move := strings.CutPrefix(s, "move:")
	folder = strings.TrimSpace(folder)
	switch {
	case s == "keep" || s == "seen":
		return s, nil
	case move && folder != "" && !strings.ContainsFunc(folder, unicode.IsControl):
		return "move:" + folder, nil
	case s == "delete":
		return "", wrong("is not done here: no mail is ever deleted", "write move:FOLDER")
	case move || s == "move":
		return "", wrong("names no folder", "write for example move:Archive")
	}
	return "", wrong("is not known", "write keep, seen or move:FOLDER")
}

// tenant stands in an address.
func tenant(s string) (string, error) {
	if !nameForm.MatchString(s) {
		return "", wrong("is not a tenant", "write its domain or its number, such as example.onmicrosoft.com")
	}
	return s, nil
}

// since is "now", or how much of the past.
func since(s string) (Duration, error) {
	if s == "now" {
		return 0, nil
	}
	d, err := parseDuration(s)
	if err != nil {
		return 0, wrong("is neither now nor a duration", "write now, or how much of the past such as 14d")
	}
	return d, nil
}

// within gives a parser of durations from least to most.
func within(least, most Duration) func(string) (Duration, error) {
	return func(s string) (Duration, error) {
		d, err := parseDuration(s)
		if err == nil && (d < least || d > most) {
			err = wrong("is out of bounds", "write from "+least.String()+" to "+most.String())
		}
		return d, err
	}
}

func locale(s string) (string, error) {
	t, err := language.Parse(s)
	if err != nil || t == language.Und {
		return "", wrong("is not a language", "")
	}
	return t.String(), nil
}

// by is a line that somebody else's rule takes. Its errors are whole sentences: they name the value.
func by(rule func(string) error) func(string) (string, error) {
	return func(s string) (string, error) {
		s, err := line(s)
		if err == nil && rule != nil {
			err = rule(s)
		}
		return s, err
	}
}

// condition is any text that is not empty; whether it is an expression is checked when all is read.
func condition(s string) (string, error) {
	if strings.TrimSpace(s) == "" {
		return "", wrong("is empty", "")
	}
	return s, nil
}

// rate is how often something may happen, in times a second.
func rate(s string) (float64, error) {
	count, per, ok := strings.Cut(s, "/")
	seconds := map[string]float64{"s": 1, "m": 60, "h": 3600}[strings.TrimSpace(per)]
	n, err := strconv.Atoi(strings.TrimSpace(count))
	switch {
	case !ok || seconds == 0 || err != nil:
		return 0, wrong("is not how often", "write for example 100/s, 30/m or 500/h")
	case n < 1 || n > 1_000_000:
		return 0, wrong("is out of bounds", "write a number from 1 to 1000000 before the /")
	}
	return float64(n) / seconds, nil
}

// toolName is the form of a tool's name.
func toolName(s string) (string, error) {
	for i, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && (r != '-' || i == 0) || i > 39 {
			return "", wrong("is not known", "`quietpost tools list` shows all, and generic reads any")
		}
	}
	return s, nil
}
