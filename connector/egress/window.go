package egress

import (
	"time"

	"github.com/sluiceio/sluice/connector"
)

// window keeps one rate: never more than count requests arrive at the app in
// any window of length per.
//
// When a request arrives is not known; it is some time between sending it and
// receiving the answer's header. So a place is taken from the moment of sending
// until per after the answer: a request that takes the place of another is sent
// at least per after that one's answer, and so arrives at least per after it
// arrived, whatever the network does. The price is a pace lower than the limit
// by the share that the round trip has in per.
type window struct {
	rate  connector.Rate
	taken int64       // requests under way
	until []time.Time // when places of answered requests become free, ascending
}

// free reports whether a place is free at now, and if not, when the next one
// is known to be (zero when that depends on requests under way).
func (w *window) free(now time.Time) (bool, time.Time) {
	i := 0
	for i < len(w.until) && !w.until[i].After(now) {
		i++
	}
	w.until = w.until[i:]
	if w.taken+int64(len(w.until)) < w.rate.Count {
		return true, time.Time{}
	}
	if len(w.until) > 0 {
		return false, w.until[0]
	}
	return false, time.Time{}
}

func (w *window) take() { w.taken++ }

// answered starts the time after which a place is free again.
func (w *window) answered(now time.Time) {
	w.taken--
	w.until = append(w.until, now.Add(w.rate.Per))
}

// ledger keeps a pool when the host does not: units spent in the rolling window.
type ledger struct {
	pool  connector.Pool
	spent int64
	lines []line // ascending by time
}

type line struct {
	at    time.Time
	units int64
}

// reserve spends units if the pool has them, or says when it will.
func (l *ledger) reserve(units int64, now time.Time) (bool, time.Time) {
	i := 0
	for i < len(l.lines) && !l.lines[i].at.Add(l.pool.Window).After(now) {
		l.spent -= l.lines[i].units
		i++
	}
	l.lines = l.lines[i:]
	if l.spent+units <= l.pool.Capacity {
		l.spend(units, now)
		return true, time.Time{}
	}
	back := l.spent + units - l.pool.Capacity
	for _, e := range l.lines {
		if back -= e.units; back <= 0 {
			return false, e.at.Add(l.pool.Window)
		}
	}
	return false, now.Add(l.pool.Window) // costs more than the pool holds
}

// spend books units; lines of the same second are one, which bounds the memory.
func (l *ledger) spend(units int64, now time.Time) {
	l.spent += units
	at := now.Truncate(time.Second).Add(time.Second) // never forgotten too early
	if n := len(l.lines); n > 0 && l.lines[n-1].at.Equal(at) {
		l.lines[n-1].units += units
		return
	}
	l.lines = append(l.lines, line{at, units})
}
