package digest

import (
	"strings"
	"time"
	"unicode"
)

// verbs are the words that people use, in the languages that the letters' readers write. The first of a verb is its own.
var verbs = map[string][]string{
	VerbSubscribe:   {"subscribe", "join", "follow", "signup", "add", "sub", "abonnieren", "anmelden", "abonner", "suscribir", "iscrivi", "inscrever", "aanmelden"},
	VerbUnsubscribe: {"unsubscribe", "leave", "stop", "quit", "signoff", "unfollow", "remove", "unsub", "end", "off", "cancel", "abmelden", "abbestellen", "austragen", "désabonner", "désinscription", "désinscrire", "cancelar", "baja", "cancella", "disiscrivi", "afmelden", "uitschrijven", "wypisz", "avsluta", "отписаться"},
	VerbSettings:    {"settings", "setting", "status", "show", "info", "options", "einstellungen", "réglages"},
	VerbPause:       {"pause", "hold", "vacation", "suspend", "mute"},
	VerbResume:      {"resume", "unpause", "continue", "restart", "unmute"},
	VerbCatchUp:     {"catchup", "catch-up"},
	VerbHelp:        {"help", "commands", "usage", "hilfe", "aide", "ayuda", "?"},
}

// fillers are words that say nothing here.
var fillers = map[string]bool{"to": true, "the": true, "me": true, "please": true, "project": true, "projects": true, "digest": true,
	"digests": true, "and": true, "in": true, "every": true, "on": true, "each": true, "from": true, "of": true, "&": true, ",": true,
	"a": true, "an": true, "once": true, "morning": true, "mornings": true, "my": true, "with": true, "um": true, "uhr": true, "bitte": true, "updates": true, "mail": true, "mails": true, "email": true,
	"emails": true, "this": true, "list": true, "lists": true, "mailing": true, "quietpost": true, "-": true, "/": true}

// courtesies are words before a verb that ask for what it says.
var courtesies = map[string]bool{"please": true, "pls": true, "plz": true, "bitte": true, "kindly": true, "hi": true, "hello": true, "hey": true, "dear": true, "hallo": true, "i": true, "i'd": true,
	"want": true, "to": true, "would": true, "like": true, "can": true, "could": true, "you": true, "we": true, "need": true, "my": true, "me": true, "s'il": true, "se": true, "just": true}

// usual are schedules that people name and the configuration may not.
var usual = map[string]string{
	"hourly": "0 * * * *", "daily": "0 9 * * *", "weekdays": "0 9 * * MON-FRI", "workdays": "0 9 * * MON-FRI", "weekday": "0 9 * * MON-FRI",
	"weekly": "0 9 * * MON", "monthly": "0 9 1 * *", "twice": "0 9,16 * * *", "täglich": "0 9 * * *", "wöchentlich": "0 9 * * MON", "day": "0 9 * * *", "week": "0 9 * * MON",
}

var weekdays = map[string]string{"monday": "MON", "tuesday": "TUE", "wednesday": "WED", "thursday": "THU", "friday": "FRI",
	"saturday": "SAT", "sunday": "SUN", "mon": "MON", "tue": "TUE", "tues": "TUE", "wed": "WED", "thu": "THU", "thur": "THU",
	"thurs": "THU", "fri": "FRI", "sat": "SAT", "sun": "SUN", "montag": "MON", "dienstag": "TUE", "mittwoch": "WED", "donnerstag": "THU", "freitag": "FRI", "samstag": "SAT", "sonntag": "SUN"}

// gateways are words in square brackets that gateways put before subjects.
var gateways = map[string]bool{"external": true, "ext": true, "extern": true, "externe": true, "spam": true, "spam?": true, "caution": true, "suspicious": true, "urgent": true}

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

// zoneLetters are what people write for a zone behind a time.
var zoneLetters = map[string]string{"cet": "Europe/Berlin", "cest": "Europe/Berlin", "mez": "Europe/Berlin", "mesz": "Europe/Berlin", "wet": "Europe/Lisbon", "west": "Europe/Lisbon",
	"eet": "Europe/Helsinki", "eest": "Europe/Helsinki", "bst": "Europe/London", "est": "America/New_York", "edt": "America/New_York", "et": "America/New_York", "cst": "America/Chicago",
	"cdt": "America/Chicago", "mst": "America/Denver", "mdt": "America/Denver", "pst": "America/Los_Angeles", "pdt": "America/Los_Angeles", "pt": "America/Los_Angeles", "jst": "Asia/Tokyo"}

// placeOf is the zone that the first word names by its letters, or the first one or two by a city, and how many words that is.
func placeOf(words []string) (zone string, n int) {
	first := strings.ToLower(bare(words[0]))
	if zone := zoneLetters[first]; zone != "" {
		return zone, 1
	}
	for n = min(len(words), 2); n > 0; n-- {
		city := first
		if n == 2 {
			city += "_" + strings.ToLower(bare(words[1]))
		}
		if strings.Contains(city, "/") || len(city) < 3 {
			continue
		}
		for _, region := range []string{"Europe", "America", "Asia", "Africa", "Australia", "Pacific", "Atlantic"} {
			if zone := zoneOf(region + "/" + city); zone != "" {
				return zone, n
			}
		}
	}
	return "", 0
}
