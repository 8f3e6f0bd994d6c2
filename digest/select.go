package digest

import "sort"

// Select gives the items of a window that a subscription wants, their aliases resolved: what stands behind its cursor,
// up to the cut. items are in order of number.
func Select(items []Item, s *Subscription, cut int64, p *Policy) []Item {
	from := sort.Search(len(items), func(i int) bool { return items[i].Number > s.Cursor })
	var out []Item
	for _, it := range items[from:] {
		if it.Number > cut {
			break
		}
		it.Project = p.Project(it.Project)
		if s.Wants(it.Project, it.Kind) {
			out = append(out, it)
		}
	}
	return out
}
