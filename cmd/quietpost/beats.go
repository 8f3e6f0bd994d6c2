package main

import "time"

func (g *generation) beat(name string, at time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.beats[name] = at
}

func (g *generation) reached(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.smtp = err
}

func (g *generation) unreached() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.smtp
}

func (g *generation) note(name string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if delete(g.faults, name); err != nil {
		g.faults[name] = err
	}
}

// stuck names a loop that has not come round for too long, or nothing.
func (g *generation) stuck(now time.Time) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, at := range g.beats {
		if !at.IsZero() && now.Sub(at) > stuckAfter {
			return name
		}
	}
	return ""
}
