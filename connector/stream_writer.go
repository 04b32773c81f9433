package connector

import (
	"context"
	"fmt"
	"time"
)

// The size at which a batch of a [StreamWriter] is sent.
const (
	writerRows  = 10_000
	writerBytes = 1 << 20
)

// StreamWriter sends the rows of one stream, gathered into batches of columns.
// It is used by one goroutine at a time.
type StreamWriter struct {
	stream InboundStream
	sync   *InboundSync
	name   string

	schema *Schema
	made   int // schemas so far
	batch  *RecordBatch
	bytes  int
	keyed  bool // a row of the batch has an app identifier
}

// Sync returns what the run is about.
func (w *StreamWriter) Sync() *InboundSync { return w.sync }

// Begin says what columns the following rows have. It must precede the first
// row, and may be called again when the columns change.
func (w *StreamWriter) Begin(columns []Column) error {
	if len(columns) == 0 {
		return Errorf(ClassInternal, "NO_COLUMNS", "the stream %s began without columns", w.name)
	}
	if w.batch != nil && w.batch.Rows > 0 {
		return Errorf(ClassInternal, "ROWS_PENDING", "the columns of the stream %s changed without a flush", w.name)
	}
	w.made++
	w.schema = &Schema{ID: fmt.Sprintf("%s#%d", w.name, w.made), Columns: columns}
	w.batch = nil
	return nil
}

// Row adds a row: its key in the app ("" when the stream has none) and one text
// for each column. Null reports which are null; nil means none. The texts are
// kept, the slice is not. It blocks while the host is busy.
func (w *StreamWriter) Row(ctx context.Context, appIdentifier string, texts []string, null func(column int) bool) error {
	if w.schema == nil || len(texts) != len(w.schema.Columns) {
		return Errorf(ClassInternal, "ROW_SHAPE", "a row of the stream %s does not have the columns that were begun", w.name)
	}
	b := w.next()
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
	w.keyed = w.keyed || appIdentifier != ""
	b.Rows++
	if b.Rows < writerRows && w.bytes < writerBytes {
		return nil
	}
	return w.Flush(ctx)
}

// next returns the batch being filled. Its columns begin with the capacity that
// the batch before needed.
func (w *StreamWriter) next() *RecordBatch {
	if w.batch == nil {
		w.batch = &RecordBatch{Schema: w.schema, Stream: w.name, Columns: make([]Values, len(w.schema.Columns))}
	}
	return w.batch
}

// Flush sends the rows gathered so far; Checkpoint and Begin's caller rely on it.
func (w *StreamWriter) Flush(ctx context.Context) error {
	b := w.batch
	if b == nil || b.Rows == 0 {
		return nil
	}
	if !w.keyed {
		b.AppIdentifiers = nil
	}
	fresh := &RecordBatch{Schema: w.schema, Stream: w.name, Columns: make([]Values, len(w.schema.Columns))}
	for i := range fresh.Columns {
		fresh.Columns[i].Texts = make([]string, 0, b.Rows)
	}
	w.batch, w.bytes, w.keyed = fresh, 0, false
	return w.stream.Append(ctx, b)
}

// Delete reports records that are gone, after the rows gathered so far.
func (w *StreamWriter) Delete(ctx context.Context, tombstones Tombstones) error {
	if len(tombstones.AppIdentifiers) == 0 {
		return nil
	}
	if err := w.Flush(ctx); err != nil {
		return err
	}
	tombstones.Stream = w.name
	return w.stream.Delete(ctx, tombstones)
}

// Checkpoint makes the rows sent so far durable together with the state.
func (w *StreamWriter) Checkpoint(ctx context.Context, state string) error {
	if err := w.Flush(ctx); err != nil {
		return err
	}
	return w.stream.Checkpoint(ctx, Checkpoint{Stream: w.name, State: state})
}

// Progress reports what is being done, or waited on; total 0 is unknown.
func (w *StreamWriter) Progress(activity string, waiting Waiting, until time.Time, done, total int64) {
	w.stream.Report(context.Background(), Report{Progress: &Progress{
		Stream: w.name, Activity: activity, Waiting: waiting, Until: until, Done: done, Total: total,
	}})
}
