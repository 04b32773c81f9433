package zohosim

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func fuzzSim(f *testing.F) *Sim {
	f.Helper()
	s, err := New(Config{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	if err := s.Generate("Contacts", 20, 1); err != nil {
		f.Fatal(err)
	}
	return s
}

func FuzzCOQL(f *testing.F) {
	s := fuzzSim(f)
	for _, q := range []string{"select id from Contacts where id is not null", "select Last_Name, Account_Name.Account_Name from Contacts where (Score >= 1 and Last_Name like '%a''b%') or Email in ('x', 'y') order by id desc limit 1, 2",
		"select COUNT(id) from Contacts where Score not between 1 and 2 offset 3", "select a from b where ((((((("} {
		f.Add(q)
	}
	c := &call{sim: s, conf: s.conf.Load()}
	f.Fuzz(func(t *testing.T, q string) {
		parsed, err := parseCOQL(q)
		if err != nil {
			return
		}
		if parsed.where == nil || parsed.limit < 0 || parsed.offset < 0 {
			t.Fatalf("parsed without a condition: %+v", parsed)
		}
		if rep := c.answerCOQL(s.store.tables["Contacts"], parsed); rep.status == 0 {
			t.Fatal("no status")
		}
	})
}

func FuzzCriteria(f *testing.F) {
	s := fuzzSim(f)
	f.Add(`{"field":{"api_name":"Score"},"comparator":"between","value":[1,2]}`)
	f.Add(`{"group_operator":"and","group":[{"api_name":"Owner.email","comparator":"in","value":["a"]},{"group_operator":"or","group":[]}]}`)
	f.Add(`{"field":{"api_name":"Modified_Time"},"comparator":"not_between","value":["2026-01-01T00:00:00Z","${EMPTY}"]}`)
	table := s.store.tables["Contacts"]
	f.Fuzz(func(t *testing.T, text string) {
		var c criterion
		if json.Unmarshal([]byte(text), &c) != nil {
			return
		}
		where, err := (&criteriaCompiler{sim: s, table: table}).compile(&c)
		if err != nil {
			if err.code == "" || err.http == 0 {
				t.Fatalf("error without code: %+v", err)
			}
			return
		}
		for _, r := range table.recs {
			where.holds(s, table, r, false)
		}
	})
}

func FuzzUploadedFile(f *testing.F) {
	dir := f.TempDir()
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Add(zipped(f, "a.csv", "\ufeffa;b\n1;\"2\n3\"\n"))
	f.Add(zipped(f, "a.csv", "", "b.csv", "x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "f.zip")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		entry, header, rows, fault := inspect(path, nil, true)
		if fault == nil && (entry == "" || len(header) == 0 || rows < 0) {
			t.Fatalf("accepted without a header: %q %q %d", entry, header, rows)
		}
	})
}

func FuzzCSVCell(f *testing.F) {
	for _, s := range []string{"", " a", "a,b", `"`, "x\r\ny", "=1", "ü\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rows, err := csv.NewReader(strings.NewReader("k," + string(appendCSV(nil, s)) + ",e\n")).ReadAll()
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		// encoding/csv folds \r\n to \n inside quotes.
		if want := strings.ReplaceAll(s, "\r\n", "\n"); len(rows) != 1 || len(rows[0]) != 3 || rows[0][1] != want {
			t.Fatalf("%q came back as %q", s, rows)
		}
	})
}

func FuzzPack(f *testing.F) {
	f.Add("a", "", "ccc", true, false)
	f.Add(strings.Repeat("x", 200), "b", "", false, true)
	f.Fuzz(func(t *testing.T, a, b, c string, setA, setC bool) {
		in := []cell{{a, setA}, {b, true}, {c, setC}, {}}
		for i := range in {
			if !in[i].set {
				in[i].text = ""
			}
		}
		var p packer
		data := p.pack(in)
		out := make([]cell, len(in))
		unpack(data, out)
		for i := range in {
			if out[i] != in[i] || at(data, i) != in[i] {
				t.Fatalf("cell %d: %+v, unpacked %+v, at %+v", i, in[i], out[i], at(data, i))
			}
		}
	})
}

func FuzzValues(f *testing.F) {
	f.Add("datetime", "2026-01-01T00:00:00Z", "yyyy-MM-dd HH:mm:ss")
	f.Add("double", "-1,234.50", "#,##0.00")
	f.Add("website", "https://a.b", "")
	f.Fuzz(func(t *testing.T, dataType, text, format string) {
		field := &Field{APIName: "F", DataType: dataType}
		field.normalise()
		pat, ok := parsePattern(dataType, format)
		if !ok {
			pat = nil
		}
		p := &parser{loc: time.UTC}
		v, err := p.scalar(field, text, pat)
		if err != nil || dataType == "multiselectpicklist" {
			return
		}
		if again, err := p.scalar(field, v, nil); err != nil || again != v {
			t.Fatalf("%s %q: canonical %q is not stable: %q %+v", dataType, text, v, again, err)
		}
	})
}
