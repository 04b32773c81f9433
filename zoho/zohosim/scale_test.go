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

// TestMemoryPerRecord keeps a record of some 20 filled fields below 800 bytes: a million in less than a gigabyte.
func TestMemoryPerRecord(t *testing.T) {
	const n = 50_000
	s, err := New(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := heapInUse()
	if err := s.Generate("Leads", n, 3); err != nil {
		t.Fatal(err)
	}
	per := (heapInUse() - before) / n
	t.Logf("%d bytes a record", per)
	if per > 800 || per < 100 {
		t.Errorf("%d bytes a record", per)
	}
	runtime.KeepAlive(s)
}

// BenchmarkMillionRecords fills modules with a million records and prints what one of them takes in memory.
func BenchmarkMillionRecords(b *testing.B) {
	for _, module := range []string{"Leads", "Vehicles"} {
		b.Run(module, func(b *testing.B) {
			const n = 1_000_000
			for b.Loop() {
				s, err := New(Config{Dir: b.TempDir()})
				if err != nil {
					b.Fatal(err)
				}
				before := heapInUse()
				if err := s.Generate(module, n, 3); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(heapInUse()-before)/n, "bytes/record")
				if s.Count(module) != n {
					b.Fatalf("%d records", s.Count(module))
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// heapInUse is the memory alive after a collection.
func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
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

// TestEveryModuleCanBeGenerated fills all modules: values fit their fields, lookups and users point to what is there,
// the same seed gives the same, and what is unique stays so under other seeds.
func TestEveryModuleCanBeGenerated(t *testing.T) {
	t.Parallel()
	var worlds [2]*world
	for i := range worlds {
		worlds[i] = start(t, nil)
		for _, module := range worlds[i].sim.Modules() {
			for seed := range uint64(2) {
				if err := worlds[i].sim.Generate(module, 300, seed+1); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	refs, messy, leap, long := 0, 0, 0, 0
	s := worlds[0].sim
	for _, module := range s.Modules() {
		other := worlds[1].sim.Records(module)
		var again []map[string]string
		for r := range other {
			again = append(again, r)
		}
		n := 0
		for r := range s.Records(module) {
			for name, v := range r {
				f := s.store.tables[module].byName[name]
				switch {
				case f.isLookup() && s.Record(f.Lookup, v) == nil:
					t.Errorf("%s.%s points to %s, which is not there", module, name, v)
				case f.isLookup():
					refs++
				case name != "Created_Time" && name != "Modified_Time" && again[n][name] != v:
					t.Errorf("%s.%s is %q, and %q the second time", module, name, v, again[n][name])
				}
				if strings.ContainsAny(v, ",\"\n") {
					messy++
				}
				if v == "2024-02-29" {
					leap++
				}
				if len(v) > 2000 {
					long++
				}
			}
			n++
		}
		if n != 600 {
			t.Errorf("%s has %d records", module, n)
		}
	}
	if refs < 1000 || messy < 1000 || leap < 5 || long < 3 {
		t.Errorf("%d references, %d messy texts, %d leap days, %d long texts", refs, messy, leap, long)
	}
	owners := map[string]bool{}
	for r := range s.Records("Leads") {
		owners[r["Owner"]] = true
	}
	if len(owners) < 5 {
		t.Errorf("all records belong to %v", owners)
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
