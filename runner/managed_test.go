package runner

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// jobs is an app with asynchronous jobs behind managed processing.
type jobs struct {
	mu      sync.Mutex
	takes   time.Duration
	made    map[string]time.Time // when they are done
	writes  map[string]int
	limit   int           // records of a job; more are refused; 0 for any number
	created chan struct{} // closed at the first job
}

func newJobs(takes time.Duration) *jobs {
	return &jobs{takes: takes, made: map[string]time.Time{}, writes: map[string]int{}, created: make(chan struct{})}
}

func (j *jobs) managed() connector.ManagedOutbound {
	return connector.ManagedOutbound{MaxRecords: 10, Concurrency: 2, Write: j.write, Resume: func(ctx context.Context, chunk *connector.Chunk, t connector.Ticket) error {
		return j.await(ctx, chunk, t.Handle)
	}}
}

func (j *jobs) sync(ctx context.Context, sync connector.OutboundSync, stream connector.OutboundStream) error {
	return j.managed().Run(ctx, sync, stream)
}

func (j *jobs) write(ctx context.Context, chunk *connector.Chunk) error {
	if err := chunk.Prepare(ctx, `"preparing"`, false); err != nil {
		return err
	}
	if j.limit > 0 && chunk.Len() > j.limit {
		a, b := chunk.Halves()
		a.Conclude(j.write(ctx, a))
		b.Conclude(j.write(ctx, b))
		return nil
	}
	handle := j.create(chunk.Records.Identifiers)
	if err := chunk.Submitted(ctx, handle); err != nil {
		return err
	}
	return j.await(ctx, chunk, handle)
}

func (j *jobs) create(identifiers []string) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	handle := fmt.Sprintf("%q", fmt.Sprint("job-", len(j.made)))
	j.made[handle] = time.Now().Add(j.takes)
	for _, id := range identifiers {
		j.writes[id]++
	}
	if len(j.made) == 1 {
		close(j.created)
	}
	return handle
}

func (j *jobs) await(ctx context.Context, chunk *connector.Chunk, handle string) error {
	j.mu.Lock()
	done := j.made[handle]
	j.mu.Unlock()
	select {
	case <-ctx.Done():
		return connector.AsError(context.Cause(ctx))
	case <-time.After(time.Until(done)):
	}
	for row := range chunk.Len() {
		chunk.Succeed(row, "app-"+chunk.Records.Identifiers[row])
	}
	return nil
}

func (j *jobs) wantEachOnce(t *testing.T, records int) {
	t.Helper()
	for i := range records {
		if id := fmt.Sprint("id-", i+1); j.writes[id] != 1 {
			t.Errorf("%s was written %d times", id, j.writes[id])
		}
	}
}

// A stop while the app works on jobs puts their records off and leaves the
// tickets; the next run collects the jobs and makes no new ones.
func TestAStopWhileTheAppWorksWritesNothingTwice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, j := newRig(t, 15), newJobs(time.Minute)
		r.script.outbound = j.sync
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-j.created; cancel() }()
		run, err := r.Run(ctx, "out", RunOptions{})
		if err != nil {
			t.Fatal(err)
		}
		wantRun(t, run, RunDelayed, map[connector.Status]int64{connector.StatusDelayed: 15})
		if !run.FinishedAt.IsZero() || len(r.store.open(run.ID)) == 0 {
			t.Errorf("the run is finished at %s with open tickets %v, want one to be resumed", run.FinishedAt, r.store.open(run.ID))
		}
		resumed, err := r.Resume(t.Context(), run.ID)
		if err != nil {
			t.Fatal(err)
		}
		if resumed.FinishedAt.IsZero() || len(r.store.open(run.ID)) != 0 {
			t.Errorf("after the resumption: %+v with open tickets %v", resumed, r.store.open(run.ID))
		}
		mustRun(t, r, RunOptions{})
		j.wantEachOnce(t, 15)
		for id, status := range r.warehouse.state {
			if status != connector.StatusSucceeded {
				t.Errorf("%s is %s", id, status)
			}
		}
	})
}

// The tickets of a chunk that is split give their records to those of the halves.
func TestASplitChunkIsWrittenOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r, j := newRig(t, 10), newJobs(time.Second)
		j.limit = 3
		r.script.outbound = j.sync
		wantRun(t, mustRun(t, r, RunOptions{}), RunHealthy, map[connector.Status]int64{connector.StatusSucceeded: 10})
		j.wantEachOnce(t, 10)
	})
}
