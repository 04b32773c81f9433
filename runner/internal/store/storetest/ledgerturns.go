package storetest

import (
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

func wordsInAnyOrder(t *testing.T, open func() runner.Store) {
	store, ctx := open(), t.Context()
	say := func(units, left int64, at time.Time) {
		t.Helper()
		must(t, store.Spend(ctx, "main", "r", []connector.Usage{{Pool: "credits", Units: units, Remaining: &left}}, at))
	}
	say(1, 40, day)
	say(1, 41, day) // was answered before
	left := func(want int64, at time.Time) {
		t.Helper()
		got, err := store.Left(ctx, "main", credits, at)
		must(t, err)
		if got != want {
			t.Errorf("%d are left, want %d", got, want)
		}
	}
	left(40, day)
	must(t, store.Spend(ctx, "main", "r", []connector.Usage{{Pool: "credits", Units: 1}}, day)) // and was not answered
	left(39, day)
	say(1, 12, day) // somebody else spends too
	left(12, day)
	said, believed, err := store.Said(ctx, "main", credits, day)
	if must(t, err); said != 12 || !believed {
		t.Errorf("the app is remembered to have said %d (%v), want 12", said, believed)
	}
	later := day.Add(16 * time.Minute)
	left(506, later) // nothing was heard for long: the ledger alone counts
	say(1, 300, later)
	left(300, later)
}

func severalPools(t *testing.T, open func() runner.Store) {
	store, ctx := open(), t.Context()
	pace := connector.Pool{Name: "rate:read:60s", Capacity: 10, Window: time.Minute}
	both := []connector.Pool{credits, pace}
	grant := func(run string, units int64, at time.Time) connector.Grant {
		t.Helper()
		g, err := store.Grant(ctx, "main", run, both, connector.GrantRequest{Pool: "credits", Units: units}, at)
		must(t, err)
		return g
	}
	if g := grant("a", 7, day); g.Units != 7 || g.ExpiresAt.After(day.Add(time.Minute)) {
		t.Errorf("granted %+v, want 7 units for a minute", g)
	}
	if g := grant("b", 4, day); g.Units != 0 || g.RetryAt.After(day.Add(5*time.Second)) {
		t.Errorf("granted %+v of a pool that has 3, want nothing, and to be told to ask again soon", g)
	}
	same(t, int64(503))(store.Left(ctx, "main", credits, day))
	same(t, int64(3))(store.Left(ctx, "main", pace, day))
	must(t, store.Spend(ctx, "main", "a", []connector.Usage{{Pool: "credits", Units: 7}, {Pool: pace.Name, Units: 7}}, day))
	g := grant("b", 4, day)
	if g.Units != 0 || g.RetryAt.Before(day.Add(time.Minute)) || g.RetryAt.After(day.Add(61*time.Second)) {
		t.Errorf("granted %+v, want to be sent to the end of the minute", g)
	}
	if g := grant("b", 4, g.RetryAt); g.Units != 4 {
		t.Errorf("asking again at the time given: %+v", g)
	}
}

func returned(t *testing.T, open func() runner.Store) {
	store, ctx := open(), t.Context()
	pool := connector.Pool{Name: "p", Capacity: 9, Window: time.Hour}
	ask := func(run string, units, back int64) int64 {
		t.Helper()
		g, err := store.Grant(ctx, "main", run, one(pool), connector.GrantRequest{Pool: "p", Units: units, Returned: back}, day)
		must(t, err)
		return g.Units
	}
	// Three runs hold 3 each, and need 4: without returning, all would wait.
	for _, run := range []string{"a", "b", "c"} {
		if got := ask(run, 3, 0); got != 3 {
			t.Fatalf("%s was granted %d, want 3", run, got)
		}
	}
	if got := ask("a", 4, 3); got != 0 {
		t.Errorf("a was granted %d of the 3 it returned", got)
	}
	if got := ask("b", 4, 3); got != 4 {
		t.Errorf("b was granted %d, want 4 of the 6 returned", got)
	}
	same(t, int64(2))(store.Left(ctx, "main", pool, day))
}

func forfeited(t *testing.T, open func() runner.Store) {
	store, ctx := open(), t.Context()
	withSync(t, store, "leads")
	must(t, store.StartRun(ctx, runner.Run{ID: "r1", Sync: "leads", State: runner.RunRunning, StartedAt: day}))
	pool := connector.Pool{Name: "p", Capacity: 10, Window: time.Hour}
	for _, run := range []string{"r1", "r2"} {
		if _, err := store.Grant(ctx, "main", run, one(pool), connector.GrantRequest{Pool: "p", Units: 4}, day); err != nil {
			t.Fatal(err)
		}
	}
	must(t, store.Forfeit(ctx, "r2", day))
	must(t, store.Release(ctx, "r2"))
	same(t, int64(2))(store.Left(ctx, "main", pool, day))
	// Whoever takes a run over does not know what it has spent.
	if _, found, err := store.OpenRun(ctx, "leads"); !found || err != nil {
		t.Fatalf("the run is not open: %v, %v", found, err)
	}
	must(t, store.Release(ctx, "r1"))
	same(t, int64(2))(store.Left(ctx, "main", pool, day))
}
