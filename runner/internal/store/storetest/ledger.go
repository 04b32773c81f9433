package storetest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

var credits = connector.Pool{Name: "credits", Capacity: 510, Window: 24 * time.Hour}

func one(pool connector.Pool) []connector.Pool { return []connector.Pool{pool} }

func grants(t *testing.T, open func() runner.Store) {
	store, ctx := open(), t.Context()
	grant := func(run string, units, want int64, at time.Time) connector.Grant {
		t.Helper()
		g, err := store.Grant(ctx, "main", run, one(credits), connector.GrantRequest{Pool: "credits", Units: units, Want: want}, at)
		must(t, err)
		return g
	}
	left := func(want int64, at time.Time) {
		t.Helper()
		same(t, want)(open().Left(ctx, "main", credits, at))
	}
	left(510, day)
	if g := grant("r3", 1, 20, day); g.Units != 10 {
		t.Errorf("a grant of more than is needed: %+v, want a fiftieth of what is left", g)
	}
	must(t, store.Release(ctx, "r3"))
	if g := grant("r1", 100, 0, day); g.Units != 100 || !g.ExpiresAt.After(day) || g.Unlimited || !g.RetryAt.IsZero() {
		t.Errorf("first grant: %+v", g)
	}
	if g := grant("r2", 410, 1000, day); g.Units != 410 {
		t.Errorf("a grant of more than there is: %+v, want the 410 that are left", g)
	}
	left(0, day)
	if g := grant("r1", 1, 0, day); g.Units != 0 || !g.RetryAt.After(day) {
		t.Errorf("a grant of nothing: %+v, want a time to ask again", g)
	}
	if g := grant("r1", 50, 0, day); g.RetryAt.After(day.Add(time.Minute)) {
		t.Errorf("a grant of what another run holds unspent: %+v, want to be told to ask again soon", g)
	}
	must(t, store.Spend(ctx, "main", "r1", []connector.Usage{{Pool: "credits", Units: 60}, {Category: "free", Requests: 3}}, day))
	left(0, day)
	must(t, store.Release(ctx, "r1"))
	left(40, day)
	must(t, store.Release(ctx, "r2"))
	left(450, day)
	must(t, store.Spend(ctx, "main", "r3", []connector.Usage{{Pool: "credits", Units: 500}}, day)) // without a lease
	left(0, day)
	same(t, int64(510))(store.Left(ctx, "other connection", credits, day))
	if _, err := store.Grant(ctx, "main", "r1", one(credits), connector.GrantRequest{Units: 511}, day); connector.ClassOf(err) != connector.ClassQuotaExhausted {
		t.Errorf("asking for more than the pool holds: %v, want QUOTA_EXHAUSTED", err)
	}
}

func window(t *testing.T, open func() runner.Store) {
	store, ctx := open(), t.Context()
	ask := func(units int64, at time.Time) connector.Grant {
		t.Helper()
		g, err := store.Grant(ctx, "main", "r", one(credits), connector.GrantRequest{Pool: "credits", Units: units}, at)
		must(t, err)
		return g
	}
	spend := func(units int64, at time.Time) {
		t.Helper()
		must(t, store.Spend(ctx, "main", "r", []connector.Usage{{Pool: "credits", Units: units}}, at))
	}
	ask(300, day)
	spend(300, day)
	ask(210, day.Add(time.Hour))
	spend(210, day.Add(time.Hour))

	early := ask(100, day.Add(2*time.Hour))
	if early.Units != 0 || early.RetryAt.Before(day.Add(24*time.Hour)) || early.RetryAt.After(day.Add(24*time.Hour+2*time.Minute)) {
		t.Errorf("asking for 100 of a spent pool: %+v, want to be sent to a day after the first spending", early)
	}
	late := ask(301, day.Add(2*time.Hour))
	if late.RetryAt.Before(day.Add(25 * time.Hour)) {
		t.Errorf("asking for 301 of a spent pool: %+v, want to be sent to a day after the second spending", late)
	}
	same(t, int64(0))(store.Left(ctx, "main", credits, day.Add(24*time.Hour-time.Second)))
	if g := ask(300, early.RetryAt); g.Units != 300 {
		t.Errorf("asking again at the time given: %+v", g)
	}
	// The run is gone without a word: its lease counts for a window after its end.
	g := ask(210, late.RetryAt)
	if g.Units != 210 {
		t.Fatalf("asking again at the later time given: %+v", g)
	}
	same(t, int64(300))(store.Left(ctx, "main", credits, g.ExpiresAt.Add(24*time.Hour-time.Second)))
	same(t, int64(510))(store.Left(ctx, "main", credits, g.ExpiresAt.Add(24*time.Hour)))
}

func remaining(t *testing.T, open func() runner.Store) {
	store, ctx := open(), t.Context()
	said := int64(20)
	must(t, store.Spend(ctx, "main", "r", []connector.Usage{{Pool: "credits", Units: 10, Remaining: &said}}, day))
	same(t, int64(20))(store.Left(ctx, "main", credits, day))
	must(t, store.Spend(ctx, "main", "r", []connector.Usage{{Pool: "credits", Units: 5}}, day))
	same(t, int64(15))(store.Left(ctx, "main", credits, day))
	g, err := store.Grant(ctx, "main", "r", one(credits), connector.GrantRequest{Pool: "credits", Units: 16}, day)
	must(t, err)
	if g.Units != 0 || !g.RetryAt.After(day) {
		t.Errorf("asking for more than the app has left: %+v", g)
	}
	if g, err = store.Grant(ctx, "main", "r", one(credits), connector.GrantRequest{Pool: "credits", Units: 16}, g.RetryAt); err != nil || g.Units != 16 {
		t.Errorf("asking again at the time given: %+v, %v", g, err)
	}
}

func concurrentGrants(t *testing.T, open func() runner.Store) {
	stores := []runner.Store{open(), open()}
	var granted atomic.Int64
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			granted.Add(Exhaust(t, stores[worker%2], fmt.Sprint("run", worker)))
		})
	}
	wg.Wait()
	if got := granted.Load(); got != credits.Capacity {
		t.Errorf("8 workers were granted %d units of %d", got, credits.Capacity)
	}
}

// Exhaust asks for units of one pool, and spends them, until there are none, and
// returns what it was granted. Several callers on one store, also in several
// processes, must together be granted 510.
func Exhaust(t testing.TB, store runner.Store, runID string) int64 {
	var granted int64
	for {
		g, err := store.Grant(t.Context(), "main", runID, one(credits), connector.GrantRequest{Pool: "credits", Units: 1, Want: 7}, day)
		if err != nil {
			t.Error(err)
			return granted
		}
		if g.Units == 0 {
			return granted
		}
		granted += g.Units
		if err := store.Spend(t.Context(), "main", runID, []connector.Usage{{Pool: "credits", Units: g.Units}}, day); err != nil {
			t.Error(err)
			return granted
		}
	}
}

// ledgerProperty plays random grants, spendings, releases and pauses against a
// model, and checks after each step that in no window more was spent, together
// with what may still be spent, than the pool holds.
func ledgerProperty(t *testing.T, open func() runner.Store) {
	store, ctx := open(), t.Context()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	pool := connector.Pool{Name: "p", Capacity: 100, Window: time.Hour}
	model := model{leases: map[string][]lease{}, window: pool.Window}
	now := day
	for step := range 400 {
		run := fmt.Sprint("run", random.IntN(3))
		switch random.IntN(10) {
		case 0:
			must(t, store.Release(ctx, run))
			delete(model.leases, run)
		case 1:
			now = now.Add(time.Duration(random.Int64N(int64(15 * time.Minute))))
		case 2, 3, 4:
			if units := random.Int64N(model.unspent(run, now) + 1); units > 0 {
				must(t, store.Spend(ctx, "main", run, []connector.Usage{{Pool: "p", Units: units}}, now))
				model.spend(run, units, now)
			}
		default:
			needed := 1 + random.Int64N(40)
			g, err := store.Grant(ctx, "main", run, one(pool), connector.GrantRequest{Pool: "p", Units: needed, Want: needed + random.Int64N(30)}, now)
			must(t, err)
			model.leases[run] = append(model.leases[run], lease{g.Units, g.ExpiresAt})
			if g.Units == 0 && !g.RetryAt.After(now) {
				t.Fatalf("step %d: nothing was granted, and no later time to ask again: %+v", step, g)
			}
			if g.Units != 0 && g.Units < needed {
				t.Fatalf("step %d: %d units were granted, %d are needed", step, g.Units, needed)
			}
		}
		if taken := model.taken(now); taken > pool.Capacity {
			t.Fatalf("step %d: %d units of %d are spent or may be", step, taken, pool.Capacity)
		}
		left, err := store.Left(ctx, "main", pool, now)
		must(t, err)
		if left > pool.Capacity-model.taken(now) {
			t.Fatalf("step %d: Left says %d, but %d are taken", step, left, model.taken(now))
		}
	}
	// What was not given back in the course of it comes back at the end.
	same(t, pool.Capacity)(store.Left(ctx, "main", pool, now.Add(3*time.Hour)))
}

// model is a ledger that knows every spending by its instant, and every lease
// until it is spent, released or expired: after that no unit of it may be spent.
type model struct {
	leases map[string][]lease
	spent  []spending
	window time.Duration
}

type lease struct {
	units   int64
	expires time.Time
}

type spending struct {
	at    time.Time
	units int64
}

// unspent counts what a run may still spend.
func (m *model) unspent(run string, now time.Time) int64 {
	var sum int64
	for _, l := range m.leases[run] {
		if now.Before(l.expires) {
			sum += l.units
		}
	}
	return sum
}

func (m *model) spend(run string, units int64, at time.Time) {
	m.spent = append(m.spent, spending{at, units})
	for i, l := range m.leases[run] {
		if at.Before(l.expires) {
			part := min(units, l.units)
			m.leases[run][i].units -= part
			units -= part
		}
	}
}

// taken counts what was spent within the window before now, and what may be.
func (m *model) taken(now time.Time) int64 {
	var sum int64
	for _, s := range m.spent {
		if s.at.After(now.Add(-m.window)) {
			sum += s.units
		}
	}
	for run := range m.leases {
		sum += m.unspent(run, now)
	}
	return sum
}
