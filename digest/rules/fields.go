package rules

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"quietpost/digest"
)

// A field of an item, as expressions see and change it.
type field struct {
	name string
	like any // an example for Compile: what is wrong is then told beforehand
	get  func(*digest.Item) any
	set  func(*digest.Item, any) error // nil: it can only be read
}

// fields are all of them, in the order of the documentation.
var fields = []field{
	textField("project", func(i *digest.Item) *string { return &i.Project }),
	textField("title", func(i *digest.Item) *string { return &i.Title }),
	textField("body", func(i *digest.Item) *string { return &i.Body }),
	textField("url", func(i *digest.Item) *string { return &i.URL }),
	textField("author", func(i *digest.Item) *string { return &i.Author }),
	textField("kind", func(i *digest.Item) *string { return &i.Kind }),
	textField("thread", func(i *digest.Item) *string { return &i.Thread }),
	textField("event", func(i *digest.Item) *string { return &i.Event }),
	textField("state", func(i *digest.Item) *string { return &i.State }),
	textField("level", func(i *digest.Item) *string { return &i.Level }),
	textField("priority", func(i *digest.Item) *string { return &i.Priority }),
	truthField("urgent", func(i *digest.Item) *bool { return &i.Urgent }),
	truthField("private", func(i *digest.Item) *bool { return &i.Private }),
	{"tags", []string{}, func(i *digest.Item) any { return slices.Clone(i.Tags) }, func(i *digest.Item, v any) (err error) {
		i.Tags, err = words(v)
		return err
	}},
	{"due", "", func(i *digest.Item) any { return i.Due }, func(i *digest.Item, v any) error { i.Due = day(v); return nil }},
	{"occurred_at", nil, func(i *digest.Item) any { return timeOrNil(i.OccurredAt) }, func(i *digest.Item, v any) error {
		i.OccurredAt, _ = Time(v)
		return nil
	}},
	{"received_at", nil, func(i *digest.Item) any { return timeOrNil(i.ReceivedAt) }, nil},
	{"source", "", func(i *digest.Item) any { return i.Source }, nil},
	{"type", "", func(i *digest.Item) any { return i.Tool }, nil},
	{"authenticated", false, func(i *digest.Item) any { return i.Authenticated }, nil},
}

func textField(name string, of func(*digest.Item) *string) field {
	return field{name, "", func(i *digest.Item) any { return capped(*of(i)) }, func(i *digest.Item, v any) error {
		switch v.(type) {
		case map[string]any, bool:
			return fmt.Errorf("it is %s where text should be", kindOf(v))
		}
		if r := reflect.ValueOf(v); v != nil && r.Kind() == reflect.Slice {
			return fmt.Errorf("it is a list where text should be; join(…) makes text of one")
		}
		*of(i) = str(v)
		return nil
	}}
}

func truthField(name string, of func(*digest.Item) *bool) field {
	return field{name, false, func(i *digest.Item) any { return *of(i) }, func(i *digest.Item, v any) (err error) {
		*of(i), err = truth(v)
		return err
	}}
}

// truth is the yes or no that a tool may have written in several ways.
func truth(v any) (bool, error) {
	if n, ok := number(v); ok {
		return n != 0, nil
	}
	switch v := v.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true", "yes", "1", "on":
			return true, nil
		case "false", "no", "0", "off", "":
			return false, nil
		}
		return false, fmt.Errorf("%q is neither true nor false", shown(v))
	}
	return false, fmt.Errorf("it is %s where true or false should be", kindOf(v))
}

// words are the texts of a list, or of one text.
func words(v any) ([]string, error) {
	if s, ok := v.(string); ok {
		v = []string{s}
	}
	r := reflect.ValueOf(v)
	switch {
	case v == nil:
		return nil, nil
	case r.Kind() != reflect.Slice:
		return nil, fmt.Errorf("it is %s where a list of words should be", kindOf(v))
	}
	var out []string
	for i := range min(r.Len(), 1000) {
		if s := str(r.Index(i).Interface()); s != "" {
			out = append(out, s)
		}
	}
	return out, nil
}

// day is a due date; what is none is left out: a tool's odd date must not cost the news.
func day(v any) string {
	if t, ok := Time(v); ok {
		return t.Format(time.DateOnly)
	}
	return ""
}

func timeOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}

// shown is a value in a fault: not more of it than fits.
func shown(v any) string { return digest.OneLine(str(v), 60) }

// Settable are the fields that `map:` and `set:` may give a value, in the order of the documentation.
func Settable() []string {
	var out []string
	for i := range fields {
		if fields[i].set != nil {
			out = append(out, fields[i].name)
		}
	}
	return out
}

func itemNames() Names {
	n := Names{}
	for i := range fields {
		n[fields[i].name] = fields[i].like
	}
	return n
}

func valuesOf(it *digest.Item) map[string]any {
	v := make(map[string]any, len(fields))
	for i := range fields {
		v[fields[i].name] = fields[i].get(it)
	}
	return v
}
