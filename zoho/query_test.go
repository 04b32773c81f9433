package zoho

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// readBy reads one stream by a chosen way.
func (w *world) readBy(path, stream string, mode connector.ReadMode, state string, in *fakeIn, fields ...string) connector.StreamDone {
	w.t.Helper()
	sync := connector.InboundSync{
		StartedAt: w.sim.Now(), AcksCheckpoints: true, Answers: connector.Answers{fieldPath: {path}},
		Streams: []connector.StreamSelection{{Name: stream, Mode: mode, State: state, Fields: fields}},
	}
	if err := w.open().SyncInbound(w.t.Context(), sync, in); err != nil {
		w.t.Fatal(err)
	}
	return in.done[stream]
}

// Whatever the values, both ways bring the same rows, columns, types and nulls.
func TestBothWaysOfReadingBringTheSame(t *testing.T) {
	t.Parallel()
	const records = 215
	for _, rows := range []int{200, 2000} {
		w := newWorld(t, func(c *zohosim.Config) {
			c.DisableDownloadLimit = true
			c.Variants.COQLRows = rows
			c.AddOnCredits = 1_000_000
		})
		w.connect()
		modules := []string{"Accounts", "Contacts", "Leads", "Deals", "Tasks", "Campaigns", "Products", "Vendors", "Cases", "Vehicles", "Service_Items", "Deals_X_Products", "Wide"}
		wide := zohosim.Module{APIName: "Wide", Generated: "custom", Singular: "Wide", Plural: "Wide", Fields: []zohosim.Field{{APIName: "Name", DataType: "text"}}}
		for i := range 120 {
			wide.Fields = append(wide.Fields, zohosim.Field{APIName: fmt.Sprintf("F%d", i), DataType: []string{"text", "integer", "boolean", "double", "datetime"}[i%5]})
		}
		for i := range 7 { // more formulas than a query takes
			wide.Fields = append(wide.Fields, zohosim.Field{APIName: fmt.Sprintf("X%d", i), DataType: "formula", Expression: "F1*F6"})
		}
		if err := w.sim.AddModule(wide); err != nil {
			t.Fatal(err)
		}
		if rows == 2000 { // one page of everything: two modules will do
			modules = []string{"Accounts", "Wide"}
		}
		for i, module := range modules {
			if err := w.sim.Generate(module, records, uint64(i+1)); err != nil {
				t.Fatal(err)
			}
		}
		for _, module := range modules {
			bulk, query := newIn(t), newIn(t)
			for path, in := range map[string]*fakeIn{pathBulk: bulk, pathRecords: query} {
				if d := w.readBy(path, module, connector.ReadFullRefresh, "", in); d.Error != nil || len(in.rows[module]) != records || in.received != records {
					t.Fatalf("%s by %s: %v, %d rows", module, path, d.Error, in.received)
				}
			}
			if diff := cmp.Diff(bulk.rows, query.rows); diff != "" {
				t.Errorf("%s: rows by bulk read (-) and by queries (+):\n%s", module, diff[:min(len(diff), 2000)])
			}
			if !maps.Equal(bulk.kinds, query.kinds) || !maps.Equal(bulk.nulls, query.nulls) {
				t.Errorf("%s: columns %v and %v", module, bulk.kinds, query.kinds)
			}
		}
	}
}

// The cheaper way is taken for an increment, by the ledger of Zoho, and the
// choice and its price are said.
func TestAnIncrementTakesTheCheaperWay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		changed int
		jobs    int
		credits int // at most, the list of deleted records and the modules and fields among them
		says    string
	}{
		{0, 0, 6, "0 records cost 1 credits"},
		{150, 0, 7, "150 records cost 2 credits, by a bulk read about 55"},
		{2_100, 0, 17, "2100 records cost 12 credits"},
		{11_500, 1, 70, "11500 records cost about 55 credits, by queries 58"},
	} {
		w := newWorld(t, func(conf *zohosim.Config) { conf.Variants.COQLRows = 200; conf.DisableDownloadLimit = true })
		w.connect()
		w.insertLead("old", nil)
		w.sim.AdvanceClock(time.Hour)
		first := w.readBy(pathAuto, "Leads", connector.ReadIncremental, "", newIn(t), "Last_Name", "Modified_Time")
		if first.Error != nil || w.sim.Counters().BulkReadJobs != 1 {
			t.Fatalf("a first read: %v, %d jobs", first.Error, w.sim.Counters().BulkReadJobs)
		}
		w.sim.AdvanceClock(time.Hour)
		if err := w.sim.Generate("Leads", c.changed, 7); err != nil {
			t.Fatal(err)
		}
		w.sim.AdvanceClock(time.Minute)
		before := w.sim.Credits().SpentEver
		in := newIn(t)
		s := w.open()
		s.queryLimit.Store(200)
		sync := connector.InboundSync{StartedAt: w.sim.Now(), Streams: []connector.StreamSelection{
			{Name: "Leads", Mode: connector.ReadIncremental, State: first.State, Fields: []string{"Last_Name", "Modified_Time"}},
		}}
		if err := s.SyncInbound(t.Context(), sync, in); err != nil {
			t.Fatal(err)
		}
		spent, jobs := w.sim.Credits().SpentEver-before, w.sim.Counters().BulkReadJobs-1
		if in.done["Leads"].Error != nil || len(in.rows["Leads"]) != c.changed || jobs != c.jobs || spent > c.credits {
			t.Errorf("%d changed: %v, %d rows, %d jobs, %d credits", c.changed, in.done["Leads"].Error, len(in.rows["Leads"]), jobs, spent)
		}
		if !slices.ContainsFunc(in.progress, func(p connector.Progress) bool { return strings.Contains(p.Activity, c.says) }) {
			t.Errorf("%d changed: %q was not said, but %v", c.changed, c.says, in.progress)
		}
	}
}

// Records change, come and go while queries page through a window. None is
// lost: what leaves the window is in the next one.
func TestNoRecordIsLostWhenRecordsChangeBetweenQueries(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		w := newWorld(t, func(c *zohosim.Config) { c.Variants.COQLRows = 200; c.DisableCredits = true })
		w.connect()
		s := w.open()
		random := rand.New(rand.NewPCG(seed, 1))
		if err := w.sim.Generate("Leads", 900, seed+1); err != nil {
			t.Fatal(err)
		}
		w.sim.AdvanceClock(time.Minute)
		all := w.ids("Leads")
		deleted := map[string]bool{}
		disturb := func() {
			w.sim.AdvanceClock(time.Second)
			for range 20 {
				id := all[random.IntN(len(all))]
				if random.IntN(3) == 0 {
					deleted[id] = w.sim.Delete("Leads", id) || deleted[id]
					continue
				}
				change := fmt.Sprintf(`{"id":%q,"City":"City %d"}`, id, random.IntN(1000))
				if _, err := s.client.Update(t.Context(), "Leads", []jsontext.Value{[]byte(change)}, crm.WriteOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			id, err := w.sim.Insert("Leads", map[string]string{"Last_Name": "New", "Company": "Acme", "External_Key": fmt.Sprint("n", random.Uint64())})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, id)
		}
		merged := map[string]map[string]string{}
		state, start := "", w.sim.Now()
		for round := range 3 {
			in := newIn(t)
			if round < 2 {
				in.onState = func(string) { disturb() }
			}
			sync := connector.InboundSync{StartedAt: start, Answers: connector.Answers{fieldPath: {pathRecords}, fieldOverlap: {"0"}},
				Streams: []connector.StreamSelection{{Name: "Leads", Mode: connector.ReadIncremental, State: state}}}
			if err := w.open().SyncInbound(t.Context(), sync, in); err != nil || in.done["Leads"].Error != nil {
				t.Fatal(err, in.done["Leads"].Error)
			}
			maps.Copy(merged, in.rows["Leads"])
			for _, id := range in.tombstones["Leads"] {
				delete(merged, id)
			}
			state = in.done["Leads"].State
			w.sim.AdvanceClock(time.Minute)
			start = w.sim.Now()
		}
		want := map[string]string{}
		for r := range w.sim.Records("Leads") {
			want[r["id"]] = r["City"]
		}
		got := map[string]string{}
		for id, r := range merged {
			got[id] = r["City"]
		}
		// A record that was deleted during the first read, before deletions are
		// looked for, is not known to be gone from a stream that had no state yet.
		for id := range deleted {
			delete(got, id)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("seed %d: in the app (-) and in the warehouse (+):\n%s", seed, diff[:min(len(diff), 1500)])
		}
	}
}

func TestAReadByQueriesGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *zohosim.Config) { c.Variants.COQLRows = 200 })
	w.connect()
	if err := w.sim.Generate("Leads", 500, 3); err != nil {
		t.Fatal(err)
	}
	w.sim.AdvanceClock(time.Minute)
	in := newIn(t)
	w.readBy(pathRecords, "Leads", connector.ReadFullRefresh, "", in, "Last_Name")
	states := in.checkpoints["Leads"]
	if len(states) != 2 {
		t.Fatalf("%d checkpoints", len(states))
	}
	rest := newIn(t)
	if d := w.readBy(pathRecords, "Leads", connector.ReadFullRefresh, states[0], rest, "Last_Name"); d.Error != nil || rest.received != 300 {
		t.Errorf("%v, %d rows after the first page of 200", d.Error, rest.received)
	}
	// Whoever changes to bulk reads in between begins anew.
	whole := newIn(t)
	if d := w.readBy(pathBulk, "Leads", connector.ReadFullRefresh, states[0], whole, "Last_Name"); d.Error != nil || whole.received != 500 {
		t.Errorf("%v, %d rows by bulk read", d.Error, whole.received)
	}
}

// What Zoho does not answer by queries is read by a bulk read, unless queries
// were chosen.
func TestARefusedQueryFallsBackToABulkRead(t *testing.T) {
	t.Parallel()
	count, page := zohosim.Match{PathPattern: `/coql$`, Nth: 1}, zohosim.Match{PathPattern: `/coql$`, Nth: 2}
	for name, c := range map[string]struct {
		match zohosim.Match
		body  string
	}{
		"the module":      {count, `{"code":"INVALID_QUERY","details":{"column_name":"Leads","reason":"module is not available"},"message":"invalid query formed","status":"error"}`},
		"a column":        {page, `{"code":"INVALID_QUERY","details":{"column_name":"City","reason":"invalid column"},"message":"column given seems to be invalid","status":"error"}`},
		"a reserved word": {page, `{"code":"SYNTAX_ERROR","details":{},"message":"error occurred while parsing the query","status":"error"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{pathAuto, pathRecords} {
				w := newWorld(t, nil)
				id := w.insertLead("a", nil)
				if err := w.sim.Fault(zohosim.Fault{Match: c.match, Action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 400, Body: c.body}}); err != nil {
					t.Fatal(err)
				}
				w.sim.AdvanceClock(time.Hour)
				state := readState{Version: 1, Cursor: w.sim.Now().Add(-2 * time.Hour)}
				in := newIn(t)
				d := w.readBy(path, "Leads", connector.ReadIncremental, state.text(), in)
				if path == pathRecords {
					if d.Error == nil {
						t.Error("chosen queries that are refused ended well")
					}
					continue
				}
				if d.Error != nil || in.rows["Leads"][id] == nil || w.sim.Counters().BulkReadJobs != 1 {
					t.Errorf("%v, rows %v, %d jobs", d.Error, in.rows["Leads"], w.sim.Counters().BulkReadJobs)
				}
			}
		})
	}
	t.Run("the scope", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil)
		delete(w.connection.Secrets, keptRefreshToken)
		w.connection.Secrets[fieldGrantCode] = []string{w.sim.NewGrantCode(strings.ReplaceAll(strings.Join(scopesFor(nil), ","), "ZohoCRM.coql.READ,", ""))}
		if got := w.connect(); !strings.Contains(strings.Join(got.Notices, "\n"), "ZohoCRM.coql.READ") {
			t.Errorf("notices %v", got.Notices)
		}
		w.insertLead("a", nil)
		w.sim.AdvanceClock(time.Hour)
		state := readState{Version: 1, Cursor: w.sim.Now().Add(-2 * time.Hour)}
		in := newIn(t)
		if d := w.readBy(pathAuto, "Leads", connector.ReadIncremental, state.text(), in); d.Error != nil || len(in.rows["Leads"]) != 1 {
			t.Errorf("%v, rows %v", d.Error, in.rows["Leads"])
		}
	})
}

func TestPlansOfQueries(t *testing.T) {
	t.Parallel()
	field := func(name, dataType, jsonType string) crm.Field {
		return crm.Field{APIName: name, DataType: dataType, JSONType: jsonType, Viewable: true}
	}
	var fields []crm.Field
	for i := range 101 {
		fields = append(fields, field(fmt.Sprint("F", i), "text", "string"))
	}
	p, why := planQueries(append(fields, field("Tag", "text", "jsonarray"), field("Owner", "ownerlookup", "jsonobject")))
	if why != "" || len(p.groups) != 3 || len(p.listed) != 1 || p.parts() != 4 {
		t.Errorf("%d queries, %d listed, %q", len(p.groups), len(p.listed), why)
	}
	if got := p.cost(2500, crm.COQLMaxRows); got != 3*3+20+3*2+5 {
		t.Errorf("2,500 rows cost %d", got)
	}
	rich := field("Notes", "textarea", "string")
	rich.RichText = true
	for _, f := range []crm.Field{rich, field("Recurring", "rrule", "jsonobject"), field("Territories", "territories", "jsonarray")} {
		if _, why := planQueries([]crm.Field{f}); !strings.Contains(why, f.APIName) {
			t.Errorf("%s: %q", f.APIName, why)
		}
	}
	if p, _ := planQueries(nil); len(p.groups) != 1 || p.parts() != 1 {
		t.Errorf("ids alone: %+v", p)
	}
}

func TestValuesOfRecordsAreReadAsCellsAre(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", -7*3600)
	for _, c := range []struct{ dataType, value, cell string }{
		{"text", `"a\"b"`, `a"b`}, {"text", `null`, ""}, {"text", `""`, ""}, {"bigint", `"9007199254740993"`, "9007199254740993"}, {"integer", `12`, "12"},
		{"double", `1.50`, "1.50"}, {"currency", `1.0E7`, "1.0E7"}, {"boolean", `true`, "true"}, {"boolean", `false`, "false"}, {"lookup", `{"id":"57","name":"x"}`, "57"},
		{"ownerlookup", `{"id":57}`, "57"}, {"multiselectpicklist", `["A;B","C"]`, "A;B;C"}, {"multiselectpicklist", `[]`, ""}, {"date", `"2026-01-31"`, "2026-01-31"},
		{"datetime", `"2026-01-31T12:00:00+05:30"`, "2026-01-31T12:00:00+05:30"}, {"text", `[{"name":"hot","id":"1"},{"name":"eu"}]`, "hot,eu"},
	} {
		f := crm.Field{APIName: "F", DataType: c.dataType}
		if c.dataType == "multiselectpicklist" {
			f.PickList = []crm.PickListValue{{Actual: "A;B"}, {Actual: "C"}}
		}
		read := readerOf(f, zone)
		want := ""
		if c.cell != "" {
			want = read(c.cell)
		}
		if got := textOfJSON(f, read, jsontext.Value(c.value)); got != want {
			t.Errorf("%s %s: %q, want %q", c.dataType, c.value, got, want)
		}
	}
}

func FuzzTextOfJSON(f *testing.F) {
	for _, seed := range []string{`"a"`, `{"id":1}`, `[1,{"name":"x"}]`, `tru`, `[`, ``, `-1.5e3`} {
		f.Add(seed)
	}
	kinds := []string{"text", "boolean", "integer", "double", "date", "datetime", "multiselectpicklist", "lookup"}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range kinds {
			field := crm.Field{APIName: "F", DataType: kind}
			got := textOfJSON(field, readerOf(field, time.UTC), jsontext.Value(text))
			if kind == "multiselectpicklist" && got != "" && !json.Valid([]byte(got)) {
				t.Errorf("%q became %q", text, got)
			}
		}
	})
}
