package connector_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// gauge counts what is under way at once, and remembers the most there was.
type gauge struct{ now, most atomic.Int64 }

func (g *gauge) enter() {
	if n := g.now.Add(1); n > g.most.Load() {
		g.most.Store(n)
	}
}

func (g *gauge) leave() { g.now.Add(-1) }

func TestMemoryHoldsAChunkMoreThanAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const batch, chunkSize, workers = 70, 100, 3
		var batches []*connector.RecordBatch
		for i := range 60 {
			batches = append(batches, batchOf(i*batch, batch, "Create"))
		}
		host := newOutboundHost(batches...)
		var under gauge
		managed := connector.ManagedOutbound{MaxRecords: chunkSize, Concurrency: workers, Write: func(_ context.Context, chunk *connector.Chunk) error {
			under.enter()
			<-time.After(time.Hour)
			under.leave()
			for row := range chunk.Len() {
				chunk.Succeed(row, "")
			}
			return nil
		}}
		if err := managed.Run(t.Context(), connector.OutboundSync{}, host); err != nil {
			t.Fatal(err)
		}
		host.lawful(t)
		if bound := (workers+1)*chunkSize + batch; host.most > bound || under.most.Load() != workers {
			t.Errorf("%d records held at once, at most %d allowed; %d chunks at once", host.most, bound, under.most.Load())
		}
	})
}

// TestFewChunksHoldTheirValues lets chunks wait for the app without their values:
// as many are under way as may be, of which few hold values at any time.
func TestFewChunksHoldTheirValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const chunkSize, workers, loaded = 100, 8, 3
		var batches []*connector.RecordBatch
		for i := range 60 {
			batches = append(batches, batchOf(i*chunkSize, chunkSize, "Create"))
		}
		host := newOutboundHost(batches...)
		var under, holding gauge
		managed := connector.ManagedOutbound{MaxRecords: chunkSize, Concurrency: workers, Loaded: loaded, Write: func(_ context.Context, chunk *connector.Chunk) error {
			under.enter()
			defer under.leave()
			holding.enter()
			<-time.After(time.Minute) // the values are sent
			holding.leave()
			if chunk.Records.Seqs[0] != 0 { // the first keeps them, and gives them back with its end
				chunk.ReleaseValues()
			}
			<-time.After(time.Hour) // the app works
			for row := range chunk.Len() {
				chunk.Succeed(row, "")
			}
			return nil
		}}
		if err := managed.Run(t.Context(), connector.OutboundSync{}, host); err != nil {
			t.Fatal(err)
		}
		host.lawful(t)
		if holding.most.Load() > loaded || under.most.Load() != workers || len(host.held) != 0 {
			t.Errorf("%d chunks held their values at once, at most %d may; %d chunks of %d at once; %d records without outcome",
				holding.most.Load(), loaded, under.most.Load(), workers, len(host.held))
		}
	})
}

// TestEveryRecordGetsOneOutcome throws random batches, chunk sizes, failures,
// panics, splits and stops at a run, and asks the laws.
func TestEveryRecordGetsOneOutcome(t *testing.T) {
	for seed := range uint64(400) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			trial := newTrial(r)
			stops, after, mode, in := r.IntN(3) == 0, r.IntN(5000), r.IntN(2), r.IntN(4000)
			over := make(chan error, 1)
			go func() { over <- trial.managed.Run(t.Context(), trial.sync, trial.host) }()
			if stops {
				<-time.After(time.Duration(after) * time.Millisecond)
				trial.host.ask([]connector.StopMode{connector.StopDrain, connector.StopNow}[mode], time.Duration(in)*time.Millisecond)
			}
			err := <-over
			if e := connector.AsError(err); e != nil && e.Class != connector.ClassAuth && e.Class != connector.ClassQuotaExhausted {
				t.Errorf("seed %d: Run returned %v", seed, err)
			}
			trial.host.lawful(t)
			if n := len(trial.host.held); n != 0 {
				t.Errorf("seed %d: %d records have no outcome", seed, n)
			}
			trial.check(t)
			if t.Failed() {
				t.Fatalf("seed %d failed", seed)
			}
		})
	}
}

// trial is one random run, and what is known of each record.
type trial struct {
	managed connector.ManagedOutbound
	sync    connector.OutboundSync
	host    *outboundHost

	mu        sync.Mutex
	r         *rand.Rand
	accepted  map[int64]bool // the app has the job
	harmless  map[int64]bool
	succeeded map[int64]bool
}

func newTrial(r *rand.Rand) *trial {
	tr := &trial{r: r, accepted: map[int64]bool{}, harmless: map[int64]bool{}, succeeded: map[int64]bool{}}
	var batches []*connector.RecordBatch
	var old []connector.Ticket
	seq := 0
	for i := range r.IntN(20) {
		n := r.IntN(40)
		b := batchOf(seq, n, []connector.Action{"Create", "Update", "Delete"}[r.IntN(3)])
		if i < 2 && n > 0 && r.IntN(2) == 0 {
			b.Ticket = fmt.Sprint("old", i)
			old = append(old, connector.Ticket{ID: b.Ticket, State: connector.TicketSubmitted, Seqs: connector.SeqRanges(b.Seqs)})
			for _, s := range b.Seqs {
				tr.accepted[s] = true
			}
		}
		batches, seq = append(batches, b), seq+n
	}
	tr.host = newOutboundHost(batches...)
	for _, t := range old {
		tr.host.handBack(t)
	}
	tr.host.stayOpen = r.IntN(8) == 0
	tr.sync = connector.OutboundSync{KeepsTickets: true, Tickets: old}
	if tr.host.stayOpen || r.IntN(4) == 0 {
		tr.sync.Deadline = time.Now().Add(time.Duration(1+r.IntN(10)) * time.Second)
	}
	tr.managed = connector.ManagedOutbound{
		MaxRecords: 1 + r.IntN(30), MaxBytes: 1 + r.Int64N(400), Concurrency: 1 + r.IntN(4), Write: tr.write,
		Resume: func(ctx context.Context, chunk *connector.Chunk, _ connector.Ticket) error {
			return tr.outcome(ctx, chunk)
		},
	}
	return tr
}

func (tr *trial) roll(n int) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.r.IntN(n)
}

func (tr *trial) mark(m map[int64]bool, chunk *connector.Chunk) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for row, s := range chunk.Records.Seqs {
		if !chunk.Settled(row) {
			m[s] = true
		}
	}
}

func (tr *trial) write(ctx context.Context, chunk *connector.Chunk) error {
	checked := chunk.Len()
	for row := range checked {
		if !chunk.Settled(row) && tr.roll(10) == 0 {
			chunk.Fail(row, connector.StatusInvalid, connector.Errorf(connector.ClassRejected, "BAD", "bad"), "")
		}
	}
	if tr.roll(4) == 0 {
		return tr.outcome(ctx, chunk) // without a ticket
	}
	harmless := tr.roll(2) == 0
	if err := chunk.Prepare(ctx, "{}", harmless); err != nil {
		return err
	}
	if harmless {
		tr.mark(tr.harmless, chunk)
	}
	if chunk.Len() > 1 && tr.roll(3) == 0 {
		a, b := chunk.Halves()
		return errors.Join(tr.write(ctx, a), tr.write(ctx, b))
	}
	switch tr.roll(6) {
	case 0:
		return connector.Errorf(connector.ClassTransient, "LOST", "the answer was lost")
	case 1:
		panic("no")
	}
	tr.mark(tr.accepted, chunk)
	if err := chunk.Submitted(ctx, "{}"); err != nil {
		return err
	}
	return tr.outcome(ctx, chunk)
}

// outcome waits like a job and then does anything a connector may do.
func (tr *trial) outcome(ctx context.Context, chunk *connector.Chunk) error {
	select {
	case <-time.After(time.Duration(tr.roll(2000)) * time.Millisecond):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	some := tr.roll(3) == 0
	for row, s := range chunk.Records.Seqs {
		if chunk.Settled(row) || some && tr.roll(2) == 0 {
			continue
		}
		if tr.roll(5) == 0 {
			chunk.Fail(row, connector.StatusRejected, connector.Errorf(connector.ClassRejected, "NO", "no"), "{}")
			continue
		}
		chunk.Succeed(row, fmt.Sprint("a", s))
		tr.mu.Lock()
		tr.succeeded[s] = true
		tr.mu.Unlock()
	}
	switch tr.roll(30) {
	case 0:
		return connector.Errorf(connector.ClassAuth, "GONE", "the grant is gone")
	case 1:
		return connector.Errorf(connector.ClassQuotaExhausted, "SPENT", "the budget is spent")
	case 2:
		panic(chunk)
	case 3, 4, 5:
		return connector.Errorf(connector.Classes[3+tr.roll(3)], "ANY", "something")
	}
	return nil
}

// check asks what must never happen: a success that was none, one that was
// forgotten, and a record that the app may have and that is sent again.
func (tr *trial) check(t *testing.T) {
	t.Helper()
	held := map[int64]bool{}
	for _, open := range tr.host.open() {
		for _, r := range open.Seqs {
			for s := r.First; s <= r.Last; s++ {
				held[s] = true
			}
		}
	}
	for s, o := range tr.host.outcomes {
		ok := o.Status == connector.StatusSucceeded
		if ok != tr.succeeded[s] || ok && tr.host.appIDs[s] != fmt.Sprint("a", s) {
			t.Errorf("record %d: %s, succeeded %v, app identifier %q", s, o.Status, tr.succeeded[s], tr.host.appIDs[s])
		}
		again := o.Status == connector.StatusRetry || o.Status == connector.StatusDelayed
		if again && tr.accepted[s] && !tr.harmless[s] && !held[s] {
			t.Errorf("record %d: the app may have it, no ticket holds it, and it is sent again (%s, %v)", s, o.Status, o.Error)
		}
	}
	for _, open := range tr.host.open() {
		if open.State == connector.TicketSubmitted && tr.host.fetched == 0 {
			continue // handed back and never met
		}
		if open.State != connector.TicketSubmitted {
			t.Errorf("ticket %s stays %s", open.ID, open.State)
		}
	}
}
