package runner

import (
	"math/rand/v2"
	"testing"

	"github.com/sluiceio/sluice/connector"
)

// TestSeqSetAgreesWithAMap does random things to a set and to a map, and
// compares; it also checks that ranges stay ascending and never touch.
func TestSeqSetAgreesWithAMap(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		set, want := newSeqSet(), map[int64]bool{}
		for range 60 {
			first := random.Int64N(50)
			r := connector.SeqRange{First: first, Last: first + random.Int64N(8) - 1}
			adds := random.IntN(2) == 0
			if adds {
				set.add(r)
			} else {
				set.remove(r)
			}
			for seq := r.First; seq <= r.Last; seq++ {
				if adds {
					want[seq] = true
				} else {
					delete(want, seq)
				}
			}
			checkSeqSet(t, set, want)
		}
	}
}

func checkSeqSet(t *testing.T, set *seqSet, want map[int64]bool) {
	t.Helper()
	if got := set.size(); got != int64(len(want)) {
		t.Fatalf("size = %d, want %d: %v", got, len(want), set.ranges)
	}
	for seq := int64(-2); seq < 62; seq++ {
		if set.has(seq) != want[seq] {
			t.Fatalf("has(%d) = %v, want %v: %v", seq, set.has(seq), want[seq], set.ranges)
		}
		pair := connector.SeqRange{First: seq, Last: seq + 1}
		if got := set.covers(pair); got != (want[seq] && want[seq+1]) {
			t.Fatalf("covers(%v) = %v: %v", pair, got, set.ranges)
		}
	}
	for i := 1; i < len(set.ranges); i++ {
		if set.ranges[i].First <= set.ranges[i-1].Last+1 {
			t.Fatalf("ranges %v touch or are out of order", set.ranges)
		}
	}
}
