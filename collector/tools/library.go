package tools

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"sync"
)

//go:embed maps/*.yaml
var shipped embed.FS

// A Library is all the tools that a service knows: those written in Go, the map files that come with it, and those of
// its operator, which go before both. It is never changed once made, and safe for many goroutines.
type Library struct {
	tools map[string]Tool
	files map[string]*mapFile
	own   []*mapFile // the operator's
	order []*mapFile // those that Detect asks, the operator's first
}

// NewLibrary reads the map files that come with the program, and those of own, whose .yaml files may be nil for none. An
// error tells all that is wrong with them, by file and line; expressions too, of own.
func NewLibrary(own fs.FS) (*Library, error) {
	l := &Library{tools: Types(), files: map[string]*mapFile{}}
	var faults []error
	var first []*mapFile
	if own != nil {
		files, err := readMaps(own, ".")
		faults = append(faults, err)
		for _, m := range files {
			_, err := m.compile()
			faults = append(faults, err)
			l.add(m)
			first = append(first, m)
		}
		l.own = files
	}
	builtIn, err := readMaps(shipped, "maps")
	faults = append(faults, err)
	for _, m := range builtIn {
		if l.files[m.name] == nil {
			l.add(m)
			first = append(first, m)
		}
	}
	l.order = slices.DeleteFunc(first, func(m *mapFile) bool { return m.code })
	return l, errors.Join(faults...)
}

func readMaps(from fs.FS, dir string) (out []*mapFile, err error) {
	names, err := fs.Glob(from, path.Join(dir, "*.yaml"))
	faults := []error{err}
	for _, name := range names {
		text, err := fs.ReadFile(from, name)
		var m *mapFile
		if err == nil {
			m, err = parseMapFile(name, text)
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		out = append(out, m)
	}
	return out, errors.Join(faults...)
}

func (l *Library) add(m *mapFile) {
	l.files[m.name] = m
	if _, ok := l.tools[m.name]; m.code && ok {
		return
	}
	l.tools[m.name] = m.tool()
}

// Tool gives a tool by name.
func (l *Library) Tool(name string) (Tool, bool) {
	t, ok := l.tools[name]
	return t, ok
}

// Names are the types a source may have, in order, but for auto.
func (l *Library) Names() []string { return slices.Sorted(maps.Keys(l.tools)) }

// Page is what a person has to know to connect a tool; ok is false where nothing is written.
func (l *Library) Page(name string) (Page, bool) {
	m := l.files[name]
	if m == nil {
		return Page{}, false
	}
	return m.texts, true
}

// Samples are a tool's own examples.
func (l *Library) Samples(name string) []Sample {
	if m := l.files[name]; m != nil {
		return m.samples
	}
	return nil
}

// Text is a tool's map file as it was written, to be copied and changed; ok is false where there is none.
func (l *Library) Text(name string) (text []byte, ok bool) {
	if m := l.files[name]; m != nil {
		return m.text, true
	}
	return nil, false
}

// Detect tells by header and body which tool a delivery to a source of type auto comes from; generic if no other. What a
// header says goes before what a body looks like, and what Go knows before map files, but for those of the operator.
func (l *Library) Detect(h http.Header, body []byte) string {
	for _, m := range l.order {
		if m.fitsHeader(h) {
			return m.name
		}
	}
	known := Detect(h, body)
	if known != "generic" && known != "slack" && known != "standard-webhooks" && known != "cloudevents" {
		return known
	}
	t := formPayload(h, body)
	if len(t) == 0 {
		return known
	}
	n, err := genericNode(h, t)
	if err != nil {
		return known
	}
	headers := headersOf(h)
	payload := sync.OnceValue(func() any {
		v, err := payloadOf(h, formPayload(h, body))
		if err != nil {
			return nil
		}
		return v
	})
	for _, m := range l.order {
		if m.fitsBody(h, n, payload, headers) {
			return m.name
		}
	}
	return known
}

// Adapter is the reading of a source's type: its own, or for auto that of whichever tool a delivery is from.
func (l *Library) Adapter(typ string) (Adapter, error) {
	if typ == "auto" {
		return func(h http.Header, body []byte) (Reading, error) { return l.tools[l.Detect(h, body)].Read(h, body) }, nil
	}
	t, ok := l.tools[typ]
	if !ok {
		return nil, fmt.Errorf("type %s is not known", typ)
	}
	return t.Read, nil
}
