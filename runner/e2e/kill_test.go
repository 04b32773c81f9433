package e2e

import (
	"bytes"
	"cmp"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// TestKills kills processes at random moments and at named points of runs, on
// both sides of every write that is to last, resumes, and then asks the
// simulator what it holds. No record may be lost or written twice, and only a
// Create, which nothing makes safe to repeat, may leave records in doubt: those
// being submitted.
//
// KILLS is the number of kills, 10 by default, and KILL_SEED the seed; what is
// met at a moment also depends on how busy the machine is. The files of a siege
// that fails are copied to where KILL_KEEP says.
func TestKills(t *testing.T) {
	kills := numberFrom(t, "KILLS", 10)
	seed := numberFrom(t, "KILL_SEED", 1)
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	stories := []*siege{
		{name: "Create, bulk", plot: newCreation("bulk")},
		{name: "Create, record calls", plot: newCreation("records")},
		{name: "Upsert, bulk", plot: newKeyed("Upsert", "bulk")},
		{name: "Mirror, bulk", plot: newKeyed("Mirror", "bulk")},
		{name: "inbound, bulk", plot: &reading{path: "bulk"}},
		{name: "inbound, queries", plot: &reading{path: "records"}},
	}
	began := time.Now()
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
	t.Logf("seed %d, %s\n%s\n%s", seed, time.Since(began).Round(time.Second), table(stories), pointTable(stories))
}

func numberFrom(t *testing.T, name string, otherwise int) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv(name), strconv.Itoa(otherwise)))
	if err != nil {
		t.Fatalf("%s is not a number: %v", name, err)
	}
	return n
}

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
	// points are where traps are put.
	points() []string
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
	app       *trappedApp
	takes     time.Duration // a run nobody disturbs
	runs      int
	moments   map[victim]int // kills at random moments
	sprung    []trap
	stops     int // runs that were interrupted by their user
	found     verdict

	mu      sync.Mutex // of what is written while a run goes on
	pid     int        // of the host
	orphans []int      // connectors whose host was killed
	down    bool       // the machine has crashed
}

func (s *siege) run(t *testing.T) {
	s.begin(t)
	defer s.keep(t)
	s.plot.change(t, s)
	began := time.Now()
	s.attempt(t, nil)
	s.takes = time.Since(began)
	s.moments = map[victim]int{}
	// A trap at a point that the next run does not pass leaves it in peace.
	for tries := 0; s.kills() < s.budget; tries++ {
		if tries > 10*s.budget+20 {
			t.Fatalf("%d runs met only %d of %d ends", tries, s.kills(), s.budget)
		}
		s.bury(t)
		s.plot.change(t, s)
		switch n := s.random.IntN(8); {
		case n == 0:
			s.attempt(t, s.interrupt)
		case n < 4:
			s.attempt(t, s.atMoment(victims[s.random.IntN(len(victims))]))
		default:
			s.trapped(t, s.someTrap())
		}
	}
	s.bury(t)
	s.found = s.settle(t)
	v := s.found
	if v.lost != 0 || v.doubled != 0 || v.doubt != 0 && !s.plot.mayDoubt() {
		t.Errorf("of %d records %d are lost, %d doubled and %d in doubt", v.records, v.lost, v.doubled, v.doubt)
	}
	s.checkDoubts(t)
}

// keep copies the files of a siege that failed to where KILL_KEEP says.
func (s *siege) keep(t *testing.T) {
	dir := os.Getenv("KILL_KEEP")
	if dir == "" || !t.Failed() {
		return
	}
	dir = filepath.Join(dir, strings.ReplaceAll(s.name, " ", "-"))
	t.Logf("what it left is in %s (%v)", dir, os.CopyFS(dir, os.DirFS(s.dir)))
}

// someTrap chooses a trap.
func (s *siege) someTrap() trap {
	points := s.plot.points()
	t := trap{Point: points[s.random.IntN(len(points))], Nth: 1 + s.random.IntN(3), Victim: victims[s.random.IntN(len(victims))]}
	sides := []side{before, after}
	if t.ofApp() {
		sides = append(sides, amid)
	}
	t.Side = sides[s.random.IntN(len(sides))]
	return t
}

// settle lets runs end in peace until nothing is missing, or until it is plain
// that it stays missing.
func (s *siege) settle(t *testing.T) verdict {
	t.Helper()
	for range 6 {
		s.attempt(t, nil)
		if v := s.plot.judge(t, s); v.lost == 0 {
			return v
		}
		<-time.After(time.Second) // times in the app are whole seconds
	}
	return s.plot.judge(t, s)
}

func (s *siege) kills() int {
	n := len(s.sprung)
	for _, k := range s.moments {
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
	s.app = &trappedApp{sim: sim}
	server := httptest.NewServer(s.app)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close(); _ = sim.Close() })
	s.sim, s.base, s.dir = sim, server.URL, t.TempDir()
	// Slow answers make the moments longer in which a kill hurts.
	slow := zohosim.Fault{Match: zohosim.Match{Method: "POST", PathPattern: "/crm/"}, Action: zohosim.Action{Kind: zohosim.ActionDelay, Delay: zohosim.Duration(60 * time.Millisecond)}}
	if err := sim.Fault(slow); err != nil {
		t.Fatal(err)
	}
	s.source(t, nil)
	endpoint := sim.Endpoint(s.base)
	s.must(t, "connectors", "add", "zoho")
	s.must(t, "connections", "create", "crm", "--method", "self_client",
		"--answer", "client_id="+endpoint.ClientID, "--answer", "endpoint_url="+s.base,
		"--secret", "client_secret=env:CLIENT_SECRET", "--secret", "grant_code=env:GRANT_CODE")
	s.must(t, "connections", "limits", "crm", "--set", "credits=1000000000", "--set", "token=1000/second", "--set", "bulk_read_result=1000/second")
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

// jobFailed is what is said of records whose job the app gave up: it may have
// written some of them first.
var jobFailed = regexp.MustCompile(`^"?bulk write job [0-9]+ failed: INTERNAL_ERROR`)

// checkDoubts checks that records are in doubt only where a ticket was prepared
// and the app's answer to its submission never journaled, or where the app failed
// at the job itself.
func (s *siege) checkDoubts(t *testing.T) {
	t.Helper()
	tickets := s.tickets(t)
	for _, line := range s.query(t, `SELECT run_id, seq, message FROM sluice.outcomes WHERE status = 'IN_DOUBT'`) {
		run, rest, _ := strings.Cut(line, ",")
		text, why, _ := strings.Cut(rest, ",")
		seq, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if !slices.ContainsFunc(tickets[run], func(ticket connector.Ticket) bool {
			return !ticket.Idempotent && (!strings.Contains(ticket.Handle, "job_id") || jobFailed.MatchString(why)) && holds(ticket, seq)
		}) {
			t.Errorf("record %d of run %s is in doubt, and no ticket for it was left between PREPARED and SUBMITTED: %s", seq, run, why)
		}
	}
}

// holds reports whether a ticket is for a record.
func holds(ticket connector.Ticket, seq int64) bool {
	return slices.ContainsFunc(ticket.Seqs, func(r connector.SeqRange) bool { return r.First <= seq && seq <= r.Last })
}

// tickets returns the tickets of each run as they were last journaled.
func (s *siege) tickets(t *testing.T) map[string][]connector.Ticket {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.dir, ".sluice", "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT run, body FROM tickets`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	tickets := map[string][]connector.Ticket{}
	for rows.Next() {
		var run, body string
		var ticket connector.Ticket
		if err := errors.Join(rows.Scan(&run, &body), json.Unmarshal([]byte(body), &ticket)); err != nil {
			t.Fatal(err)
		}
		tickets[run] = append(tickets[run], ticket)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return tickets
}

// table shows what was done, and what came of it.
func table(stories []*siege) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tkills\thost\tconnector\tboth\tmachine\tat moments\tat points\tinterrupts\truns\trecords\tlost\tdoubled\tin doubt\trewritten\t")
	for _, s := range stories {
		k, v := maps.Clone(s.moments), s.found
		for _, trap := range s.sprung {
			k[trap.Victim]++
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", s.name, s.kills(), k[host], k[child], k[both], k[machine],
			s.kills()-len(s.sprung), len(s.sprung), s.stops, s.runs, v.records, v.lost, v.doubled, v.doubt, v.rewritten)
	}
	_ = w.Flush() // a builder takes everything
	return text.String()
}

// pointTable shows where traps were sprung.
func pointTable(stories []*siege) string {
	sprung := map[string]map[side]int{}
	for _, s := range stories {
		for _, trap := range s.sprung {
			if sprung[trap.Point] == nil {
				sprung[trap.Point] = map[side]int{}
			}
			sprung[trap.Point][trap.Side]++
		}
	}
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "point\tbefore\tamid\tafter\t")
	for _, point := range slices.Sorted(maps.Keys(sprung)) {
		n := sprung[point]
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t\n", point, n[before], n[amid], n[after])
	}
	_ = w.Flush() // a builder takes everything
	return text.String()
}
