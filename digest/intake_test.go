package digest

import "testing"

func TestDecide(t *testing.T) {
	p := NewPolicy(Policy{
		Projects: []Project{{Key: "apollo", Title: "Apollo", Aliases: []string{"acme/apollo", "APOLLO-WEB"}}},
		Kinds:    map[string]KindPolicy{KindIncident: {Urgent: true}},
		Sources:  map[string]string{"chat": "apollo", "lab": "apollo"},
	})
	for name, c := range map[string]struct {
		in      Item
		project string
		kind    string
		urgent  bool
		step    IncidentStep
		title   string
	}{
		"names its project": {Item{Tool: "github", Project: "Acme/Apollo", Title: "x"}, "acme/apollo", KindStatus, false, NoStep, "x"},
		"names none":        {Item{Tool: "github", Title: "x"}, Unsorted, KindStatus, false, NoStep, "x"},
		"source's project":  {Item{Source: "chat", Tool: "slack", Project: "general", Title: "x"}, "apollo", KindStatus, false, NoStep, "x"},
		"native beats it":   {Item{Source: "lab", Tool: "generic", Project: "beta", Title: "x"}, "beta", KindStatus, false, NoStep, "x"},
		"native without":    {Item{Source: "lab", Tool: "generic", Title: "x"}, "apollo", KindStatus, false, NoStep, "x"},
		"urgent":            {Item{Tool: "generic", Title: "x", Urgent: true}, Unsorted, KindStatus, true, Raise, "x"},
		"tagged urgent":     {Item{Tool: "generic", Title: "x", Tags: []string{"#Urgent"}}, Unsorted, KindStatus, true, Raise, "x"},
		"urgent kind":       {Item{Tool: "generic", Title: "x", Kind: "Incident"}, Unsorted, KindIncident, true, Raise, "x"},
		"urgent kind, over": {Item{Tool: "generic", Title: "x", Kind: "incident", Thread: "a", State: "Resolved"}, Unsorted, KindIncident, false, Resolve, "x"},
		"mail, unverified":  {Item{Tool: "mail", Title: "x", Urgent: true}, Unsorted, KindStatus, false, NoStep, "x"},
		"mail, verified":    {Item{Tool: "mail", Title: "x", Urgent: true, Authenticated: true}, Unsorted, KindStatus, true, Raise, "x"},
		"mail, tag":         {Item{Tool: "mail", Title: "x", Tags: []string{"urgent"}}, Unsorted, KindStatus, false, NoStep, "x"},
		"no title":          {Item{Tool: "generic", Body: "\n## Deploy done\nall well"}, Unsorted, KindStatus, false, NoStep, "Deploy done"},
		"nothing":           {Item{Tool: "generic", Source: "lab", Project: "a"}, "a", KindStatus, false, NoStep, "Update from lab"},
	} {
		t.Run(name, func(t *testing.T) {
			it := c.in
			p.Decide(&it)
			if it.Project != c.project || it.Kind != c.kind || it.Urgent != c.urgent || it.Step != c.step || it.Title != c.title {
				t.Errorf("got project %q kind %q urgent %v step %v title %q (reasons %v)", it.Project, it.Kind, it.Urgent, it.Step, it.Title, it.Reasons)
			}
			if it.Reasons["project"] == "" || it.Urgent && it.Reasons["urgent"] == "" {
				t.Errorf("no reason: %v", it.Reasons)
			}
		})
	}
	if p.Project("acme/apollo") != "apollo" || p.Project("apollo-web") != "apollo" || p.Project("beta") != "beta" {
		t.Error("aliases do not resolve")
	}
	if p.Title("apollo") != "Apollo" || p.Title("beta") != "beta" {
		t.Error("titles")
	}
}

func TestDecideCleansLinks(t *testing.T) {
	for in, want := range map[string]string{
		"https://x.example/a?b=c#d": "https://x.example/a?b=c#d",
		"javascript:alert(1)":       "",
		"//x.example/a":             "",
		"ftp://x.example":           "",
		"http://":                   "",
		" http://x.example ":        "http://x.example",
		"https://x.example/a\r\nb":  "",
	} {
		it := Item{Tool: "generic", Title: "x", URL: in}
		NewPolicy(Policy{}).Decide(&it)
		if it.URL != want {
			t.Errorf("%q became %q, want %q", in, it.URL, want)
		}
	}
}
