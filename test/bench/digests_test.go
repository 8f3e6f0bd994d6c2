package bench

import (
	"testing"
	"time"
)

// BenchmarkDigests measures nine o'clock: how long 200 readers wait until the last one's digest of a day's 2000 items is
// in the outbox. Items come and mails leave outside of the clock.
func BenchmarkDigests(b *testing.B) {
	y := newYear(b)
	y.inFull()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for y.now = y.now.AddDate(0, 0, 1); !y.workday(); {
			y.now = y.now.AddDate(0, 0, 1)
		}
		for n := range yearItems / yearBatch {
			y.receive(y.now.Add(time.Duration(n) * time.Minute))
		}
		b.StartTimer()
		y.digests(y.now.Add(9 * time.Hour))
		b.StopTimer()
		y.deliver(y.now.Add(10 * time.Hour))
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N*yearPeople), "ms/digest")
}
