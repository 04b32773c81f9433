package zoho

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

var leadHeader = []string{"Last_Name", "Company", "External_Key", "Annual_Revenue", "Last_Contacted", "Languages_Known", "Email_Opt_Out"}

func upsertAnswers(path string) connector.Answers {
	return connector.Answers{fieldModule: {"Leads"}, fieldUnique: {"External_Key"}, fieldPath: {path}}
}

// leads makes n leads, from number first on.
func leads(first, n int) [][]string {
	rows := make([][]string, n)
	for i := range rows {
		k := first + i
		rows[i] = []string{
			fmt.Sprintf("Müller, \"%d\"", k), "Acme", fmt.Sprintf("K%07d", k), fmt.Sprintf("%d.50", k), "2026-07-01T17:00:00Z", `["English","Tamil"]`, "true",
		}
	}
	return rows
}

func TestUpsertTenThousandLeads(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.connect()
	var batches []*connector.RecordBatch
	for i := range 10 {
		batches = append(batches, batchOf(connector.ActionCreate, leadHeader, int64(i*1000), leads(i*1000, 1000)...))
	}
	out := newOut(t, batches...)
	w.must(syncFor(connector.StrategyUpsert, upsertAnswers(pathAuto), leadHeader), out)
	out.want(connector.StatusSucceeded, 10_000)
	if n := w.sim.Count("Leads"); n != 10_000 {
		t.Errorf("%d leads in the app", n)
	}
	c := w.sim.Counters()
	if c.BulkWriteJobs != 1 {
		t.Errorf("%d jobs", c.BulkWriteJobs)
	}
	for _, seq := range []int64{0, 4711, 9999} {
		r := w.sim.Record("Leads", out.outcomes[seq].id)
		if r["External_Key"] != fmt.Sprintf("K%07d", seq) || r["Annual_Revenue"] != fmt.Sprintf("%d.5", seq) && r["Annual_Revenue"] != fmt.Sprintf("%d.50", seq) {
			t.Errorf("record %d became %v", seq, r)
		}
		at, err := time.Parse(time.RFC3339, r["Last_Contacted"])
		if err != nil || !at.Equal(time.Date(2026, 7, 1, 17, 0, 0, 0, time.UTC)) {
			t.Errorf("the instant became %q", r["Last_Contacted"])
		}
	}
	if got := fmt.Sprint(out.states()); got != "[PREPARED SUBMITTED DONE]" {
		t.Errorf("ticket states %s", got)
	}
	if !out.tickets[0].Idempotent || !strings.Contains(out.tickets[1].Handle, "job_id") {
		t.Errorf("tickets %+v", out.tickets)
	}
}

func TestEachRowHasItsOwnError(t *testing.T) {
	t.Parallel()
	for _, path := range []string{pathBulk, pathRecords} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			header := []string{"External_Key", "Last_Name", "Company", "Email", "No_of_Employees"}
			out := newOut(t, batchOf(connector.ActionCreate, header, 1,
				[]string{"a", "Ray", "Acme", "a@example.com", "5"},
				[]string{"b", "", "Beta", "b@example.com", ""},
				[]string{"c", "Kim", "Gamma", "not-an-email", ""},
				[]string{"", "Lee", "Delta", "d@example.com", ""},
				[]string{"e", "Poe", "Epsilon", "e@example.com", "many"},
				[]string{"f", "One", "Zeta", "f@example.com", ""},
				[]string{"f", "Two", "Zeta", "g@example.com", ""},
			))
			w.must(syncFor(connector.StrategyUpsert, upsertAnswers(path), header), out)
			for seq, want := range map[int64]struct {
				status      connector.Status
				code, field string
			}{
				1: {connector.StatusSucceeded, "", ""}, 2: {connector.StatusRejected, "MANDATORY_NOT_FOUND", "Last_Name"}, 3: {connector.StatusRejected, "INVALID_DATA", "Email"},
				4: {connector.StatusInvalid, "KEY_MISSING", "External_Key"}, 5: {connector.StatusInvalid, "INVALID_VALUE", "No_of_Employees"},
				6: {connector.StatusInvalid, "KEY_REPEATED", "External_Key"}, 7: {connector.StatusInvalid, "KEY_REPEATED", "External_Key"},
			} {
				got := out.outcomes[seq]
				if got.status != want.status {
					t.Errorf("record %d: %s %v", seq, got.status, got.err)
					continue
				}
				if want.code == "" {
					continue
				}
				if got.err.Code != want.code || len(got.err.Fields) == 0 || got.err.Fields[0].Field != want.field {
					t.Errorf("record %d: %v", seq, got.err)
				}
				if want.status == connector.StatusRejected && !strings.Contains(got.detail, want.code) {
					t.Errorf("record %d: detail %s", seq, got.detail)
				}
			}
		})
	}
}

func TestUpdateFindsRecordsByKeyAndById(t *testing.T) {
	t.Parallel()
	for _, path := range []string{pathBulk, pathRecords} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			id, err := w.sim.Insert("Leads", map[string]string{"Last_Name": "Ray", "Company": "Acme", "External_Key": "k1", "Phone": "123"})
			if err != nil {
				t.Fatal(err)
			}
			header := []string{"City", "id"}
			out := newOut(t, batchOf(connector.ActionUpdate, header, 1, []string{"Bonn", id}, []string{"Köln", "99"}))
			w.must(syncFor(connector.StrategyUpdate, connector.Answers{fieldModule: {"Leads"}, fieldUnique: {"id"}, fieldPath: {path}}, header), out)
			if o := out.outcomes[1]; o.status != connector.StatusSucceeded || o.id != id {
				t.Errorf("the known record: %+v", o)
			}
			if o := out.outcomes[2]; o.status != connector.StatusRejected {
				t.Errorf("the unknown record: %+v", o)
			}
			if r := w.sim.Record("Leads", id); r["City"] != "Bonn" || r["Phone"] != "123" {
				t.Errorf("record %v", r)
			}
			byKey := []string{"City", "External_Key", "Phone"}
			out = newOut(t, batchOf(connector.ActionUpdate, byKey, 1, []string{"Aachen", "k1", ""}))
			w.must(syncFor(connector.StrategyUpdate, upsertAnswers(path), byKey), out)
			out.want(connector.StatusSucceeded, 1)
			if r := w.sim.Record("Leads", id); r["City"] != "Aachen" || r["Phone"] != "" {
				t.Errorf("an empty value must clear: %v", r)
			}
		})
	}
}

func TestEmptyValuesAreIgnoredOnRequest(t *testing.T) {
	t.Parallel()
	for _, path := range []string{pathBulk, pathRecords} {
		w := newWorld(t, nil)
		id, err := w.sim.Insert("Leads", map[string]string{"Last_Name": "Ray", "Company": "Acme", "External_Key": "k1", "Phone": "123"})
		if err != nil {
			t.Fatal(err)
		}
		header := []string{"External_Key", "Last_Name", "Company", "Phone"}
		answers := upsertAnswers(path)
		answers[fieldIgnoreEmpty] = []string{"true"}
		out := newOut(t, batchOf(connector.ActionUpdate, header, 1, []string{"k1", "Roy", "Acme", ""}))
		w.must(syncFor(connector.StrategyUpsert, answers, header), out)
		out.want(connector.StatusSucceeded, 1)
		if r := w.sim.Record("Leads", id); r["Last_Name"] != "Roy" || r["Phone"] != "123" {
			t.Errorf("%s: %v", path, r)
		}
	}
}

func TestCreateSkipsWhatExistsWhenAskedTo(t *testing.T) {
	t.Parallel()
	for _, path := range []string{pathBulk, pathRecords} {
		w := newWorld(t, nil)
		if _, err := w.sim.Insert("Leads", map[string]string{"Last_Name": "Old", "Company": "Acme", "External_Key": "k1"}); err != nil {
			t.Fatal(err)
		}
		header := []string{"Last_Name", "Company", "External_Key"}
		rows := [][]string{{"New", "Acme", "k1"}, {"New", "Acme", "k2"}}
		out := newOut(t, batchOf(connector.ActionCreate, header, 1, rows...))
		w.must(syncFor(connector.StrategyCreate, upsertAnswers(path), header), out)
		if got := out.count(); got[connector.StatusSucceeded] != 2 || w.sim.Count("Leads") != 2 {
			t.Errorf("%s, with a unique field: %v", path, got)
		}
		out = newOut(t, batchOf(connector.ActionCreate, header, 1, rows...))
		w.must(syncFor(connector.StrategyCreate, connector.Answers{fieldModule: {"Leads"}, fieldPath: {path}}, header), out)
		if got := out.count(); got[connector.StatusRejected] != 2 || out.outcomes[1].err.Code != "DUPLICATE_DATA" {
			t.Errorf("%s, without: %v %v", path, got, out.outcomes[1].err)
		}
	}
}

func TestMirrorDeletesByIdAndGoneIsFine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if err := w.sim.Generate("Leads", 250, 7); err != nil {
		t.Fatal(err)
	}
	header := []string{"External_Key", "Last_Name", "Company"}
	rows := make([][]string, 252)
	for i := range rows {
		rows[i] = []string{"", "", ""}
	}
	b := batchOf(connector.ActionDelete, header, 1, rows...)
	b.AppIdentifiers = append(w.ids("Leads"), "5700000000000000001", "")
	out := newOut(t, b)
	w.must(syncFor(connector.StrategyMirror, upsertAnswers(pathAuto), header), out)
	if got := out.count(); got[connector.StatusSucceeded] != 251 || got[connector.StatusInvalid] != 1 || w.sim.Count("Leads") != 0 {
		t.Errorf("outcomes %v, %d left", got, w.sim.Count("Leads"))
	}
	if o := out.outcomes[252]; o.err.Code != "ID_UNKNOWN" {
		t.Errorf("without an id: %+v", o)
	}
	if o := out.outcomes[251]; o.detail == "" {
		t.Errorf("a record that was gone must be told: %+v", o)
	}
}

func TestDeleteTakesIdsFromTheMapping(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if err := w.sim.Generate("Leads", 3, 7); err != nil {
		t.Fatal(err)
	}
	ids := w.ids("Leads")
	out := newOut(t, batchOf(connector.ActionDelete, []string{"id"}, 1, []string{ids[0]}, []string{"no id"}, []string{ids[2]}))
	w.must(syncFor(connector.StrategyDelete, connector.Answers{fieldModule: {"Leads"}}, []string{"id"}), out)
	if got := out.count(); got[connector.StatusSucceeded] != 2 || out.outcomes[2].status != connector.StatusInvalid || w.sim.Count("Leads") != 1 {
		t.Errorf("outcomes %v, %d left", got, w.sim.Count("Leads"))
	}
}

func TestThePathIsTheCheaperOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	out := newOut(t, batchOf(connector.ActionCreate, leadHeader, 1, leads(1, 950)...))
	w.must(syncFor(connector.StrategyUpsert, upsertAnswers(pathAuto), leadHeader), out)
	out.want(connector.StatusSucceeded, 950)
	if c := w.sim.Counters(); c.BulkWriteJobs != 0 {
		t.Errorf("%d jobs for 950 records", c.BulkWriteJobs)
	}
	if spent := w.sim.Credits().Spent; spent > 120 {
		t.Errorf("%d credits", spent)
	}
	if w.sim.Count("Leads") != 950 {
		t.Errorf("%d leads", w.sim.Count("Leads"))
	}
	for seq := int64(1); seq <= 950; seq++ {
		if r := w.sim.Record("Leads", out.outcomes[seq].id); r["External_Key"] != fmt.Sprintf("K%07d", seq) {
			t.Fatalf("record %d became %v", seq, r)
		}
	}
	// With another unique field mapped, the records API could find another record: a job is the only safe way.
	header := append([]string{"Email"}, leadHeader...)
	out = newOut(t, batchOf(connector.ActionCreate, header, 1, append([]string{"a@b.de"}, leads(1, 1)[0]...)))
	w.must(syncFor(connector.StrategyUpsert, upsertAnswers(pathAuto), header), out)
	out.want(connector.StatusSucceeded, 1)
	if c := w.sim.Counters(); c.BulkWriteJobs != 1 {
		t.Errorf("%d jobs", c.BulkWriteJobs)
	}
}

func TestConfigurationErrorsComeBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	s := w.open()
	ok := []string{"Last_Name", "Company", "External_Key"}
	for name, c := range map[string]struct {
		strategy connector.Strategy
		answers  connector.Answers
		header   []string
		code     string
		field    string
	}{
		"no module":           {connector.StrategyUpsert, connector.Answers{}, ok, "MISSING_ANSWER", fieldModule},
		"unknown module":      {connector.StrategyUpsert, connector.Answers{fieldModule: {"Unicorns"}}, ok, "UNKNOWN_MODULE", fieldModule},
		"unwritable module":   {connector.StrategyUpsert, connector.Answers{fieldModule: {"Notes"}}, ok, "MODULE_NOT_WRITABLE", fieldModule},
		"unknown field":       {connector.StrategyUpsert, upsertAnswers(""), append([]string{"Shoe_Size"}, ok...), "UNKNOWN_FIELD", "Shoe_Size"},
		"read-only field":     {connector.StrategyUpsert, upsertAnswers(""), append([]string{"Created_Time"}, ok...), "READ_ONLY_FIELD", "Created_Time"},
		"picture":             {connector.StrategyUpsert, upsertAnswers(""), append([]string{"Record_Image"}, ok...), "READ_ONLY_FIELD", "Record_Image"},
		"no unique field":     {connector.StrategyUpsert, connector.Answers{fieldModule: {"Leads"}}, ok, "MISSING_ANSWER", fieldUnique},
		"not unique":          {connector.StrategyUpsert, connector.Answers{fieldModule: {"Leads"}, fieldUnique: {"Company"}}, ok, "NOT_UNIQUE", fieldUnique},
		"key not mapped":      {connector.StrategyUpsert, upsertAnswers(""), ok[:2], "KEY_NOT_MAPPED", "External_Key"},
		"system mandatory":    {connector.StrategyUpsert, upsertAnswers(""), ok[1:], "MANDATORY_FIELDS_NOT_MAPPED", "Last_Name"},
		"layout mandatory":    {connector.StrategyCreate, connector.Answers{fieldModule: {"Leads"}}, ok[:1], "MANDATORY_FIELDS_NOT_MAPPED", "Company"},
		"batch too large":     {connector.StrategyUpsert, connector.Answers{fieldModule: {"Leads"}, fieldBatchSize: {"50000"}}, ok, "INVALID_ANSWER", fieldBatchSize},
		"nothing mapped":      {connector.StrategyUpsert, upsertAnswers(""), nil, "NOTHING_MAPPED", "mapping"},
		"mapped twice":        {connector.StrategyUpsert, upsertAnswers(""), append([]string{"Owner", "Owner.email"}, ok...), "MAPPED_TWICE", "Owner.email"},
		"upsert by id":        {connector.StrategyUpsert, connector.Answers{fieldModule: {"Leads"}, fieldUnique: {"id"}}, ok, "INVALID_ANSWER", fieldUnique},
		"dot after no lookup": {connector.StrategyUpsert, upsertAnswers(""), append([]string{"City.Name"}, ok...), "UNKNOWN_FIELD", "City.Name"},
	} {
		err := s.SyncOutbound(t.Context(), syncFor(c.strategy, c.answers, c.header), newOut(t))
		e := connector.AsError(err)
		if e == nil || e.Class != connector.ClassConfig || e.Code != c.code || len(e.Fields) == 0 || e.Fields[0].Field != c.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c := w.sim.Counters(); c.Uploads+c.BulkWriteJobs != 0 {
		t.Errorf("something was sent: %+v", c)
	}
}

func TestLookupsByIdByUniqueFieldAndOwnersByMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	account, err := w.sim.Insert("Accounts", map[string]string{"Account_Name": "Acme", "External_Key": "A1"})
	if err != nil {
		t.Fatal(err)
	}
	header := []string{"Last_Name", "External_Key", "Account_Name.External_Key"}
	out := newOut(t, batchOf(connector.ActionCreate, header, 1, []string{"Ray", "c1", "A1"}, []string{"Roy", "c2", "nobody"}))
	answers := connector.Answers{fieldModule: {"Contacts"}, fieldUnique: {"External_Key"}}
	w.must(syncFor(connector.StrategyUpsert, answers, header), out)
	if o := out.outcomes[1]; o.status != connector.StatusSucceeded || w.sim.Record("Contacts", o.id)["Account_Name"] != account {
		t.Errorf("by unique field: %+v %v", o, w.sim.Record("Contacts", o.id))
	}
	if o := out.outcomes[2]; o.status != connector.StatusRejected {
		t.Errorf("target unknown: %+v", o)
	}
	for _, path := range []string{pathBulk, pathRecords} {
		header = []string{"Last_Name", "External_Key", "Account_Name"}
		out = newOut(t, batchOf(connector.ActionCreate, header, 1, []string{"Ray", "d" + path, account}))
		answers[fieldPath] = []string{path}
		w.must(syncFor(connector.StrategyUpsert, answers, header), out)
		if o := out.outcomes[1]; o.status != connector.StatusSucceeded || w.sim.Record("Contacts", o.id)["Account_Name"] != account {
			t.Errorf("%s, by id: %+v", path, o)
		}
	}
}

// Section 11 of what is known about Zoho's API: every reading of what it leaves
// open must give the same outcomes.
func TestEveryVariantGivesTheSameOutcomes(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*zohosim.Variants){
		"lower case":         func(v *zohosim.Variants) { v.StatusCase = "lower" },
		"shuffled report":    func(v *zohosim.Variants) { v.ShuffleResult = true },
		"file order":         func(v *zohosim.Variants) { v.EchoColumnOrder = true },
		"id of the skipped":  func(v *zohosim.Variants) { v.SkippedRecordID = true },
		"relative URL":       func(v *zohosim.Variants) { v.RelativeDownloadURL = true },
		"spaced in progress": func(v *zohosim.Variants) { v.SpacedInProgress = true },
		"strict dates":       func(v *zohosim.Variants) { v.DefaultDates = "us" },
		"unknown job is 400": func(v *zohosim.Variants) { v.UnknownJobStatus = 400 },
		"token error is 400": func(v *zohosim.Variants) { v.TokenErrorStatus = 400 },
		"no id in fields":    func(v *zohosim.Variants) { v.OmitIDField = true },
		"upload costs":       func(v *zohosim.Variants) { v.UploadCost = 1 },
		"row limit":          func(v *zohosim.Variants) { v.RowLimit = 10_000 },
		"no scope told":      func(v *zohosim.Variants) { v.OmitTokenScope = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *zohosim.Config) { change(&c.Variants); c.JobPolls = 2 })
			w.connect()
			rows := leads(1, 60)
			rows[7][0], rows[41][1] = "", strings.Repeat("x", 500)
			out := newOut(t, batchOf(connector.ActionCreate, leadHeader, 1, rows...))
			w.must(syncFor(connector.StrategyUpsert, upsertAnswers(pathBulk), leadHeader), out)
			if got := out.count(); got[connector.StatusSucceeded] != 58 || got[connector.StatusRejected] != 2 {
				t.Fatalf("outcomes %v", got)
			}
			for seq, o := range out.outcomes {
				if o.status == connector.StatusSucceeded && w.sim.Record("Leads", o.id)["External_Key"] != rows[seq-1][2] {
					t.Fatalf("record %d was told to be %s", seq, o.id)
				}
			}
			if out.outcomes[8].err.Code != "MANDATORY_NOT_FOUND" || out.outcomes[42].err.Code != "INVALID_DATA" {
				t.Errorf("errors %v, %v", out.outcomes[8].err, out.outcomes[42].err)
			}
		})
	}
}

func TestUpdatesOfKnownRecordsNeedNoJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	header := []string{"External_Key", "City"}
	var rows [][]string
	var ids []string
	for i := range 3 {
		key := fmt.Sprint("k", i)
		id, err := w.sim.Insert("Leads", map[string]string{"Last_Name": "Ray", "Company": "Acme", "External_Key": key})
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, []string{key, "Bonn " + key})
		ids = append(ids, id)
	}
	b := batchOf(connector.ActionUpdate, header, 1, rows...)
	b.AppIdentifiers = ids
	out := newOut(t, b)
	w.must(syncFor(connector.StrategyUpdate, upsertAnswers(pathAuto), header), out)
	out.want(connector.StatusSucceeded, 3)
	for i, id := range ids {
		if r := w.sim.Record("Leads", id); r["City"] != fmt.Sprint("Bonn k", i) {
			t.Errorf("%v", r)
		}
	}
	if c := w.sim.Counters(); c.BulkWriteJobs != 0 {
		t.Errorf("%d jobs", c.BulkWriteJobs)
	}
	// One record whose id is not known makes a job the only way.
	b = batchOf(connector.ActionUpdate, header, 1, rows...)
	b.AppIdentifiers = []string{ids[0], "", ids[2]}
	out = newOut(t, b)
	w.must(syncFor(connector.StrategyUpdate, upsertAnswers(pathAuto), header), out)
	out.want(connector.StatusSucceeded, 3)
	if c := w.sim.Counters(); c.BulkWriteJobs != 1 {
		t.Errorf("%d jobs", c.BulkWriteJobs)
	}
}
