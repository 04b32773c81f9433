package plugin

import (
	"maps"
	"math/bits"
	"slices"

	"github.com/sluiceio/sluice/connector"
)

// seqSet is a set of record numbers, 64 of them to a map entry: the numbers of a
// run are mostly consecutive. Its memory follows what is in it.
type seqSet struct {
	words map[int64]uint64
	n     int64
}

func newSeqSet() *seqSet { return &seqSet{words: make(map[int64]uint64)} }

// add puts numbers in and returns the first that was in already.
func (s *seqSet) add(seqs []int64) (twice int64, ok bool) {
	for i := 0; i < len(seqs); {
		at := seqs[i] >> 6
		word := s.words[at]
		for ; i < len(seqs) && seqs[i]>>6 == at; i++ {
			bit := uint64(1) << (seqs[i] & 63)
			if word&bit != 0 {
				return seqs[i], false
			}
			word |= bit
			s.n++
		}
		s.words[at] = word
	}
	return 0, true
}

// remove takes numbers out and returns the first that was not in.
func (s *seqSet) remove(seqs []int64) (missing int64, ok bool) {
	for i := 0; i < len(seqs); {
		at := seqs[i] >> 6
		word := s.words[at]
		for ; i < len(seqs) && seqs[i]>>6 == at; i++ {
			bit := uint64(1) << (seqs[i] & 63)
			if word&bit == 0 {
				return seqs[i], false
			}
			word &^= bit
			s.n--
		}
		if word == 0 {
			delete(s.words, at)
		} else {
			s.words[at] = word
		}
	}
	return 0, true
}

// any reports whether a number of a range is in, in time that follows the
// smaller of range and set.
func (s *seqSet) any(r connector.SeqRange) bool {
	first, last := r.First>>6, r.Last>>6
	if uint64(last-first) > uint64(len(s.words)) {
		for at, word := range s.words {
			if at >= first && at <= last && within(at, word, r) {
				return true
			}
		}
		return false
	}
	for at := first; at <= last; at++ {
		if within(at, s.words[at], r) {
			return true
		}
	}
	return false
}

func within(at int64, word uint64, r connector.SeqRange) bool {
	for word != 0 {
		seq := at<<6 | int64(bits.TrailingZeros64(word))
		if seq >= r.First && seq <= r.Last {
			return true
		}
		word &= word - 1
	}
	return false
}

// sorted returns the numbers in ascending order.
func (s *seqSet) sorted() []int64 {
	seqs := make([]int64, 0, s.n)
	for _, at := range slices.Sorted(maps.Keys(s.words)) {
		for word := s.words[at]; word != 0; word &= word - 1 {
			seqs = append(seqs, at<<6|int64(bits.TrailingZeros64(word)))
		}
	}
	return seqs
}
