package tools

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"quietpost/digest/rules"
)

func TestMapped(t *testing.T) {
	for name, c := range map[string]struct {
		sources map[string]string
		header  http.Header
		body    string
		titles  string
		key     string
		ignored string
		fault   string
	}{
		"json": {sources: map[string]string{"title": "payload.a"}, body: `{"a": "x"}`, titles: "x"},
		"form": {sources: map[string]string{"title": "payload.a"}, body: "a=x+y&b=2",
			header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, titles: "x y"},
		"json in a form": {sources: map[string]string{"title": "payload.a"}, body: "payload=%7B%22a%22%3A%22x%22%7D", titles: "x"},
		"text":           {sources: map[string]string{"title": "upper(payload)"}, body: "hello", titles: "HELLO"},
		"headers":        {sources: map[string]string{"title": `headers["x-event"]`}, header: http.Header{"X-Event": {"done"}}, body: "{}", titles: "done"},
		"nothing":        {sources: map[string]string{"title": `"always"`}, body: "", titles: "always"},
		"no title":       {sources: map[string]string{"title": "payload.none"}, body: `{"message": "The build is done"}`, titles: "The build is done"},
		"its own key":    {sources: map[string]string{"title": `"x"`, "key": "payload.id"}, body: `{"id": 7}`, titles: "x", key: "7"},
		"the tool's key": {sources: map[string]string{"title": `"x"`}, header: http.Header{"X-Github-Delivery": {"g-1"}}, body: `{}`, titles: "x", key: "g-1"},
		"ignored":        {sources: map[string]string{"title": `"x"`, "ignore": `"a ping"`}, body: `{}`, ignored: "a ping"},
		"at fault":       {sources: map[string]string{"title": "payload - 1"}, body: `{}`, fault: "map.title: invalid operation"},
		"not readable":   {sources: map[string]string{"title": "payload.a"}, body: `{"a": `, fault: "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			m, part, err := rules.NewMap(c.sources)
			if err != nil {
				t.Fatalf("%s: %v", part, err)
			}
			if c.header == nil {
				c.header = http.Header{}
			}
			r, err := Mapped(m, Generic)(c.header, []byte(c.body))
			if (err == nil) != (c.fault == "") || err != nil && (!strings.Contains(err.Error(), c.fault) || !errors.Is(err, ErrUnreadable)) {
				t.Fatalf("fault %v, want %q", err, c.fault)
			}
			var titles []string
			for _, it := range r.Items {
				titles = append(titles, it.Title)
			}
			if got := strings.Join(titles, ","); got != c.titles || r.Key != c.key || string(r.Ignored) != c.ignored || r.Hint {
				t.Errorf("%+v", r)
			}
		})
	}
	m, _, _ := rules.NewMap(map[string]string{"each": "payload", "title": "item", "project": `"apollo"`})
	r, err := Mapped(m, Generic)(http.Header{}, []byte("["+strings.Repeat(`"a",`, 999)+`"b"]`))
	if err != nil || len(r.Items) != MaxItems {
		t.Fatalf("%d items, %v", len(r.Items), err)
	}
	if last := r.Items[MaxItems-1]; last.Title != "… and 801 more in the same delivery" || last.Project != "apollo" {
		t.Errorf("%+v", last)
	}
}
