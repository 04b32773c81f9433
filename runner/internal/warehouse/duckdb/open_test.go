package duckdb

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

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

// child starts the test binary in a role; more are variables of its environment.
func child(t *testing.T, role, path string, more ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "SLUICE_TEST_ROLE="+role, "SLUICE_TEST_PATH="+path), more...)
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
