package plugin

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluiceio/sluice/connector"
)

func TestTheLatestProgressIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, done := newReporter(), make(chan struct{})
		var at []time.Duration
		var last string
		begin := time.Now()
		var running sync.WaitGroup
		running.Go(func() {
			r.run(done, func(p []connector.Progress, _ []connector.Usage, _ *connector.Keep) error {
				for _, p := range p {
					at, last = append(at, time.Since(begin)), p.Activity
				}
				return nil
			})
		})
		r.add(connector.Report{Progress: &connector.Progress{Activity: "polling"}})
		timer := time.NewTimer(time.Minute + time.Second)
		<-timer.C
		close(done)
		running.Wait()
		if len(at) != 13 || last != "polling" {
			t.Errorf("in a minute progress was sent %d times (at %v), the last %q", len(at), at, last)
		}
	})
}

// The SDK speaks for a connector that waits, not for one that hangs: after a
// quarter of an hour without a sign of its own code it falls silent, and the
// host takes it for dead. One that said until when it waits, or that waits for
// the host, does not hang.
func TestTheProgressOfAHungConnectorIsNotRepeated(t *testing.T) {
	for name, row := range map[string]struct {
		until  time.Duration
		inHost bool
		quiet  bool
	}{
		"hung":                  {quiet: true},
		"waits until a time":    {until: 2 * time.Hour},
		"waits beyond the time": {until: 20 * time.Minute, quiet: true},
		"waits for the host":    {inHost: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, done := newReporter(), make(chan struct{})
				var last time.Time
				var running sync.WaitGroup
				running.Go(func() {
					r.run(done, func(p []connector.Progress, _ []connector.Usage, _ *connector.Keep) error {
						if len(p) > 0 {
							last = time.Now()
						}
						return nil
					})
				})
				p := connector.Progress{Activity: "waiting"}
				if row.until > 0 {
					p.Until = time.Now().Add(row.until)
				}
				r.add(connector.Report{Progress: &p})
				if row.inHost {
					defer r.enter()()
				}
				<-time.After(time.Hour)
				close(done)
				running.Wait()
				if silent := time.Since(last); (silent > stall) != row.quiet {
					t.Errorf("after an hour nothing was said for %s", silent)
				}
			})
		})
	}
}

func TestReportsNeverWaitAndUsageAddsUp(t *testing.T) {
	r, done, busy := newReporter(), make(chan struct{}), make(chan struct{})
	var units, requests int64
	var kept connector.Keep
	sends := 0
	var running sync.WaitGroup
	running.Go(func() {
		r.run(done, func(_ []connector.Progress, usage []connector.Usage, keep *connector.Keep) error {
			<-busy // a host that takes nothing
			sends++
			for _, u := range usage {
				units += u.Units
				requests += u.Requests
			}
			if keep != nil {
				kept = *keep
			}
			return nil
		})
	})
	for i := range 10_000 {
		r.add(connector.Report{
			Progress: &connector.Progress{Activity: "sending", Done: int64(i)},
			Usage:    []connector.Usage{{Category: "calls", Requests: 1, Pool: "credits", Units: 2}},
			Keep:     &connector.Keep{Secrets: connector.Answers{"token": {itoa(int64(i))}}},
		})
	}
	close(busy)
	close(done)
	running.Wait()
	if requests != 10_000 || units != 20_000 || kept.Secrets.Get("token") != "9999" {
		t.Errorf("got %d requests, %d units, token %q", requests, units, kept.Secrets.Get("token"))
	}
	if sends > 3 {
		t.Errorf("it took %d sends to a busy host", sends)
	}
}

func TestTheWatchdogKnowsWaitingFromDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bitten error
		w := &watchdog{last: "starting", bite: func(err error) { bitten = err }}
		pass := func(d time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			<-ctx.Done()
			synctest.Wait()
		}
		for range 3 { // the connector says something in time; the host is busy for long
			w.wait()
			pass(stall - time.Second)
			w.heard()
			w.note("polling job 5700")
			pass(10 * stall)
		}
		if bitten != nil {
			t.Fatalf("it bit a living connector: %v", bitten)
		}
		w.wait()
		pass(stall + time.Second)
		e := wantError(t, bitten, connector.ClassTransient, "CONNECTOR_STALLED")
		if !errors.Is(e, bitten) || !containsAll(e.Message, "1m0s", "polling job 5700") {
			t.Errorf("got %v", e)
		}
	})
}
