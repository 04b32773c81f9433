package duckdb

import (
	"cmp"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// kills returns how often a test is to kill: a few times, or WAREHOUSE_KILLS.
func kills(t *testing.T, otherwise int) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv("WAREHOUSE_KILLS"), strconv.Itoa(otherwise)))
	if err != nil {
		t.Fatalf("WAREHOUSE_KILLS is not a number: %v", err)
	}
	return n
}

// TestKilledWhileCreating kills a process that makes a new file. The next one
// must find a database, or none.
func TestKilledWhileCreating(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	began := time.Now()
	cmd, out := child(t, "hold", path)
	if !out.Scan() || out.Text() != "OPEN" {
		t.Fatalf("the first process says %q", out.Text())
	}
	takes := time.Since(began)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for kill := range kills(t, 8) {
		if err := discard(path); err != nil {
			t.Fatal(err)
		}
		cmd, _ := child(t, "hold", path)
		timer := time.NewTimer(rand.N(takes))
		<-timer.C
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		w, err := Open(t.Context(), Config{Path: path})
		if err != nil {
			t.Fatalf("kill %d: %v\n%s", kill, err, listing(path))
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path + ".new"); err == nil {
			t.Errorf("kill %d: what the killed process made is still there", kill)
		}
	}
}

// listing shows the files of a warehouse.
func listing(path string) string {
	text, _ := exec.Command("ls", "-l", filepath.Dir(path)).CombinedOutput()
	return string(text)
}

// TestKilledAtAnyMoment kills a process at work, again and again, and compares
// what it left with what it said. WAREHOUSE_KILLS is the number of kills. A file
// that cannot be opened is kept where WAREHOUSE_KEEP says.
func TestKilledAtAnyMoment(t *testing.T) {
	for _, rows := range []int{60, 3_000, 150_000} {
		t.Run(strconv.Itoa(rows), func(t *testing.T) {
			n := kills(t, 3)
			if rows > 100_000 { // rows that are written past the log take their time
				n /= 4
			}
			if n == 0 {
				t.Skip("it takes a minute: set WAREHOUSE_KILLS to 4 or more")
			}
			path := filepath.Join(t.TempDir(), "w.duckdb")
			for kill := range n {
				said := killOne(t, path, rows)
				checkSurvivor(t, kill, path, said)
				if t.Failed() {
					keep(t, path)
					return
				}
			}
		})
	}
}

// keep copies the files of a warehouse for inspection.
func keep(t *testing.T, path string) {
	if dir := os.Getenv("WAREHOUSE_KEEP"); dir != "" {
		text, err := exec.Command("cp", "-a", filepath.Dir(path), dir).CombinedOutput()
		t.Logf("kept in %s: %v %s", dir, err, text)
	}
}

// killOne lets a process work for a while, kills it, and returns the last of
// what it said of each kind.
func killOne(t *testing.T, path string, rows int) map[string][]string {
	t.Helper()
	cmd, out := child(t, "work", path, "SLUICE_TEST_ROWS="+strconv.Itoa(rows))
	said := map[string][]string{}
	hear := func() {
		words := strings.Fields(out.Text())
		if words[0] == "ERROR" {
			keep(t, path)
			t.Fatalf("%s\n%s", out.Text(), listing(path))
		}
		said[words[0]] = words[1:]
	}
	for n := rand.IntN(40); n > 0 && out.Scan(); n-- {
		hear()
	}
	// The moment within the next piece of work is random too.
	timer := time.NewTimer(rand.N(time.Duration(min(rows, 3_000)) * 20 * time.Microsecond))
	<-timer.C
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for out.Scan() { // what it said before it died counts
		if words := strings.Fields(out.Text()); words[0] == "ERROR" || len(words) > 1 && !strings.HasSuffix(out.Text(), " ") {
			hear()
		}
	}
	_ = cmd.Wait()
	return said
}

// checkSurvivor opens what a killed process left and compares it with what it said.
func checkSurvivor(t *testing.T, kill int, path string, said map[string][]string) {
	t.Helper()
	before := t.TempDir() // opening changes the files
	if os.Getenv("WAREHOUSE_KEEP") != "" {
		_ = exec.Command("cp", "-a", filepath.Dir(path)+"/.", before).Run()
	}
	w, err := Open(t.Context(), Config{Path: path})
	if err != nil {
		keep(t, filepath.Join(before, "w.duckdb"))
		t.Fatalf("kill %d: %v\n%s", kill, err, listing(path))
	}
	defer w.Close()
	number := func(sql string, args ...any) (n int64) {
		t.Helper()
		if err := w.db.QueryRowContext(t.Context(), sql, args...).Scan(&n); err != nil {
			t.Fatalf("kill %d: %s: %v", kill, sql, err)
		}
		return n
	}
	if run := said["PLANNED"]; run != nil && number(`SELECT count(*) FROM sluice.outboxes WHERE run_id = ?`, run[0]) != 1 {
		t.Errorf("kill %d: run %s was planned and is not there", kill, run[0])
	}
	if s := said["SETTLED"]; s != nil {
		// Records are settled in order.
		if n := number(`SELECT count(*) FROM sluice.outcomes WHERE run_id = ? AND seq <= ?`, s[0], s[1]); strconv.FormatInt(n, 10) != s[1] {
			t.Errorf("kill %d: run %s has %d outcomes of the first %s, which were durable", kill, s[0], n, s[1])
		}
	}
	if n := number(`SELECT count(*) FROM sluice.outboxes o WHERE finished_at IS NOT NULL
		AND records <> (SELECT count(*) FROM sluice.outcome_log l WHERE l.run_id = o.run_id)`); n != 0 {
		t.Errorf("kill %d: %d finished runs have not one outcome for each record", kill, n)
	}
	if s := said["FINISHED"]; s != nil && number(`SELECT count(*) FROM sluice.outboxes WHERE run_id = ? AND finished_at IS NOT NULL`, s[0]) != 1 {
		t.Errorf("kill %d: run %s was finished and is not", kill, s[0])
	}
	checkStates(t, kill, w, number)
	if s := said["COMMITTED"]; s != nil {
		kept := number(`SELECT state::BIGINT FROM sluice.stream_state`)
		if told, _ := strconv.ParseInt(s[0], 10, 64); kept < told {
			t.Errorf("kill %d: the cursor %d is older than the one committed, %d", kill, kept, told)
		}
		if n := number(`SELECT count(*) FROM received WHERE batch = ?`, strconv.FormatInt(kept, 10)); strconv.FormatInt(n, 10) != s[1] {
			t.Errorf("kill %d: %d rows belong to the cursor, want %s", kill, n, s[1])
		}
	}
}

// checkStates checks that outcomes and record state fit together, in the middle
// of finishing a run too.
func checkStates(t *testing.T, kill int, w *Warehouse, number func(string, ...any) int64) {
	t.Helper()
	if number(`SELECT count(*) FROM duckdb_tables() WHERE table_name = 'state_kill'`) == 0 {
		return
	}
	if n := number(`SELECT count(*) - count(DISTINCT identifier) FROM sluice.state_kill`); n != 0 {
		t.Errorf("kill %d: %d records have two states", kill, n)
	}
	// What the log says last of each record is what its state says.
	if n := number(`WITH last AS (SELECT identifier, max_by(run_id, run_id) AS run, max_by(action, run_id) AS action FROM sluice.outcome_log GROUP BY identifier)
		SELECT count(*) FROM last l LEFT JOIN sluice.state_kill s USING (identifier)
		WHERE CASE WHEN l.action = 'Delete' THEN s.identifier IS NOT NULL ELSE s.last_run IS DISTINCT FROM l.run END`); n != 0 {
		t.Errorf("kill %d: %d records have another state than their last outcome", kill, n)
	}
	run, err := w.unfinished(t.Context(), "kill")
	if err != nil {
		t.Fatal(err)
	}
	if run == "" {
		return
	}
	// The outcomes up to a record are in the log, those after it are not.
	if n := number(`SELECT count(*) FROM sluice.outcome_log l FULL JOIN (FROM sluice.outbox_kill WHERE seq <= (SELECT max(moved) FROM sluice.finishing)) o
		ON o.seq = l.seq AND o.identifier = l.identifier WHERE (l.run_id IS NULL OR l.run_id = ?) AND (l.seq IS NULL OR o.seq IS NULL)`, run); n != 0 {
		t.Errorf("kill %d: %d records are finished and have no outcome in the log, or the other way round", kill, n)
	}
	if n := number(`SELECT count(*) FROM (SELECT seq FROM sluice.outcomes WHERE run_id = ? GROUP BY seq HAVING count(*) <> 1)`, run); n != 0 {
		t.Errorf("kill %d: %d records have two outcomes", kill, n)
	}
}
