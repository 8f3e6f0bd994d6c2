package digest_test

import (
	"testing"
	"time"

	"quietpost/digest"
)

// TestWindowsTileWhateverComesBetween: a digest's window begins where the last one mailed ended, over empty slots, digests that were asked for,
// catch-ups, other filters, pauses and clocks.
func TestWindowsTileWhateverComesBetween(t *testing.T) {
	h := newHouse(t, digest.Entry{Address: "ben@example.com", Projects: []string{"apollo"}, Schedule: "daily"})
	post := func(project string) { h.post(digest.Item{Project: project, Title: project}) }
	ben := func(change func(s *digest.Subscriber)) {
		people, err := h.store.Subscribers(h.ctx)
		h.must(err)
		change(&people[0])
		_, err = h.store.SaveSubscriber(h.ctx, people[0])
		h.must(err)
		h.reslot()
	}
	post("zeus")
	h.want(h.at("2026-11-23 09:00:00").tick())
	post("apollo")
	h.want(h.at("2026-11-24 09:00:00").tick(), "Window: 1-2")
	post("zeus")
	h.at("2026-11-24 12:00:00")
	for range 2 { // asked for: nothing, then something
		_, err := h.builder.SendNow(h.ctx, h.now, h.set, "ben@example.com")
		h.must(err)
		h.now = h.now.Add(time.Second)
		post("apollo")
	}
	h.want(h.tick(), "Window: 3-4")
	_, err := h.builder.CatchUp(h.ctx, h.now, h.set, "ben@example.com", nil, h.now.Add(-24*time.Hour))
	h.must(err)
	h.want(h.tick(), "Window: |apollo")
	ben(func(s *digest.Subscriber) { s.Subscriptions[0].Projects = []string{"zeus"} })
	h.want(h.at("2026-11-25 09:00:00").tick())
	ben(func(s *digest.Subscriber) { s.State = digest.Paused })
	post("zeus")
	h.want(h.at("2026-11-26 09:00:00").tick())
	ben(func(s *digest.Subscriber) { s.State = digest.Active })
	h.want(h.at("2026-11-26 09:00:01").tick(), "Window: 5-6")
	ben(func(s *digest.Subscriber) { s.Subscriptions[0].Schedule = "@hourly" })
	post("zeus")
	h.want(h.at("2026-11-26 10:00:00").tick(), "Window: 7-7")
	post("zeus")
	h.at("2026-11-26 08:30:00").reslot() // set back, past slots that were served
	h.want(h.at("2026-11-26 09:00:00").tick())
	post("zeus")
	h.want(h.at("2026-11-26 10:00:00").tick())
	h.want(h.at("2026-11-26 11:00:00").tick(), "Window: 8-9")
}

// bodies is a Renderer that shows the beginnings of bodies.
type bodies struct{ words }

func (*bodies) Digest(v *digest.View) (digest.Rendered, error) {
	l := &v.Grouping.Sections[0].Lines[0]
	return digest.Rendered{Subject: v.Subject, Text: l.Title + ": " + l.Excerpt}, nil
}

// TestWhoWasAwayCostsNobodyTheirBodies: the window of a reader who comes back is so wide that it is read without bodies, and that of the
// others who share the slot is not.
func TestWhoWasAwayCostsNobodyTheirBodies(t *testing.T) {
	h := newHouse(t, anaEntry, digest.Entry{Address: "ben@example.com", Projects: []string{"apollo"}, Schedule: "daily"})
	h.builder.Renderer = &bodies{}
	many := make([]digest.Item, 20_000)
	for i := range many {
		many[i] = digest.Item{Project: "zeus", Title: "Noise", Thread: "noise"}
	}
	_, err := h.intake.Accept(h.ctx, digest.Delivery{Items: many, Receipt: digest.Receipt{Source: "lab", Tool: "generic", Key: "many",
		State: digest.Accepted, ReceivedAt: h.now}})
	h.must(err)
	people, err := h.store.Subscribers(h.ctx)
	h.must(err)
	people[1].State = digest.Paused
	ben, err := h.store.SaveSubscriber(h.ctx, people[1])
	h.must(err)
	h.tick()
	h.at("2026-11-23 09:00:00").tick()
	h.post(digest.Item{Project: "apollo", Title: "News", Body: "Its background."})
	ben.State = digest.Active
	_, err = h.store.SaveSubscriber(h.ctx, ben)
	h.must(err)
	h.want(h.at("2026-11-24 09:00:00").tick(), "News: Its background.", "News: ")
}
