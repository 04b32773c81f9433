package connector

import (
	"context"
	"time"
)

// Host is what a connector may ask of, and tell, the program that runs it
// during a sync. Its methods may be called concurrently.
type Host interface {
	// Report tells the host what the connector is doing. It is cheap, drops
	// reports rather than blocking for long, and never fails the sync.
	Report(ctx context.Context, report Report)

	// Grant asks for budget. It returns at once with what may be spent.
	Grant(ctx context.Context, request GrantRequest) (Grant, error)

	// Stop delivers at most one request to stop and is then closed. It is
	// delivered before the sync's context is cancelled.
	Stop() <-chan Stop
}

// Report is a message without an answer. Any of its parts may be set.
type Report struct {
	Progress *Progress
	Usage    []Usage
	Keep     *Keep
}

// Progress says what the connector is doing or waiting on. A connector sends
// one at least every 10 seconds during a sync (package plugin repeats the
// latest one on its behalf).
type Progress struct {
	// Stream is the stream concerned; empty outbound.
	Stream string
	// Activity says in words what is going on, for instance "polling job 5700".
	Activity string
	// Waiting classifies the wait; empty when working.
	Waiting Waiting
	// Until is when the wait is expected to end; zero when unknown.
	Until time.Time
	// Done and Total count records, where known; Total 0 is unknown.
	Done, Total int64
}

// Waiting is what a connector waits on.
type Waiting string

// The kinds of wait.
const (
	WaitingNone   Waiting = ""
	WaitingApp    Waiting = "app"    // the app is working on a job
	WaitingLimit  Waiting = "limit"  // a rate limit or a concurrency limit
	WaitingBudget Waiting = "budget" // a pool has nothing left
	WaitingRetry  Waiting = "retry"  // backing off after a fault
	WaitingHost   Waiting = "host"   // the host has to answer or to send records
)

// StopMode says how to stop.
type StopMode string

// The ways to stop.
const (
	// StopDrain: take no new records, finish those in hand.
	StopDrain StopMode = "drain"
	// StopNow: take no new records, settle those in hand as they stand;
	// asynchronous work stays with its ticket.
	StopNow StopMode = "now"
)

// Stop asks a sync to end before Deadline.
type Stop struct {
	Mode     StopMode
	Deadline time.Time
}

type hostKey struct{}

// WithHost returns a context that carries the host of the sync going on, so
// that package egress can report usage and ask for budget.
func WithHost(ctx context.Context, host Host) context.Context {
	return context.WithValue(ctx, hostKey{}, host)
}

// HostFrom returns the host carried by a context, or nil outside a sync.
func HostFrom(ctx context.Context) Host {
	h, _ := ctx.Value(hostKey{}).(Host)
	return h
}
