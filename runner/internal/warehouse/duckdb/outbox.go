package duckdb

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	duckdbgo "github.com/duckdb/duckdb-go/v2"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// Records implements [runner.OutboundWarehouse]. The outbox is read in windows
// of sequence numbers, so that neither side holds more than one window.
func (w *Warehouse) Records(ctx context.Context, syncID, runID string, selection runner.OutboxSelection) iter.Seq2[*connector.RecordBatch, error] {
	return func(yield func(*connector.RecordBatch, error) bool) {
		ctx, s, err := w.session(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		defer s.done()
		r := reader{session: s, syncID: syncID, runID: runID, selection: selection, yield: yield}
		if err := r.run(ctx); err != nil && !errors.Is(err, errStopped) {
			yield(nil, w.explain("read the outbox of sync "+syncID, errors.Join(ctx.Err(), err)))
		}
	}
}

// errStopped says that the consumer wants no more.
var errStopped = errors.New("stopped")

// windowBytes is about how much of an outbox is held at once, windowRows at
// most how many rows, and firstRows how many before their size is known.
const (
	windowBytes = 8 << 20
	windowRows  = 20_480
	firstRows   = 256
)

// reader hands out an outbox.
type reader struct {
	*session
	syncID, runID string
	selection     runner.OutboxSelection
	yield         func(*connector.RecordBatch, error) bool

	schema    *connector.Schema
	batch     *connector.RecordBatch
	bytes     int
	known     bool
	maxRows   int
	maxBytes  int
	readRows  int
	readBytes int
}

func (r *reader) run(ctx context.Context) error {
	last, err := r.open(ctx)
	if err != nil || last == 0 {
		return err
	}
	r.maxRows, r.maxBytes = r.selection.BatchRows, r.selection.BatchBytes
	if r.maxRows <= 0 {
		r.maxRows = 10_000
	}
	if r.maxBytes <= 0 {
		r.maxBytes = 1 << 20
	}
	wanted := selected(last, r.selection)
	rows := int64(firstRows)
	for len(wanted) > 0 {
		first := wanted[0].First
		bound := min(first+rows-1, wanted[len(wanted)-1].Last)
		var window []connector.SeqRange
		window, wanted = splitRanges(wanted, bound)
		if err := r.window(ctx, window); err != nil {
			return err
		}
		if r.readRows > 0 {
			rows = int64(max(1, min(windowRows, windowBytes/max(1, r.readBytes/r.readRows))))
		} else {
			rows = min(2*rows, windowRows) // nothing was wanted yet, as of a run that goes on
		}
	}
	return r.flush()
}

// open finds the run's outbox and its schema; it returns 0 when the run is finished.
func (r *reader) open(ctx context.Context) (last int64, err error) {
	var kept string
	var finished bool
	err = r.QueryRowContext(ctx, `SELECT report, records, `+finishedSQL+` FROM sluice.outboxes o WHERE sync_id = ? AND run_id = ?`, r.syncID, r.runID).Scan(&kept, &last, &finished)
	if err != nil {
		return 0, noOutbox(r.syncID, r.runID, err)
	}
	var report runner.PlanReport
	if err := json.Unmarshal([]byte(kept), &report); err != nil {
		return 0, err
	}
	r.schema = report.Schema
	if finished {
		return 0, nil
	}
	return last, nil
}

// window reads the rows of some ranges close to each other.
func (r *reader) window(ctx context.Context, ranges []connector.SeqRange) error {
	first, last := ranges[0].First, ranges[len(ranges)-1].Last
	var q strings.Builder
	// One packed text for each row costs the driver one allocation where a
	// value for each column costs two apiece.
	q.WriteString("SELECT o.seq, concat(strlen(o.action), ':', o.action, strlen(o.identifier), ':', o.identifier, strlen(o.app_identifier), ':', o.app_identifier")
	for i := range r.schema.Columns {
		fmt.Fprintf(&q, ", strlen(o.c%[1]d), ':', o.c%[1]d", i)
	}
	q.WriteString(")")
	between := fmt.Sprintf("seq BETWEEN %d AND %d", first, last)
	fmt.Fprintf(&q, " FROM %s o WHERE o.%s", outboxTable(r.syncID), between)
	if r.selection.Unsettled {
		fmt.Fprintf(&q, ` AND o.seq NOT IN (SELECT seq FROM sluice.outcome_pending WHERE sync_id = %s AND run_id = %s AND %s
			GROUP BY seq HAVING arg_max(status, ord) <> 'RETRY')`, literal(r.syncID), literal(r.runID), between)
	}
	q.WriteString(" ORDER BY o.seq")
	return r.Raw(func(raw any) error {
		rows, err := raw.(*duckdbgo.Conn).QueryContext(ctx, q.String(), nil)
		if err != nil {
			return err
		}
		return errors.Join(r.rows(rows, ranges), rows.Close())
	})
}

// rows takes in a window's rows that are in the ranges.
func (r *reader) rows(rows driver.Rows, ranges []connector.SeqRange) error {
	values := make([]driver.Value, 2)
	cells := make([]cell, 3+len(r.schema.Columns))
	for {
		err := rows.Next(values)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		seq := values[0].(int64)
		for len(ranges) > 0 && ranges[0].Last < seq {
			ranges = ranges[1:]
		}
		if len(ranges) > 0 && ranges[0].First <= seq {
			packed := values[1].(string)
			if err := unpack(packed, cells); err != nil {
				return err
			}
			if err := r.add(seq, len(packed), cells); err != nil {
				return err
			}
		}
	}
}

// cell is one value of a row.
type cell struct {
	text string
	null bool
}

// unpack takes apart a row written as length, colon, text for each value; a
// null has no length.
func unpack(packed string, cells []cell) error {
	for i := range cells {
		length, at := 0, 0
		for at < len(packed) && packed[at] != ':' {
			length = length*10 + int(packed[at]-'0')
			at++
		}
		if at+1+length > len(packed) {
			return fmt.Errorf("a row of the outbox is cut short at value %d", i)
		}
		cells[i] = cell{text: packed[at+1 : at+1+length], null: at == 0}
		packed = packed[at+1+length:]
	}
	return nil
}

// add puts a row into the batch, having handed out a batch it does not fit.
func (r *reader) add(seq int64, size int, cells []cell) error {
	r.readRows++
	r.readBytes += size
	action := connector.Action(cells[0].text)
	if b := r.batch; b != nil && (b.Action != action || b.Rows >= r.maxRows || r.bytes+size > r.maxBytes) {
		if err := r.flush(); err != nil {
			return err
		}
	}
	if r.batch == nil {
		r.start(action)
	}
	b := r.batch
	b.Seqs = append(b.Seqs, seq)
	b.Identifiers = append(b.Identifiers, cells[1].text)
	b.AppIdentifiers = append(b.AppIdentifiers, cells[2].text)
	r.known = r.known || cells[2].text != ""
	for i, c := range cells[3:] {
		if c.null {
			b.Columns[i].Nulls = append(b.Columns[i].Nulls, uint32(b.Rows))
		}
		b.Columns[i].Texts = append(b.Columns[i].Texts, c.text)
	}
	b.Rows++
	r.bytes += size
	return nil
}

// start begins a batch with room for about as many rows as will fit.
func (r *reader) start(action connector.Action) {
	room := min(r.maxRows, 64)
	if r.readBytes > 0 {
		room = min(r.maxRows, r.maxBytes/max(1, r.readBytes/r.readRows)+16)
	}
	b := &connector.RecordBatch{
		Schema: r.schema, Action: action, Ticket: r.selection.Ticket,
		Seqs: make([]int64, 0, room), Identifiers: make([]string, 0, room), AppIdentifiers: make([]string, 0, room),
		Columns: make([]connector.Values, len(r.schema.Columns)),
	}
	for i := range b.Columns {
		b.Columns[i].Texts = make([]string, 0, room)
	}
	r.batch, r.bytes, r.known = b, 0, false
}

// flush hands out the batch.
func (r *reader) flush() error {
	b := r.batch
	if b == nil {
		return nil
	}
	r.batch = nil
	if !r.known {
		b.AppIdentifiers = nil
	}
	if !r.yield(b, nil) {
		return errStopped
	}
	return nil
}

// selected returns the ranges of 1..last that a selection wants, ascending.
func selected(last int64, selection runner.OutboxSelection) []connector.SeqRange {
	wanted := []connector.SeqRange{{First: 1, Last: last}}
	if selection.Seqs != nil {
		wanted = nil
		for _, s := range normal(selection.Seqs) {
			if s = (connector.SeqRange{First: max(1, s.First), Last: min(last, s.Last)}); s.First <= s.Last {
				wanted = append(wanted, s)
			}
		}
	}
	return without(wanted, normal(selection.Except))
}

// normal sorts ranges and joins those that touch.
func normal(ranges []connector.SeqRange) []connector.SeqRange {
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, func(a, b connector.SeqRange) int { return int(min(1, max(-1, a.First-b.First))) })
	var out []connector.SeqRange
	for _, s := range sorted {
		if n := len(out); n > 0 && s.First <= out[n-1].Last+1 {
			out[n-1].Last = max(out[n-1].Last, s.Last)
		} else if s.First <= s.Last {
			out = append(out, s)
		}
	}
	return out
}

// without takes the holes out of the ranges; both are normal.
func without(ranges, holes []connector.SeqRange) []connector.SeqRange {
	var out []connector.SeqRange
	for _, s := range ranges {
		for len(holes) > 0 && holes[0].Last < s.First {
			holes = holes[1:]
		}
		for _, h := range holes {
			if h.First > s.Last {
				break
			}
			if h.First > s.First {
				out = append(out, connector.SeqRange{First: s.First, Last: h.First - 1})
			}
			s.First = h.Last + 1
		}
		if s.First <= s.Last {
			out = append(out, s)
		}
	}
	return out
}

// splitRanges cuts normal ranges after a bound.
func splitRanges(ranges []connector.SeqRange, bound int64) (upTo, rest []connector.SeqRange) {
	for i, s := range ranges {
		if s.Last <= bound {
			continue
		}
		upTo = slices.Clone(ranges[:i])
		rest = slices.Clone(ranges[i:])
		if s.First <= bound {
			upTo = append(upTo, connector.SeqRange{First: s.First, Last: bound})
			rest[0].First = bound + 1
		}
		return upTo, rest
	}
	return ranges, nil
}
