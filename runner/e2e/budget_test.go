package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/zoho/zohosim"
)

// shop is a simulated organisation, and a folder with a connection to it.
type shop struct {
	sim       *zohosim.Sim
	dir, base string
}

func openShop(t *testing.T, config zohosim.Config) *shop {
	t.Helper()
	config.DisableTokenThrottle, config.RequestLogSize = true, 100_000
	sim, err := zohosim.New(config)
	if err != nil {
		t.Fatal(err)
	}
	base, err := sim.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	s := &shop{sim: sim, base: base, dir: t.TempDir()}
	endpoint := sim.Endpoint(base)
	s.must(t, "connectors", "add", "zoho")
	s.must(t, "connections", "create", "crm", "--method", "self_client",
		"--answer", "client_id="+endpoint.ClientID, "--answer", "endpoint_url="+base,
		"--secret", "client_secret=env:CLIENT_SECRET", "--secret", "grant_code=env:GRANT_CODE")
	return s
}

// creation configures a sync that creates a number of accounts by record calls,
// one credit for ten records.
func (s *shop) creation(t *testing.T, name string, records int) {
	t.Helper()
	s.must(t, "syncs", "create", name, "--source-query", fmt.Sprintf("SELECT i AS id, 'Company ' || i AS name FROM range(%d) t(i)", records),
		"--identifier", "id", "--strategy", "Create", "--set", "module=Accounts", "--set", "path=records", "--map", "Account_Name=name")
}

// run runs a command and returns its exit code and what it said.
func (s *shop) run(t *testing.T, args ...string) (int, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sluice", args...)
	endpoint := s.sim.Endpoint(s.base)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "CLIENT_SECRET="+endpoint.ClientSecret, "GRANT_CODE="+endpoint.GrantCode, "GORACE=atexit_sleep_ms=0")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), said.String()
}

func (s *shop) must(t *testing.T, args ...string) string {
	t.Helper()
	code, said := s.run(t, args...)
	if code != 0 {
		t.Fatalf("sluice %s: exit code %d\n%s", strings.Join(args, " "), code, said)
	}
	return said
}

// spent sums the credits in the simulator's log from a request on, and counts
// the requests that went beyond a limit.
func (s *shop) spent(from, limit int) (credits, over int) {
	for _, r := range s.sim.RequestLog()[from:] {
		credits += r.Credits
		if r.Credits > 0 && credits > limit {
			over++
		}
	}
	return credits, over
}

// judge fails the test when more than the limit was spent, or less than 95 % of it.
func (s *shop) judge(t *testing.T, from, limit int) {
	t.Helper()
	credits, over := s.spent(from, limit)
	t.Logf("%d of %d credits were spent (%.1f %%), %d requests were over the limit", credits, limit, 100*float64(credits)/float64(limit), over)
	if over > 0 {
		t.Errorf("%d requests were over the limit of %d credits", over, limit)
	}
	if credits*100 < limit*95 {
		t.Errorf("%d of %d credits were spent, want 95 %% at least", credits, limit)
	}
}

// Four runs side by side share the budget of their connection to the last
// credit, and give way to each other in what the app allows at once.
func TestConcurrentRunsShareABudget(t *testing.T) {
	t.Parallel()
	const limit = 300
	s := openShop(t, zohosim.Config{})
	s.must(t, "connections", "limits", "crm", "--set", fmt.Sprintf("credits=%d", limit))
	syncs := []string{"a", "b", "c", "d"}
	for _, name := range syncs {
		s.creation(t, name, 1_500)
	}
	from := len(s.sim.RequestLog())
	code, said := s.run(t, append([]string{"syncs", "run"}, syncs...)...)
	if code != 5 || strings.Count(said, "of sync ") < 2*len(syncs) {
		t.Errorf("exit code %d, want 5 and a summary for each run:\n%s", code, said)
	}
	s.judge(t, from, limit)
	if c := s.sim.Counters(); c.ThrottledConcurrency+c.ThrottledCredits > 0 {
		t.Errorf("the app refused %d calls as too many at once and %d for want of credits", c.ThrottledConcurrency, c.ThrottledCredits)
	}
}

// Twenty processes one after the other share it too, since the ledger is the
// host's and outlives them.
func TestSequentialRunsShareABudget(t *testing.T) {
	t.Parallel()
	const limit = 300
	s := openShop(t, zohosim.Config{})
	s.must(t, "connections", "limits", "crm", "--set", fmt.Sprintf("credits=%d", limit))
	s.creation(t, "out", 10_000)
	from := len(s.sim.RequestLog())
	delayed := 0
	for range 20 {
		switch code, said := s.run(t, "syncs", "run", "out", "--limit", "170"); code {
		case 0:
		case 5:
			if delayed++; !strings.Contains(said, "budget") {
				t.Errorf("a run that has no budget does not say so:\n%s", said)
			}
		default:
			t.Fatalf("exit code %d:\n%s", code, said)
		}
	}
	s.judge(t, from, limit)
	if delayed == 0 {
		t.Error("no run was delayed")
	}
}

// Where the app has less than the connection believes, its own word counts: half
// a day's credits are gone before it says anything.
func TestTheAppsOwnWordBoundsConcurrentRuns(t *testing.T) {
	t.Parallel()
	s := openShop(t, zohosim.Config{})
	syncs := []string{"a", "b", "c", "d"}
	for _, name := range syncs {
		s.creation(t, name, 16_000)
	}
	if err := s.sim.Configure(func(c *zohosim.Config) { c.Edition = "free" }); err != nil {
		t.Fatal(err)
	}
	limit := s.sim.Credits().Limit
	if code, said := s.run(t, append([]string{"syncs", "run", "--deadline", "2m"}, syncs...)...); code != 5 {
		t.Errorf("exit code %d, want 5:\n%s", code, said)
	}
	s.judge(t, 0, limit)
	if c := s.sim.Counters(); c.ThrottledCredits > 0 {
		t.Errorf("the app refused %d calls for want of credits", c.ThrottledCredits)
	}
}

// A rate is kept by processes that end in the middle of its window: those that
// follow know what was used.
func TestShortWindowsOutliveProcesses(t *testing.T) {
	t.Parallel()
	const most, window = 3, 4 * time.Second
	s := openShop(t, zohosim.Config{})
	s.must(t, "connections", "limits", "crm", "--set", fmt.Sprintf("records_write=%d/%s", most, window))
	s.creation(t, "out", 1_000)
	from := len(s.sim.RequestLog())
	for range 5 {
		s.must(t, "syncs", "run", "out", "--limit", "200") // two calls
	}
	var calls []time.Time
	for _, r := range s.sim.RequestLog()[from:] {
		if r.Method == "POST" && strings.HasSuffix(r.Path, "/Accounts") {
			calls = append(calls, r.Time)
		}
	}
	if len(calls) != 10 {
		t.Fatalf("the app saw %d calls, want 10", len(calls))
	}
	for i := range len(calls) - most {
		if took := calls[i+most].Sub(calls[i]); took < window {
			t.Errorf("calls %d to %d came within %s, at most %d may within %s", i+1, i+most+1, took, most, window)
		}
	}
}

// A sync's own limits hold within those of its connection.
func TestASyncHasLimitsOfItsOwn(t *testing.T) {
	t.Parallel()
	s := openShop(t, zohosim.Config{})
	s.creation(t, "small", 2_000)
	s.creation(t, "large", 500)
	s.must(t, "syncs", "limits", "small", "--set", "credits=103")
	if code, said := s.run(t, "syncs", "limits", "small", "--set", "nothing=4"); code != 2 || !strings.Contains(said, "nothing") {
		t.Errorf("a limit that does not exist: exit code %d\n%s", code, said)
	}
	from := len(s.sim.RequestLog())
	if code, said := s.run(t, "syncs", "run", "small"); code != 5 || !strings.Contains(said, "DELAYED") {
		t.Errorf("exit code %d, want 5:\n%s", code, said)
	}
	s.judge(t, from, 103)
	s.must(t, "syncs", "run", "large")
	if said := s.must(t, "syncs", "limits", "small"); !strings.Contains(said, "credits: capacity 103") || !strings.Contains(said, "left of credits: 0 of 103") {
		t.Errorf("the limits are shown as\n%s", said)
	}
}

// An inbound run that has no budget says so: at once where the wait would be
// long, as progress where it is short, and it ends early where there is a
// deadline.
func TestAnInboundRunWithoutBudgetSaysSo(t *testing.T) {
	t.Parallel()
	s := openShop(t, zohosim.Config{})
	s.must(t, "syncs", "create", "in", "--stream", "Accounts")
	s.must(t, "connections", "limits", "crm", "--set", "credits=70")
	s.must(t, "syncs", "run", "in", "--resync")
	if code, said := s.run(t, "syncs", "run", "in", "--resync"); code != 5 || !strings.Contains(said, "waiting for budget: credits") || !strings.Contains(said, "QUOTA_EXHAUSTED") {
		t.Errorf("exit code %d, want 5 and the budget to be named:\n%s", code, said)
	}
	s.must(t, "connections", "limits", "crm", "--unset", "credits")
	s.must(t, "syncs", "run", "in")

	// The rate is spent by the first run; the second waits for it in the open.
	s.must(t, "connections", "limits", "crm", "--set", "bulk_read_create=1/8s")
	s.must(t, "syncs", "run", "in", "--resync")
	said := s.must(t, "syncs", "run", "in", "--resync")
	if !strings.Contains(said, "waiting for the limit Bulk Read Initialize until ") {
		t.Errorf("the run does not say what it waits for:\n%s", said)
	}
	s.must(t, "connections", "limits", "crm", "--set", "bulk_read_create=1/hour")
	s.must(t, "syncs", "run", "in", "--resync")
	if code, said := s.run(t, "syncs", "run", "in", "--resync", "--deadline", "5m"); code != 5 || !strings.Contains(said, "longer than there is time for") {
		t.Errorf("exit code %d, want 5 at once:\n%s", code, said)
	}
}
