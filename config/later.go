package config

import "strings"

// notYet are the keys and words of the documented file that this version does not act on, refused rather than ignored.
// A version that acts on one deletes its row. Keys are dotted as in faults, '*' for a name of the person's own; nil
// means the key as a whole, else these values of it (one that ends in ':' with anything behind it).
var notYet = map[string][]string{
	"kinds.*.respond_within": nil,
	"kinds.*.escalate_to":    nil,
	"kinds.*.repeat_every":   nil,
	"kinds.*.keep":           nil,
}

// later gives the row of a dotted key.
func later(path string) (words []string, ok bool) {
	if words, ok = notYet[path]; ok {
		return words, true
	}
	if parts := strings.Split(path, "."); len(parts) > 2 && parts[0] == "kinds" {
		words, ok = notYet["kinds.*."+parts[len(parts)-1]]
	}
	return words, ok
}
