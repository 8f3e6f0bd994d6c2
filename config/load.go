package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Bounds of a file. A service for thousands of people stays far below them.
const (
	MaxFile    = 1 << 20 // bytes
	maxList    = 20_000  // entries of one list
	maxNames   = 1000    // entries under names of the person's own
	maxText    = 2000    // bytes of one value
	maxAliased = 10_000  // nodes that are read through YAML aliases
	maxFaults  = 500
)

// Options are what the rules of the file need from outside.
type Options struct {
	Getenv        func(string) string // nil: nothing is set; an empty variable counts as unset
	ParseSchedule func(string) error  // refuses what is no schedule; nil: any text is taken
	ParseQuiet    func(string) error  // refuses what are no quiet hours; nil: any text is taken

	// SourceTypes are the types a source may have beside auto, with the map files of tools_dir ("" for none); nil: any word.
	SourceTypes func(toolsDir string) ([]string, error)
}

const howToBegin = "`quietpost init` writes one to begin with"

// Load reads the file at path. The Config is nil if anything is wrong with it; the Faults are all that is wrong, and
// notes, in the order of the file. Relative paths in the file are relative to its folder.
func Load(path string, o Options) (*Config, Faults) {
	data, err := readFile(path)
	if err != nil {
		return nil, Faults{{File: path, Text: err.Error()}}
	}
	return Parse(path, data, o)
}

// readFile gives errors that are fit for a Fault.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("there is no such file; " + howToBegin)
	} else if err != nil {
		return nil, fmt.Errorf("cannot be opened: %w", reason(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", reason(err))
	}
	return data, nil
}

// reason is the error without the operation and path that the standard library puts before it.
func reason(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// Parse is Load of a file's bytes. file is its name in faults, and its folder is where relative paths begin.
func Parse(file string, data []byte, o Options) (*Config, Faults) {
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	r := &reader{file: file, opts: o, at: map[any]Pos{}, aliased: maxAliased}
	if abs, err := filepath.Abs(file); err == nil {
		r.dir = filepath.Dir(abs)
	}
	c := defaults(file, o.Getenv)
	if root := r.document(data); root != nil {
		r.lines = linesOf(data)
		object(nil, c.keys(o)...).read(r, place{}, root)
		c.derive()
		r.check(c)
	}
	r.faults.sort()
	if r.faults.Wrong() {
		return nil, r.faults
	}
	return c, r.faults
}

// linesOf are the lines of the file in characters, as places count them.
func linesOf(data []byte) (lines [][]rune) {
	for l := range strings.Lines(strings.TrimPrefix(string(data), "\ufeff")) {
		lines = append(lines, []rune(strings.TrimRight(l, "\r\n")))
	}
	return lines
}

// document is the one document of the file, or nil after a fault.
func (r *reader) document(data []byte) *yaml.Node {
	if len(data) > MaxFile {
		r.wrong(Pos{}, "the file is larger than 1 MiB; a configuration is far smaller, so this is likely another file")
		return nil
	}
	l, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		r.wrong(Pos{}, "cannot be read as YAML: %v", err)
		return nil
	}
	var root, second yaml.Node
	switch err := l.Load(&root); {
	case errors.Is(err, io.EOF) || err == nil && len(root.Content) == 0:
		r.wrong(Pos{1, 1}, "the file is empty; %s", howToBegin)
		return nil
	case err != nil:
		r.syntax(data, err)
		return nil
	}
	if err := l.Load(&second); err == nil {
		r.wrong(pos(&second), "a second document begins here, after a line ---; write all in one")
	} else if !errors.Is(err, io.EOF) {
		r.syntax(data, err)
	}
	if n := root.Content[0]; n.Kind != yaml.ScalarNode || n.Tag != "!!null" {
		return n
	}
	r.wrong(Pos{1, 1}, "the file is empty; %s", howToBegin)
	return nil
}

// syntax translates the errors of the parser that people meet most.
func (r *reader) syntax(data []byte, err error) {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		r.wrong(Pos{1, 1}, "cannot be read as YAML: %v", err)
		return
	}
	at := Pos{e.Mark.Line, e.Mark.Column}
	if at.Line == 0 { // the parser's reader counts bytes only
		at = posOfByte(data, e.Mark.Index)
	}
	here, line := charAt(data, at)
	switch {
	case here == '\t':
		r.wrong(at, "a tab; YAML is indented with spaces")
	case e.Message == "found character that cannot start any token":
		r.wrong(at, "a value cannot begin with %c; put it in quotes: \"%c…\"", here, here)
	case e.ContextMsg == "while scanning an alias" || strings.HasPrefix(e.Message, "unknown anchor"):
		r.wrong(at, "a value that begins with * must be in quotes: \"*…\"")
	case e.Stage == "reader" && strings.HasPrefix(e.Message, "control"):
		r.wrong(at, "a control character; take it out")
	case e.Stage == "reader":
		r.wrong(at, "a byte that is no text in UTF-8; save the file as UTF-8")
	case e.Message == "mapping values are not allowed in this context":
		r.wrong(at, "a ':' where none can be; check that the line above has its own and is indented like this one, and put a value with ': ' in it in quotes")
	case strings.HasPrefix(e.ContextMsg, "while scanning a quoted scalar"):
		r.wrong(Pos{e.ContextMark.Line, e.ContextMark.Column}, "a quoted value that does not end; add the closing quote")
	case strings.HasPrefix(e.ContextMsg, "while parsing a flow"):
		r.wrong(Pos{e.ContextMark.Line, e.ContextMark.Column}, "this list or mapping in brackets is not right; check its commas, and its closing ] or }")
	case strings.HasPrefix(e.ContextMsg, "while scanning a simple key"):
		r.wrong(Pos{e.ContextMark.Line, e.ContextMark.Column}, "a key without ':'; write it as \"key: value\"")
	case strings.HasPrefix(e.ContextMsg, "while parsing a block"):
		r.wrong(at, "this line does not fit the ones above (%s); check that it is indented like its neighbours", strings.TrimSpace(line))
	default:
		r.wrong(at, "cannot be read as YAML: %s", strings.TrimSpace(e.ContextMsg+" "+e.Message))
	}
}

// posOfByte is the place of the index-th byte.
func posOfByte(data []byte, index int) Pos {
	before := data[:min(max(index, 0), len(data))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return Pos{bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[start:]) + 1}
}

// charAt is the character at a place, 0 if there is none, and its line.
func charAt(data []byte, at Pos) (rune, string) {
	lines := strings.Split(string(data), "\n")
	if at.Line < 1 || at.Line > len(lines) {
		return 0, ""
	}
	line := strings.TrimSuffix(lines[at.Line-1], "\r")
	if runes := []rune(line); at.Column >= 1 && at.Column <= len(runes) {
		return runes[at.Column-1], line
	}
	return 0, line
}
