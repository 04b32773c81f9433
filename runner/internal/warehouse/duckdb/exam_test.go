package duckdb

import (
	"path/filepath"
	"testing"

	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/warehouse/warehousetest"
)

func TestExam(t *testing.T) {
	warehousetest.Run(t, func(t *testing.T) (runner.Warehouse, func(string) error) {
		w := openTest(t, filepath.Join(t.TempDir(), "w.duckdb"))
		return w, func(sql string) error {
			_, err := w.db.ExecContext(t.Context(), sql)
			return err
		}
	})
}

// openTest opens a warehouse that is closed when the test ends.
func openTest(t testing.TB, path string) *Warehouse {
	t.Helper()
	w, err := Open(t.Context(), Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return w
}
