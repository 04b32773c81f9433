package zohosim

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// genCSV writes n generated accounts as the CSV of an upload.
func genCSV(n int, seed uint64) (header []string, text []byte) {
	header = []string{"External_Key", "Account_Name", "Phone", "Website", "Account_Type", "Industry", "Employees", "Annual_Revenue", "Billing_City", "Is_Key_Account", "Description"}
	b := []byte(strings.Join(header, ",") + "\n")
	for rec := range Generate("Accounts", n, seed) {
		for i, h := range header {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendCSV(b, rec[h])
		}
		b = append(b, '\n')
	}
	return header, b
}

func BenchmarkBulkWrite25000(b *testing.B) {
	_, text := genCSV(25_000, 1)
	s, err := New(Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	path := filepath.Join(b.TempDir(), "u.zip")
	if err := os.WriteFile(path, zipped(b, "a.csv", string(text)), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p := &loadPlan{resource: &writeResource{FindBy: "External_Key"}, file: &upload{path: path}, operation: "upsert", table: s.store.tables["Accounts"]}
		p.entry, p.header, p.total, _ = inspect(path, nil, false)
		if e := p.compile(s.store, s.conf.Load()); e != nil {
			b.Fatal(e)
		}
		if _, e := s.runWrite(&job{id: "1", write: &writeJob{request: &writeRequest{}, conf: s.conf.Load(), plans: []*loadPlan{p}}}); e != nil {
			b.Fatal(e)
		}
		if p.added+p.updated != 25_000 {
			b.Fatalf("added %d, updated %d, skipped %d", p.added, p.updated, p.skipped)
		}
	}
}

// TestMemoryPerRecord keeps a record of some 15 filled fields below 1,200 bytes, so that a million fit 1.2 GB.
func TestMemoryPerRecord(t *testing.T) {
	const n = 50_000
	s, err := New(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	if err := s.Generate("Leads", n, 3); err != nil {
		t.Fatal(err)
	}
	per := (heap() - before) / n
	t.Logf("%d bytes a record", per)
	if per > 1200 || per < 100 {
		t.Errorf("%d bytes a record", per)
	}
	runtime.KeepAlive(s)
}

func BenchmarkBulkRead(b *testing.B) {
	s, err := New(Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Generate("Leads", 100_000, 3); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		rj := &readJob{table: s.store.tables["Leads"], conf: s.conf.Load(), page: 1}
		if e := rj.compile(s); e != nil {
			b.Fatal(e)
		}
		if _, e := s.runRead(&job{id: "1", readJob: rj}); e != nil || rj.count != 100_000 {
			b.Fatal(e, rj.count)
		}
	}
}

func TestGeneratedRecordsAreAcceptedByBulkWrite(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	_, text := genCSV(3000, 9)
	done, rows := w.bulkWrite("Accounts", "insert", "", string(text))
	if done.at("resource", 0, "file", "added_count") != "3000" || len(rows) != 3001 {
		t.Fatalf("added %s of 3000, %d rows; first: %v", done.at("resource", 0, "file"), len(rows), rows[:2])
	}
	for rec := range w.sim.Records("Accounts") {
		if rec["External_Key"] == "" || bytes.ContainsRune([]byte(rec["External_Key"]), ',') {
			t.Fatalf("key %q", rec["External_Key"])
		}
	}
}
