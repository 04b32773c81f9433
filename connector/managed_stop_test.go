package connector_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluiceio/sluice/connector"
)

func TestStops(t *testing.T) {
	for name, c := range map[string]struct {
		mode    connector.StopMode
		in      time.Duration // of the deadline
		takes   time.Duration // a chunk
		want    connector.Status
		longest time.Duration
	}{
		"a drain finishes what is in hand":   {connector.StopDrain, time.Hour, time.Minute, connector.StatusSucceeded, time.Minute},
		"a drain ends before its deadline":   {connector.StopDrain, time.Minute, time.Hour, connector.StatusDelayed, time.Minute},
		"a drain may have no deadline":       {connector.StopDrain, -1, time.Hour, connector.StatusSucceeded, time.Hour},
		"now cancels and settles at once":    {connector.StopNow, time.Minute, time.Hour, connector.StatusDelayed, 0},
		"now does so whatever the deadline":  {connector.StopNow, 0, time.Hour, connector.StatusDelayed, 0},
		"a deadline in the past is one, too": {connector.StopDrain, 0, time.Hour, connector.StatusDelayed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				host := newOutboundHost(batchOf(0, 25, "Create"))
				host.stayOpen = true
				managed := connector.ManagedOutbound{MaxRecords: 10, Concurrency: 3, Write: func(ctx context.Context, chunk *connector.Chunk) error {
					select {
					case <-time.After(c.takes):
					case <-ctx.Done():
						if e := connector.AsError(context.Cause(ctx)); e.Class != connector.ClassCancelled || e.Code != "STOPPED" || !errors.Is(context.Cause(ctx), context.Canceled) {
							t.Errorf("the cause is %v", e)
						}
						return ctx.Err()
					}
					for row := range chunk.Len() {
						chunk.Succeed(row, "")
					}
					return nil
				}}
				over := make(chan error, 1)
				go func() { over <- managed.Run(t.Context(), connector.OutboundSync{}, host) }()
				synctest.Wait() // two chunks are under way, five records wait for more
				began := time.Now()
				if c.in < 0 {
					host.stop <- connector.Stop{Mode: c.mode}
				} else {
					host.ask(c.mode, c.in)
				}
				if err := <-over; err != nil {
					t.Errorf("Run returned %v", err)
				}
				if took := time.Since(began); took > c.longest {
					t.Errorf("it took %v, at most %v allowed", took, c.longest)
				}
				host.lawful(t)
				got := host.statuses()
				if got[c.want]+got[connector.StatusDelayed] < 25 || got[c.want] < 20 || len(host.held) != 0 {
					t.Errorf("got %v, want %s; %d without outcome", got, c.want, len(host.held))
				}
				if c.want == connector.StatusSucceeded && got[c.want] != 25 {
					t.Errorf("got %v: a drain writes what it holds", got)
				}
			})
		})
	}
}

// A call that creates a job is not cut off by a stop, or its records would be in
// doubt; only what the deadline leaves no time for is.
func TestAStopLetsASubmissionEnd(t *testing.T) {
	for name, c := range map[string]struct {
		in, takes time.Duration // of the stop's deadline; of the call
		open      int
		want      connector.Status
		longest   time.Duration
	}{
		"the call ends in time":              {10 * time.Second, 3 * time.Second, 1, connector.StatusDelayed, 3 * time.Second},
		"the call takes too long":            {10 * time.Second, time.Minute, 0, connector.StatusInDoubt, 8 * time.Second},
		"the stop has no deadline":           {-1, 4 * time.Second, 1, connector.StatusDelayed, 4 * time.Second},
		"nor does the call have an end":      {-1, time.Hour, 0, connector.StatusInDoubt, 5 * time.Second},
		"the deadline of the stop is passed": {0, time.Second, 0, connector.StatusInDoubt, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				host := newOutboundHost(batchOf(0, 2, "Create"))
				managed := connector.ManagedOutbound{
					Write: func(ctx context.Context, chunk *connector.Chunk) error {
						if err := chunk.Prepare(ctx, "{}", false); err != nil {
							t.Error(err)
						}
						if err := chunk.Stopped(); err != nil {
							t.Errorf("stopped before the stop: %v", err)
						}
						if c.in < 0 {
							host.stop <- connector.Stop{Mode: connector.StopNow}
						} else {
							host.ask(connector.StopNow, c.in)
						}
						select { // the call that creates the job
						case <-time.After(c.takes):
						case <-ctx.Done():
							return ctx.Err()
						}
						if err := chunk.Stopped(); connector.AsError(err).Code != "STOPPED" {
							t.Errorf("after the stop the chunk is stopped for %v", err)
						}
						if err := chunk.Submitted(ctx, `{"job":1}`); err != nil {
							t.Error(err)
						}
						<-ctx.Done() // polling
						return context.Cause(ctx)
					},
					Resume: func(context.Context, *connector.Chunk, connector.Ticket) error { return nil },
				}
				began := time.Now()
				if err := managed.Run(t.Context(), connector.OutboundSync{KeepsTickets: true}, host); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > c.longest {
					t.Errorf("it took %v, at most %v allowed", took, c.longest)
				}
				host.lawful(t)
				if got, open := host.statuses(), host.open(); got[c.want] != 2 || len(open) != c.open {
					t.Errorf("got %v and open tickets %v, want %s and %d", got, open, c.want, c.open)
				}
			})
		})
	}
}

// While one half is being submitted a stop lets it end, and lets the other not begin.
func TestAStopBetweenTwoHalvesSubmitsOnlyOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newOutboundHost(batchOf(0, 4, "Create"))
		half := func(ctx context.Context, chunk *connector.Chunk) error {
			if err := chunk.Prepare(ctx, "{}", false); err != nil {
				return err
			}
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := chunk.Submitted(ctx, "{}"); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			return context.Cause(ctx)
		}
		managed := connector.ManagedOutbound{
			Write: func(ctx context.Context, chunk *connector.Chunk) error {
				if err := chunk.Prepare(ctx, "{}", false); err != nil {
					t.Error(err)
				}
				a, b := chunk.Halves()
				var first sync.WaitGroup
				first.Go(func() { a.Conclude(half(ctx, a)) })
				synctest.Wait()
				host.ask(connector.StopNow, time.Minute)
				synctest.Wait()
				if ctx.Err() != nil {
					t.Error("the half that is being submitted was cancelled")
				}
				b.Conclude(half(ctx, b))
				first.Wait()
				return nil
			},
			Resume: func(context.Context, *connector.Chunk, connector.Ticket) error { return nil },
		}
		if err := managed.Run(t.Context(), connector.OutboundSync{KeepsTickets: true}, host); err != nil {
			t.Fatal(err)
		}
		host.lawful(t)
		got, open := host.statuses(), host.open()
		if got[connector.StatusDelayed] != 4 || len(open) != 1 || open[0].State != connector.TicketSubmitted {
			t.Errorf("got %v and open tickets %+v", got, open)
		}
	})
}

func TestNothingIsPreparedOnceTheContextHasEnded(t *testing.T) {
	host := newOutboundHost(batchOf(0, 2, "Create"))
	managed := connector.ManagedOutbound{Write: func(ctx context.Context, chunk *connector.Chunk) error {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return chunk.Prepare(ctx, "{}", false)
	}}
	if err := managed.Run(t.Context(), connector.OutboundSync{KeepsTickets: true}, host); err != nil {
		t.Fatal(err)
	}
	if got := host.statuses(); got[connector.StatusDelayed] != 2 || len(host.journal) != 0 {
		t.Errorf("got %v and the journal %v", got, host.journal)
	}
}

func TestTheDeadlineLeavesTimeToSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := newOutboundHost(batchOf(0, 2, "Create"))
		host.stayOpen = true
		deadline := time.Now().Add(time.Hour)
		managed := connector.ManagedOutbound{MaxRecords: 2, Write: func(ctx context.Context, chunk *connector.Chunk) error {
			if at, ok := ctx.Deadline(); !ok || !at.Before(deadline) {
				t.Errorf("the chunk's deadline is %v, the run's %v", at, deadline)
			}
			if connector.HostFrom(ctx) == nil {
				t.Error("the context carries no host")
			}
			<-ctx.Done()
			return context.Cause(ctx)
		}}
		if err := managed.Run(t.Context(), connector.OutboundSync{Deadline: deadline}, host); err != nil {
			t.Fatal(err)
		}
		if o := host.outcomes[0]; !time.Now().Before(deadline) || o.Status != connector.StatusDelayed || o.Error.Code != "DEADLINE" {
			t.Errorf("at %v, deadline %v: %s %v", time.Now(), deadline, o.Status, o.Error)
		}
	})
}

func TestALostHostEndsTheRun(t *testing.T) {
	gone := errors.New("the host is gone")
	t.Run("while taking records", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			host := newOutboundHost(batchOf(0, 4, "Create"))
			host.nextErr = gone
			managed := connector.ManagedOutbound{MaxRecords: 2, Write: func(ctx context.Context, _ *connector.Chunk) error {
				<-ctx.Done()
				return ctx.Err()
			}}
			if err := managed.Run(t.Context(), connector.OutboundSync{}, host); !errors.Is(err, gone) {
				t.Errorf("Run returned %v", err)
			}
			if got := host.statuses(); got[connector.StatusDelayed] != 4 {
				t.Errorf("got %v", got)
			}
		})
	})
	t.Run("while settling", func(t *testing.T) {
		host := newOutboundHost(batchOf(0, 4, "Create"))
		host.settleErr, host.stayOpen = gone, true
		managed := connector.ManagedOutbound{MaxRecords: 2, Write: func(context.Context, *connector.Chunk) error { return nil }}
		if err := managed.Run(t.Context(), connector.OutboundSync{}, host); !errors.Is(err, gone) {
			t.Errorf("Run returned %v", err)
		}
	})
	t.Run("when the call is cancelled", func(t *testing.T) {
		host := newOutboundHost(batchOf(0, 4, "Create"))
		host.stayOpen = true
		ctx, cancel := context.WithCancel(t.Context())
		managed := connector.ManagedOutbound{MaxRecords: 2, Write: func(ctx context.Context, _ *connector.Chunk) error {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		}}
		if err := managed.Run(ctx, connector.OutboundSync{}, host); connector.ClassOf(err) != connector.ClassCancelled {
			t.Errorf("Run returned %v", err)
		}
		if got := host.statuses(); got[connector.StatusDelayed] != 4 {
			t.Errorf("got %v: outcomes are sent even when the call's context has ended", got)
		}
	})
}
