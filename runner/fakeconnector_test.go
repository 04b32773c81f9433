package runner

import (
	"context"
	"sync"
	"testing"

	"github.com/sluiceio/sluice/connector"
)

// scripted is a connector whose behaviour is given by functions; those left nil
// do the obvious.
type scripted struct {
	manifest connector.Manifest
	outbound func(ctx context.Context, sync connector.OutboundSync, stream connector.OutboundStream) error
	inbound  func(ctx context.Context, sync connector.InboundSync, stream connector.InboundStream) error
	streams  []connector.Stream
	form     connector.Form
	options  map[string][]connector.Option
	limits   connector.Limits
	validate func(batch *connector.RecordBatch) []connector.RowOutcome
	price    func(counts []connector.ActionCount) []connector.OutboundPath
	listing  func(ctx context.Context) error
	openErr  error
	opening  func(context.Context) error // what opening does first
	// inProcess scripts are called directly, so that they may panic, and outlive
	// the end of their process.
	inProcess bool

	mu       sync.Mutex
	opened   []connector.Connection
	launches int
	words    string
}

func newScripted() *scripted {
	return &scripted{manifest: connector.Manifest{
		ID: "fake", Name: "Fake", Version: "1.0.0", Inbound: true,
		Strategies: []connector.Strategy{connector.StrategyCreate, connector.StrategyUpsert},
		Features:   []connector.Feature{connector.FeatureTickets, connector.FeatureValidateRecords},
	}}
}

// Launch makes the script its own launcher.
func (s *scripted) Launch(context.Context, ConnectorRef) (RunningConnector, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.launches++
	return &fakeProcess{scripted: s, ended: make(chan struct{})}, nil
}

// fakeProcess is one launch of a script.
type fakeProcess struct {
	*scripted
	once  sync.Once
	ended chan struct{} // closed when the process is ended
}

func (p *fakeProcess) LastWords() string { return p.words }
func (p *fakeProcess) Close() error      { p.once.Do(func() { close(p.ended) }); return nil }
func (p *fakeProcess) Manifest(context.Context) (connector.Manifest, error) {
	return p.manifest, nil
}
func (p *fakeProcess) ConnectionForm(context.Context, connector.Answers) (connector.ConnectionForm, error) {
	return connector.ConnectionForm{Methods: []connector.ConnectionMethod{{Name: "key"}}}, nil
}
func (p *fakeProcess) NetworkAddresses(_ context.Context, c connector.Connection) ([]connector.NetworkAddress, error) {
	if c.Secrets != nil {
		return nil, defect("secrets were sent")
	}
	return []connector.NetworkAddress{{Host: "api.example.com"}}, nil
}
func (p *fakeProcess) Open(ctx context.Context, c connector.Connection) (connector.Session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened = append(p.opened, c)
	if p.opening != nil {
		if err := p.opening(ctx); err != nil {
			return nil, err
		}
	}
	return &fakeSession{process: p}, p.openErr
}

type fakeSession struct{ process *fakeProcess }

var _ interface {
	connector.Session
	connector.Outbound
	connector.Inbound
	connector.OptionLister
	connector.RecordValidator
	connector.CostEstimator
} = (*fakeSession)(nil)

func (s *fakeSession) Connect(context.Context, connector.Authorization) (connector.Connected, error) {
	return connector.Connected{
		Account: "Acme", Parameters: connector.Answers{"org": {"1"}}, Secrets: connector.Answers{"token": {"t"}},
		Addresses: []connector.NetworkAddress{{Host: "files.example.com"}}, Notices: []string{"a scope is missing"},
	}, nil
}
func (s *fakeSession) Limits(context.Context) (connector.Limits, error) {
	return s.process.limits, nil
}
func (s *fakeSession) Close() error { return nil }
func (s *fakeSession) OutboundForm(context.Context, connector.FormRequest) (connector.Form, error) {
	return s.process.form, nil
}
func (s *fakeSession) InboundForm(context.Context, connector.FormRequest) (connector.Form, error) {
	return s.process.form, nil
}
func (s *fakeSession) Streams(ctx context.Context, _ connector.StreamQuery) ([]connector.Stream, error) {
	if s.process.listing != nil {
		return nil, s.process.listing(ctx)
	}
	return s.process.streams, nil
}
func (s *fakeSession) Options(_ context.Context, r connector.OptionsRequest) (connector.OptionsPage, error) {
	all, ok := s.process.options[r.Source]
	if !ok {
		return connector.OptionsPage{}, connector.Errorf(connector.ClassConfig, "UNKNOWN_SOURCE", "no source %s", r.Source)
	}
	if r.PageToken == "" && len(all) > 2 {
		return connector.OptionsPage{Options: all[:2], NextPageToken: "2"}, nil
	}
	if r.PageToken == "2" {
		all = all[2:]
	}
	return connector.OptionsPage{Options: all}, nil
}
func (s *fakeSession) ValidateRecords(_ context.Context, _ connector.OutboundSync, batch *connector.RecordBatch) ([]connector.RowOutcome, error) {
	if s.process.validate == nil {
		return nil, nil
	}
	return s.process.validate(batch), nil
}
func (s *fakeSession) OutboundCosts(_ context.Context, _ connector.OutboundSync, counts []connector.ActionCount) ([]connector.OutboundPath, error) {
	return s.process.price(counts), nil
}

// SyncOutbound ends when the process does, as a call to a real process would.
func (s *fakeSession) SyncOutbound(ctx context.Context, sync connector.OutboundSync, stream connector.OutboundStream) error {
	return s.process.call(ctx, func(ctx context.Context) error { return s.process.outbound(ctx, sync, stream) })
}

func (s *fakeSession) SyncInbound(ctx context.Context, sync connector.InboundSync, stream connector.InboundStream) error {
	return s.process.call(ctx, func(ctx context.Context) error { return s.process.inbound(ctx, sync, stream) })
}

func (p *fakeProcess) call(ctx context.Context, talk func(context.Context) error) error {
	if p.inProcess {
		return talk(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- talk(ctx) }()
	select {
	case err := <-done:
		return err
	case <-p.ended:
		return connector.Errorf(connector.ClassTransient, "GONE", "the process has ended")
	}
}

// rig is an engine with fakes around it.
type rig struct {
	*Engine
	machine   *machine
	store     *fakeStore
	warehouse *fakeWarehouse
	script    *scripted
	events    *events
}

func newRig(t *testing.T, records int) *rig {
	t.Helper()
	m := &machine{}
	r := &rig{machine: m, store: newFakeStore(m), warehouse: newFakeWarehouse(m, records), script: newScripted(), events: &events{}}
	r.store.connectors["fake"] = ConnectorRef{ID: "fake", Path: "/fake"}
	r.store.connections["conn"] = Connection{Name: "conn", Connector: "fake", Method: "key", Secrets: connector.Answers{"key": {"k"}}}
	r.store.syncs["out"] = Sync{Name: "out", Connection: "conn", Outbound: &OutboundSpec{
		Source: Source{Table: "t"}, Identifier: "id", Strategy: "Create", Mappings: []Mapping{{Field: "Email", Column: "email"}},
	}}
	r.restart(t)
	return r
}

// restart replaces the engine, as a new process would.
func (r *rig) restart(t *testing.T) {
	t.Helper()
	engine, err := New(Config{
		Store: r.store, Launcher: r.script, Watcher: r.events, Templates: fakeTemplates{},
		Warehouse: func(context.Context) (Warehouse, error) { return r.warehouse, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Engine = engine
}

// events remembers what the watcher saw.
type events struct {
	mu  sync.Mutex
	all []Event
}

func (e *events) Watch(event Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}
