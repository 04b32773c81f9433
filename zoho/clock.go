package zoho

import (
	"net/http"
	"sync/atomic"
	"time"
)

// clock knows Zoho's time from the Date of its answers. A host whose clock is
// ahead would otherwise end a read in Zoho's future, and changes that are stamped
// before that end, though made after the read, would never be read.
type clock struct{ latest atomic.Int64 } // Unix second of the latest answer; 0 before

// note takes the time of an answer.
func (c *clock) note(r *http.Response) {
	if at, err := http.ParseTime(r.Header.Get("Date")); err == nil {
		c.latest.Store(at.Unix())
	}
}

// present is t, or Zoho's time where that has not come to t yet, cut to the
// second that Modified_Time knows.
func (c *clock) present(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Second)
	if s := c.latest.Load(); s != 0 && s < t.Unix() {
		return time.Unix(s, 0).UTC()
	}
	return t
}
