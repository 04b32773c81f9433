package zohosim

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestCreditsByEdition(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		edition string
		users   int
		addOn   int
		limit   int
	}{
		{"free", 3, 0, 5_000}, {"standard", 10, 0, 52_500}, {"starter", 400, 0, 100_000}, {"professional", 10, 1000, 56_000}, {"enterprise", 10, 0, 60_000},
		{"zohoone", 10, 0, 60_000}, {"enterprise", 5000, 0, 5_000_000}, {"ultimate", 5000, 0, 10_050_000}, {"crmplus", 1, 0, 52_000},
	} {
		conf, err := Config{Edition: c.edition, Users: c.users, AddOnCredits: c.addOn}.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		if _, total := conf.credits(); total != c.limit {
			t.Errorf("%s with %d users: %d, want %d", c.edition, c.users, total, c.limit)
		}
	}
}

func TestCostPerCall(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	row := `{"Last_Name":"a","Company":"b"}`
	rows := func(n int) string { return `{"data":[` + strings.TrimSuffix(strings.Repeat(row+",", n), ",") + `]}` }
	file := w.upload("a.csv", "Last_Name,Company\na,b\n")
	for name, c := range map[string]struct {
		method, path, body string
		cost               int
	}{
		"org":              {"GET", "/crm/v8/org", "", 1},
		"list":             {"GET", "/crm/v8/Leads?fields=id", "", 1},
		"list with cvid":   {"GET", "/crm/v8/Leads?fields=id&cvid=1", "", 3},
		"insert 1":         {"POST", "/crm/v8/Leads", rows(1), 1},
		"insert 10":        {"POST", "/crm/v8/Leads", rows(10), 1},
		"insert 11":        {"POST", "/crm/v8/Leads", rows(11), 2},
		"insert 100":       {"POST", "/crm/v8/Leads", rows(100), 10},
		"deleted":          {"GET", "/crm/v8/Leads/deleted", "", 2},
		"count":            {"GET", "/crm/v8/Leads/actions/count", "", 50},
		"coql 200":         {"POST", "/crm/v8/coql", `{"select_query":"select id from Leads where id is not null limit 200"}`, 1},
		"coql 1000":        {"POST", "/crm/v8/coql", `{"select_query":"select id from Leads where id is not null limit 1000"}`, 2},
		"coql 1001":        {"POST", "/crm/v8/coql", `{"select_query":"select id from Leads where id is not null limit 1001"}`, 3},
		"mass delete 101":  {"POST", "/crm/v8/Leads/actions/mass_delete", `{"ids":[` + strings.TrimSuffix(strings.Repeat(`"1",`, 101), ",") + `]}`, 2},
		"bulk write":       {"POST", "/crm/bulk/v8/write", `{"operation":"insert","resource":[{"type":"data","module":{"api_name":"Leads"},"file_id":"` + file + `"}]}`, 500},
		"bulk read":        {"POST", "/crm/bulk/v8/read", `{"query":{"module":{"api_name":"Leads"}}}`, 50},
		"unknown job":      {"GET", "/crm/bulk/v8/read/1", "", 1},
		"refused by token": {"GET", "/crm/v8/nothing/like/this", "", 0},
	} {
		before := w.sim.Credits().SpentEver
		w.do(c.method, c.path, c.body, "Content-Type", jsonType)
		if got := w.sim.Credits().SpentEver - before; got != c.cost {
			t.Errorf("%s cost %d, want %d", name, got, c.cost)
		}
	}
}

func TestCreditsRunOutAndComeBack(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) { c.Edition = "free"; c.Variants.RetryAfter = 7 })
	create := func() *answer {
		return w.do("POST", "/crm/bulk/v8/read", `{"query":{"module":{"api_name":"Leads"}}}`, "Content-Type", jsonType)
	}
	for i := range 100 {
		a := create()
		want := ""
		if spent := (i + 1) * 50; spent >= 2500 {
			want = fmt.Sprint(5000 - spent)
		}
		if a.status != 201 || a.header.Get("X-API-CREDITS-REMAINING") != want {
			t.Fatalf("job %d: %d, header %q, want %q", i, a.status, a.header.Get("X-API-CREDITS-REMAINING"), want)
		}
	}
	a := create()
	if a.status != 429 || a.at("code") != "TOO_MANY_REQUESTS" || a.header.Get("Retry-After") != "7" {
		t.Errorf("%d %s %v", a.status, a.body, a.header)
	}
	w.clock.advance(24*time.Hour - time.Second)
	w.token = w.sim.NewAccessToken("")
	if a = create(); a.status != 429 {
		t.Errorf("a second early: %d", a.status)
	}
	w.clock.advance(time.Second)
	if a = create(); a.status != 201 {
		t.Errorf("after 24 hours: %d %s", a.status, a.body)
	}
	if c := w.sim.Credits(); c.Spent != 50 || c.SpentEver != 5050 || c.Remaining != 4950 {
		t.Errorf("%+v", c)
	}
	if n := len(w.sim.JobCreations()); n != 101 {
		t.Errorf("%d jobs", n)
	}
}

// crowd sends n requests at once, which a delay fault holds, waits until refused of them have been answered 429, then
// lets go of the rest. It reports how many were refused in the end.
func (w *world) crowd(n, refused int, path string) int {
	w.t.Helper()
	ctx, release := context.WithCancel(w.t.Context())
	defer release()
	var tooMany atomic.Int32
	var wg sync.WaitGroup
	for range n {
		req := w.request("GET", path, "").WithContext(ctx)
		wg.Go(func() {
			if a, err := w.send(req); err == nil && a.status == http.StatusTooManyRequests {
				tooMany.Add(1)
			}
		})
	}
	inFlight := func() int {
		w.sim.gauge.mu.Lock()
		defer w.sim.gauge.mu.Unlock()
		return w.sim.gauge.calls
	}
	w.eventually(func() bool { return int(tooMany.Load()) >= refused && inFlight() == n-refused })
	release()
	wg.Wait()
	w.eventually(func() bool { return inFlight() == 0 })
	return int(tooMany.Load())
}

// eventually polls a condition with a deadline.
func (w *world) eventually(cond func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			w.t.Fatal("the condition did not come true")
		}
		runtime.Gosched()
	}
}

func TestConcurrencyLimits(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) { c.Edition = "enterprise" })
	if err := w.sim.Fault(Fault{Action: Action{Kind: ActionDelay, Delay: Duration(time.Hour)}}); err != nil {
		t.Fatal(err)
	}
	if got := w.crowd(30, 10, "/crm/v8/org"); got != 10 {
		t.Errorf("30 light calls: %d refused", got)
	}
	if got := w.crowd(15, 5, "/crm/v8/Leads?fields=id&sort_by=id"); got != 5 {
		t.Errorf("15 heavy calls: %d refused", got)
	}
	if n := w.sim.Counters(); n.PeakConcurrency != 20 || n.PeakHeavy != 10 || n.ThrottledConcurrency != 15 {
		t.Errorf("%+v", n)
	}
	if err := w.sim.Configure(func(c *Config) { c.DisableConcurrency = true }); err != nil {
		t.Fatal(err)
	}
	if got := w.crowd(30, 0, "/crm/v8/org"); got != 0 {
		t.Errorf("switched off: %d refused", got)
	}
}
