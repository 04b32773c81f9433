package zoho

import (
	"context"
	"slices"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// Date-times are written into bulk files in the user's zone, without an offset.
// Where a clock goes back an hour occurs twice, and its two halves look alike:
// Zoho would take one for the other. Record calls carry the offset, so such
// records go by them; where that cannot be they are not sent, since a time that
// is wrong by an hour is worse than one that is missing and known to be.

// timeTwice is what is wrong with such a value in a bulk file.
const timeTwice = "a time of the hour that occurs twice when the user's clock goes back, which a bulk file cannot tell apart"

const codeTimeTwice = "TIME_OCCURS_TWICE"

// occursTwice reports whether the wall clock of t's zone shows the same time at
// another instant.
func occursTwice(t time.Time) bool {
	const shift = 3 * time.Hour // no clock was ever turned further for a season
	_, before := t.Add(-shift).Zone()
	_, after := t.Add(shift).Zone()
	if before <= after {
		return false
	}
	_, now := t.Zone()
	other := t.Add(time.Duration(now-before) * time.Second)
	if now == before {
		other = t.Add(time.Duration(now-after) * time.Second)
	}
	_, there := other.Zone()
	return !other.Equal(t) && other.Add(time.Duration(there-now)*time.Second).Equal(t)
}

// setAside settles the rows that are not in the file: those with an hour that
// occurs twice go by record calls, where these find the same records and can be
// repeated.
func (w *writer) setAside(ctx context.Context, chunk *connector.Chunk, problems map[int]*connector.Error) error {
	byCalls := w.sameByCalls(chunk)
	var twice []int
	for row, e := range problems {
		if e.Code == codeTimeTwice && byCalls {
			twice = append(twice, row)
			continue
		}
		chunk.Fail(row, connector.StatusInvalid, e, "")
	}
	if len(twice) == 0 {
		return nil
	}
	slices.Sort(twice)
	return w.writeRecords(ctx, chunk, twice)
}
