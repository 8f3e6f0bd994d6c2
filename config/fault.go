package config

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// A Pos is a place in the file: line and column, both from 1, the column in characters. The zero Pos is the file as a
// whole.
type Pos struct{ Line, Column int }

// A Severity tells what stops the service from what does not.
type Severity int

// The severities.
const (
	Wrong Severity = iota // the file cannot be used
	Note                  // worth knowing; the file can be used
)

// A Fault is one thing that is wrong with the file, or worth a note.
type Fault struct {
	File     string
	Pos      Pos
	Severity Severity
	Text     string // what is wrong, and what would be right
}

// String is "file:line:column: text", with "note: " before the text of a note.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Pos.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", f.Pos.Line, f.Pos.Column)
	}
	b.WriteString(": ")
	if f.Severity == Note {
		b.WriteString("note: ")
	}
	b.WriteString(f.Text)
	return b.String()
}

// Faults are all that was found, in the order of the file.
type Faults []Fault

// String has a line for each.
func (f Faults) String() string {
	var b strings.Builder
	for _, x := range f {
		b.WriteString(x.String() + "\n")
	}
	return b.String()
}

// Wrong tells whether any of them stops the service.
func (f Faults) Wrong() bool {
	for _, x := range f {
		if x.Severity == Wrong {
			return true
		}
	}
	return false
}

// Err is nil if there are only notes, else an error with a line for each fault that is none.
func (f Faults) Err() error {
	var lines []string
	for _, x := range f {
		if x.Severity == Wrong {
			lines = append(lines, x.String())
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New(strings.Join(lines, "\n"))
}

// sort puts them in the order of the file.
func (f Faults) sort() {
	sort.SliceStable(f, func(i, j int) bool {
		a, b := f[i].Pos, f[j].Pos
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
}

// closest is the candidate that a misspelt word most likely means, or ""; of many candidates it asks the first hundred.
func closest(word string, candidates []string) string {
	return nearest(word, candidates[:min(len(candidates), 100)], min(len(word)/4+1, 4))
}

// nearest is the nearest candidate at most so many letters away, the first of equals, or "".
func nearest(word string, candidates []string, least int) string {
	word = strings.ToLower(word)
	best := ""
	for _, c := range candidates {
		if d := distance(word, strings.ToLower(c)); d <= least && (best == "" || d < least) {
			best, least = c, d
		}
	}
	return best
}

// distance is the number of letters to insert, drop, change or swap with their neighbour to make b of a (optimal string
// alignment). Words over 64 bytes are no misspelling of ours.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var d [65][65]int
	for i := range len(a) + 1 {
		for j := range len(b) + 1 {
			switch {
			case i == 0 || j == 0:
				d[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				d[i][j] = d[i-1][j-1]
			default:
				d[i][j] = 1 + min(d[i-1][j-1], d[i-1][j], d[i][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], 1+d[i-2][j-2])
			}
		}
	}
	return d[len(a)][len(b)]
}
