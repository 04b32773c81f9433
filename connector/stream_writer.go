package connector

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// The size at which a batch of a [StreamWriter] is sent, and the number of
// tombstones sent at once.
const (
	writerRows  = 10_000
	writerBytes = 1 << 20
)

// StreamWriter sends the rows of one stream, gathered into batches of columns.
// It is used by one goroutine at a time. After an error nothing more can be
// sent: every later call returns the same error.
type StreamWriter struct {
	stream  InboundStream
	sync    *InboundSync
	name    string
	drained *atomic.Pointer[Error] // set when the stream is to end at a checkpoint

	schema *Schema
	shown  *Schema // the last the host was shown
	made   int     // schemas so far
	batch  *RecordBatch
	bytes  int
	keyed  bool // a row of the batch has an app identifier
	failed error
}

// Sync returns what the run is about.
func (w *StreamWriter) Sync() *InboundSync { return w.sync }

// Begin says what columns the following rows have. It must precede the first
// row, and may be called again when the columns change.
func (w *StreamWriter) Begin(columns []Column) error {
	if len(columns) == 0 {
		return Errorf(ClassInternal, "NO_COLUMNS", "the stream %s began without columns", w.name)
	}
	if w.schema != nil && slices.Equal(w.schema.Columns, columns) {
		return nil
	}
	w.made++
	w.schema = &Schema{ID: fmt.Sprintf("%s#%d", w.name, w.made), Columns: slices.Clone(columns)}
	return nil
}

// Row adds a row: its key in the app ("" when the stream has none) and one text
// for each column. Null reports which are null, whose texts are not looked at;
// nil means none. The texts are kept, the slice is not. It blocks while the host
// is busy.
func (w *StreamWriter) Row(ctx context.Context, appIdentifier string, texts []string, null func(column int) bool) error {
	if w.schema == nil || len(texts) != len(w.schema.Columns) {
		return Errorf(ClassInternal, "ROW_SHAPE", "a row of the stream %s does not have the columns that were begun", w.name)
	}
	if w.batch != nil && w.batch.Schema != w.schema { // the columns changed
		if err := w.Flush(ctx); err != nil {
			return err
		}
		w.batch = nil
	}
	if w.failed != nil {
		return w.failed
	}
	if w.batch == nil {
		w.batch = newBatch(w.name, w.schema, 0)
	}
	w.add(appIdentifier, texts, null)
	if w.batch.Rows < writerRows && w.bytes < writerBytes {
		return nil
	}
	return w.Flush(ctx)
}

func (w *StreamWriter) add(appIdentifier string, texts []string, null func(int) bool) {
	b := w.batch
	for i, t := range texts {
		c := &b.Columns[i]
		if null != nil && null(i) {
			c.Nulls = append(c.Nulls, uint32(b.Rows))
			t = ""
		}
		c.Texts = append(c.Texts, t)
		w.bytes += len(t)
	}
	b.AppIdentifiers = append(b.AppIdentifiers, appIdentifier)
	w.bytes += len(appIdentifier)
	w.keyed = w.keyed || appIdentifier != ""
	b.Rows++
}

// newBatch makes an empty batch whose columns have room for some rows.
func newBatch(stream string, schema *Schema, rows int) *RecordBatch {
	b := &RecordBatch{Schema: schema, Stream: stream, Columns: make([]Values, len(schema.Columns))}
	for i := range b.Columns {
		b.Columns[i].Texts = make([]string, 0, rows)
	}
	return b
}

// Flush sends the rows gathered so far; where there were none yet, it sends the
// columns, so that a stream without rows has a table. Delete, Checkpoint and the
// end of the stream imply it.
func (w *StreamWriter) Flush(ctx context.Context) error {
	b := w.batch
	if w.failed != nil {
		return w.failed
	}
	if b == nil || b.Rows == 0 {
		if w.shown != nil || w.schema == nil {
			return nil
		}
		w.shown = w.schema
		return w.sent(w.stream.Append(ctx, newBatch(w.name, w.schema, 0)))
	}
	w.shown = b.Schema
	if !w.keyed {
		b.AppIdentifiers = nil
	}
	w.batch, w.bytes, w.keyed = newBatch(w.name, b.Schema, b.Rows), 0, false
	return w.sent(w.stream.Append(ctx, b))
}

// sent remembers the first error: what follows it would have a hole before it.
func (w *StreamWriter) sent(err error) error {
	if w.failed == nil {
		w.failed = err
	}
	return err
}

// Delete reports records that are gone, after the rows gathered so far. The
// stream's name is filled in.
func (w *StreamWriter) Delete(ctx context.Context, tombstones Tombstones) error {
	if err := w.Flush(ctx); err != nil {
		return err
	}
	ids, times := tombstones.AppIdentifiers, tombstones.DeletedAt
	if len(times) > 0 && len(times) != len(ids) {
		return Errorf(ClassInternal, "TOMBSTONE_SHAPE", "%d deletion times for %d deleted records of the stream %s", len(times), len(ids), w.name)
	}
	for from := 0; from < len(ids); from += writerRows {
		to := min(from+writerRows, len(ids))
		part := Tombstones{Stream: w.name, AppIdentifiers: ids[from:to], DeletedAt: cut(times, from, to)}
		if err := w.sent(w.stream.Delete(ctx, part)); err != nil {
			return err
		}
	}
	return nil
}

// Checkpoint makes the rows sent so far durable together with the state, which
// is JSON text without secrets. When the host has asked for a [StopDrain] it
// returns a CANCELLED error after that, for Read to return.
func (w *StreamWriter) Checkpoint(ctx context.Context, state string) error {
	if err := w.Flush(ctx); err != nil {
		return err
	}
	if err := w.sent(w.stream.Checkpoint(ctx, Checkpoint{Stream: w.name, State: state})); err != nil {
		return err
	}
	if e := w.drained.Load(); e != nil {
		return e
	}
	return nil
}

// Progress reports what is being done, or waited on; until is zero and total 0
// when unknown.
func (w *StreamWriter) Progress(activity string, waiting Waiting, until time.Time, done, total int64) {
	w.stream.Report(context.Background(), Report{Progress: &Progress{
		Stream: w.name, Activity: activity, Waiting: waiting, Until: until, Done: done, Total: total,
	}})
}
