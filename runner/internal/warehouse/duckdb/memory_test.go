package duckdb

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/sluiceio/sluice/connector"
)

// greedy needs more than 300 MB that cannot be spilled: one list of numbers.
const greedy = "CREATE OR REPLACE TABLE greedy AS SELECT len(list(i)) AS n FROM range(20000000) t(i)"

// TestMemoryGrows runs a transaction that cannot do with the default limit.
func TestMemoryGrows(t *testing.T) {
	w, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "w.duckdb")})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx, s, err := w.session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.done()
	var began []int64
	err = s.transaction(ctx, func() error {
		began = append(began, w.memoryLimit())
		_, err := s.exec(ctx, greedy)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(began) < 2 || began[0] != firstMemory || began[1] != 2*firstMemory {
		t.Errorf("the limits of the attempts were %d MB, want %d first, then doubled", began, firstMemory)
	}
	var n int64
	if err := s.QueryRowContext(ctx, "SELECT n FROM greedy").Scan(&n); err != nil || n != 20_000_000 {
		t.Errorf("the transaction left %d, %v", n, err)
	}
}

// TestMemorySet keeps to the limit the user has set, and says so.
func TestMemorySet(t *testing.T) {
	w, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "w.duckdb"), MemoryLimit: "100MB"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx, s, err := w.session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.done()
	attempts := 0
	err = s.transaction(ctx, func() error {
		attempts++
		_, err := s.exec(ctx, greedy)
		return err
	})
	if e, ok := errors.AsType[*connector.Error](w.explain("being greedy", err)); attempts != 1 || !ok || e.Code != "WAREHOUSE_MEMORY" {
		t.Errorf("after %d attempts: %v, want WAREHOUSE_MEMORY after one", attempts, err)
	}
}

// TestMemoryEnds gives up at the largest limit.
func TestMemoryEnds(t *testing.T) {
	w, err := Open(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for limit := int64(firstMemory); limit < maxMemory; limit *= 2 {
		if !w.moreMemory(t.Context(), limit) || w.memoryLimit() != 2*limit {
			t.Fatalf("the limit of %d MB became %d MB, want it doubled", limit, w.memoryLimit())
		}
	}
	if !w.moreMemory(t.Context(), firstMemory) || w.memoryLimit() != maxMemory {
		t.Error("a transaction that began before another raised the limit is not run again")
	}
	if w.moreMemory(t.Context(), maxMemory) {
		t.Error("the limit grows beyond its end")
	}
}
