package digest

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// A Policy is what the operator agreed on, as intake and cut read it. It is never changed once made.
type Policy struct {
	Projects []Project
	Kinds    map[string]KindPolicy // by kind
	Sources  map[string]string     // project of a source's items, by the source's name
	Rules    []Rule                // in order; every item passes through
	Instance []byte                // the key of our own links, which no item may carry further

	titles  map[string]string
	aliases map[string]string
}

// A Project that the configuration lists; others appear by themselves.
type Project struct {
	Key     string
	Title   string
	Aliases []string
	Owners  []string
}

// A KindPolicy is what holds for every item of a kind.
type KindPolicy struct {
	Urgent bool
}

// NewPolicy prepares a policy. Of two projects that claim one alias the first has it; the configuration refuses that.
func NewPolicy(p Policy) *Policy {
	p.titles, p.aliases = map[string]string{}, map[string]string{}
	for _, pr := range p.Projects {
		key := ProjectKey(pr.Key)
		p.titles[key] = pr.Title
		for _, a := range append([]string{pr.Key}, pr.Aliases...) {
			if a = ProjectKey(a); p.aliases[a] == "" {
				p.aliases[a] = key
			}
		}
	}
	return &p
}

// Project resolves an alias; a key that is none stays as it is.
func (p *Policy) Project(key string) string {
	if to := p.aliases[key]; to != "" {
		return to
	}
	return key
}

// Keys are all keys under which a project's items can be stored, of the project that key means: its own and its aliases.
func (p *Policy) Keys(key string) []string {
	project := p.Project(key)
	keys := []string{project}
	for alias, to := range p.aliases {
		if to == project && alias != project {
			keys = append(keys, alias)
		}
	}
	slices.Sort(keys)
	return keys
}

// Title of a resolved project; its key if it has no other.
func (p *Policy) Title(key string) string {
	if t := p.titles[key]; t != "" {
		return t
	}
	return key
}

// NativeTool is the type of a source that speaks the native form: what such an item says of its project is meant.
const NativeTool = "generic"

// MailTool is the tool of items that came by mail.
const MailTool = "mail"

// Decide settles an item by the policy: its texts cleaned and bounded, project, kind, urgency, tags and incident step,
// each with its reason. It is pure. Rules see an item as it would be without them, and what they change is settled anew.
func (p *Policy) Decide(it *Item) Verdict {
	if it.Reasons == nil {
		it.Reasons = map[string]Reason{}
	}
	clean(it)
	it.Title, it.Body = HideTokens(p.Instance, it.Title), HideTokens(p.Instance, it.Body)
	p.decideProject(it)
	p.decideUrgent(it)
	v := p.follow(it)
	if len(v.Matched) > 0 && v.Fault == nil && v.Dropped == "" {
		clean(it)
		if it.Project = ProjectKey(it.Project); it.Project == "" {
			it.Project = Unsorted
		}
		if !v.urgency { // a rule's word on this item goes before that on its kind
			p.decideKind(it)
		}
	}
	it.Step = StepOf(it)
	return v
}

// clean brings an item's texts to the form in which they are kept.
func clean(it *Item) {
	it.Body = CleanBody(it.Body)
	if it.Title = OneLine(it.Title, MaxTitle); it.Title == "" {
		it.Title = titleOf(it)
	}
	for _, f := range []*string{&it.Author, &it.Thread, &it.Event, &it.State, &it.Level} {
		*f = OneLine(*f, MaxField)
	}
	it.State, it.Level = strings.ToLower(it.State), strings.ToLower(it.Level)
	it.URL = httpURL(it.URL)
	it.Tags = cleanTags(it.Tags)
	if it.Kind = KindKey(it.Kind); it.Kind == "" {
		it.Kind = KindStatus
	}
	if it.Priority != "low" && it.Priority != "high" {
		it.Priority = ""
	}
}

// decideProject: a source that was given a project puts everything there, but for a native item that names its own, and
// for what comes with a reason already: a `map:`, or the address of a mail.
func (p *Policy) decideProject(it *Item) {
	own, given := ProjectKey(it.Project), p.Sources[it.Source]
	switch {
	case own != "" && (given == "" || it.Tool == NativeTool || it.Reasons["project"] != ""):
		it.Project = own
		if it.Reasons["project"] == "" {
			it.Reasons["project"] = Reason("named by " + it.Tool)
		}
	case given != "":
		it.Project = ProjectKey(given)
		it.Reasons["project"] = Reason("source " + it.Source + " belongs to it")
	default:
		it.Project = Unsorted
		it.Reasons["project"] = "no project named"
	}
}

// decideUrgent: a sender's own mark counts when the sender is known to be who they say, which every webhook that passed
// its door is; the operator's word on a kind always counts.
func (p *Policy) decideUrgent(it *Item) {
	if contains(it.Tags, "urgent") && !it.Urgent {
		it.Urgent = true
		it.Reasons["urgent"] = "tagged urgent"
	}
	if it.Urgent && it.Tool == MailTool && !it.Authenticated {
		it.Urgent = false
		it.Reasons["urgent"] = "not urgent: marked so by a sender who could not be verified"
	}
	if it.Urgent && it.Reasons["urgent"] == "" {
		it.Reasons["urgent"] = "marked urgent by its sender"
	}
	p.decideKind(it)
}

// decideKind: what the operator said of a kind.
func (p *Policy) decideKind(it *Item) {
	if p.Kinds[it.Kind].Urgent && !it.Urgent && !Resolved(it.State) {
		it.Urgent = true
		it.Reasons["urgent"] = Reason("every " + it.Kind + " is urgent here")
	}
}

func titleOf(it *Item) string {
	for line := range strings.Lines(it.Body) {
		if t := OneLine(strings.TrimLeft(line, "#>*- "), MaxTitle); t != "" {
			return t
		}
	}
	if it.Event != "" {
		return OneLine(it.Event, MaxTitle)
	}
	return "Update from " + it.Source
}

// httpURL gives s if it is an absolute http or https address of a sensible length, else nothing.
func httpURL(s string) string {
	s = strings.TrimSpace(s)
	u, err := url.Parse(s)
	if err != nil || len(s) > MaxURL || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return u.String()
}

func cleanTags(tags []string) []string {
	var out []string
	for _, t := range tags {
		t = strings.ToLower(strings.TrimPrefix(OneLine(t, 60), "#"))
		if t != "" && !contains(out, t) && len(out) < MaxTags {
			out = append(out, t)
		}
	}
	return out
}

// Intake is the one way in for all doors: it decides, and hands to the store. It is safe for many goroutines.
type Intake struct {
	Store IntakeStore
	Kick  func(urgent bool) // something was kept; may be nil

	Quarantined func(ctx context.Context, r *Receipt) // a delivery was kept and not understood; may be nil

	mu     sync.RWMutex
	policy *Policy
	known  map[string]bool
}

// SetPolicy puts a policy in force for what comes from now on, and learns the projects there are.
func (in *Intake) SetPolicy(ctx context.Context, p *Policy) error {
	keys, err := in.Store.ProjectKeys(ctx)
	if err != nil {
		return fmt.Errorf("reading projects: %w", err)
	}
	known := map[string]bool{}
	for _, k := range keys {
		known[k] = true
	}
	for a := range p.aliases {
		known[a] = true
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.policy, in.known = p, known
	return nil
}

// Accept decides the items of a delivery and keeps it: the first durable rest. When it returns without an error, the
// sender can be told so, with projects as readers know them: aliases are resolved in the Result, not in the store. Errors
// are the store's.
func (in *Intake) Accept(ctx context.Context, d Delivery) (Result, error) {
	in.decide(&d)
	res, err := in.Store.AddItems(ctx, d)
	if err == nil {
		in.kept(ctx, &d, &res)
	}
	return res, err
}

// AcceptBatch is Accept for deliveries of one source: all of them are kept, in one transaction, or none.
func (in *Intake) AcceptBatch(ctx context.Context, ds []Delivery) ([]Result, error) {
	for i := range ds {
		in.decide(&ds[i])
	}
	results, err := in.Store.AddBatch(ctx, ds)
	for i := range results {
		in.kept(ctx, &ds[i], &results[i])
	}
	return results, err
}

func (in *Intake) decide(d *Delivery) {
	in.mu.RLock()
	policy := in.policy
	in.mu.RUnlock()
	for i := range d.Items {
		it := &d.Items[i]
		it.Source, it.Tool, it.ReceivedAt = d.Receipt.Source, d.Receipt.Tool, d.Receipt.ReceivedAt
	}
	policy.settle(d)
}

// kept is what follows when a delivery is on disk.
func (in *Intake) kept(ctx context.Context, d *Delivery, res *Result) {
	in.mu.RLock()
	for i := range res.Items {
		res.Items[i].Project = in.policy.Project(res.Items[i].Project)
	}
	in.mu.RUnlock()
	if res.Duplicate {
		return
	}
	in.learn(d.Items)
	if d.Receipt.State == Quarantined && in.Quarantined != nil {
		d.Receipt.ID = res.Receipt
		in.Quarantined(ctx, &d.Receipt)
	}
	if in.Kick != nil && len(d.Items) > 0 {
		in.Kick(slices.ContainsFunc(d.Items, func(it Item) bool { return it.Step != NoStep }))
	}
}

func (in *Intake) learn(items []Item) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for i := range items {
		in.known[items[i].Project] = true
	}
}

// KnownProject tells whether a project of this name is listed, or has had an item.
func (in *Intake) KnownProject(name string) bool {
	in.mu.RLock()
	defer in.mu.RUnlock()
	return in.known[ProjectKey(name)]
}

// Mark, SetMark and ThreadOf are the store's, for the mailbox.
func (in *Intake) Mark(ctx context.Context, inbox string) (Mark, error) {
	return in.Store.Mark(ctx, inbox)
}

// SetMark is the store's.
func (in *Intake) SetMark(ctx context.Context, m Mark) error { return in.Store.SetMark(ctx, m) }

// ThreadOf is the store's.
func (in *Intake) ThreadOf(ctx context.Context, messageIDs []string) (project, thread string, err error) {
	return in.Store.ThreadOf(ctx, messageIDs)
}
