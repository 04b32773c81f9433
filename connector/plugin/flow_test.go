package plugin

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// outbounding runs a sync and delivers its error.
func outbounding(ctx context.Context, s connector.Session, about connector.OutboundSync, o *outbox) <-chan error {
	done := make(chan error, 1)
	go func() { done <- s.(connector.Outbound).SyncOutbound(ctx, about, o) }()
	return done
}

func TestAConnectorThatDoesNotAskIsSentNothing(t *testing.T) {
	overWire(t, func(t *testing.T, c connector.Connector) {
		o := newOutbox(1000, 10)
		done := outbounding(t.Context(), open(t, c, "idle"), outboundSync(), o)
		until(t, 20*time.Second, "in vain: the connector idles", func() bool {
			o.mu.Lock()
			defer o.mu.Unlock()
			return len(o.progress) > 0
		})
		o.stop <- connector.Stop{Mode: connector.StopDrain}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := o.given.Load(); n != 0 {
			t.Errorf("it was sent %d batches", n)
		}
	})
}

func TestAWaitingConnectorIsSentNoMoreThanItsWindow(t *testing.T) {
	p := &holding{fake: &fake{}, taken: make(chan struct{}), release: make(chan struct{})}
	c, err := InProcess(p)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o := newOutbox(1000, 10)
	done := outbounding(t.Context(), open(t, c, ""), outboundSync(), o)
	<-p.taken // the first batch
	until(t, 10*time.Second, "in vain: the window fills", func() bool { return o.given.Load() == window })
	close(p.release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if o.given.Load() != 1000 || p.most > window {
		t.Errorf("%d batches were sent; at most %d were under way", o.given.Load(), p.most)
	}
}

// holding is a connector that takes one batch and works on it for a while; then
// it looks how far the host is ahead.
type holding struct {
	*fake
	taken, release chan struct{}
	most           int64
}

func (h *holding) Open(context.Context, connector.Connection) (connector.Session, error) {
	return &holdingSession{fakeSession: &fakeSession{}, h: h}, nil
}

type holdingSession struct {
	*fakeSession
	h *holding
}

func (s *holdingSession) SyncOutbound(ctx context.Context, _ connector.OutboundSync, stream connector.OutboundStream) error {
	for first := true; ; first = false {
		b, err := stream.Next(ctx)
		if err != nil {
			return nil // io.EOF
		}
		if first {
			close(s.h.taken)
			<-s.h.release
		}
		a := stream.(*outboundAuthor)
		s.h.most = max(s.h.most, a.received.Load()-a.handed.Load()+1)
		if err := stream.Settle(ctx, connector.Outcomes{Seqs: b.Seqs}); err != nil {
			return err
		}
	}
}

func TestLargeBatchesAreSplitAndShrinkTheWindow(t *testing.T) {
	overWire(t, func(t *testing.T, c connector.Connector) {
		const rows = 20
		long := strings.Repeat("x", 1<<20)
		o := newOutbox(3, rows)
		o.batch = func(i int) *connector.RecordBatch {
			b := leads(1+i*rows, rows)
			for row := range rows {
				b.Columns[0].Texts[row] = long
			}
			return b
		}
		about := outboundSync()
		about.KeepsTickets = true // so that more than was asked for is an error
		if err := open(t, c, "").(connector.Outbound).SyncOutbound(t.Context(), about, o); err != nil {
			t.Fatal(err)
		}
		if len(o.settled) != 3*rows {
			t.Errorf("%d of %d records are settled", len(o.settled), 3*rows)
		}
	})
}

func TestARecordBeyondTheBoundIsTooLarge(t *testing.T) {
	overWire(t, func(t *testing.T, c connector.Connector) {
		o := newOutbox(1, 1)
		o.batch = func(int) *connector.RecordBatch {
			b := leads(1, 1)
			b.Columns[0].Texts[0] = strings.Repeat("x", 17<<20)
			return b
		}
		err := open(t, c, "").(connector.Outbound).SyncOutbound(t.Context(), outboundSync(), o)
		e := wantError(t, err, connector.ClassTooLarge, codeTooLarge)
		if len(e.Message) > 500 {
			t.Error("the error repeats the record")
		}
	})
}

func TestManyOutcomesAtOnceAreSplit(t *testing.T) {
	parts := splitOutcomes(connector.Outcomes{Seqs: make([]int64, 25_000), Exceptions: []connector.RowOutcome{
		{Row: 9_999, Status: connector.StatusRejected}, {Row: 10_000, Status: connector.StatusRetry}, {Row: 24_999, Status: connector.StatusInvalid},
	}})
	var seqs int
	var rows []int
	for _, p := range parts {
		for _, e := range p.Exceptions {
			rows = append(rows, seqs+e.Row)
		}
		seqs += len(p.Seqs)
	}
	if len(parts) != 3 || seqs != 25_000 || len(rows) != 3 || rows[0] != 9_999 || rows[1] != 10_000 || rows[2] != 24_999 {
		t.Errorf("got %d parts with %d records and exceptions at %v", len(parts), seqs, rows)
	}
}

func TestAStopThatIsIgnoredEndsAtItsDeadline(t *testing.T) {
	overWire(t, func(t *testing.T, c connector.Connector) {
		o := newOutbox(1, 1)
		o.stop <- connector.Stop{Mode: connector.StopNow, Deadline: time.Now().Add(50 * time.Millisecond)}
		err := open(t, c, "deaf").(connector.Outbound).SyncOutbound(t.Context(), outboundSync(), o)
		wantError(t, err, connector.ClassCancelled, "STOP_IGNORED")
	})
}

func TestACancelledSyncIsCancelled(t *testing.T) {
	overWire(t, func(t *testing.T, c connector.Connector) {
		ctx, cancel := context.WithCancel(t.Context())
		done := outbounding(ctx, open(t, c, "deaf"), outboundSync(), newOutbox(1, 1))
		cancel()
		if err := <-done; connector.ClassOf(err) != connector.ClassCancelled {
			t.Errorf("got %v", err)
		}
	})
}

func TestAHostThatCannotSettleEndsTheSyncWithItsOwnError(t *testing.T) {
	overWire(t, func(t *testing.T, c connector.Connector) {
		full := connector.Errorf(connector.ClassTransient, "DISK_FULL", "the warehouse is full")
		err := open(t, c, "").(connector.Outbound).SyncOutbound(t.Context(), outboundSync(), &failing{newOutbox(50, 10), full})
		wantError(t, err, connector.ClassTransient, "DISK_FULL")
	})
}

type failing struct {
	*outbox
	err error
}

func (f *failing) Settle(context.Context, connector.Outcomes) error { return f.err }

func TestAcksDoNotQueueBehindRecords(t *testing.T) {
	overWire(t, func(t *testing.T, c connector.Connector) {
		about := outboundSync()
		about.KeepsTickets = true
		o := newOutbox(200, 100)
		if err := open(t, c, "ticket").(connector.Outbound).SyncOutbound(t.Context(), about, o); err != nil {
			t.Fatal(err)
		}
		if len(o.tickets) != 600 || len(o.settled) != 20_000 {
			t.Errorf("got %d ticket steps and %d outcomes", len(o.tickets), len(o.settled))
		}
	})
}
