package connectortest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// App is the product that [Reference] connects to: a guest book in memory. It
// outlives connectors, as a product does.
type App struct {
	// JobTime is how long a job takes. Default 50 ms.
	JobTime time.Duration

	mu       sync.Mutex
	guests   []guest
	next     int
	jobs     map[string]*job
	names    map[string]bool // that were written
	outbound int             // runs so far
	inbound  int
	asked    int // calls that a law wants to differ
	poisoned bool
	calling  int
}

// guest is a record.
type guest struct {
	id, name string
	member   bool
	changed  time.Time
}

// job is an asynchronous order to write guests.
type job struct {
	ready   time.Time
	answers map[int64]jobAnswer // by record number
}

// jobAnswer is what became of one record.
type jobAnswer struct{ id, refused string }

// The texts that the app knows.
const (
	goodToken = "let-me-in-please"
	badToken  = "an-expired-token"
	unwanted  = "Mallory the unwanted"
	unique    = "Grace Hopper" // begins names that are taken once only
)

// seeded is the number of guests in the beginning.
const seeded = 60

// NewApp returns an app with some guests.
func NewApp() *App {
	a := &App{JobTime: 50 * time.Millisecond, jobs: make(map[string]*job), names: make(map[string]bool)}
	start := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range seeded {
		a.guests = append(a.guests, guest{id: a.id(), name: fmt.Sprintf("Guest %d", i), member: i%2 == 0, changed: start.Add(time.Duration(i) * time.Hour)})
	}
	return a
}

// id makes an id. The lock is held, or nobody else knows the app yet.
func (a *App) id() string {
	a.next++
	return fmt.Sprintf("guest-%d", a.next)
}

// count counts calls; it returns the number of this one.
func (a *App) count(n *int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	*n++
	return *n
}

// submit takes an order, and returns the job's id.
func (a *App) submit(names map[int64]string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	j := &job{ready: time.Now().Add(a.JobTime), answers: make(map[int64]jobAnswer)}
	for seq, name := range names {
		if name == unwanted {
			j.answers[seq] = jobAnswer{refused: "UNWANTED"}
			continue
		}
		if strings.HasPrefix(name, unique) && a.names[name] {
			j.answers[seq] = jobAnswer{refused: "DUPLICATE"}
			continue
		}
		a.names[name] = true
		j.answers[seq] = jobAnswer{id: a.id()}
	}
	id := fmt.Sprintf("job-%d", len(a.jobs)+1)
	a.jobs[id] = j
	return id
}

// wait waits for a job.
func (a *App) wait(ctx context.Context, id string) (map[int64]jobAnswer, error) {
	a.mu.Lock()
	j := a.jobs[id]
	a.mu.Unlock()
	if j == nil {
		return nil, connector.Errorf(connector.ClassConfig, "NO_JOB", "the app has no job %s", id)
	}
	if err := sleep(ctx, time.Until(j.ready)); err != nil {
		return nil, err
	}
	return j.answers, nil
}

// page returns guests from a position on, changed before a time.
func (a *App) page(from, most int, before time.Time) []guest {
	a.mu.Lock()
	defer a.mu.Unlock()
	var page []guest
	for _, g := range a.guests[min(from, len(a.guests)):] {
		if len(page) == most || !g.changed.Before(before) {
			break
		}
		page = append(page, g)
	}
	return page
}

// sleep waits, unless the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
