package duckdb

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// TestMain lets the test binary play the process that is killed, or that holds
// the file.
func TestMain(m *testing.M) {
	switch path := os.Getenv("SLUICE_TEST_PATH"); os.Getenv("SLUICE_TEST_ROLE") {
	case "work":
		if err := work(path); err != nil {
			fmt.Println("ERROR", err)
			os.Exit(1)
		}
	case "hold":
		if _, err := Open(background(), Config{Path: path}); err != nil {
			fmt.Println("ERROR", err)
			os.Exit(1)
		}
		fmt.Println("OPEN")
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until the test lets go
	default:
		os.Exit(m.Run())
	}
}

// child starts the test binary in a role.
func child(t *testing.T, role, path string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SLUICE_TEST_ROLE="+role, "SLUICE_TEST_PATH="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, bufio.NewScanner(out)
}

func code(err error) string {
	if e, ok := errors.AsType[*connector.Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.duckdb")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("not a database ", 2000)), 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(dir, "damaged.duckdb")
	w, err := Open(t.Context(), Config{Path: damaged})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(damaged, []byte(strings.Repeat("\x00", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, code string }{
		"no folder":   {filepath.Join(dir, "none", "w.duckdb"), "WAREHOUSE_UNWRITABLE"},
		"a folder":    {dir, "WAREHOUSE_PATH"},
		"garbage":     {garbage, "WAREHOUSE_CORRUPT"},
		"damaged":     {damaged, "WAREHOUSE_CORRUPT"},
		"an odd name": {filepath.Join(dir, "a?b.duckdb"), "WAREHOUSE_PATH"},
	} {
		_, err := Open(t.Context(), Config{Path: c.path})
		if code(err) != c.code || !strings.Contains(err.Error(), c.path) && name != "no folder" {
			t.Errorf("%s: error is %v [%s], want %s naming the path", name, err, code(err), c.code)
		}
	}
}

func TestOpenLockedNamesTheHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	cmd, out := child(t, "hold", path)
	if !out.Scan() || out.Text() != "OPEN" {
		t.Fatalf("the holder says %q", out.Text())
	}
	_, err := Open(t.Context(), Config{Path: path})
	if code(err) != "WAREHOUSE_LOCKED" || !strings.Contains(err.Error(), strconv.Itoa(cmd.Process.Pid)) {
		t.Errorf("error is %v, want WAREHOUSE_LOCKED by process %d", err, cmd.Process.Pid)
	}
}

func TestReopenInOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "with space.duckdb")
	for range 3 {
		w, err := Open(t.Context(), Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		// A writer left open must not keep the file.
		if _, err := w.OpenStream(t.Context(), runner.StreamTarget{SyncID: "s", RunID: "r", Stream: "x", Table: "x", Storage: runner.StorageAppend}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Query(t.Context(), "SELECT 1"); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Errorf("the second Close: %v", err)
		}
		if _, err := w.Counts(t.Context(), "s", "r"); !errors.Is(err, errClosed) {
			t.Errorf("a call after Close: %v", err)
		}
	}
}

// rowsPerRun is the size of the source of the process that is killed.
const rowsPerRun = 3_000

// work runs syncs both ways for ever, saying on stdout what it was told is done.
func work(path string) error {
	ctx := background()
	w, err := Open(ctx, Config{Path: path})
	if err != nil {
		return err
	}
	plan := killPlan()
	for n := 1; ; n++ {
		if _, err := w.db.ExecContext(ctx, `CREATE OR REPLACE TABLE source AS SELECT range AS id, ? AS v FROM range(?)`, time.Now().UnixNano(), rowsPerRun); err != nil {
			return err
		}
		if plan.RunID, err = w.unfinished(ctx, "kill"); err != nil {
			return err
		}
		if plan.RunID == "" {
			plan.RunID = fmt.Sprint(time.Now().UnixNano())
		}
		if _, err := w.Plan(ctx, plan); err != nil {
			return err
		}
		fmt.Println("PLANNED", plan.RunID)
		settled := 0
		for b, err := range w.Records(ctx, "kill", plan.RunID, runner.OutboxSelection{Unsettled: true, BatchRows: 250}) {
			if err != nil {
				return err
			}
			if err := w.Settle(ctx, "kill", plan.RunID, time.Now(), []connector.Outcomes{{Seqs: b.Seqs}}); err != nil {
				return err
			}
			settled += b.Rows
			fmt.Println("SETTLED", plan.RunID, settled)
		}
		if err := w.Finish(ctx, "kill", plan.RunID, time.Now()); err != nil {
			return err
		}
		fmt.Println("FINISHED", plan.RunID)
		if err := workInbound(w, plan.RunID); err != nil {
			return err
		}
	}
}

// workInbound receives one stream with several checkpoints.
func workInbound(w *Warehouse, run string) error {
	ctx := background()
	sw, err := w.OpenStream(ctx, runner.StreamTarget{SyncID: "kill", RunID: run, Stream: "s", Table: "received", Key: []string{"id"}, Storage: runner.StorageMerge, RetrievedAt: time.Now()})
	if err != nil {
		return err
	}
	schema := &connector.Schema{ID: "1", Columns: []connector.Column{{Name: "id", Type: connector.Type{Kind: connector.KindInt64}}, {Name: "batch", Type: connector.Type{Kind: connector.KindString}}}}
	for range 4 {
		state := strconv.FormatInt(time.Now().UnixNano(), 10)
		b := &connector.RecordBatch{Schema: schema, Rows: 500, Columns: make([]connector.Values, 2)}
		for i := range b.Rows {
			b.Columns[0].Texts = append(b.Columns[0].Texts, strconv.Itoa(i))
			b.Columns[1].Texts = append(b.Columns[1].Texts, state)
		}
		if err := sw.Append(ctx, b); err != nil {
			return err
		}
		if _, err := sw.Commit(ctx, state, false); err != nil {
			return err
		}
		fmt.Println("COMMITTED", state)
	}
	return sw.Close()
}

func TestKilledAtAnyMoment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	rng := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	for kill := range 5 {
		cmd, out := child(t, "work", path)
		said := map[string][]string{}
		die := 3 + rng.IntN(40)
		pause := time.Duration(rng.IntN(3000)) * time.Microsecond
		for n := 0; n < die && out.Scan(); n++ {
			if words := strings.Fields(out.Text()); words[0] == "ERROR" {
				t.Fatalf("kill %d: %s", kill, out.Text())
			} else {
				said[words[0]] = words[1:]
			}
		}
		// The moment within the next piece of work is random too.
		timer := time.NewTimer(pause)
		<-timer.C
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for out.Scan() { // what it said before it died counts
			if words := strings.Fields(out.Text()); words[0] != "ERROR" && len(words) > 1 {
				said[words[0]] = words[1:]
			}
		}
		_ = cmd.Wait()
		checkSurvivor(t, kill, path, said)
	}
}

// checkSurvivor opens what a killed process left and compares it with what it said.
func checkSurvivor(t *testing.T, kill int, path string, said map[string][]string) {
	t.Helper()
	w, err := Open(t.Context(), Config{Path: path})
	if err != nil {
		t.Fatalf("kill %d: %v", kill, err)
	}
	defer w.Close()
	number := func(sql string, args ...any) (n int64) {
		t.Helper()
		if err := w.db.QueryRowContext(t.Context(), sql, args...).Scan(&n); err != nil {
			t.Fatalf("kill %d: %s: %v", kill, sql, err)
		}
		return n
	}
	if run := said["PLANNED"]; run != nil && number(`SELECT count(*) FROM sluice.outboxes WHERE run_id = ? AND records = ?`, run[0], rowsPerRun) != 1 {
		t.Errorf("kill %d: run %s was planned and is not there", kill, run[0])
	}
	if s := said["SETTLED"]; s != nil {
		// A settled batch is there; the batch under way may be there too, whole.
		least, _ := strconv.ParseInt(s[1], 10, 64)
		got := number(`SELECT count(*) FROM sluice.outcomes WHERE run_id = ?`, s[0])
		if got < least || got%250 != 0 {
			t.Errorf("kill %d: run %s has %d outcomes, %d were durable", kill, s[0], got, least)
		}
	}
	if run := said["FINISHED"]; run != nil {
		if n := number(`SELECT count(*) FROM sluice.outcome_log WHERE run_id = ?`, run[0]); n != rowsPerRun {
			t.Errorf("kill %d: finished run %s has %d outcomes in the log", kill, run[0], n)
		}
		if n := number(`SELECT count(DISTINCT hash) FROM sluice.state_kill WHERE synced`); n != 1 {
			t.Errorf("kill %d: the record state mixes %d runs", kill, n)
		}
	}
	if s := said["COMMITTED"]; s != nil {
		kept := number(`SELECT state::BIGINT FROM sluice.stream_state`)
		if told, _ := strconv.ParseInt(s[0], 10, 64); kept < told {
			t.Errorf("kill %d: the cursor %d is older than the one committed, %d", kill, kept, told)
		}
		if n := number(`SELECT count(*) FROM received WHERE batch = ?`, strconv.FormatInt(kept, 10)); n != 500 {
			t.Errorf("kill %d: %d rows belong to the cursor, want 500", kill, n)
		}
	}
}
