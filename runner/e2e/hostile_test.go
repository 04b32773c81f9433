package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/pluginhost"
	"github.com/sluiceio/sluice/runner/internal/store"
	"github.com/sluiceio/sluice/runner/internal/warehouse/duckdb"
)

// TestAHostileProcessIsNamedAndLeavesNothingBehind lets connector programs
// misbehave in every way there is. The runner stays up, the run ends with a
// reason that names the connector, each record has one outcome, what the program
// wrote on stderr is kept with the run, and neither a goroutine nor a process is
// left. It is not parallel, so that what is left can be told.
func TestAHostileProcessIsNamedAndLeavesNothingBehind(t *testing.T) {
	type row struct {
		mood   string
		state  runner.RunState
		says   string
		stderr string
	}
	const failed, healthy = runner.RunFailed, runner.RunHealthy
	delayed := runner.RunDelayed // its records are sent by the next run
	for _, r := range []row{
		{"hangs", failed, "said nothing for 2s", ""},
		{"leaks memory", failed, "MB of memory, more than the 256 MB it may have", ""},
		{"leaves processes behind", healthy, "", ""},
		{"floods stderr", healthy, "", "I have so much to tell"},
		{"floods with reports", healthy, "", ""},
		{"floods with requests for budget", failed, "asked for budget 1001 times without waiting", ""},
		{"floods with a huge message", failed, "RECORD_TOO_LARGE", ""},
		{"answers garbage", failed, "exceptions", ""},
		{"answers nothing that exists", failed, "unknown message", ""},
		{"settles what it was not given", failed, "settled record 77777", ""},
		{"opens a ticket without a name", failed, "ticket", ""},
		{"closes the stream half-way", failed, "ended the call without done", ""},
		{"lies about its end", runner.RunIncomplete, "says it settled 1000 records", ""},
		{"exits", delayed, "exit status 7", "out of luck at line 7"},
		{"panics", delayed, "exit status 2", "panic: boo"},
		{"behaves", healthy, "", ""},
	} {
		t.Run("outbound "+r.mood, func(t *testing.T) { newDen(t).play(t, "out", r.mood, r.state, r.says, r.stderr) })
	}
	for _, r := range []row{
		{"hangs at a question", failed, "did not answer within 4s", ""},
		{"hangs", failed, "said nothing for 2s", ""},
		{"leaks memory", failed, "MB of memory, more than the 256 MB it may have", ""},
		{"closes the stream half-way", failed, "ended the call without done", ""},
		{"leaves rows without a state", failed, "without", ""},
		{"sends what it was not asked for", failed, "others", ""},
		{"answers garbage", failed, "columns", ""},
		{"exits", delayed, "exit status 7", "out of luck at line 7"},
		{"behaves", healthy, "", ""},
	} {
		t.Run("inbound "+r.mood, func(t *testing.T) { newDen(t).play(t, "in", r.mood, r.state, r.says, r.stderr) })
	}
}

// den is where a hostile connector is installed.
type den struct {
	store runner.Store
	dir   string
}

func newDen(t *testing.T) *den {
	t.Helper()
	d := &den{dir: t.TempDir()}
	program, err := exec.LookPath("sluice-connector-rude")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	s, err := store.Open(t.Context(), store.Config{Path: filepath.Join(d.dir, "sluice.db")})
	if err != nil {
		t.Fatal(err)
	}
	d.store = s
	t.Cleanup(func() { _ = s.Close() })
	if err := s.PutConnector(t.Context(), runner.ConnectorRef{ID: "hostile", Path: program, SHA256: hex.EncodeToString(sum[:])}); err != nil {
		t.Fatal(err)
	}
	return d
}

// run runs a sync with a mood. The runner loses patience soon with a program that
// hangs, and late with all others: on a busy machine a flood takes its time.
func (d *den) run(t *testing.T, sync, mood string) (runner.Run, error) {
	t.Helper()
	d.set(t, mood)
	patience := time.Minute
	if strings.HasPrefix(mood, "hangs") {
		patience = 2 * time.Second
	}
	engine, err := runner.New(runner.Config{
		Store: d.store, Launcher: pluginhost.New(pluginhost.Config{Environ: os.Environ()}), Patience: patience, ConnectorMemory: 256 << 20,
		Warehouse: func(ctx context.Context) (runner.Warehouse, error) {
			return duckdb.Open(ctx, duckdb.Config{Path: filepath.Join(d.dir, "warehouse.duckdb")})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return engine.Run(t.Context(), sync, runner.RunOptions{})
}

// set gives the connection a mood.
func (d *den) set(t *testing.T, mood string) {
	t.Helper()
	connection := runner.Connection{
		Name: "den", Connector: "hostile", Method: "key", Answers: connector.Answers{"mood": {mood}, "about": {filepath.Join(d.dir, "left")}},
		Limits: connector.Limits{Pools: []connector.Pool{{Name: "p", Capacity: 1 << 40, Window: time.Hour}}},
	}
	syncs := []runner.Sync{
		{Name: "out", Connection: "den", Outbound: &runner.OutboundSpec{
			Source: runner.Source{Query: "SELECT i AS id FROM range(10) t(i)"}, Identifier: "id", Strategy: "Create",
			Mappings: []runner.Mapping{{Field: "id", Column: "id"}},
		}},
		{Name: "in", Connection: "den", Inbound: &runner.InboundSpec{Streams: []runner.StreamSpec{{Name: "things"}}}},
	}
	if err := d.store.PutConnection(t.Context(), connection); err != nil {
		t.Fatal(err)
	}
	for _, s := range syncs {
		if err := d.store.PutSync(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

func (d *den) play(t *testing.T, sync, mood string, state runner.RunState, says, stderr string) {
	before := goleak.IgnoreCurrent()
	run, err := d.run(t, sync, mood)
	why := fmt.Sprint(err)
	if err == nil && run.Error != nil {
		why = run.Error.Error()
	}
	for _, s := range run.Streams {
		if s.Error != nil {
			why += " " + s.Error.Error()
		}
	}
	if run.State != state || !strings.Contains(why, says) || state != runner.RunHealthy && !strings.Contains(why, "connector hostile") {
		t.Errorf("the run is %s: %s\nwant %s, %q, and the connector to be named", run.State, why, state, says)
	}
	var settled int64
	for _, n := range run.Outcomes {
		settled += n
	}
	if sync == "out" && settled != 10 {
		t.Errorf("outcomes %v, want one for each of 10 records", run.Outcomes)
	}
	kept, err := d.store.Run(t.Context(), run.ID)
	if err != nil || !strings.Contains(kept.Stderr, stderr) || len(kept.Stderr) > 64<<10 {
		t.Errorf("%v; kept of stderr: %d bytes, want %q in them", err, len(kept.Stderr), stderr)
	}
	nothingLeft(t, d.dir)
	if err := goleak.Find(before); err != nil {
		t.Errorf("goroutines are left: %v", err)
	}
	if state == runner.RunHealthy {
		return
	}
	if next, err := d.run(t, sync, "behaves"); err != nil || next.State != runner.RunHealthy {
		t.Errorf("the next run, with a connector that behaves: %s, %v, %v", next.State, next.Error, err)
	}
}

// nothingLeft looks for processes: children of this one, and what they started.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	names, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, name := range names {
		status, _ := os.ReadFile(name)
		if bytes.Contains(status, fmt.Appendf(nil, "\nPPid:\t%d\n", os.Getpid())) {
			t.Errorf("a process is left: %s", bytes.SplitN(status, []byte("\n"), 2)[0])
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "left"))
	if err != nil {
		return
	}
	pid, _ := strconv.Atoi(string(text))
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if len(status) > 0 && !bytes.Contains(status, []byte("State:\tZ")) && syscall.Kill(pid, 0) == nil {
		t.Errorf("process %d is left, which the connector had started", pid)
	}
}
