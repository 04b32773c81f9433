package e2e

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/sluiceio/sluice/zoho/zohosim"
)

// TestKills kills processes at random moments of runs, resumes, and then asks
// the simulator what it holds. No record may be lost or written twice, and only
// a plain Create, which nothing makes safe to repeat, may leave records in
// doubt.
//
// KILLS is the number of kills, 10 by default, and KILL_SEED the seed; the
// moments also depend on how busy the machine is.
func TestKills(t *testing.T) {
	kills := numberFrom(t, "KILLS", 10)
	seed := numberFrom(t, "KILL_SEED", 1)
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	stories := []*siege{
		{name: "Create, bulk", plot: newCreation("bulk")},
		{name: "Create, record calls", plot: newCreation("records")},
		{name: "Upsert, bulk", plot: newKeyed("Upsert")},
		{name: "Mirror, bulk", plot: newKeyed("Mirror")},
		{name: "inbound, incremental", plot: &reading{}},
	}
	t.Run("siege", func(t *testing.T) {
		for i, s := range stories {
			s.budget = kills / len(stories)
			if i < kills%len(stories) {
				s.budget++
			}
			s.random = rand.New(rand.NewPCG(uint64(seed), uint64(i)))
			t.Run(s.name, func(t *testing.T) { t.Parallel(); s.run(t) })
		}
	})
	t.Logf("seed %d\n%s", seed, table(stories))
}

func numberFrom(t *testing.T, name string, otherwise int) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv(name), strconv.Itoa(otherwise)))
	if err != nil {
		t.Fatalf("%s is not a number: %v", name, err)
	}
	return n
}

// The ways to end a run.
const (
	killHost = iota
	killConnector
	killBoth
	interrupt
	waysToEnd
)

// plot is what is moved in a siege, and how it is judged.
type plot interface {
	// arguments are those of `syncs create NAME`.
	arguments() []string
	// change makes work for the next run.
	change(t *testing.T, s *siege)
	// judge looks at what became of everything. It is asked again after another
	// run when records are missing.
	judge(t *testing.T, s *siege) verdict
	// mayDoubt is whether records may end in doubt.
	mayDoubt() bool
}

// verdict counts what became of records.
type verdict struct{ records, lost, doubled, doubt, rewritten int }

// siege is one sync whose runs are killed again and again.
type siege struct {
	name   string
	plot   plot
	budget int
	random *rand.Rand

	dir, base string
	sim       *zohosim.Sim
	takes     time.Duration // a run nobody disturbs
	killed    [waysToEnd]int
	runs      int
	orphans   []int // connectors whose host was killed
	found     verdict
}

func (s *siege) run(t *testing.T) {
	s.begin(t)
	s.plot.change(t, s)
	began := time.Now()
	s.attempt(t, -1)
	s.takes = time.Since(began)
	for s.kills() < s.budget {
		s.bury(t)
		s.plot.change(t, s)
		s.attempt(t, s.random.IntN(waysToEnd))
	}
	s.bury(t)
	s.found = s.settle(t)
	v := s.found
	if v.lost != 0 || v.doubled != 0 || v.doubt != 0 && !s.plot.mayDoubt() {
		t.Errorf("of %d records %d are lost, %d doubled and %d in doubt", v.records, v.lost, v.doubled, v.doubt)
	}
}

// settle lets runs end in peace until nothing is missing, or until it is plain
// that it stays missing.
func (s *siege) settle(t *testing.T) verdict {
	t.Helper()
	for range 6 {
		s.attempt(t, -1)
		if v := s.plot.judge(t, s); v.lost == 0 {
			return v
		}
		<-time.After(time.Second) // times in the app are whole seconds
	}
	return s.plot.judge(t, s)
}

func (s *siege) kills() int {
	n := 0
	for _, k := range s.killed {
		n += k
	}
	return n
}

// begin starts a simulator, and configures a connection and the sync.
func (s *siege) begin(t *testing.T) {
	t.Helper()
	sim, err := zohosim.New(zohosim.Config{JobDuration: 150 * time.Millisecond, DisableTokenThrottle: true, DisableDownloadLimit: true, AddOnCredits: 100_000_000})
	if err != nil {
		t.Fatal(err)
	}
	base, err := sim.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	s.sim, s.base, s.dir = sim, base, t.TempDir()
	// Slow answers make the moments longer in which a kill hurts.
	slow := zohosim.Fault{Match: zohosim.Match{Method: "POST", PathPattern: "/crm/"}, Action: zohosim.Action{Kind: zohosim.ActionDelay, Delay: zohosim.Duration(60 * time.Millisecond)}}
	if err := sim.Fault(slow); err != nil {
		t.Fatal(err)
	}
	s.source(t, nil)
	endpoint := sim.Endpoint(base)
	s.must(t, "connectors", "add", "zoho")
	s.must(t, "connections", "create", "crm", "--method", "self_client",
		"--answer", "client_id="+endpoint.ClientID, "--answer", "endpoint_url="+base,
		"--secret", "client_secret=env:CLIENT_SECRET", "--secret", "grant_code=env:GRANT_CODE")
	s.must(t, "connections", "limits", "crm", "--set", "credits=1000000000")
	s.must(t, append([]string{"syncs", "create", "sync"}, s.plot.arguments()...)...)
}

func (s *siege) command(args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command("sluice", args...)
	cmd.Dir = s.dir
	endpoint := s.sim.Endpoint(s.base)
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "CLIENT_SECRET="+endpoint.ClientSecret, "GRANT_CODE="+endpoint.GrantCode, "GORACE=atexit_sleep_ms=0")
	said := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = said, said
	return cmd, said
}

// must runs a command that has to succeed and returns what it said.
func (s *siege) must(t *testing.T, args ...string) string {
	t.Helper()
	cmd, said := s.command(args...)
	if err := cmd.Run(); err != nil {
		t.Fatalf("sluice %s: %v\n%s", strings.Join(args, " "), err, said)
	}
	return said.String()
}

// attempt runs the sync and ends it at a random moment, in a way; -1 is not at all.
func (s *siege) attempt(t *testing.T, way int) {
	t.Helper()
	cmd, said := s.command("syncs", "run", "sync")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.runs++
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	var moment <-chan time.Time
	if way >= 0 {
		moment = time.After(time.Duration(s.random.Int64N(int64(s.takes))))
	}
	patience := time.After(2 * time.Minute)
	disturbed := false
	select {
	case <-ended:
	case <-moment:
		if disturbed = s.kill(cmd.Process.Pid, way); disturbed {
			s.killed[way]++
		}
		select {
		case <-ended:
		case <-patience:
			t.Fatalf("the run does not end after it was killed:\n%s", said)
		}
	case <-patience:
		t.Fatalf("the run does not end:\n%s", said)
	}
	if code := cmd.ProcessState.ExitCode(); !disturbed && code != 0 && code != 1 && code != 5 {
		t.Fatalf("an undisturbed run ended with exit code %d:\n%s", code, said)
	}
}

// kill ends processes, and reports whether it met one.
func (s *siege) kill(host, way int) bool {
	connectors := childrenOf(host)
	met := false
	if way == interrupt {
		return syscall.Kill(host, syscall.SIGINT) == nil
	}
	if way != killConnector {
		met = syscall.Kill(host, syscall.SIGKILL) == nil
		s.orphans = append(s.orphans, connectors...)
	}
	if way != killHost {
		for _, pid := range connectors {
			met = syscall.Kill(pid, syscall.SIGKILL) == nil || met
		}
	}
	return met
}

// bury waits until no connector is alive whose host was killed: the source is to
// change, and a late hand must not write what was there before.
func (s *siege) bury(t *testing.T) {
	t.Helper()
	pulse := time.NewTicker(5 * time.Millisecond)
	defer pulse.Stop()
	patience := time.After(30 * time.Second)
	for _, pid := range s.orphans {
		for isConnector(pid) {
			select {
			case <-pulse.C:
			case <-patience:
				t.Fatalf("connector %d outlives its host", pid)
			}
		}
	}
	s.orphans = nil
}

// childrenOf returns the connectors a process has launched.
func childrenOf(host int) []int {
	var children []int
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if bytes.Contains(status, fmt.Appendf(nil, "\nPPid:\t%d\n", host)) && isConnector(pid) {
			children = append(children, pid)
		}
	}
	return children
}

func isConnector(pid int) bool {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // empty for one that is dead and not yet waited for
	program, _, _ := strings.Cut(string(text), "\x00")
	return filepath.Base(program) == "sluice-connector-zoho"
}

// source writes the rows that the sync reads.
func (s *siege) source(t *testing.T, rows []string) {
	t.Helper()
	text := "id,name\n" + strings.Join(rows, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(s.dir, "source.csv"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// query asks the warehouse and returns the rows, without the header.
func (s *siege) query(t *testing.T, sql string) []string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(s.must(t, "query", sql, "--csv")), "\n")
	return lines[1:]
}

// inDoubt returns the identifiers of records in doubt.
func (s *siege) inDoubt(t *testing.T) map[string]bool {
	t.Helper()
	doubt := map[string]bool{}
	for _, id := range s.query(t, `SELECT DISTINCT identifier FROM sluice.outcomes WHERE status = 'IN_DOUBT'`) {
		doubt[id] = true
	}
	return doubt
}

// table shows what was done, and what came of it.
func table(stories []*siege) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tkills\thost\tconnector\tboth\tinterrupt\truns\trecords\tlost\tdoubled\tin doubt\trewritten\t")
	for _, s := range stories {
		k, v := s.killed, s.found
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", s.name, s.kills(), k[killHost], k[killConnector], k[killBoth], k[interrupt],
			s.runs, v.records, v.lost, v.doubled, v.doubt, v.rewritten)
	}
	_ = w.Flush() // a builder takes everything
	return text.String()
}
