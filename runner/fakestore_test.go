package runner

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// errCrashed is what every durable step returns once the machine has crashed.
var errCrashed = errors.New("crashed")

// machine lets a test crash the host at its nth durable step: before the step
// took place, or just after it did, when nobody hears of it any more.
type machine struct {
	mu      sync.Mutex
	steps   int
	crashAt int // 0 for never
	after   bool
	crashed bool
}

// step performs one durable step, unless the machine is down.
func (m *machine) step(do func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.crashed {
		return errCrashed
	}
	m.steps++
	if m.steps != m.crashAt {
		do()
		return nil
	}
	m.crashed = true
	if m.after {
		do()
	}
	return errCrashed
}

// reboot brings the machine up again.
func (m *machine) reboot(crashAt int, after bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.steps, m.crashAt, m.after, m.crashed = 0, crashAt, after, false
}

// fakeStore is a control store in memory.
type fakeStore struct {
	machine     *machine
	mu          sync.Mutex
	connectors  map[string]ConnectorRef
	connections map[string]Connection
	syncs       map[string]Sync
	runs        []Run
	tickets     map[string][]connector.Ticket // by run
	spent       map[string]int64
	released    []string
	held        bool // another process holds the runs
	cancelled   map[string]time.Duration
}

var _ Store = (*fakeStore)(nil)

func newFakeStore(m *machine) *fakeStore {
	return &fakeStore{
		machine: m, connectors: map[string]ConnectorRef{}, connections: map[string]Connection{},
		syncs: map[string]Sync{}, tickets: map[string][]connector.Ticket{}, spent: map[string]int64{},
		cancelled: map[string]time.Duration{},
	}
}

func (s *fakeStore) step(do func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.step(do)
}

func find[V any](s *fakeStore, from map[string]V, name string) (V, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := from[name]
	if !ok {
		return v, ErrNotFound
	}
	return v, nil
}

func (s *fakeStore) PutConnector(_ context.Context, ref ConnectorRef) error {
	return s.step(func() { s.connectors[ref.ID] = ref })
}
func (s *fakeStore) Connector(_ context.Context, id string) (ConnectorRef, error) {
	return find(s, s.connectors, id)
}
func (s *fakeStore) Connectors(context.Context) ([]ConnectorRef, error) {
	return slices.Collect(maps.Values(s.connectors)), nil
}
func (s *fakeStore) DeleteConnector(_ context.Context, id string) error {
	return s.step(func() { delete(s.connectors, id) })
}
func (s *fakeStore) PutConnection(_ context.Context, c Connection) error {
	return s.step(func() { s.connections[c.Name] = c })
}
func (s *fakeStore) Connection(_ context.Context, name string) (Connection, error) {
	return find(s, s.connections, name)
}
func (s *fakeStore) Connections(context.Context) ([]Connection, error) {
	return slices.Collect(maps.Values(s.connections)), nil
}
func (s *fakeStore) DeleteConnection(_ context.Context, name string) error {
	return s.step(func() { delete(s.connections, name) })
}
func (s *fakeStore) KeepWithConnection(_ context.Context, name string, keep connector.Keep) error {
	return s.step(func() {
		c := s.connections[name]
		c.Secrets, c.Parameters = merged(c.Secrets, keep.Secrets), merged(c.Parameters, keep.Parameters)
		s.connections[name] = c
	})
}
func (s *fakeStore) PutSync(_ context.Context, sync Sync) error {
	return s.step(func() { s.syncs[sync.Name] = sync })
}
func (s *fakeStore) Sync(_ context.Context, name string) (Sync, error) {
	return find(s, s.syncs, name)
}
func (s *fakeStore) Syncs(context.Context) ([]Sync, error) {
	return slices.Collect(maps.Values(s.syncs)), nil
}
func (s *fakeStore) DeleteSync(_ context.Context, name string) error {
	return s.step(func() { delete(s.syncs, name) })
}

func (s *fakeStore) StartRun(_ context.Context, run Run) error {
	s.mu.Lock()
	held := s.held
	s.mu.Unlock()
	if held {
		return ErrRunning
	}
	return s.step(func() { s.runs = append(s.runs, run) })
}

func (s *fakeStore) SaveRun(_ context.Context, run Run) error {
	missing := false
	err := s.step(func() {
		i := slices.IndexFunc(s.runs, func(r Run) bool { return r.ID == run.ID })
		if missing = i < 0; !missing {
			s.runs[i] = run
		}
	})
	if missing {
		return ErrNotFound
	}
	return err
}

func (s *fakeStore) Run(_ context.Context, id string) (Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.runs {
		if r.ID == id {
			return r, nil
		}
	}
	return Run{}, ErrNotFound
}

func (s *fakeStore) Runs(_ context.Context, sync string, _ int) ([]Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	runs := slices.DeleteFunc(slices.Clone(s.runs), func(r Run) bool { return r.Sync != sync })
	slices.Reverse(runs)
	return runs, nil
}

func (s *fakeStore) OpenRun(_ context.Context, sync string) (Run, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held {
		return Run{}, false, ErrRunning
	}
	for _, r := range s.runs {
		if r.Sync == sync && (r.Open() || r.State == RunDelayed && len(s.open(r.ID)) > 0) {
			return r, true, nil
		}
	}
	return Run{}, false, nil
}

func (s *fakeStore) CancelRun(_ context.Context, id string, grace time.Duration) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancelled[id] = grace
	return true, nil
}

func (s *fakeStore) CancelAsked(_ context.Context, id string) (time.Duration, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	grace, asked := s.cancelled[id]
	return grace, asked, nil
}

func (s *fakeStore) PutTicket(_ context.Context, runID string, ticket connector.Ticket) error {
	return s.step(func() {
		list := s.tickets[runID]
		if i := slices.IndexFunc(list, func(t connector.Ticket) bool { return t.ID == ticket.ID }); i >= 0 {
			list[i] = ticket
			return
		}
		s.tickets[runID] = append(list, ticket)
	})
}

func (s *fakeStore) open(runID string) []connector.Ticket {
	return slices.DeleteFunc(slices.Clone(s.tickets[runID]), func(t connector.Ticket) bool { return t.State == connector.TicketDone })
}

func (s *fakeStore) OpenTickets(_ context.Context, runID string) ([]connector.Ticket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open(runID), nil
}

func (s *fakeStore) Grant(_ context.Context, _, _ string, pools []connector.Pool, request connector.GrantRequest, now time.Time) (connector.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pool := range pools {
		if s.spent[pool.Name]+request.Units > pool.Capacity {
			return connector.Grant{Pool: request.Pool, RetryAt: now.Add(pool.Window)}, nil
		}
	}
	return connector.Grant{Pool: request.Pool, Units: request.Units, ExpiresAt: now.Add(time.Minute)}, nil
}

func (s *fakeStore) Spend(_ context.Context, _, _ string, usage []connector.Usage, _ time.Time) error {
	return s.step(func() {
		for _, u := range usage {
			s.spent[u.Pool] += u.Units
		}
	})
}

func (s *fakeStore) Release(_ context.Context, runID string) error {
	return s.step(func() { s.released = append(s.released, runID) })
}

func (s *fakeStore) Forfeit(_ context.Context, runID string, _ time.Time) error {
	return s.step(func() { s.released = append(s.released, runID) })
}

func (s *fakeStore) Said(context.Context, string, connector.Pool, time.Time) (int64, bool, error) {
	return 0, false, nil
}

func (s *fakeStore) Left(_ context.Context, _ string, pool connector.Pool, _ time.Time) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return pool.Capacity - s.spent[pool.Name], nil
}

func (s *fakeStore) Close() error { return nil }
