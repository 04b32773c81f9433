package egress

import (
	"slices"
	"time"
)

// window lets at most size units arrive at the app in any window of length per:
// the requests of a rate, or the units of a pool.
//
// When a request arrives is not known; it is some time between sending it and
// receiving the answer's header. So its units are taken from the moment of
// sending until per after the answer. Suppose more than size units arrived
// within per, and let k be the request among them that was let pass last: all
// others were answered after they arrived, hence after the window began, hence
// later than per before k was sent; so their units were still taken and k could
// not pass. The price is a pace lower than the limit by the share that the
// round trip has in per. A token bucket, such as that of x/time/rate, would not
// do: after a pause it lets pass its burst and, within the same window, what
// has flowed in since.
type window struct {
	size  int64
	per   time.Duration
	taken int64  // by requests under way
	kept  int64  // the sum of lines
	lines []line // of requests answered, ascending
}

// line is a number of units that come back at a time.
type line struct {
	back  time.Time
	units int64
}

// margin allows for clocks that do not run alike and for apps that count in
// coarser steps than ours.
func (w *window) margin() time.Duration { return min(max(w.per/1000, time.Millisecond), time.Second) }

// maxLines bounds the memory of a window: beyond it, units that come back
// within a thousandth of the window come back together, at the later time.
const maxLines = 1024

// straggle is how long a request that was abandoned without an answer may be on
// its way to the app still.
const straggle = 2 * time.Second

// free reports whether units may be taken at now, when ahead units are to be
// taken by others first. If not, it returns a time before which they cannot.
func (w *window) free(units, ahead int64, now time.Time) (bool, time.Time) {
	i := 0
	for i < len(w.lines) && !w.lines[i].back.After(now) {
		w.kept -= w.lines[i].units
		i++
	}
	w.lines = w.lines[i:]
	need := w.taken + w.kept + ahead + units - w.size
	if need <= 0 {
		return true, time.Time{}
	}
	for _, l := range w.lines {
		if need -= l.units; need <= 0 {
			return false, l.back
		}
	}
	// The rest waits for units that are under way, or not even sent: those come
	// back a whole window from now at the earliest; and after them for units
	// that others take as they come back, each once in a window.
	need -= w.size - w.kept
	at := now.Add(w.per)
	if need <= 0 {
		return false, at
	}
	if len(w.lines) > 0 && w.lines[0].back.Before(at) {
		at = w.lines[0].back
	}
	rounds := (need + w.size - 1) / w.size
	return false, at.Add(w.per * time.Duration(rounds))
}

func (w *window) take(units int64) { w.taken += units }

// untake gives back the units of a request that was never sent.
func (w *window) untake(units int64) { w.taken -= units }

// answered starts the time after which units come back; answered false says
// that the request was abandoned, at now.
func (w *window) answered(units int64, now time.Time, answered bool) {
	w.taken -= units
	w.kept += units
	back := now.Add(w.per + w.margin())
	if !answered {
		back = back.Add(straggle)
	}
	if len(w.lines) >= maxLines { // onto a fixed grid, so that a line does not move for ever
		grid := w.per / maxLines
		back = back.Truncate(grid).Add(grid)
	}
	at, _ := slices.BinarySearchFunc(w.lines, back, func(l line, t time.Time) int {
		if l.back.After(t) {
			return 1
		}
		return -1
	})
	if at > 0 && w.lines[at-1].back.Equal(back) {
		w.lines[at-1].units += units
		return
	}
	w.lines = slices.Insert(w.lines, at, line{back, units})
}
