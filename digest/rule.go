package digest

import "fmt"

// A Rule is one of the operator's, in the order of the file. Package digest/rules makes them of expressions.
type Rule struct {
	Name string // as reasons show it: `rule 2: author == "dependabot[bot]"`
	Drop bool   // what it matches is not kept

	// Apply changes the item if the rule matches it, and names the fields it changed. It is pure. After an error the item
	// is not to be used.
	Apply func(*Item) (matched bool, changed []string, err error)
}

// A Verdict is what a policy says of an item beside the item's own fields.
type Verdict struct {
	Matched []string // names of the rules that matched, in order
	Dropped Reason   // why it is not to be kept; empty if it is
	Fault   error    // a rule that could not be applied: the delivery is to be quarantined

	urgency bool // a rule said whether it is urgent
}

// follow passes an item through the rules. Each sees what those before it have made; the first that drops is the last.
func (p *Policy) follow(it *Item) (v Verdict) {
	for i := range p.Rules {
		r := &p.Rules[i]
		matched, changed, err := r.Apply(it)
		if err != nil {
			v.Fault = fmt.Errorf("%s: %w", r.Name, err)
			return v
		}
		if !matched {
			continue
		}
		v.Matched = append(v.Matched, r.Name)
		for _, f := range changed {
			it.Reasons[f] = Reason(r.Name)
			v.urgency = v.urgency || f == "urgent"
		}
		if r.Drop {
			v.Dropped = Reason("dropped by " + r.Name)
			return v
		}
	}
	return v
}

// settle decides the items of a delivery, and what becomes of it: what rules drop is taken out, and where nothing is left
// the delivery is ignored; a rule at fault quarantines it as a whole. It is pure but for what it changes in d.
func (p *Policy) settle(d *Delivery) {
	var kept []Item
	var dropped Reason
	for i := range d.Items {
		it := &d.Items[i]
		v := p.Decide(it)
		if v.Fault != nil {
			d.Items, d.Receipt.State, d.Receipt.Reason = nil, Quarantined, Reason(OneLine(v.Fault.Error(), MaxField))
			return
		}
		if v.Dropped != "" {
			dropped = v.Dropped
			continue
		}
		kept = append(kept, *it)
	}
	switch n := len(d.Items) - len(kept); {
	case n == 0:
	case len(kept) == 0:
		d.Receipt.State, d.Receipt.Reason = Ignored, dropped
	default:
		d.Receipt.Reason = Reason(fmt.Sprintf("%d of %d items %s", n, len(d.Items), dropped))
	}
	d.Items = kept
}
