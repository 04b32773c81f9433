package connectortest

import (
	"context"
	"slices"
	"sync"

	"github.com/sluiceio/sluice/connector"
)

// inboundSabotage stands between the connector and the host, and breaks one law.
type inboundSabotage struct {
	connector.InboundStream
	breaks string
	first  bool // this is the first run
	stops  chan connector.Stop
	over   chan struct{}
	work   sync.WaitGroup

	mu      sync.Mutex
	stopped bool
}

func newInboundSabotage(stream connector.InboundStream, breaks string, first bool) *inboundSabotage {
	s := &inboundSabotage{InboundStream: stream, breaks: breaks, first: first, stops: make(chan connector.Stop, 1), over: make(chan struct{})}
	s.work.Go(func() {
		forwardStop(stream.Stop(), s.stops, s.over, func(stop connector.Stop) bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.stopped = true
			return breaks == "L-722" && stop.Mode == connector.StopDrain || breaks == "L-723" && stop.Mode == connector.StopNow
		})
	})
	return s
}

// end is the end of the conversation.
func (s *inboundSabotage) end(ctx context.Context, err error) error {
	close(s.over)
	s.work.Wait()
	switch {
	case s.breaks == "L-707" && s.first && err == nil:
		return connector.Errorf(connector.ClassTransient, "MOOD", "the reference does not like to end well")
	case s.breaks == "L-725" && ctx.Err() != nil:
		_ = sleep(context.WithoutCancel(ctx), lateness)
	}
	return err
}

// Stop delivers what is not ignored.
func (s *inboundSabotage) Stop() <-chan connector.Stop { return s.stops }

// Append sends rows.
func (s *inboundSabotage) Append(ctx context.Context, b *connector.RecordBatch) error {
	switch {
	case s.breaks == "L-711":
		for i := range b.Columns {
			for _, n := range b.Columns[i].Nulls {
				b.Columns[i].Texts[n] = "nobody"
			}
		}
	case s.breaks == "L-712":
		schema := *b.Schema
		schema.ID = "the only one"
		b.Schema = &schema
	case s.breaks == "L-713" && s.first:
		schema := *b.Schema
		schema.Columns = append(slices.Clone(schema.Columns), connector.Column{Name: "extra", Type: connector.Type{Kind: connector.KindString}})
		b.Schema, b.Columns = &schema, append(b.Columns, connector.Values{Texts: make([]string, b.Rows)})
	case s.breaks == "L-714":
		if i := b.Schema.Column("member"); i >= 0 {
			for row := range b.Columns[i].Texts {
				b.Columns[i].Texts[row] = "yes"
			}
		}
	case s.breaks == "L-726":
		_ = s.InboundStream.Append(ctx, b)
		return nil
	}
	return s.InboundStream.Append(ctx, b)
}

// Done ends a stream.
func (s *inboundSabotage) Done(ctx context.Context, d connector.StreamDone) error {
	s.mu.Lock()
	stopped := s.stopped
	s.mu.Unlock()
	if s.breaks == "L-724" && stopped {
		return nil
	}
	if s.breaks == "L-721" && s.first && d.Stream == "notes" {
		if err := s.InboundStream.Delete(ctx, connector.Tombstones{Stream: d.Stream, AppIdentifiers: []string{"guest-1"}}); err != nil {
			return err
		}
	}
	err := s.InboundStream.Done(ctx, d)
	if !s.first || err != nil {
		return err
	}
	switch s.breaks {
	case "L-708":
		return s.InboundStream.Done(ctx, d)
	case "L-709":
		return s.InboundStream.Checkpoint(ctx, connector.Checkpoint{Stream: d.Stream, State: d.State})
	case "L-710":
		d.Stream = "secrets"
		return s.InboundStream.Done(ctx, d)
	}
	return nil
}
