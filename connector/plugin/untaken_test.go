package plugin

import (
	"context"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// brief is a connector that takes a number of batches, settles them, waits until
// its host has handed out more, and ends.
type brief struct {
	fake
	take int
	more <-chan struct{}
}

func (b *brief) Open(context.Context, connector.Connection) (connector.Session, error) {
	return &briefSession{fakeSession: fakeSession{ctx: context.Background()}, brief: b}, nil
}

type briefSession struct {
	fakeSession
	brief *brief
}

func (s *briefSession) SyncOutbound(ctx context.Context, _ connector.OutboundSync, stream connector.OutboundStream) error {
	for range s.brief.take {
		b, err := stream.Next(ctx)
		if err != nil {
			return err
		}
		if err := stream.Settle(ctx, connector.Outcomes{Seqs: b.Seqs}); err != nil {
			return err
		}
	}
	select {
	case <-s.brief.more:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// eager tells when it has handed out a number of batches, and then has none for
// a while.
type eager struct {
	*outbox
	until int64
	more  chan struct{}
}

func (e *eager) Next(ctx context.Context) (*connector.RecordBatch, error) {
	if e.given.Load() == e.until {
		close(e.more)
		<-ctx.Done()
		return nil, io.EOF
	}
	return e.outbox.Next(ctx)
}

func TestRecordsThatAConnectorNeverTookAreDelayed(t *testing.T) {
	more := make(chan struct{})
	p, err := InProcess(&brief{take: 2, more: more})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	o := &eager{outbox: newOutbox(100, 10), until: 6, more: more}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := open(t, p, "").(connector.Outbound).SyncOutbound(ctx, outboundSync(), o); err != nil {
		t.Fatal(err)
	}
	var count [2]int
	for _, status := range o.settled {
		switch status {
		case connector.StatusSucceeded:
			count[0]++
		case connector.StatusDelayed:
			count[1]++
		}
	}
	if want := [2]int{20, 40}; count != want || len(o.settled) != 60 {
		t.Errorf("of %d records %d succeeded and %d are delayed, want %v of 60", len(o.settled), count[0], count[1], want)
	}
}

func TestSeqSetSorts(t *testing.T) {
	s := newSeqSet()
	in := []int64{-70, -1, 0, 63, 64, 1000, 1 << 40}
	s.add([]int64{1000, 64, 63, 1 << 40, -1, 0, 5, -70})
	s.remove([]int64{5})
	if got := s.sorted(); !slices.Equal(got, in) {
		t.Errorf("got %v, want %v", got, in)
	}
}
