package connectortest

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// outboundSabotage stands between the connector and the host, and breaks one
// law.
type outboundSabotage struct {
	connector.OutboundStream
	breaks string
	about  connector.OutboundSync
	stops  chan connector.Stop
	over   chan struct{}
	work   sync.WaitGroup

	mu      sync.Mutex
	taken   int
	ended   bool // io.EOF was seen
	stopped bool
	single  bool // only batches of one record so far
}

func newOutboundSabotage(stream connector.OutboundStream, breaks string, about connector.OutboundSync) *outboundSabotage {
	s := &outboundSabotage{
		OutboundStream: stream, breaks: breaks, about: about, stops: make(chan connector.Stop, 1), over: make(chan struct{}), single: true,
	}
	s.work.Go(func() {
		forwardStop(stream.Stop(), s.stops, s.over, func(stop connector.Stop) bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.stopped = true
			return breaks == "L-513" && stop.Mode == connector.StopDrain || breaks == "L-514" && stop.Mode == connector.StopNow
		})
	})
	return s
}

// forwardStop forwards a request to stop, unless it is to be ignored.
func forwardStop(from <-chan connector.Stop, to chan<- connector.Stop, over <-chan struct{}, ignored func(connector.Stop) bool) {
	select {
	case stop, ok := <-from:
		if ok && !ignored(stop) {
			to <- stop
		}
	case <-over:
	}
}

// lateness is how long a cancelled run goes on that is to end promptly.
const lateness = 8 * time.Second

// afterwards is how long after the end something is said that must not be.
const afterwards = 20 * time.Millisecond

// end is the end of the conversation.
func (s *outboundSabotage) end(ctx context.Context, err error) error {
	close(s.over)
	s.work.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := len(s.about.Tickets) == 0 && s.about.KeepsTickets
	switch {
	case s.breaks == "L-501" && err == nil && s.ended && s.taken > 0 && fresh:
		return connector.Errorf(connector.ClassTransient, "MOOD", "the reference does not like to end well")
	case s.breaks == "L-511" && err == nil && s.ended && s.taken == 0:
		return connector.Errorf(connector.ClassConfig, "NOTHING", "there was nothing to do")
	case s.breaks == "L-516" && ctx.Err() != nil:
		_ = sleep(context.WithoutCancel(ctx), lateness)
	case s.breaks == "L-521":
		go func() { // is late on purpose, and not waited for
			_ = sleep(context.WithoutCancel(ctx), afterwards)
			s.OutboundStream.Report(context.WithoutCancel(ctx), connector.Report{Progress: &connector.Progress{Activity: "looking back"}})
		}()
	}
	return err
}

// Stop delivers what is not ignored.
func (s *outboundSabotage) Stop() <-chan connector.Stop { return s.stops }

// Report takes a report.
func (s *outboundSabotage) Report(ctx context.Context, r connector.Report) {
	if s.breaks == "L-907" {
		r.Progress = nil
	}
	s.OutboundStream.Report(ctx, r)
}

// Next takes a batch.
func (s *outboundSabotage) Next(ctx context.Context) (*connector.RecordBatch, error) {
	b, err := s.OutboundStream.Next(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, io.EOF):
		s.ended = true
	case err != nil && s.breaks == "L-520" && ctx.Err() == nil && !errors.Is(err, context.Canceled):
		return nil, io.EOF
	case err == nil:
		s.taken += b.Rows
		s.single = s.single && b.Rows == 1
		if s.breaks == "L-610" && len(s.about.Tickets) > 0 && b.Ticket == "" {
			return nil, io.EOF
		}
	}
	return b, err
}

// Settle sends outcomes.
func (s *outboundSabotage) Settle(ctx context.Context, o connector.Outcomes) error {
	s.mu.Lock()
	stopped, single := s.stopped, s.single
	s.mu.Unlock()
	o.Seqs, o.AppIdentifiers, o.Exceptions = slices.Clone(o.Seqs), slices.Clone(o.AppIdentifiers), slices.Clone(o.Exceptions)
	switch s.breaks {
	case "L-502":
		o = drop(o, func(status connector.Status) bool { return status == connector.StatusInvalid })
	case "L-503":
		if len(s.about.Tickets) == 0 {
			_ = s.OutboundStream.Settle(ctx, o)
		}
	case "L-504":
		o.Seqs = append(o.Seqs, 1<<40)
		if o.AppIdentifiers != nil {
			o.AppIdentifiers = append(o.AppIdentifiers, "")
		}
	case "L-505":
		change(o, connector.StatusRejected, "MAYBE")
	case "L-507":
		for i := range o.AppIdentifiers {
			o.AppIdentifiers[i] = "guest-1"
		}
	case "L-508":
		o.Exceptions = slices.DeleteFunc(o.Exceptions, func(e connector.RowOutcome) bool { return e.Status == connector.StatusInvalid })
	case "L-510":
		if single {
			rotate(o)
		}
	case "L-515":
		if stopped {
			o = drop(o, func(status connector.Status) bool { return status != connector.StatusSucceeded })
		}
	case "L-518":
		if !s.about.Deadline.IsZero() {
			o = drop(o, func(status connector.Status) bool { return status != connector.StatusSucceeded })
		}
	case "L-519":
		_ = s.OutboundStream.Settle(ctx, o)
		return nil
	case "L-608":
		if stopped {
			change(o, connector.StatusDelayed, connector.StatusRejected)
		}
	}
	if len(o.Seqs) == 0 {
		return nil
	}
	return s.OutboundStream.Settle(ctx, o)
}

// drop removes the outcomes of some statuses.
func drop(o connector.Outcomes, gone func(connector.Status) bool) connector.Outcomes {
	status := make([]connector.RowOutcome, len(o.Seqs))
	for i := range status {
		status[i].Status = connector.StatusSucceeded
	}
	for _, e := range o.Exceptions {
		status[e.Row] = e
	}
	var kept connector.Outcomes
	for i, seq := range o.Seqs {
		if gone(status[i].Status) {
			continue
		}
		e := status[i]
		if e.Row = len(kept.Seqs); e.Error != nil || e.Detail != "" {
			kept.Exceptions = append(kept.Exceptions, e)
		}
		kept.Seqs = append(kept.Seqs, seq)
		if o.AppIdentifiers != nil {
			kept.AppIdentifiers = append(kept.AppIdentifiers, o.AppIdentifiers[i])
		}
	}
	return kept
}

func change(o connector.Outcomes, from, to connector.Status) {
	for i := range o.Exceptions {
		if o.Exceptions[i].Status == from {
			o.Exceptions[i].Status = to
		}
	}
}

// rotate gives the outcome of each record to its neighbour.
func rotate(o connector.Outcomes) {
	for i := range o.Exceptions {
		o.Exceptions[i].Row = (o.Exceptions[i].Row + 1) % len(o.Seqs)
	}
	slices.SortFunc(o.Exceptions, func(a, b connector.RowOutcome) int { return a.Row - b.Row })
}

// patience is how long a connector waits that does not wait for acks.
const patience = time.Millisecond

// Ticket journals a ticket.
func (s *outboundSabotage) Ticket(ctx context.Context, t connector.Ticket) error {
	fresh := len(s.about.Tickets) == 0
	switch {
	case s.breaks == "L-601" && t.State == connector.TicketDone:
		if err := s.OutboundStream.Ticket(ctx, t); err != nil {
			return err
		}
	case s.breaks == "L-602" && t.State == connector.TicketPrepared:
		return s.impatient(ctx, t)
	case s.breaks == "L-603" && t.State == connector.TicketPrepared:
		_ = s.OutboundStream.Ticket(ctx, t)
		return nil
	case s.breaks == "L-604" && t.State == connector.TicketSubmitted:
		if err := s.OutboundStream.Ticket(ctx, t); err != nil {
			return err
		}
		t.State = connector.TicketDone
	case s.breaks == "L-604" && t.State == connector.TicketDone, s.breaks == "L-605" && t.State == connector.TicketDone && fresh:
		return nil
	case s.breaks == "L-607":
		t.Seqs = append(slices.Clone(t.Seqs), connector.SeqRange{First: 1 << 40, Last: 1 << 40})
	}
	return s.OutboundStream.Ticket(ctx, t)
}

// impatient waits for an ack for a moment only.
func (s *outboundSabotage) impatient(ctx context.Context, t connector.Ticket) error {
	acked := make(chan error, 1)
	s.work.Go(func() { acked <- s.OutboundStream.Ticket(ctx, t) })
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-acked:
		return err
	case <-timer.C:
		return nil
	}
}
