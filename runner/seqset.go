package runner

import (
	"slices"
	"sort"

	"github.com/sluiceio/sluice/connector"
)

// seqSet is a set of record numbers, kept as ascending, disjoint ranges that do
// not touch. Its size follows the number of gaps, not of records, so that the
// books of a run stay small however many records it has.
type seqSet struct {
	ranges []connector.SeqRange
}

func newSeqSet(ranges ...connector.SeqRange) *seqSet {
	s := &seqSet{}
	for _, r := range ranges {
		s.add(r)
	}
	return s
}

// add puts a range into the set.
func (s *seqSet) add(r connector.SeqRange) {
	if r.Last < r.First {
		return
	}
	// The ranges from i to j touch or overlap r, and become one with it.
	i := sort.Search(len(s.ranges), func(i int) bool { return s.ranges[i].Last >= r.First-1 })
	j := i
	for j < len(s.ranges) && s.ranges[j].First <= r.Last+1 {
		r.First, r.Last = min(r.First, s.ranges[j].First), max(r.Last, s.ranges[j].Last)
		j++
	}
	s.ranges = slices.Replace(s.ranges, i, j, r)
}

// remove takes a range out of the set.
func (s *seqSet) remove(r connector.SeqRange) {
	if r.Last < r.First {
		return
	}
	i := sort.Search(len(s.ranges), func(i int) bool { return s.ranges[i].Last >= r.First })
	j := i
	var rest []connector.SeqRange
	for j < len(s.ranges) && s.ranges[j].First <= r.Last {
		if q := s.ranges[j]; q.First < r.First {
			rest = append(rest, connector.SeqRange{First: q.First, Last: r.First - 1})
		}
		if q := s.ranges[j]; q.Last > r.Last {
			rest = append(rest, connector.SeqRange{First: r.Last + 1, Last: q.Last})
		}
		j++
	}
	s.ranges = slices.Replace(s.ranges, i, j, rest...)
}

// has reports whether a number is in the set.
func (s *seqSet) has(seq int64) bool {
	i := sort.Search(len(s.ranges), func(i int) bool { return s.ranges[i].Last >= seq })
	return i < len(s.ranges) && s.ranges[i].First <= seq
}

// covers reports whether all numbers of a range are in the set.
func (s *seqSet) covers(r connector.SeqRange) bool {
	i := sort.Search(len(s.ranges), func(i int) bool { return s.ranges[i].Last >= r.First })
	return i < len(s.ranges) && s.ranges[i].First <= r.First && s.ranges[i].Last >= r.Last
}

// addSeqs and removeSeqs do so for single numbers, in any order.
func (s *seqSet) addSeqs(seqs []int64) {
	for _, r := range connector.SeqRanges(seqs) {
		s.add(r)
	}
}

func (s *seqSet) removeSeqs(seqs []int64) {
	for _, r := range connector.SeqRanges(seqs) {
		s.remove(r)
	}
}

// size returns the number of numbers in the set.
func (s *seqSet) size() int64 {
	var n int64
	for _, r := range s.ranges {
		n += r.Last - r.First + 1
	}
	return n
}

func (s *seqSet) empty() bool { return len(s.ranges) == 0 }

// clone returns a copy of the ranges.
func (s *seqSet) clone() []connector.SeqRange { return slices.Clone(s.ranges) }
