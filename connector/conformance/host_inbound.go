package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sluiceio/sluice/connector"
)

// inboundScript says how a host behaves in one conversation.
type inboundScript struct {
	name     string
	about    connector.InboundSync
	slow     bool
	stop     connector.StopMode // at the first rows
	cancel   bool               // at the first rows
	failRows bool
}

// heardStream is what was heard of one stream.
type heardStream struct {
	rows       int
	tombstones int
	ids        int // rows with an app identifier
	columns    []connector.Column
	values     map[string][]string // by column, the first rows' texts that are not null
	cursors    []string            // texts of the cursor column, of all rows
	cursor     string              // the cursor column's name
	states     []string
	done       []connector.StreamDone
	after      int // calls after the end
	refused    int // batches that the host did not take
}

// inboundTalk is a host that records an inbound conversation.
type inboundTalk struct {
	hearing
	script    inboundScript
	options   Options
	err       error
	streams   map[string]*heardStream
	strange   []string // streams that were not selected
	misshape  []string // batches
	schemas   map[string][]connector.Column
	changed   []string // schemas whose columns changed
	malformed []string // texts that are not canonical
}

var _ connector.InboundStream = (*inboundTalk)(nil)

func newInboundTalk(script inboundScript, options Options, cursors map[string]string) *inboundTalk {
	t := &inboundTalk{hearing: newHearing(), script: script, options: options, streams: make(map[string]*heardStream), schemas: make(map[string][]connector.Column)}
	for _, s := range script.about.Streams {
		t.streams[s.Name] = &heardStream{values: make(map[string][]string), cursor: cursors[s.Name]}
	}
	return t
}

// of returns what was heard of a stream. The lock is held.
func (t *inboundTalk) of(stream string) *heardStream {
	s := t.streams[stream]
	if s == nil {
		t.strange = append(t.strange, stream)
		return &heardStream{values: make(map[string][]string)} // judged as strange, and no further
	}
	if len(s.done) > 0 {
		s.after++
	}
	return s
}

// Append takes rows.
func (t *inboundTalk) Append(ctx context.Context, b *connector.RecordBatch) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.hear() {
		return errHost
	}
	s := t.of(b.Stream)
	if b.Rows == 0 && b.Schema != nil { // a stream that shows its columns
		t.note(s, b)
		return nil
	}
	if t.script.failRows {
		s.refused++
		return errHost
	}
	t.note(s, b)
	if t.script.stop != "" {
		t.askStop(t.script.stop, t.options.Stop)
	}
	if t.script.cancel {
		t.cancelNow()
		return context.Canceled
	}
	if !t.script.slow {
		return nil
	}
	t.mu.Unlock()
	err := pause(ctx, t.options.Pace)
	t.mu.Lock()
	if !t.sealed {
		t.hear()
	}
	return err
}

// note looks at a batch. The lock is held.
func (t *inboundTalk) note(s *heardStream, b *connector.RecordBatch) {
	if bad := misshapenRows(b); bad != "" {
		t.misshape = append(t.misshape, bad)
		if b.Schema == nil || len(b.Columns) != len(b.Schema.Columns) {
			return
		}
	}
	if known, ok := t.schemas[b.Schema.ID]; ok && !slices.Equal(known, b.Schema.Columns) {
		t.changed = append(t.changed, b.Schema.ID)
	}
	t.schemas[b.Schema.ID] = b.Schema.Columns
	s.columns = b.Schema.Columns
	s.rows += b.Rows
	for _, id := range b.AppIdentifiers {
		if id != "" {
			s.ids++
		}
	}
	for i, c := range b.Schema.Columns {
		t.values(s, c, b.Columns[i], b.Stream)
	}
}

// sampled is how many values of a column are looked at.
const sampled = 1000

func (t *inboundTalk) values(s *heardStream, c connector.Column, v connector.Values, stream string) {
	for row, text := range v.Texts {
		if v.IsNull(row) {
			continue
		}
		if c.Name == s.cursor {
			s.cursors = append(s.cursors, text)
		}
		if len(s.values[c.Name]) >= sampled {
			continue
		}
		s.values[c.Name] = append(s.values[c.Name], text)
		if !canonical(c.Type.Kind, text) {
			t.malformed = append(t.malformed, fmt.Sprintf("a value of the column %s of %s is not the text of a %s", c.Name, stream, c.Type.Kind))
		}
	}
}

// misshapenRows says how a batch of rows is malformed.
func misshapenRows(b *connector.RecordBatch) string {
	switch {
	case b.Schema == nil || b.Schema.ID == "" || len(b.Schema.Columns) == 0:
		return "a batch has no schema with an id and columns"
	case b.Rows < 0:
		return fmt.Sprintf("a batch has %d rows", b.Rows)
	case len(b.Columns) != len(b.Schema.Columns):
		return fmt.Sprintf("a batch has %d columns, its schema %d", len(b.Columns), len(b.Schema.Columns))
	case len(b.AppIdentifiers) > 0 && len(b.AppIdentifiers) != b.Rows:
		return fmt.Sprintf("a batch has %d rows and %d app identifiers", b.Rows, len(b.AppIdentifiers))
	}
	names := map[string]bool{}
	for i, v := range b.Columns {
		name := b.Schema.Columns[i].Name
		if len(v.Texts) != b.Rows || name == "" || names[name] {
			return fmt.Sprintf("the column %q has no name of its own, or %d values for %d rows", name, len(v.Texts), b.Rows)
		}
		names[name] = true
		last := -1
		for _, n := range v.Nulls {
			if int(n) <= last || int(n) >= b.Rows || v.Texts[n] != "" {
				return fmt.Sprintf("the nulls of the column %q are out of order, out of range or have a text", name)
			}
			last = int(n)
		}
	}
	return ""
}

// Delete takes tombstones.
func (t *inboundTalk) Delete(_ context.Context, d connector.Tombstones) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.hear() {
		return errHost
	}
	t.of(d.Stream).tombstones += len(d.AppIdentifiers)
	if len(d.AppIdentifiers) == 0 || len(d.DeletedAt) > 0 && len(d.DeletedAt) != len(d.AppIdentifiers) {
		t.misshape = append(t.misshape, fmt.Sprintf("%d tombstones have %d times", len(d.AppIdentifiers), len(d.DeletedAt)))
	}
	return nil
}

// Checkpoint takes a cursor.
func (t *inboundTalk) Checkpoint(_ context.Context, c connector.Checkpoint) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.hear() {
		return errHost
	}
	s := t.of(c.Stream)
	s.states = append(s.states, c.State)
	t.tell("the state of a checkpoint", c.State)
	return nil
}

// Done takes the end of a stream.
func (t *inboundTalk) Done(_ context.Context, d connector.StreamDone) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.hear() {
		return errHost
	}
	s := t.streams[d.Stream]
	if s == nil {
		t.strange = append(t.strange, d.Stream)
		return nil
	}
	s.done = append(s.done, d)
	t.tell("the state of a stream's end", d.State)
	if d.Error != nil {
		t.tell("the error of a stream's end", d.Error.Error())
	}
	return nil
}

// maxState is the most bytes a state may have.
const maxState = 1 << 20

func goodState(state string) bool { return json.Valid([]byte(state)) && len(state) <= maxState }
