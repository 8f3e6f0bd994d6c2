package digest

import "time"

// A Way is how an item reaches one person, or why it does not.
type Way struct {
	Address string
	How     string    // ByAlert, ByDigest, or NotAtAll
	At      time.Time // when, as it stands now; zero where it never does
	Why     Reason
}

// How an item reaches a person.
const (
	ByAlert  = "alert"
	ByDigest = "digest"
	NotAtAll = "not at all"
)

// Ways tells who would get an item that came now, how and when: of each person who follows it the alert, if there is one,
// and each digest. It is pure. What only the running daemon knows it cannot tell: who got many alerts in the past hour, and
// what was told of the same thread already.
func Ways(now time.Time, set *Settings, people []Subscriber, it *Item) (ways []Way) {
	project := set.Policy.Project(it.Project)
	for i := range people {
		who := &people[i]
		before := len(ways)
		if it.Urgent && who.WantsAlert(project) {
			w := Way{who.Address, ByAlert, now, "urgent, and wants alerts"}
			if until := QuietUntil(who, set.Calendar.Zone, now); !until.IsZero() {
				w.At, w.Why = until, Reason("urgent, but held by quiet hours: "+who.Quiet)
			}
			ways = append(ways, w)
		}
		follows := false
		for j := range who.Subscriptions {
			sub := &who.Subscriptions[j]
			if !sub.Wants(project, it.Kind) {
				continue
			}
			follows = true
			if who.State == Active && !sub.Ended {
				ways = append(ways, digestWay(now, set, who, sub))
			}
		}
		if follows && len(ways) == before {
			why := Reason("left these digests")
			if who.State != Active {
				why = Reason("is " + who.State)
			}
			ways = append(ways, Way{Address: who.Address, How: NotAtAll, Why: why})
		}
	}
	return ways
}

func digestWay(now time.Time, set *Settings, who *Subscriber, sub *Subscription) Way {
	w := Way{Address: who.Address, How: ByDigest, At: sub.NextSlot, Why: Reason(why(sub, set.Policy))}
	sched, loc, err := set.Calendar.Of(who, sub)
	switch {
	case err != nil:
		w.Why = Reason(err.Error())
	case !sub.NextSlot.After(now):
		w.At = sched.Next(now, loc)
	}
	return w
}
