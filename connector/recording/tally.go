package recording

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/sluiceio/sluice/connector"
)

// tally is what a connector said in a conversation, in a form in which two of
// them can be compared: what may come in any order has none.
type tally struct {
	mu       sync.Mutex
	outcomes map[int64]string
	tickets  []connector.Ticket
	streams  map[string]*streamTally
	failure  string
}

// streamTally is what was said of a stream.
type streamTally struct {
	columns    []string
	rows       []string
	tombstones []string
	states     []string
	end        string
}

func newTally() *tally {
	return &tally{outcomes: map[int64]string{}, streams: map[string]*streamTally{}}
}

func (t *tally) settle(o connector.Outcomes) {
	t.mu.Lock()
	defer t.mu.Unlock()
	exceptions := map[int]connector.RowOutcome{}
	for _, x := range o.Exceptions {
		exceptions[x.Row] = x
	}
	for i, seq := range o.Seqs {
		x, special := exceptions[i]
		text := string(connector.StatusSucceeded)
		if special {
			text = string(x.Status)
		}
		if i < len(o.AppIdentifiers) && o.AppIdentifiers[i] != "" {
			text += " as " + o.AppIdentifiers[i]
		}
		if x.Error != nil {
			text += ": " + x.Error.Error()
		}
		if x.Detail != "" {
			text += " " + sorted([]byte(x.Detail))
		}
		t.outcomes[seq] = text
	}
}

func (t *tally) ticket(k connector.Ticket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tickets = append(t.tickets, k)
}

// ticketTexts lists the tickets without their names, which are the connector's to
// choose, and without what the app calls the work if that is not compared.
func (t *tally) ticketTexts(handles bool) []string {
	var texts []string
	for _, k := range t.tickets {
		text := fmt.Sprintf("%s records %v, harmless to repeat: %v", k.State, k.Seqs, k.Idempotent)
		if handles {
			text += ", handle " + sorted([]byte(k.Handle))
		}
		texts = append(texts, text)
	}
	slices.Sort(texts)
	return texts
}

func (t *tally) stream(name string) *streamTally {
	if t.streams[name] == nil {
		t.streams[name] = &streamTally{}
	}
	return t.streams[name]
}

func (t *tally) rows(b *connector.RecordBatch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stream(b.Stream)
	for _, c := range b.Schema.Columns {
		if text := fmt.Sprintf("%s %s", c.Name, c.Type.Kind); !slices.Contains(s.columns, text) {
			s.columns = append(s.columns, text)
		}
	}
	for row := range b.Rows {
		cells := map[string]*string{}
		for i, c := range b.Schema.Columns {
			if cells[c.Name] = nil; !b.Columns[i].IsNull(row) {
				cells[c.Name] = &b.Columns[i].Texts[row]
			}
		}
		text, _ := json.Marshal(cells) // texts always can be
		id := ""
		if row < len(b.AppIdentifiers) {
			id = b.AppIdentifiers[row]
		}
		s.rows = append(s.rows, id+" "+string(text))
	}
}

func (t *tally) gone(x connector.Tombstones) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stream(x.Stream)
	for i, id := range x.AppIdentifiers {
		if i < len(x.DeletedAt) && !x.DeletedAt[i].IsZero() {
			id += " at " + x.DeletedAt[i].UTC().String()
		}
		s.tombstones = append(s.tombstones, id)
	}
}

func (t *tally) checkpoint(c connector.Checkpoint) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stream(c.Stream)
	s.states = append(s.states, sorted([]byte(c.State)))
}

func (t *tally) done(d connector.StreamDone) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stream(d.Stream)
	if s.end = "done with state " + sorted([]byte(d.State)); d.Error != nil {
		s.end = "failed: " + d.Error.Error()
	}
}

// end notes the error that a conversation ended with.
func (t *tally) end(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failure = ""; err != nil {
		t.failure = connector.AsError(err).Error()
	}
}

// mostTold bounds how many differences of a kind are told.
const mostTold = 10

// differences says how a later tally differs from this one; live leaves out the
// names that an app gives to work.
func (t *tally) differences(now *tally, live bool) []string {
	var d differences
	d.values("the conversation ended with", t.failure, now.failure)
	more := 0
	for _, seq := range slices.Sorted(maps.Keys(both(t.outcomes, now.outcomes))) {
		if len(d.told) > mostTold && t.outcomes[seq] != now.outcomes[seq] {
			more++
			continue
		}
		d.values(fmt.Sprintf("record %d", seq), t.outcomes[seq], now.outcomes[seq])
	}
	if more > 0 {
		d.told = append(d.told, fmt.Sprintf("records: %d more have another outcome", more))
	}
	d.lists("ticket", t.ticketTexts(!live), now.ticketTexts(!live))
	for _, name := range slices.Sorted(maps.Keys(both(t.streams, now.streams))) {
		a, b := t.stream(name), now.stream(name)
		slices.Sort(a.tombstones)
		slices.Sort(b.tombstones)
		d.lists("column of stream "+name, a.columns, b.columns)
		d.lists("row of stream "+name, a.rows, b.rows)
		d.lists("tombstone of stream "+name, a.tombstones, b.tombstones)
		d.lists("checkpoint of stream "+name, a.states, b.states)
		d.values("the end of stream "+name, a.end, b.end)
	}
	return d.told
}

func both[K comparable, V any](a, b map[K]V) map[K]bool {
	keys := map[K]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	return keys
}

// differences gathers what differs, in words.
type differences struct{ told []string }

func (d *differences) values(what, before, now string) {
	if before != now {
		d.told = append(d.told, fmt.Sprintf("%s: %s; recorded was: %s", what, orNothing(now), orNothing(before)))
	}
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

func (d *differences) lists(what string, before, now []string) {
	told := len(d.told)
	for i := range max(len(before), len(now)) {
		a, b := at(before, i), at(now, i)
		if a == b {
			continue
		}
		if d.values(fmt.Sprintf("%s %d", what, i+1), a, b); len(d.told)-told >= mostTold {
			d.told = append(d.told, fmt.Sprintf("%s: and more; there are %d, recorded were %d", strings.TrimSpace(what), len(now), len(before)))
			return
		}
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}
