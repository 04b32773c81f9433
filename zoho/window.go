package zoho

import (
	"encoding/json"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// readState is a stream's state: up to where it was read, and, inside a read
// that is not finished, how to go on.
type readState struct {
	Version int `json:"v"`
	// Cursor is the instant before which every change has been read; zero
	// before the first read.
	Cursor time.Time `json:"cursor,omitzero"`
	// Open is the read under way; nil between reads.
	Open *openRead `json:"open,omitempty"`
}

// openRead is a read between two checkpoints. Pages before Page are durable at
// the host.
type openRead struct {
	Full bool      `json:"full,omitempty"`
	From time.Time `json:"from,omitzero"` // inclusive; zero for the beginning
	To   time.Time `json:"to"`            // exclusive
	Page int       `json:"page"`          // from 1, the page to read next
	// Token names that page; "" for the first, and where Zoho gives none.
	Token string `json:"token,omitempty"`
	// Job reads that page; "" when none was created yet.
	Job string `json:"job,omitempty"`
	// Way is [wayQueries] when the read goes by queries, "" when by bulk reads.
	Way string `json:"way,omitempty"`
	// After is the id up to which queries have read; Left is how many records
	// were behind it at the last count.
	After string `json:"after,omitempty"`
	Left  int64  `json:"left,omitempty"`
	// Fields fixes the columns of a read that goes on in another run.
	Fields []string `json:"fields,omitempty"`
}

func parseState(text string) (readState, error) {
	st := readState{Version: 1}
	if text == "" {
		return st, nil
	}
	if err := json.Unmarshal([]byte(text), &st); err != nil || st.Version != 1 {
		e := connector.Errorf(connector.ClassConfig, "INVALID_STATE", "the state of the stream is not one this version of the connector wrote")
		e.Help = []connector.Help{{Description: "Reset the stream; it is then read from the beginning."}}
		return st, e
	}
	return st, nil
}

func (s readState) text() string {
	b, _ := json.Marshal(s) // times, numbers and strings always encode
	return string(b)
}

// open begins the next read: a window that ends, exclusively, at the run's
// start, cut to the second that Modified_Time knows.
func (s *readState) open(mode connector.ReadMode, startedAt time.Time, overlap time.Duration, fields []string) {
	o := &openRead{Full: mode == connector.ReadFullRefresh, To: startedAt.UTC().Truncate(time.Second), Page: 1, Fields: fields}
	if !o.Full && !s.Cursor.IsZero() {
		o.From = s.Cursor.Add(-overlap)
	}
	s.Open = o
}

// criteria selects the window. A full refresh has none: it reads what is there.
func (o *openRead) criteria() *crm.Criteria {
	if o.Full {
		return nil
	}
	before := crm.Compare(cursorField, crm.LessThan, o.To)
	if o.From.IsZero() {
		return &before
	}
	both := crm.And(crm.Compare(cursorField, crm.GreaterEqual, o.From), before)
	return &both
}

// next moves on to the page after job's, or reports that it was the last.
func (o *openRead) next(job crm.BulkReadJob) (more bool) {
	if !job.More {
		return false
	}
	o.Page, o.Token, o.Job = o.Page+1, job.Next, ""
	return true
}

// restart goes back to the first page, after a page token has expired, and to
// bulk reads. Rows sent before are sent again, which merging by key absorbs.
func (o *openRead) restart() {
	o.Page, o.Token, o.Job = 1, "", ""
	o.Way, o.After, o.Left = "", "", 0
}
