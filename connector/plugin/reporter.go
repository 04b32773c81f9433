package plugin

import (
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
)

// reporter gathers reports and sends them from a goroutine of its own, so that
// a connector that reports never waits for a host that is busy. Of progress the
// latest is kept, usage is added up, what is to be kept is merged: memory is
// bounded and nothing that counts is lost.
type reporter struct {
	wake chan struct{} // has room for one

	mu       sync.Mutex
	sign     time.Time // of the connector's own code
	inside   int       // calls in which it waits for the host
	latest   connector.Progress
	progress map[string]connector.Progress // by stream
	usage    []connector.Usage
	keep     *connector.Keep
}

func newReporter() *reporter {
	return &reporter{
		wake: make(chan struct{}, 1), progress: make(map[string]connector.Progress),
		latest: connector.Progress{Activity: "starting"}, sign: time.Now(),
	}
}

// enter notes that the connector's own code is at work: it calls the host. Until
// it leaves, it is the host that takes its time.
func (r *reporter) enter() (leave func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.inside--
		r.sign = time.Now()
	}
}

// hung reports whether the connector's own code has given no sign for so long,
// without having said until when it waits, that nobody should go on saying that
// all is well. The lock is held.
func (r *reporter) hung() bool {
	now := time.Now()
	return r.inside == 0 && now.Sub(r.sign) > authorPatience && r.latest.Until.Add(time.Minute).Before(now)
}

// add takes a report in.
func (r *reporter) add(report connector.Report) {
	r.mu.Lock()
	r.sign = time.Now()
	if p := report.Progress; p != nil {
		// One that cannot be sent must not silence those that are repeated.
		if _, err := wire.Progress(*p); err != nil {
			dropped("progress", err)
		} else {
			r.latest = *p
			r.progress[p.Stream] = *p
		}
	}
	for _, u := range report.Usage {
		r.spend(u)
	}
	if report.Keep != nil {
		r.merge(*report.Keep)
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default: // is awake
	}
}

// spend adds usage up. The lock is held.
func (r *reporter) spend(u connector.Usage) {
	for i := range r.usage {
		if have := &r.usage[i]; have.Category == u.Category && have.Pool == u.Pool {
			have.Requests += u.Requests
			have.Units += u.Units
			have.Remaining = less(have.Remaining, u.Remaining)
			return
		}
	}
	r.usage = append(r.usage, u)
}

// less is the smaller of two things the app has said: answers come in another
// order than they were given, and what is left only shrinks meanwhile.
func less(a, b *int64) *int64 {
	if a == nil || b != nil && *b < *a {
		return b
	}
	return a
}

// merge lets newer values replace older ones of the same name. The lock is held.
func (r *reporter) merge(k connector.Keep) {
	if r.keep == nil {
		r.keep = &connector.Keep{Parameters: connector.Answers{}, Secrets: connector.Answers{}}
	}
	maps.Copy(r.keep.Parameters, k.Parameters)
	maps.Copy(r.keep.Secrets, k.Secrets)
	r.keep.ExpiresAt = k.ExpiresAt
}

// take returns what was gathered.
func (r *reporter) take() (progress []connector.Progress, usage []connector.Usage, keep *connector.Keep) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.progress {
		progress = append(progress, p)
	}
	clear(r.progress)
	usage, keep = r.usage, r.keep
	r.usage, r.keep = nil, nil
	return progress, usage, keep
}

// again gathers the latest progress once more.
func (r *reporter) again() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.hung() {
		r.progress[r.latest.Stream] = r.latest
	}
}

// run sends what is gathered until done is closed, then what is left. It repeats
// the latest progress, so that the host knows a connector that waits from one
// that is dead; but not for a connector that hangs itself.
func (r *reporter) run(done <-chan struct{}, send func([]connector.Progress, []connector.Usage, *connector.Keep) error) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for over := false; !over; {
		select {
		case <-r.wake:
		case <-ticker.C:
			r.again()
		case <-done:
			over = true
		}
		if err := send(r.take()); err != nil {
			return // the call is over; whoever makes it knows why
		}
	}
}

// dropped logs a report that the contract does not allow: a report never fails
// a sync.
func dropped(what string, err error) {
	slog.Warn("a report breaks the contract and was dropped", "report", what, "error", err)
}
