package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"sync"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/cli"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// A trap ends processes at a named point of a run: a durable write of the host,
// around whose store and warehouse traps are put, or a call that the simulated
// app receives. No program that is shipped has any.

// victim names the processes that die.
type victim string

// The victims. A machine that crashes takes both processes, and what comes up
// again has the files as they were and nothing else.
const (
	host    victim = "host"
	child   victim = "connector"
	both    victim = "both"
	machine victim = "machine"
)

var victims = []victim{host, child, both, machine}

// side is on which side of a point the trap is.
type side string

// The sides. Amid is for calls of the app: the call arrives, and who sent it is
// dead by then.
const (
	before side = "before"
	amid   side = "amid"
	after  side = "after"
)

// trap says where processes die, at the nth time that point is reached.
type trap struct {
	Point  string
	Side   side
	Nth    int
	Victim victim
}

func (t trap) String() string {
	return fmt.Sprintf("%s %s (%d) for %s", t.Side, t.Point, t.Nth, t.Victim)
}

// ofApp reports whether the trap is in the app.
func (t trap) ofApp() bool { return t.Point[:4] == "app." }

// trapVariable tells a process of this test its trap, as JSON.
const trapVariable = "SLUICE_E2E_TRAP"

// sprungText begins the line a host says when its trap is sprung; the connectors
// it had follow.
const sprungText = "the trap is sprung, with connectors"

// setTrap puts the trap that the environment names around the host's writes.
func setTrap(env *cli.Env) {
	text := os.Getenv(trapVariable)
	if text == "" {
		return
	}
	h := &hostTrap{said: env.Stderr}
	if err := json.Unmarshal([]byte(text), &h.trap); err != nil {
		panic(err)
	}
	env.Store = func(s runner.Store) runner.Store { return &trappedStore{s, h} }
	env.Warehouse = func(w runner.Warehouse) runner.Warehouse { return &trappedWarehouse{w, h} }
}

// hostTrap is a trap in the host.
type hostTrap struct {
	trap
	said io.Writer
	mu   sync.Mutex
	seen int
}

// around does something that is a point.
func (h *hostTrap) around(point string, do func() error) error {
	h.mu.Lock()
	struck := point == h.Point
	if struck {
		h.seen++
		struck = h.seen == h.Nth
	}
	h.mu.Unlock()
	if struck && h.Side == before {
		h.spring()
	}
	err := do()
	if struck && h.Side == after {
		h.spring()
	}
	return err
}

func (h *hostTrap) spring() {
	connectors := childrenOf(os.Getpid())
	fmt.Fprintln(h.said, sprungText, connectors)
	if h.Victim != host {
		for _, pid := range connectors {
			_ = syscall.Kill(pid, syscall.SIGKILL) // one that has ended is dead as well
		}
	}
	if h.Victim != child {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

type trappedStore struct {
	runner.Store
	trap *hostTrap
}

func (s *trappedStore) StartRun(ctx context.Context, run runner.Run) error {
	return s.trap.around("store.StartRun", func() error { return s.Store.StartRun(ctx, run) })
}

func (s *trappedStore) SaveRun(ctx context.Context, run runner.Run) error {
	return s.trap.around("store.SaveRun", func() error { return s.Store.SaveRun(ctx, run) })
}

func (s *trappedStore) PutTicket(ctx context.Context, runID string, ticket connector.Ticket) error {
	return s.trap.around("store.PutTicket "+string(ticket.State), func() error { return s.Store.PutTicket(ctx, runID, ticket) })
}

func (s *trappedStore) KeepWithConnection(ctx context.Context, name string, keep connector.Keep) error {
	return s.trap.around("store.KeepWithConnection", func() error { return s.Store.KeepWithConnection(ctx, name, keep) })
}

func (s *trappedStore) Grant(ctx context.Context, connection, runID string, pools []connector.Pool, request connector.GrantRequest, now time.Time) (grant connector.Grant, err error) {
	err = s.trap.around("store.Grant", func() error {
		grant, err = s.Store.Grant(ctx, connection, runID, pools, request, now)
		return err
	})
	return grant, err
}

func (s *trappedStore) Spend(ctx context.Context, connection, runID string, usage []connector.Usage, now time.Time) error {
	return s.trap.around("store.Spend", func() error { return s.Store.Spend(ctx, connection, runID, usage, now) })
}

func (s *trappedStore) Release(ctx context.Context, runID string) error {
	return s.trap.around("store.Release", func() error { return s.Store.Release(ctx, runID) })
}

type trappedWarehouse struct {
	runner.Warehouse
	trap *hostTrap
}

func (w *trappedWarehouse) Plan(ctx context.Context, plan runner.OutboundPlan) (report runner.PlanReport, err error) {
	err = w.trap.around("warehouse.Plan", func() error {
		report, err = w.Warehouse.Plan(ctx, plan)
		return err
	})
	return report, err
}

func (w *trappedWarehouse) Settle(ctx context.Context, syncID, runID string, at time.Time, outcomes []connector.Outcomes) error {
	return w.trap.around("warehouse.Settle", func() error { return w.Warehouse.Settle(ctx, syncID, runID, at, outcomes) })
}

func (w *trappedWarehouse) Finish(ctx context.Context, syncID, runID string, at time.Time) error {
	return w.trap.around("warehouse.Finish", func() error { return w.Warehouse.Finish(ctx, syncID, runID, at) })
}

func (w *trappedWarehouse) OpenStream(ctx context.Context, target runner.StreamTarget) (runner.StreamWriter, error) {
	s, err := w.Warehouse.OpenStream(ctx, target)
	if err != nil {
		return nil, err
	}
	return &trappedStream{s, w.trap}, nil
}

func (w *trappedWarehouse) Close() error { return w.trap.around("warehouse.Close", w.Warehouse.Close) }

type trappedStream struct {
	runner.StreamWriter
	trap *hostTrap
}

func (s *trappedStream) Commit(ctx context.Context, state string, final bool) (counts runner.StreamCounts, err error) {
	err = s.trap.around("warehouse.Commit", func() error {
		counts, err = s.StreamWriter.Commit(ctx, state, final)
		return err
	})
	return counts, err
}

// trappedApp is the simulator behind traps.
type trappedApp struct {
	sim *zohosim.Sim

	mu     sync.Mutex
	trap   trap // none when its point is ""
	seen   int
	spring func()
}

// set arms a trap; spring ends the processes.
func (a *trappedApp) set(t trap, spring func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trap, a.seen, a.spring = t, 0, spring
}

// clear takes the trap away. A call that springs it is over when it returns.
func (a *trappedApp) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trap = trap{}
}

// armed reports whether a trap is set.
func (a *trappedApp) armed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.trap.Point != ""
}

func (a *trappedApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !a.strike(r) {
		a.sim.ServeHTTP(w, r)
		return
	}
	panic(http.ErrAbortHandler) // nobody is there to be answered
}

// strike springs the trap when the call is what it waits for.
func (a *trappedApp) strike(r *http.Request) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if point := appPoint(r); point == "" || a.trap.Point != point {
		return false
	}
	if a.seen++; a.seen != a.trap.Nth {
		return false
	}
	// The body is there before its sender dies.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r = r.WithContext(context.WithoutCancel(r.Context()))
	if a.trap.Side == after {
		a.sim.ServeHTTP(httptest.NewRecorder(), r)
	}
	a.spring()
	if a.trap.Side == amid {
		a.sim.ServeHTTP(httptest.NewRecorder(), r)
	}
	return true
}

// appCalls are the calls that are points. The first that matches counts.
var appCalls = []struct {
	point string
	call  *regexp.Regexp
}{
	{"app.token", regexp.MustCompile(`^POST /oauth/`)},
	{"app.upload", regexp.MustCompile(`^POST /crm/[^/]+/upload$`)},
	{"app.write.create", regexp.MustCompile(`^POST /crm/bulk/[^/]+/write$`)},
	{"app.write.poll", regexp.MustCompile(`^GET /crm/bulk/[^/]+/write/`)},
	{"app.write.result", regexp.MustCompile(`^GET /[^/]+/crm/[^/]+/bulk-write/`)},
	{"app.read.create", regexp.MustCompile(`^POST /crm/bulk/[^/]+/read$`)},
	{"app.read.result", regexp.MustCompile(`^GET /crm/bulk/[^/]+/read/[^/]+/result$`)},
	{"app.read.poll", regexp.MustCompile(`^GET /crm/bulk/[^/]+/read/`)},
	{"app.query", regexp.MustCompile(`^POST /crm/[^/]+/coql$`)},
	{"app.deleted", regexp.MustCompile(`^GET /crm/[^/]+/[^/]+/deleted$`)},
	{"app.insert", regexp.MustCompile(`^POST /crm/[^/]+/Accounts$`)},
	{"app.delete", regexp.MustCompile(`^DELETE /crm/[^/]+/Accounts$`)},
}

func appPoint(r *http.Request) string {
	call := r.Method + " " + r.URL.Path
	for _, c := range appCalls {
		if c.call.MatchString(call) {
			return c.point
		}
	}
	return ""
}
