package runner

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sluiceio/sluice/connector"
)

// inboundConversation is the host's end of one call of SyncInbound.
type inboundConversation struct {
	*host
	run     *inboundRun
	streams map[string]*streamBook // those asked for
}

var _ connector.InboundStream = (*inboundConversation)(nil)

// on does something to a stream that was asked for and has not ended. A failure
// ends the stream alone.
func (c *inboundConversation) on(stream, doing string, do func(*streamBook) error) error {
	if err := c.gate.enter(); err != nil {
		return err
	}
	defer c.gate.leave()
	book := c.streams[stream]
	if book == nil {
		bad := defect("%s for stream %q, which it was not asked for", doing, stream)
		c.run.blame(bad)
		return bad
	}
	book.mu.Lock()
	err := c.guard(book, doing, do)
	result := book.result
	book.mu.Unlock()
	c.run.note(result)
	c.run.showStream(result)
	return err
}

// guard runs do for a stream that is open, and ends the stream when do fails.
func (c *inboundConversation) guard(book *streamBook, doing string, do func(*streamBook) error) error {
	if book.result.Error != nil {
		return book.result.Error // it failed before; the connector may not have noticed yet
	}
	if book.result.Done {
		bad := defect("%s for stream %q after its end", doing, book.result.Stream)
		c.run.blame(bad)
		return bad
	}
	if err := do(book); err != nil {
		c.failStream(book, connector.AsError(err))
		return err
	}
	return nil
}

// failStream ends a stream with an error and drops what was not committed.
func (c *inboundConversation) failStream(book *streamBook, err *connector.Error) {
	book.result.Error = cleanError(err)
	if err := book.drop(); err != nil {
		c.run.log.Warn("a failed stream was not closed well", "stream", book.result.Stream, "error", err)
	}
}

// ready opens the stream's table for writing when it is not open yet.
func (c *inboundConversation) ready(book *streamBook) error {
	if book.writer != nil {
		return nil
	}
	writer, err := c.run.warehouse.OpenStream(c.run.ctx, book.target)
	if err != nil {
		return fmt.Errorf("opening table %s for stream %s: %w", book.target.Table, book.result.Stream, err)
	}
	book.writer = writer
	return nil
}

// Append implements [connector.InboundStream].
func (c *inboundConversation) Append(_ context.Context, batch *connector.RecordBatch) error {
	if batch == nil {
		return defect("it sent a batch that is nil")
	}
	return c.on(batch.Stream, "it sent rows", func(book *streamBook) error {
		if bad := misshapen(batch); bad != nil {
			return bad
		}
		if err := c.ready(book); err != nil {
			return err
		}
		defer c.run.timed(stageStore)()
		if err := book.writer.Append(c.run.ctx, batch); err != nil {
			return fmt.Errorf("receiving rows of stream %s: %w", batch.Stream, err)
		}
		book.trailing += int64(batch.Rows)
		if batch.Rows > 0 {
			c.run.update(func(r *Run) { r.Batches++ })
		}
		return nil
	})
}

// misshapen says what is wrong with the shape of a batch.
func misshapen(batch *connector.RecordBatch) *connector.Error {
	switch {
	case batch.Schema == nil:
		return defect("it sent rows of stream %q without a schema", batch.Stream)
	case len(batch.Columns) != len(batch.Schema.Columns):
		return defect("it sent %d columns for the %d of schema %q", len(batch.Columns), len(batch.Schema.Columns), batch.Schema.ID)
	case len(batch.AppIdentifiers) != 0 && len(batch.AppIdentifiers) != batch.Rows:
		return defect("it sent %d app identifiers for %d rows of stream %q", len(batch.AppIdentifiers), batch.Rows, batch.Stream)
	}
	for i, column := range batch.Columns {
		if len(column.Texts) != batch.Rows {
			return defect("it sent %d values in column %q of stream %q for %d rows", len(column.Texts), batch.Schema.Columns[i].Name, batch.Stream, batch.Rows)
		}
		if n := len(column.Nulls); n > 0 && int64(column.Nulls[n-1]) >= int64(batch.Rows) {
			return defect("it sent a null in row %d of column %q of stream %q, which has %d rows", column.Nulls[n-1], batch.Schema.Columns[i].Name, batch.Stream, batch.Rows)
		}
	}
	return nil
}

// Delete implements [connector.InboundStream].
func (c *inboundConversation) Delete(_ context.Context, tombstones connector.Tombstones) error {
	return c.on(tombstones.Stream, "it deleted records", func(book *streamBook) error {
		if n := len(tombstones.DeletedAt); n != 0 && n != len(tombstones.AppIdentifiers) {
			return defect("it sent %d deletion times for %d tombstones", n, len(tombstones.AppIdentifiers))
		}
		if err := c.ready(book); err != nil {
			return err
		}
		if err := book.writer.Delete(c.run.ctx, tombstones); err != nil {
			return fmt.Errorf("receiving tombstones of stream %s: %w", tombstones.Stream, err)
		}
		book.trailing += int64(len(tombstones.AppIdentifiers))
		return nil
	})
}

// Checkpoint implements [connector.InboundStream].
func (c *inboundConversation) Checkpoint(_ context.Context, checkpoint connector.Checkpoint) error {
	return c.on(checkpoint.Stream, "it sent a checkpoint", func(book *streamBook) error {
		return c.commit(book, checkpoint.State, false)
	})
}

// Done implements [connector.InboundStream].
func (c *inboundConversation) Done(_ context.Context, done connector.StreamDone) error {
	return c.on(done.Stream, "it said done", func(book *streamBook) error {
		if done.Error != nil {
			c.failStream(book, done.Error)
			return nil
		}
		if err := c.commit(book, done.State, true); err != nil {
			return err
		}
		book.result.Done = true
		if err := book.drop(); err != nil {
			// Everything is committed; what could not be closed is only logged.
			c.run.log.Warn("a stream was not closed well", "stream", done.Stream, "error", err)
		}
		return nil
	})
}

// commit makes rows and state durable together.
func (c *inboundConversation) commit(book *streamBook, state string, final bool) error {
	if state != "" && !json.Valid([]byte(state)) {
		return defect("the state of stream %q is no JSON text", book.result.Stream)
	}
	if err := c.ready(book); err != nil {
		return err
	}
	defer c.run.timed(stageAck)()
	counts, err := book.writer.Commit(c.run.ctx, state, final)
	if err != nil {
		return fmt.Errorf("committing rows of stream %s: %w", book.result.Stream, err)
	}
	book.committed(counts)
	return nil
}

// end closes what the connector left open. When it returned without a failure
// and was not asked to stop, each stream it left open is a defect.
func (c *inboundConversation) end(failure error) {
	stopped := c.run.stop.why() != nil
	for name, book := range c.streams {
		book.mu.Lock()
		switch open := !book.result.Done && book.result.Error == nil; {
		case open && failure == nil && book.trailing > 0 && !stopped:
			c.failStream(book, defect("it sent %d rows of stream %q after the last checkpoint without a state; they are dropped", book.trailing, name))
		case open && failure == nil && !stopped:
			c.failStream(book, defect("it returned without ending stream %q", name))
		default:
			if err := book.drop(); err != nil {
				c.run.log.Warn("a stream was not closed well", "stream", name, "error", err)
			}
		}
		book.mu.Unlock()
	}
	c.run.enter()
}
