package zoho

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// world is a simulator and a connector that talks to it over HTTP.
type world struct {
	t          *testing.T
	sim        *zohosim.Sim
	base       string
	connector  connector.Connector
	connection connector.Connection
}

func newWorld(t *testing.T, change func(*zohosim.Config)) *world {
	t.Helper()
	c := zohosim.Config{Dir: t.TempDir()}
	if change != nil {
		change(&c)
	}
	sim, err := zohosim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	base, err := sim.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, sim: sim, base: base}
	w.connector = New(quick(t)...)
	w.connection = connector.Connection{
		ID: "c1", Method: methodSelfClient,
		Answers: connector.Answers{fieldDataCenter: {"US"}, fieldEnvironment: {"production"}, fieldClientID: {sim.ClientID()}, fieldEndpointURL: {base}},
		Secrets: connector.Answers{fieldClientSecret: {sim.ClientSecret()}, keptRefreshToken: {sim.RefreshToken()}},
	}
	return w
}

// quick are options for tests: nothing waits longer than a few milliseconds.
func quick(t *testing.T) []Option {
	return []Option{
		WithPolling(time.Millisecond, 20*time.Millisecond), WithTempDir(t.TempDir()), WithLogger(slog.New(slog.DiscardHandler)),
		func(c *config) { c.downloadBlock = time.Millisecond; c.retry.Base = time.Millisecond },
	}
}

// open opens a session that ends with the test.
func (w *world) open() *session {
	w.t.Helper()
	s, err := w.connector.Open(w.t.Context(), w.connection)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			w.t.Error(err)
		}
	})
	return s.(*session)
}

// connect connects and keeps what Connect returned, as a host does.
func (w *world) connect() connector.Connected {
	w.t.Helper()
	got, err := w.open().Connect(w.t.Context(), connector.Authorization{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.keep(got)
	return got
}

func (w *world) keep(got connector.Connected) {
	if w.connection.Parameters == nil {
		w.connection.Parameters = connector.Answers{}
	}
	maps.Copy(w.connection.Parameters, got.Parameters)
	maps.Copy(w.connection.Secrets, got.Secrets)
	w.connection.Addresses = append(w.connection.Addresses, got.Addresses...)
}

// fakeHost records what a connector tells its host.
type fakeHost struct {
	mu       sync.Mutex
	keeps    []connector.Keep
	progress []connector.Progress
	usage    map[string]int64
	stop     chan connector.Stop
	onSaid   func(connector.Progress)
}

func newHost() fakeHost {
	return fakeHost{usage: map[string]int64{}, stop: make(chan connector.Stop, 1)}
}

func (h *fakeHost) Report(_ context.Context, r connector.Report) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.Keep != nil {
		h.keeps = append(h.keeps, *r.Keep)
	}
	if r.Progress != nil {
		h.progress = append(h.progress, *r.Progress)
		if h.onSaid != nil {
			h.onSaid(*r.Progress)
		}
	}
	for _, u := range r.Usage {
		h.usage[u.Category] += u.Requests
	}
}

func (h *fakeHost) Grant(context.Context, connector.GrantRequest) (connector.Grant, error) {
	return connector.Grant{Unlimited: true}, nil
}

func (h *fakeHost) Stop() <-chan connector.Stop { return h.stop }

// outcome is what became of one record.
type outcome struct {
	status connector.Status
	id     string
	err    *connector.Error
	detail string
}

// fakeOut hands out batches and records outcomes and tickets.
type fakeOut struct {
	fakeHost
	t        *testing.T
	batches  []*connector.RecordBatch
	outcomes map[int64]outcome
	handed   int
	tickets  []connector.Ticket
	onTicket func(connector.Ticket)
}

func newOut(t *testing.T, batches ...*connector.RecordBatch) *fakeOut {
	return &fakeOut{fakeHost: newHost(), t: t, batches: batches, outcomes: map[int64]outcome{}}
}

func (f *fakeOut) Next(context.Context) (*connector.RecordBatch, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.batches) == 0 {
		return nil, io.EOF
	}
	b := f.batches[0]
	f.batches = f.batches[1:]
	f.handed += b.Rows
	return b, nil
}

func (f *fakeOut) Settle(_ context.Context, o connector.Outcomes) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	exceptions := map[int]connector.RowOutcome{}
	for _, e := range o.Exceptions {
		exceptions[e.Row] = e
	}
	for i, seq := range o.Seqs {
		if _, twice := f.outcomes[seq]; twice {
			f.t.Errorf("record %d has two outcomes", seq)
		}
		got := outcome{status: connector.StatusSucceeded}
		if i < len(o.AppIdentifiers) {
			got.id = o.AppIdentifiers[i]
		}
		if e, ok := exceptions[i]; ok {
			got.status, got.err, got.detail = e.Status, e.Error, e.Detail
		}
		f.outcomes[seq] = got
	}
	return nil
}

func (f *fakeOut) Ticket(_ context.Context, ticket connector.Ticket) error {
	f.mu.Lock()
	f.tickets = append(f.tickets, ticket)
	f.mu.Unlock()
	if f.onTicket != nil {
		f.onTicket(ticket)
	}
	return nil
}

// count counts outcomes by status.
func (f *fakeOut) count() map[connector.Status]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[connector.Status]int{}
	for _, o := range f.outcomes {
		out[o.status]++
	}
	if f.handed != len(f.outcomes) {
		f.t.Errorf("%d records handed out, %d settled", f.handed, len(f.outcomes))
	}
	return out
}

// want checks that all records fared alike.
func (f *fakeOut) want(status connector.Status, n int) {
	f.t.Helper()
	if got := f.count(); got[status] != n || len(got) > 1 {
		f.t.Errorf("outcomes %v, want %d %s", got, n, status)
		for seq, o := range f.outcomes {
			if o.status != status {
				f.t.Logf("record %d: %s %v %s", seq, o.status, o.err, o.detail)
				break
			}
		}
	}
}

// states lists the states of the last ticket journaled, or of the given one.
func (f *fakeOut) states() []connector.TicketState {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []connector.TicketState
	for _, t := range f.tickets {
		out = append(out, t.State)
	}
	return out
}

// batchOf makes a batch of rows under a header.
func batchOf(action connector.Action, header []string, firstSeq int64, rows ...[]string) *connector.RecordBatch {
	schema := &connector.Schema{ID: "s1"}
	for _, h := range header {
		schema.Columns = append(schema.Columns, connector.Column{Name: h, Type: connector.Type{Kind: connector.KindString}})
	}
	b := &connector.RecordBatch{Schema: schema, Action: action, Rows: len(rows), Columns: make([]connector.Values, len(header))}
	for i, row := range rows {
		b.Seqs = append(b.Seqs, firstSeq+int64(i))
		b.Identifiers = append(b.Identifiers, fmt.Sprint("r", firstSeq+int64(i)))
		for c, text := range row {
			b.Columns[c].Texts = append(b.Columns[c].Texts, text)
			if text == "" {
				b.Columns[c].Nulls = append(b.Columns[c].Nulls, uint32(i))
			}
		}
	}
	return b
}

// syncFor describes a sync whose mapping is the header.
func syncFor(strategy connector.Strategy, answers connector.Answers, header []string) connector.OutboundSync {
	s := connector.OutboundSync{SyncID: "s", RunID: "r", Strategy: strategy, Answers: answers, KeepsTickets: true}
	for _, h := range header {
		s.Mapping = append(s.Mapping, connector.MappedField{Name: h, Type: connector.Type{Kind: connector.KindString}})
	}
	return s
}

// run runs an outbound sync.
func (w *world) run(sync connector.OutboundSync, out *fakeOut) error {
	w.t.Helper()
	return w.open().SyncOutbound(w.t.Context(), sync, out)
}

// must runs an outbound sync that must not fail.
func (w *world) must(sync connector.OutboundSync, out *fakeOut) {
	w.t.Helper()
	if err := w.run(sync, out); err != nil {
		w.t.Fatal(err)
	}
}

// fakeIn receives an inbound sync.
type fakeIn struct {
	fakeHost
	t           *testing.T
	rows        map[string]map[string]map[string]string // by stream, id, column
	nulls       map[string]int
	kinds       map[string]connector.Kind
	received    int
	tombstones  map[string][]string
	checkpoints map[string][]string
	done        map[string]connector.StreamDone
	onState     func(state string)
}

func newIn(t *testing.T) *fakeIn {
	return &fakeIn{
		fakeHost: newHost(), t: t, rows: map[string]map[string]map[string]string{}, nulls: map[string]int{}, kinds: map[string]connector.Kind{},
		tombstones: map[string][]string{}, checkpoints: map[string][]string{}, done: map[string]connector.StreamDone{},
	}
}

func (f *fakeIn) Append(_ context.Context, b *connector.RecordBatch) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rows[b.Stream] == nil {
		f.rows[b.Stream] = map[string]map[string]string{}
	}
	for row := range b.Rows {
		m := map[string]string{}
		for c, col := range b.Schema.Columns {
			f.kinds[col.Name] = col.Type.Kind
			if b.Columns[c].IsNull(row) {
				f.nulls[col.Name]++
				continue
			}
			m[col.Name] = b.Columns[c].Texts[row]
		}
		f.rows[b.Stream][b.AppIdentifiers[row]] = m
		f.received++
	}
	return nil
}

func (f *fakeIn) Delete(_ context.Context, x connector.Tombstones) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tombstones[x.Stream] = append(f.tombstones[x.Stream], x.AppIdentifiers...)
	return nil
}

func (f *fakeIn) Checkpoint(_ context.Context, c connector.Checkpoint) error {
	f.mu.Lock()
	f.checkpoints[c.Stream] = append(f.checkpoints[c.Stream], c.State)
	f.mu.Unlock()
	if f.onState != nil {
		f.onState(c.State)
	}
	return nil
}

func (f *fakeIn) Done(_ context.Context, d connector.StreamDone) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done[d.Stream] = d
	return nil
}

// read runs an inbound sync of one stream and returns its end.
func (w *world) read(stream string, mode connector.ReadMode, state string, startedAt time.Time, in *fakeIn, fields ...string) connector.StreamDone {
	w.t.Helper()
	sync := connector.InboundSync{
		SyncID: "s", RunID: "r", StartedAt: startedAt, AcksCheckpoints: true,
		Streams: []connector.StreamSelection{{Name: stream, Mode: mode, State: state, Fields: fields}},
	}
	if err := w.open().SyncInbound(w.t.Context(), sync, in); err != nil {
		w.t.Fatal(err)
	}
	d, ok := in.done[stream]
	if !ok {
		w.t.Fatalf("stream %s never ended", stream)
	}
	return d
}

func (w *world) ids(module string) []string {
	var out []string
	for r := range w.sim.Records(module) {
		out = append(out, r["id"])
	}
	slices.Sort(out)
	return out
}

// counting receives an inbound sync and only counts.
type counting struct {
	fakeHost
	rows int
}

func (c *counting) Append(_ context.Context, b *connector.RecordBatch) error {
	c.rows += b.Rows
	return nil
}
func (c *counting) Delete(context.Context, connector.Tombstones) error     { return nil }
func (c *counting) Checkpoint(context.Context, connector.Checkpoint) error { return nil }
func (c *counting) Done(_ context.Context, d connector.StreamDone) error {
	if d.Error != nil {
		return d.Error
	}
	return nil
}
