// Package storetest is the exam every implementation of [runner.Store] passes.
// It asks only what the interface promises, so that another database can join by
// calling [Run] from a test of its own.
package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// Harness makes the subjects of the exam.
type Harness struct {
	// New prepares an empty store and returns how to open it. Each call of open
	// is another handle on the same store; the test closes none of them, New
	// arranges for that.
	New func(t *testing.T) (open func() runner.Store)
}

// Run runs the exam.
func Run(t *testing.T, h Harness) {
	for _, part := range []struct {
		name string
		run  func(t *testing.T, open func() runner.Store)
	}{
		{"connectors are kept, replaced, listed and forgotten", connectors},
		{"a connection is kept whole", connections},
		{"a connection in use cannot be deleted", connectionInUse},
		{"what a connector keeps is merged", keep},
		{"syncs are kept, replaced, listed and forgotten", syncs},
		{"a run is kept whole, newest first", runs},
		{"a run is held by one handle at a time", runLease},
		{"a delayed run is open while it has tickets", delayedRun},
		{"a run that waits to be resumed is open", openRuns},
		{"a run is cancelled where it is held", cancelledRun},
		{"tickets move forward only", tickets},
		{"missing names are not found", missingNames},
		{"a grant is bounded by the pool", grants},
		{"spent units come back after a window", window},
		{"the app's own word bounds grants", remaining},
		{"the app's words may come in any order", wordsInAnyOrder},
		{"what is granted of several pools is in all of them", severalPools},
		{"what is returned can be granted again", returned},
		{"what a lost run held counts as spent", forfeited},
		{"concurrent grants never exceed the pool", concurrentGrants},
		{"any sequence keeps the law of the ledger", ledgerProperty},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.run(t, h.New(t))
		})
	}
}

// day is an instant without a fraction below the microsecond, which is all that
// stores promise to keep.
var day = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

func connectors(t *testing.T, open func() runner.Store) {
	store, ctx := open(), t.Context()
	first := runner.ConnectorRef{ID: "zoho-crm", Path: "/opt/a", SHA256: "aa", Version: "1.0.0", AddedAt: day}
	second := runner.ConnectorRef{ID: "acme", Path: "/opt/b", SHA256: "bb", Version: "0.1.0", AddedAt: day}
	must(t, store.PutConnector(ctx, runner.ConnectorRef{ID: "zoho-crm", Path: "/old"}))
	must(t, store.PutConnector(ctx, first))
	must(t, store.PutConnector(ctx, second))
	same(t, first)(store.Connector(ctx, "zoho-crm"))
	same(t, []runner.ConnectorRef{second, first})(open().Connectors(ctx))
	must(t, store.DeleteConnector(ctx, "acme"))
	same(t, []runner.ConnectorRef{first})(store.Connectors(ctx))
}

// connection returns a connection with every field set.
func connection(name string) runner.Connection {
	concurrency, capacity := 3, int64(100)
	return runner.Connection{
		Name: name, Connector: "zoho-crm", Method: "oauth",
		Answers:    connector.Answers{"dc": {"eu"}, "none": {}},
		Secrets:    connector.Answers{"client_secret": {"s3cret"}, "refresh_token": {"a", "b"}},
		Parameters: connector.Answers{"org_id": {"42"}},
		Addresses:  []connector.NetworkAddress{{Host: "www.zohoapis.eu", Port: 443, Purpose: "API"}},
		Account:    "Acme", CreatedAt: day, TestedAt: day.Add(time.Hour),
		Limits: connector.Limits{
			Limits: []connector.Limit{{
				Category: "records", Rates: []connector.Rate{{Count: 10, Per: time.Minute}},
				Matchers: []connector.Matcher{{Methods: []string{"GET"}, PathPattern: "/crm/.*"}}, Cost: &connector.Cost{Pool: "credits", Units: 1, Items: 10},
			}},
			Pools: []connector.Pool{{Name: "credits", Capacity: 5000, Window: 24 * time.Hour}},
		},
		Overrides: []runner.LimitOverride{{Category: "records", MaxConcurrency: &concurrency}, {Pool: "credits", Capacity: &capacity}},
	}
}

func connections(t *testing.T, open func() runner.Store) {
	store, ctx := open(), t.Context()
	want := connection("main")
	must(t, store.PutConnection(ctx, want))
	same(t, want)(open().Connection(ctx, "main"))

	other := connection("backup")
	other.Secrets = nil
	must(t, store.PutConnection(ctx, other))
	same(t, []runner.Connection{other, want})(store.Connections(ctx))

	want.Secrets = connector.Answers{"client_secret": {"new"}}
	must(t, store.PutConnection(ctx, want))
	same(t, want)(store.Connection(ctx, "main"))

	must(t, store.DeleteConnection(ctx, "main"))
	notFound(t)(store.Connection(ctx, "main"))
	must(t, store.PutConnection(ctx, runner.Connection{Name: "main", CreatedAt: day}))
	same(t, runner.Connection{Name: "main", CreatedAt: day})(store.Connection(ctx, "main"))
}

func connectionInUse(t *testing.T, open func() runner.Store) {
	store, ctx := open(), t.Context()
	must(t, store.PutConnection(ctx, connection("main")))
	must(t, store.PutSync(ctx, runner.Sync{Name: "leads", Connection: "main", CreatedAt: day}))
	if err := store.DeleteConnection(ctx, "main"); err == nil {
		t.Error("a connection in use was deleted")
	}
	must(t, store.DeleteSync(ctx, "leads"))
	must(t, store.DeleteConnection(ctx, "main"))
}

func keep(t *testing.T, open func() runner.Store) {
	store, ctx := open(), t.Context()
	want := connection("main")
	must(t, store.PutConnection(ctx, want))
	must(t, store.KeepWithConnection(ctx, "main", connector.Keep{
		Parameters: connector.Answers{"org_id": {"43"}, "extra": {"x"}},
		Secrets:    connector.Answers{"refresh_token": {"c"}, "access_token": {"fresh"}},
		ExpiresAt:  time.Now().Add(time.Hour),
	}))
	must(t, store.KeepWithConnection(ctx, "main", connector.Keep{
		Secrets: connector.Answers{"stale_token": {"worthless"}}, ExpiresAt: time.Now().Add(-time.Hour),
	}))
	want.Parameters = connector.Answers{"org_id": {"43"}, "extra": {"x"}}
	want.Secrets = connector.Answers{"client_secret": {"s3cret"}, "refresh_token": {"c"}, "access_token": {"fresh"}}
	same(t, want)(open().Connection(ctx, "main"))
	must(t, store.KeepWithConnection(ctx, "main", connector.Keep{}))
	same(t, want)(open().Connection(ctx, "main"))
}

func syncs(t *testing.T, open func() runner.Store) {
	store, ctx := open(), t.Context()
	must(t, store.PutConnection(ctx, connection("main")))
	out := runner.Sync{Name: "leads", Connection: "main", CreatedAt: day, Outbound: &runner.OutboundSpec{
		Source: runner.Source{Query: "SELECT 1"}, Identifier: "id", Strategy: "Upsert",
		Answers:  connector.Answers{"module": {"Leads"}},
		Mappings: []runner.Mapping{{Field: "Last_Name", Column: "name"}, {Field: "Email", Expression: "lower(email)"}},
		Retry:    runner.RetryPolicy{MaxAttempts: 3, Backoff: time.Minute},
	}}
	in := runner.Sync{Name: "crm", Connection: "main", CreatedAt: day, Inbound: &runner.InboundSpec{
		Streams: []runner.StreamSpec{{Name: "Contacts", Mode: connector.ReadIncremental, Storage: runner.StorageMerge, Fields: []string{"id"}}},
	}}
	must(t, store.PutSync(ctx, runner.Sync{Name: "leads", Connection: "main"}))
	must(t, store.PutSync(ctx, out))
	must(t, store.PutSync(ctx, in))
	same(t, out)(open().Sync(ctx, "leads"))
	same(t, []runner.Sync{in, out})(store.Syncs(ctx))
	must(t, store.DeleteSync(ctx, "crm"))
	same(t, []runner.Sync{out})(store.Syncs(ctx))
}

// withSync puts what runs refer to.
func withSync(t *testing.T, store runner.Store, names ...string) {
	t.Helper()
	must(t, store.PutConnection(t.Context(), connection("main")))
	for _, name := range names {
		must(t, store.PutSync(t.Context(), runner.Sync{Name: name, Connection: "main", CreatedAt: day}))
	}
}

func missingNames(t *testing.T, open func() runner.Store) {
	store, ctx := open(), t.Context()
	notFound(t)(store.Connector(ctx, "none"))
	notFound(t)(store.Connection(ctx, "none"))
	notFound(t)(store.Sync(ctx, "none"))
	notFound(t)(store.Run(ctx, "none"))
	for name, err := range map[string]error{
		"DeleteConnector":    store.DeleteConnector(ctx, "none"),
		"DeleteConnection":   store.DeleteConnection(ctx, "none"),
		"DeleteSync":         store.DeleteSync(ctx, "none"),
		"KeepWithConnection": store.KeepWithConnection(ctx, "none", connector.Keep{}),
		"SaveRun":            store.SaveRun(ctx, runner.Run{ID: "none"}),
		"PutTicket":          store.PutTicket(ctx, "none", connector.Ticket{ID: "t", State: connector.TicketPrepared}),
		"PutSync":            store.PutSync(ctx, runner.Sync{Name: "s", Connection: "none"}),
		"StartRun":           store.StartRun(ctx, runner.Run{ID: "r", Sync: "none", State: runner.RunRunning}),
	} {
		if !errors.Is(err, runner.ErrNotFound) {
			t.Errorf("%s of a missing name: %v, want ErrNotFound", name, err)
		}
	}
	if _, open, err := store.OpenRun(ctx, "none"); open || err != nil {
		t.Errorf("OpenRun of a missing sync: %v, %v", open, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// same returns a check of a method's results against what is wanted.
func same[T any](t *testing.T, want T) func(T, error) {
	t.Helper()
	return func(got T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("differs (-want +got):\n%s", diff)
		}
	}
}

// notFound returns a check that a method said so.
func notFound(t *testing.T) func(any, error) {
	t.Helper()
	return func(_ any, err error) {
		t.Helper()
		if !errors.Is(err, runner.ErrNotFound) {
			t.Errorf("error %v, want one that wraps ErrNotFound", err)
		}
	}
}
