package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluiceio/sluice/connector"
)

// app is the far end: it applies what it is sent and counts how often.
type app struct {
	mu     sync.Mutex
	random *rand.Rand
	writes map[string]int
	jobs   map[string]*job
	putOff int // times that a job was left to a later run
}

// job is asynchronous work, applied when it is submitted.
type job struct {
	said map[string]connector.RowOutcome // by identifier
}

func (a *app) chance(percent int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.random.IntN(100) < percent
}

// apply decides on each record, and writes those that succeed.
func (a *app) apply(identifiers []string) map[string]connector.RowOutcome {
	a.mu.Lock()
	defer a.mu.Unlock()
	said := map[string]connector.RowOutcome{}
	for _, id := range identifiers {
		x := connector.RowOutcome{Status: connector.StatusSucceeded}
		switch n := a.random.IntN(100); {
		case n < 10:
			x = connector.RowOutcome{Status: connector.StatusRejected, Error: connector.Errorf(connector.ClassRejected, "NO", "no")}
		case n < 25:
			x = connector.RowOutcome{Status: connector.StatusRetry, Error: connector.Errorf(connector.ClassTransient, "BUSY", "busy")}
		case n < 28:
			x = connector.RowOutcome{Status: connector.StatusDelayed, Error: connector.Errorf(connector.ClassQuotaExhausted, "SPENT", "spent")}
		default:
			a.writes[id]++
		}
		said[id] = x
	}
	return said
}

func (a *app) submit(identifiers []string) string {
	said := a.apply(identifiers)
	a.mu.Lock()
	defer a.mu.Unlock()
	id := fmt.Sprintf("job-%d", len(a.jobs)+1)
	a.jobs[id] = &job{said: said}
	return id
}

// mortal is a well-behaved connector with tickets that may die at any moment.
type mortal struct {
	app        *app
	deadly     int // percent of the moments at which it dies
	idempotent bool
	parallel   int // batches under way at once
}

var errDied = connector.Errorf(connector.ClassTransient, "GONE", "the process has ended")

func (m *mortal) dies() error {
	if m.app.chance(m.deadly) {
		return errDied
	}
	return nil
}

func (m *mortal) sync(ctx context.Context, sync connector.OutboundSync, stream connector.OutboundStream) error {
	var group errgroup.Group
	group.SetLimit(m.parallel)
	err := m.pull(ctx, sync, stream, func(batch *connector.RecordBatch) {
		group.Go(func() error { return m.send(ctx, batch, stream) })
	})
	return errors.Join(group.Wait(), err)
}

// pull hands tickets back to their jobs, and fresh batches to send.
func (m *mortal) pull(ctx context.Context, sync connector.OutboundSync, stream connector.OutboundStream, send func(*connector.RecordBatch)) error {
	back := map[string][]*connector.RecordBatch{}
	for _, t := range sync.Tickets {
		back[t.ID] = nil
	}
	for {
		if err := m.dies(); err != nil {
			return err
		}
		batch, err := stream.Next(ctx)
		if batch == nil || batch.Ticket == "" {
			// The records of tickets come first, so now they are complete.
			if err := m.goOn(ctx, sync.Tickets, back, stream); err != nil {
				return err
			}
			sync.Tickets = nil
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if batch.Ticket != "" {
			back[batch.Ticket] = append(back[batch.Ticket], batch)
			continue
		}
		send(batch)
	}
}

// goOn collects the results of jobs submitted before a crash.
func (m *mortal) goOn(ctx context.Context, tickets []connector.Ticket, batches map[string][]*connector.RecordBatch, stream connector.OutboundStream) error {
	for _, t := range tickets {
		for _, batch := range batches[t.ID] {
			if err := m.collect(ctx, t, batch, stream); err != nil {
				return err
			}
		}
		t.State = connector.TicketDone
		if err := stream.Ticket(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// send submits one batch as a job, journaled by a ticket.
func (m *mortal) send(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
	t := connector.Ticket{
		ID: fmt.Sprintf("t-%d", batch.Seqs[0]), State: connector.TicketPrepared,
		Seqs: connector.SeqRanges(batch.Seqs), Idempotent: m.idempotent,
	}
	if err := stream.Ticket(ctx, t); err != nil {
		return err
	}
	if err := m.dies(); err != nil {
		return err
	}
	handle, _ := json.Marshal(m.app.submit(batch.Identifiers))
	if err := m.dies(); err != nil {
		return err
	}
	t.State, t.Handle = connector.TicketSubmitted, string(handle)
	if err := stream.Ticket(ctx, t); err != nil {
		return err
	}
	if err := m.collect(ctx, t, batch, stream); err != nil {
		return err
	}
	if err := m.dies(); err != nil {
		return err
	}
	t.State = connector.TicketDone
	return stream.Ticket(ctx, t)
}

// finished waits until a job is done, or until the run is to stop.
func (m *mortal) finished(ctx context.Context, stream connector.OutboundStream) bool {
	m.app.mu.Lock()
	takes := time.Duration(m.app.random.IntN(3)) * time.Second
	m.app.mu.Unlock()
	select {
	case <-stream.Stop():
	case <-ctx.Done():
	case <-time.After(takes):
		return true
	}
	return false
}

// errStopped leaves a job with its ticket.
var errStopped = connector.Errorf(connector.ClassCancelled, "STOPPED", "the run was stopped")

// putOff settles the records of a job that goes on without the run.
func putOff(ctx context.Context, seqs []int64, stream connector.OutboundStream) error {
	o := connector.Outcomes{Seqs: seqs}
	for row := range seqs {
		o.Exceptions = append(o.Exceptions, connector.RowOutcome{Row: row, Status: connector.StatusDelayed, Error: errStopped})
	}
	return errors.Join(stream.Settle(ctx, o), errStopped)
}

// collect settles a batch of a job, in one piece or two.
func (m *mortal) collect(ctx context.Context, t connector.Ticket, batch *connector.RecordBatch, stream connector.OutboundStream) error {
	var id string
	if err := json.Unmarshal([]byte(t.Handle), &id); err != nil {
		return err
	}
	m.app.mu.Lock()
	said := m.app.jobs[id].said
	m.app.mu.Unlock()
	half := len(batch.Seqs) / 2
	for _, part := range [][2]int{{0, half}, {half, len(batch.Seqs)}} {
		if err := m.dies(); err != nil {
			return err
		}
		if !m.finished(ctx, stream) {
			m.app.mu.Lock()
			m.app.putOff++
			m.app.mu.Unlock()
			return putOff(ctx, batch.Seqs[part[0]:], stream)
		}
		var o connector.Outcomes
		for i := part[0]; i < part[1]; i++ {
			if x := said[batch.Identifiers[i]]; x.Status != connector.StatusSucceeded {
				x.Row = len(o.Seqs)
				o.Exceptions = append(o.Exceptions, x)
			}
			o.Seqs = append(o.Seqs, batch.Seqs[i])
			o.AppIdentifiers = append(o.AppIdentifiers, "app-"+batch.Identifiers[i])
		}
		if err := stream.Settle(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// TestEveryRecordGetsExactlyOneOutcome sends records through a connector that
// dies at random, on a machine that crashes at random durable steps, is stopped
// by its user at random moments, and runs the sync again until it is through. Whatever happens, no record is written
// twice, none that was written is called unwritten, and each has its outcome.
func TestEveryRecordGetsExactlyOneOutcome(t *testing.T) {
	t.Parallel()
	seeds := uint64(300)
	if testing.Short() {
		seeds = 40
	}
	seen := map[connector.Status]int{}
	var resumed, putOff int
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			s := newStory(t, seed)
			s.tell()
			s.check()
			resumed += s.crashes
			putOff += s.app.putOff
			for _, status := range s.rig.warehouse.state {
				seen[status]++
			}
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	// The test is worth something only as long as it meets these.
	for _, status := range []connector.Status{connector.StatusSucceeded, connector.StatusRejected, connector.StatusInDoubt} {
		if seen[status] == 0 {
			t.Errorf("no record was ever %s", status)
		}
	}
	if resumed == 0 {
		t.Error("no run was ever resumed")
	}
	if putOff == 0 {
		t.Error("no job was ever left to a later run")
	}
}

// story is one seed's worth of misfortune.
type story struct {
	*testing.T
	rig     *rig
	random  *rand.Rand
	app     *app
	mortal  *mortal
	crashes int
	runs    []string
}

func newStory(t *testing.T, seed uint64) *story {
	random := rand.New(rand.NewPCG(seed, 42))
	a := &app{random: random, writes: map[string]int{}, jobs: map[string]*job{}}
	s := &story{T: t, rig: newRig(t, 1+random.IntN(60)), random: random, app: a}
	s.mortal = &mortal{app: a, deadly: []int{0, 3, 10}[random.IntN(3)], idempotent: random.IntN(3) == 0, parallel: 1 + random.IntN(4)}
	s.rig.script.outbound = s.mortal.sync
	return s
}

// tell runs the sync until nothing is left to send. The first attempts meet
// crashes of the machine.
func (s *story) tell() {
	for attempt := range 200 {
		crashAt := 0
		if attempt < 12 {
			crashAt = 1 + s.random.IntN(25)
		}
		s.rig.machine.reboot(crashAt, s.random.IntN(2) == 0)
		s.rig.restart(s.T)
		ctx, cancel := s.patience(attempt)
		run, err := s.rig.Run(ctx, "out", RunOptions{})
		impatient := ctx.Err() != nil
		cancel()
		if errors.Is(err, errCrashed) {
			s.crashes++
			continue
		}
		if impatient && connector.ClassOf(err) == connector.ClassCancelled {
			continue // stopped while it was planned
		}
		if err != nil {
			s.Fatalf("attempt %d: %v", attempt, err)
		}
		if run.State == RunRunning {
			s.Fatalf("attempt %d ended in state Running", attempt)
		}
		if !run.FinishedAt.IsZero() {
			s.checkCounts(run)
		}
		if run.State == RunHealthy && run.Records == 0 {
			return
		}
	}
	s.Fatalf("the sync is never through: %d crashes, state %v, last run %+v", s.crashes, s.rig.warehouse.state, s.rig.store.runs[len(s.rig.store.runs)-1])
}

// patience is how long the user lets an attempt go on.
func (s *story) patience(attempt int) (context.Context, context.CancelFunc) {
	if attempt >= 12 || s.random.IntN(2) == 0 {
		return context.WithCancel(s.Context())
	}
	return context.WithTimeout(s.Context(), time.Duration(s.random.IntN(5000))*time.Millisecond)
}

func (s *story) checkCounts(run Run) {
	s.Helper()
	var sum int64
	for status, n := range run.Outcomes {
		if status == "" || n < 0 {
			s.Fatalf("run %s counts %v", run.ID, run.Outcomes)
		}
		sum += n
	}
	if sum != run.Records {
		s.Fatalf("run %s has %d records and outcomes %v", run.ID, run.Records, run.Outcomes)
	}
	s.runs = append(s.runs, run.ID)
}

func (s *story) check() {
	s.Helper()
	w := s.rig.warehouse
	for _, id := range w.source {
		status, writes := w.state[id], s.app.writes[id]
		switch status {
		case connector.StatusSucceeded:
			if writes == 0 {
				s.Errorf("%s is said to be written and is not", id)
			}
		case connector.StatusRejected:
			if writes != 0 && !s.mortal.idempotent {
				s.Errorf("%s is said to be rejected and is written", id)
			}
		case connector.StatusInDoubt:
			if s.mortal.idempotent {
				s.Errorf("%s is in doubt although sending it again does no harm", id)
			}
		default:
			s.Errorf("%s ends with outcome %q", id, status)
		}
		if writes > 1 && !s.mortal.idempotent {
			s.Errorf("%s was written %d times", id, writes)
		}
	}
	if open := w.outbox; len(open) != 0 {
		s.Errorf("%d outboxes are left", len(open))
	}
	for run := range s.rig.store.tickets {
		if open := s.rig.store.open(run); len(open) > 0 {
			s.Errorf("run %s has open tickets %v", run, open)
		}
	}
	for _, id := range s.runs {
		if !w.closed[id] || !slices.Contains(s.rig.store.released, id) {
			s.Errorf("run %s is not closed, or holds its budget", id)
		}
	}
	s.Logf("%s: %d crashes, %d runs", time.Now().Format(time.TimeOnly), s.crashes, len(s.runs))
}
