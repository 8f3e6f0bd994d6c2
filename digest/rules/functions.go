package rules

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"quietpost/digest"
)

// builtins of expr that stay: those whose cost is in proportion to what they are given.
var builtins = []string{"all", "none", "any", "one", "filter", "map", "find", "findIndex", "findLast", "count", "sum", "groupBy", "sortBy",
	"len", "type", "abs", "ceil", "floor", "round", "int", "float", "trim", "trimPrefix", "trimSuffix", "upper", "lower",
	"indexOf", "lastIndexOf", "hasPrefix", "hasSuffix", "max", "min", "first", "last", "get", "take", "keys", "values", "reverse", "flatten", "sort"}

type function struct {
	run   func(args ...any) (any, error)
	types []any
	help  string
}

// functions are those of our own, by name. Their help is what the documentation prints.
var functions = map[string]function{
	"string": {run: text, types: []any{new(func(any) string)},
		help: "string(x): x as text; nothing for nil"},
	"join": {run: join, types: []any{new(func(any) string), new(func(any, string) string)},
		help: `join(list, ", "): the texts of a list, what is nil left out`},
	"split": {run: split, types: []any{new(func(any, string) []any)},
		help: `split(s, "/"): the parts of a text`},
	"replace": {run: replace, types: []any{new(func(any, string, string) string)},
		help: `replace(s, "old", "new"): every old made new`},
	"shorten": {run: shorten, types: []any{new(func(any, int) string)},
		help: "shorten(s, 80): on one line, cut at so many characters"},
	"line": {run: line, types: []any{new(func(any) string)},
		help: "line(s): the first line of a text that is not empty"},
	"plural": {run: plural, types: []any{new(func(any, string) string), new(func(any, string, string) string)},
		help: `plural(n, "commit"): "1 commit", "3 commits"; a third argument is the plural`},
	"either": {run: either, types: []any{new(func(...any) any)},
		help: "either(a, b, …): the first that is neither nil nor empty"},
	"link": {run: link, types: []any{new(func(any, any) string)},
		help: "link(text, url): a Markdown link; only the text where there is no url"},
	"money": {run: money, types: []any{new(func(any, any) string)},
		help: `money(2000, "eur"): "20.00 EUR", of an amount in the currency's smallest unit`},
	"plain": {run: plain, types: []any{new(func(any) string)},
		help: "plain(s): the words of a text that holds HTML"},
	"json": {run: unpack, types: []any{new(func(any) any)},
		help: "json(s): what a text that holds JSON says; nil if it holds none, anything but a text as it is"},
	"time": {run: instant, types: []any{new(func(any) any)},
		help: "time(x): an instant of RFC 3339 and the like, or of Unix seconds, milliseconds, …; nil if it is none"},
}

// Functions lists the functions an operator can call beside those of expr, with a line of help each.
func Functions() map[string]string {
	out := map[string]string{}
	for name, f := range functions {
		if f.help != "" {
			out[name] = f.help
		}
	}
	return out
}

// Headers are a request's header fields; they are found without regard to case.
type Headers map[string]string

// Value makes what encoding/json decoded (with UseNumber) fit for expressions: numbers to int or float64, long strings
// cut. Lists and objects are changed in place.
func Value(v any) any {
	v, _ = fit(v)
	return v
}

// fit is Value; other tells whether what it gives is another value.
func fit(v any) (out any, other bool) {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.Atoi(v.String()); err == nil {
			return n, true
		}
		if f, err := v.Float64(); err == nil {
			return f, true
		}
		return v.String(), true
	case string:
		if len(v) > MaxString {
			return capped(v), true
		}
	case map[string]any:
		for k, e := range v {
			if e, other := fit(e); other {
				v[k] = e
			}
		}
	case []any:
		for i, e := range v {
			v[i], _ = fit(e)
		}
	}
	return v, false
}

// get is member access that gives nil for whatever is not there.
func get(from, key any) any {
	switch of := from.(type) {
	case map[string]any:
		return of[str(key)]
	case Headers:
		if v, ok := of[strings.ToLower(str(key))]; ok {
			return v
		}
		return nil
	case nil:
		return nil
	}
	v := reflect.ValueOf(from)
	switch v.Kind() {
	case reflect.Slice, reflect.String:
		i, ok := integer(key)
		if i < 0 {
			i += v.Len()
		}
		if !ok || i < 0 || i >= v.Len() {
			return nil
		}
		if v.Kind() == reflect.String {
			return v.String()[i : i+1]
		}
		return v.Index(i).Interface()
	case reflect.Map:
		if e := v.MapIndex(reflect.ValueOf(key)); e.IsValid() {
			return e.Interface()
		}
	}
	return nil
}

// A way is several keys written out one behind the other, as in payload.build.url.
type way []string

// follow is get along a way.
func follow(from, keys any) any {
	for _, k := range keys.(way) {
		of, object := from.(map[string]any)
		if !object {
			from = get(from, k)
			continue
		}
		from = of[k]
	}
	return from
}

// add is '+': texts and lists are joined, numbers added, nil adds nothing.
func add(a, b any) (any, error) {
	switch {
	case a == nil:
		return b, nil
	case b == nil:
		return a, nil
	}
	if x, y := reflect.ValueOf(a), reflect.ValueOf(b); x.Kind() == reflect.Slice && y.Kind() == reflect.Slice {
		return chain(x, y)
	}
	_, aText := a.(string)
	_, bText := b.(string)
	if aText || bText {
		s := str(a) + str(b)
		if len(s) > 2*MaxString {
			return nil, ErrBudget
		}
		return capped(s), nil
	}
	if x, ok := a.(int); ok {
		if y, ok := b.(int); ok {
			return x + y, nil
		}
	}
	x, okX := number(a)
	y, okY := number(b)
	if !okX || !okY {
		return nil, fmt.Errorf("cannot add %s and %s", kindOf(a), kindOf(b))
	}
	return x + y, nil
}

// chain is the list of what two lists hold.
func chain(x, y reflect.Value) (any, error) {
	if x.Len()+y.Len() > MaxMade {
		return nil, ErrBudget
	}
	out := make([]any, 0, x.Len()+y.Len())
	for _, l := range []reflect.Value{x, y} {
		for i := range l.Len() {
			out = append(out, l.Index(i).Interface())
		}
	}
	return out, nil
}

func kindOf(v any) string {
	switch v.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case bool:
		return "true or false"
	case string:
		return "text"
	case int, float64:
		return "a number"
	case time.Time:
		return "an instant"
	case []string:
		return "a list"
	}
	return fmt.Sprintf("%T", v)
}

func number(v any) (float64, bool) {
	r := reflect.ValueOf(v)
	switch {
	case r.CanInt():
		return float64(r.Int()), true
	case r.CanUint():
		return float64(r.Uint()), true
	case r.CanFloat():
		return r.Float(), true
	}
	return 0, false
}

func integer(v any) (int, bool) {
	f, ok := number(v)
	return int(f), ok && f == math.Trunc(f) && math.Abs(f) < 1<<53
}

// str is a value as text.
func str(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return capped(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case map[string]any, []any:
		b, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return capped(string(b))
	}
	return capped(fmt.Sprint(v))
}

func text(args ...any) (any, error) { return str(args[0]), nil }

func join(args ...any) (any, error) {
	sep := ", "
	if len(args) > 1 {
		sep = str(args[1])
	}
	v := reflect.ValueOf(args[0])
	if args[0] == nil {
		return "", nil
	}
	if v.Kind() != reflect.Slice {
		return str(args[0]), nil
	}
	var b strings.Builder
	for i := range v.Len() {
		s := str(v.Index(i).Interface())
		if s == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(sep)
		}
		if b.WriteString(s); b.Len() > MaxString {
			break
		}
	}
	return capped(b.String()), nil
}

func split(args ...any) (any, error) {
	s, sep := str(args[0]), str(args[1])
	if s == "" {
		return []any{}, nil
	}
	var out []any
	for _, part := range strings.SplitN(s, sep, 1000) {
		out = append(out, part)
	}
	return out, nil
}

func replace(args ...any) (any, error) {
	s, from, to := str(args[0]), str(args[1]), str(args[2])
	if grown := len(s) + strings.Count(s, from)*max(len(to)-len(from), 0); grown > 2*MaxString {
		return nil, ErrBudget
	}
	return capped(strings.ReplaceAll(s, from, to)), nil
}

func shorten(args ...any) (any, error) {
	n, ok := integer(args[1])
	if !ok || n < 1 {
		return nil, fmt.Errorf("shorten needs a number of characters above 0")
	}
	return digest.OneLine(str(args[0]), n), nil
}

func line(args ...any) (any, error) {
	for l := range strings.Lines(str(args[0])) {
		if l = strings.TrimSpace(l); l != "" {
			return l, nil
		}
	}
	return "", nil
}

func plural(args ...any) (any, error) {
	n := args[0]
	if v := reflect.ValueOf(n); n != nil && (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) {
		n = v.Len()
	}
	word := str(args[1])
	if f, ok := number(n); !ok || f != 1 {
		if len(args) > 2 {
			word = str(args[2])
		} else {
			word += "s"
		}
	}
	if n == nil {
		n = 0
	}
	return str(n) + " " + word, nil
}

func either(args ...any) (any, error) {
	for _, a := range args {
		if v := reflect.ValueOf(a); a != nil && (v.Kind() != reflect.String && v.Kind() != reflect.Slice && v.Kind() != reflect.Map || v.Len() > 0) {
			return a, nil
		}
	}
	return nil, nil
}

func link(args ...any) (any, error) {
	t, u := strings.NewReplacer("[", `\[`, "]", `\]`).Replace(str(args[0])), str(args[1])
	if u == "" {
		return t, nil
	}
	return "[" + t + "](" + strings.NewReplacer("(", "%28", ")", "%29", " ", "%20").Replace(u) + ")", nil
}
