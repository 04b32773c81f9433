package duckdb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// interrupted makes a database whose last checkpoint did not come to its end,
// with one block of metadata, or several where there is time. It returns the file as it was before that
// checkpoint, the file and the log it left, and a query with its answer.
func interrupted(t *testing.T) (before, after, log []byte, query string, answer int64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "w.duckdb")
	w := openTest(t, path)
	run := func(sql string) {
		t.Helper()
		if _, err := w.db.ExecContext(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	tables, width := 6, 10
	if kills(t, 0) > 0 {
		tables, width = 30, 80
	}
	columns := "range AS c0"
	for i := range width {
		columns += fmt.Sprintf(", range * %d AS c%d", i+2, i+1)
	}
	var counts []string
	for i := range tables {
		run(fmt.Sprintf("CREATE TABLE wide_%d AS SELECT %s FROM range(3)", i, columns))
		counts = append(counts, fmt.Sprintf("SELECT sum(c7) AS n FROM wide_%d", i))
	}
	query = "SELECT sum(n)::BIGINT FROM (" + strings.Join(counts, " UNION ALL ") + ")"
	run("CHECKPOINT")
	for i := range tables {
		run(fmt.Sprintf("INSERT INTO wide_%d SELECT * FROM wide_0 LIMIT %d", i, i%3+1))
	}
	if err := w.db.QueryRowContext(t.Context(), query).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		t.Helper()
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	before = read(path)
	run("SET GLOBAL debug_checkpoint_abort = 'after_free_list_write'")
	if _, err := w.db.ExecContext(t.Context(), "CHECKPOINT"); err == nil {
		t.Fatal("the checkpoint was not interrupted")
	}
	return before, read(path), read(path + ".wal"), query, answer
}

// TestTornCheckpoint opens files in which a block was being written where valid
// metadata lies when the process died.
func TestTornCheckpoint(t *testing.T) {
	before, after, log, query, answer := interrupted(t)
	size, err := blockSize(bytes.NewReader(before))
	if err != nil {
		t.Fatal(err)
	}
	torn, minded := 0, 0
	for at := int64(blocksBegin); at+size <= int64(len(before)); at += size {
		old, new := before[at:at+size], after[at:at+size]
		if bytes.Equal(old, new) {
			continue
		}
		for _, cut := range []int64{pageSize, size - pageSize} {
			block := append(bytes.Clone(new[:cut]), old[cut:]...)
			if bytes.Equal(block, old) || bytes.Equal(block, new) {
				continue
			}
			torn++
			path := filepath.Join(t.TempDir(), "w.duckdb")
			file := bytes.Clone(after)
			copy(file[at:], block)
			write := func(name string, content []byte) {
				t.Helper()
				if err := os.WriteFile(name, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(path, file)
			write(path+".wal", log)
			if plain, err := connect(path); err != nil {
				minded++
			} else { // it may be read later
				var n int64
				if err := plain.db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
					minded++
				}
				_ = plain.db.Close()
				write(path, file)
				write(path+".wal", log)
			}
			w, err := Open(t.Context(), Config{Path: path})
			if err != nil {
				t.Errorf("block %d, torn at %d: %v", (at-blocksBegin)/size, cut, err)
				continue
			}
			var n int64
			if err := w.db.QueryRowContext(t.Context(), query).Scan(&n); err != nil || n != answer {
				t.Errorf("block %d, torn at %d: the sum is %d, %v, want %d", (at-blocksBegin)/size, cut, n, err, answer)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if torn == 0 || minded != torn {
		t.Errorf("of %d torn blocks DuckDB minds %d", torn, minded)
	}
}

// TestDamageIsNotMended leaves damage alone for which no checkpoint can be the
// reason.
func TestDamageIsNotMended(t *testing.T) {
	before, after, log, _, _ := interrupted(t)
	path := filepath.Join(t.TempDir(), "w.duckdb")
	damaged := bytes.Clone(before)
	for i := blocksBegin + 64; i < blocksBegin+4096; i++ {
		damaged[i] ^= 0x5a
	}
	if err := os.WriteFile(path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Path: path}); code(err) != "WAREHOUSE_CORRUPT" {
		t.Errorf("a damaged file without a log is opened: %v", err)
	}
	// The log of a process that died before a checkpoint ends otherwise.
	mark := bytes.LastIndex(log, markEntry)
	if mark < 16 {
		t.Fatal("the log has no mark of the checkpoint")
	}
	if err := os.WriteFile(path+".wal", log[:mark-16], 0o600); err != nil {
		t.Fatal(err)
	}
	if checkpointBegun(path + ".wal") {
		t.Error("a log without a mark is taken for one with a mark")
	}
	if _, err := Open(t.Context(), Config{Path: path}); code(err) != "WAREHOUSE_CORRUPT" {
		t.Errorf("a damaged file with another log is opened: %v", err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, damaged) {
		t.Errorf("the damaged file was changed: %v", err)
	}
	if sum := checksum(after[blocksBegin+checksumBytes : blocksBegin+256<<10]); sum != binary.LittleEndian.Uint64(after[blocksBegin:]) {
		t.Errorf("the checksum of a good block is %x here and %x there", sum, after[blocksBegin:blocksBegin+checksumBytes])
	}
}
