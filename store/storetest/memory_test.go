package storetest

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"quietpost/digest"
)

func TestMemory(t *testing.T) {
	Run(t, func(t *testing.T) digest.Store { return NewMemory() })
}

// stays is a Survivor in memory.
type stays struct{ digest.Store }

func (s stays) Next() digest.Store { return s.Store }

func survivor(*testing.T) Survivor { return stays{NewMemory()} }

func TestKills(t *testing.T) { Kills(t, survivor, true) }

// TestKillsAtRandom dies again and again, also at starts.
func TestKillsAtRandom(t *testing.T) {
	deaths, doubles := 0, 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t, survivor(t), func(Death) bool { return r.IntN(40) == 0 })
		w.live()
		if doubles += w.audit(); t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
		deaths += w.deaths
	}
	t.Logf("%d deaths, %d mails came twice", deaths, doubles)
	if deaths < 1000 || doubles == 0 {
		t.Errorf("too few to prove anything: %d deaths, %d doubles", deaths, doubles)
	}
}

// TestCrashKnowsAllMethods: one that it does not know would be one at which nobody dies.
func TestCrashKnowsAllMethods(t *testing.T) {
	reads := reflect.TypeFor[digest.ArchiveStore]()
	for i := range reflect.TypeFor[digest.Store]().NumMethod() {
		m := reflect.TypeFor[digest.Store]().Method(i)
		if _, read := reads.MethodByName(m.Name); read || m.Name == "Close" {
			continue
		}
		func() {
			defer func() {
				if d, ok := recover().(Death); !ok || d.Method != m.Name {
					t.Errorf("Crash passes %s on unseen; it should ask before and after it", m.Name)
				}
			}()
			fn := reflect.ValueOf(&Crash{Dies: func(Death) bool { return true }}).MethodByName(m.Name)
			var in []reflect.Value
			for j := range fn.Type().NumIn() {
				in = append(in, reflect.Zero(fn.Type().In(j)))
			}
			fn.Call(in)
		}()
	}
}
