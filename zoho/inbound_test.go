package zoho

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

func (w *world) insertLead(key string, more map[string]string) string {
	w.t.Helper()
	values := map[string]string{"Last_Name": "Ray", "Company": "Acme", "External_Key": key}
	for k, v := range more {
		values[k] = v
	}
	id, err := w.sim.Insert("Leads", values)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func TestFullRefreshTypesEveryValue(t *testing.T) {
	t.Parallel()
	for _, separator := range []string{";", ","} {
		w := newWorld(t, func(c *zohosim.Config) { c.Variants.MultiSelectSeparator = separator; c.Variants.IDColumn = "id" })
		id := w.insertLead("k1", map[string]string{
			"Annual_Revenue": "1234567890.125", "No_of_Employees": "12", "Email_Opt_Out": "true", "Visit_Date": "2026-01-31", "Last_Contacted": "2026-07-01T10:00:00-07:00",
			"Languages_Known": "English;Tamil", "Description": "two\nlines, \"quoted\"",
		})
		in := newIn(t)
		done := w.read("Leads", connector.ReadFullRefresh, "", w.sim.Now().Add(time.Second), in)
		if done.Error != nil {
			t.Fatal(done.Error)
		}
		row := in.rows["Leads"][id]
		for column, want := range map[string]string{
			"id": id, "Last_Name": "Ray", "No_of_Employees": "12", "Email_Opt_Out": "true", "Visit_Date": "2026-01-31", "Last_Contacted": "2026-07-01T10:00:00-07:00",
			"Languages_Known": `["English","Tamil"]`, "Description": "two\nlines, \"quoted\"",
		} {
			if row[column] != want {
				t.Errorf("%s (separator %s): %q, want %q", column, separator, row[column], want)
			}
		}
		if _, there := row["Phone"]; there || in.nulls["Phone"] != 1 {
			t.Errorf("a blank cell must be null: %v", row)
		}
		for column, want := range map[string]connector.Kind{
			"Annual_Revenue": "decimal", "No_of_Employees": "int64", "Email_Opt_Out": "bool", "Visit_Date": "date", "Last_Contacted": "timestamptz", "Languages_Known": "json", "id": "string",
		} {
			if in.kinds[column] != want {
				t.Errorf("%s is a %s, want %s", column, in.kinds[column], want)
			}
		}
		if _, there := in.kinds["Record_Image"]; there {
			t.Error("a picture was read")
		}
	}
}

func TestAllPagesAreReadByTokenAndByNumber(t *testing.T) {
	t.Parallel()
	for _, noToken := range []bool{false, true} {
		w := newWorld(t, func(c *zohosim.Config) {
			c.PageRows = 40
			c.Variants.NoPageToken = noToken
			c.DisableDownloadLimit = true
		})
		if err := w.sim.Generate("Leads", 205, 3); err != nil {
			t.Fatal(err)
		}
		w.sim.AdvanceClock(2 * time.Second)
		in := newIn(t)
		done := w.read("Leads", connector.ReadIncremental, "", w.sim.Now(), in, "Last_Name", "Modified_Time")
		if done.Error != nil {
			t.Fatal(done.Error)
		}
		if len(in.rows["Leads"]) != 205 || in.received != 205 {
			t.Errorf("no token %t: %d rows, %d received", noToken, len(in.rows["Leads"]), in.received)
		}
		if len(in.kinds) != 3 {
			t.Errorf("columns %v", in.kinds)
		}
		if c := w.sim.Counters(); c.BulkReadJobs != 6 {
			t.Errorf("%d jobs", c.BulkReadJobs)
		}
		// One checkpoint after each job created and each page but the last.
		if n := len(in.checkpoints["Leads"]); n < 5 {
			t.Errorf("%d checkpoints", n)
		}
	}
}

func TestIncrementalReadsChangesAndDeletions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a, b := w.insertLead("a", nil), w.insertLead("b", nil)
	w.sim.AdvanceClock(10 * time.Minute)
	first := newIn(t)
	start := w.sim.Now()
	done := w.read("Leads", connector.ReadIncremental, "", start, first)
	if done.Error != nil || len(first.rows["Leads"]) != 2 || len(first.tombstones["Leads"]) != 0 {
		t.Fatalf("first: %v, %d rows, gone %v", done.Error, len(first.rows["Leads"]), first.tombstones)
	}
	var st readState
	if err := json.Unmarshal([]byte(done.State), &st); err != nil || !st.Cursor.Equal(start.UTC().Truncate(time.Second)) || st.Open != nil {
		t.Fatalf("state %s", done.State)
	}
	w.sim.AdvanceClock(10 * time.Minute)
	c := w.insertLead("c", nil)
	if !w.sim.Delete("Leads", a) {
		t.Fatal("not deleted")
	}
	w.sim.AdvanceClock(10 * time.Minute)
	d := func() string { // stamped exactly at the upper bound: belongs to the next window
		w.sim.AdvanceClock(time.Second)
		return ""
	}
	d()
	second := newIn(t)
	done = w.read("Leads", connector.ReadIncremental, done.State, w.sim.Now(), second)
	if done.Error != nil {
		t.Fatal(done.Error)
	}
	if len(second.rows["Leads"]) != 1 || second.rows["Leads"][c] == nil {
		t.Errorf("second read: %v, want only %s, not %s", second.rows["Leads"], c, b)
	}
	if !slices.Equal(second.tombstones["Leads"], []string{a}) {
		t.Errorf("tombstones %v, want %s", second.tombstones, a)
	}
}

func TestTheWindowEndsBeforeTheRunStarts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	early := w.insertLead("early", nil)
	w.sim.AdvanceClock(time.Hour)
	start := w.sim.Now().Truncate(time.Second)
	late := w.insertLead("late", nil)
	in := newIn(t)
	done := w.read("Leads", connector.ReadIncremental, "", start, in)
	if in.rows["Leads"][early] == nil || in.rows["Leads"][late] != nil {
		t.Errorf("rows %v", in.rows["Leads"])
	}
	w.sim.AdvanceClock(time.Hour)
	next := newIn(t)
	w.read("Leads", connector.ReadIncremental, done.State, w.sim.Now(), next)
	if next.rows["Leads"][late] == nil || next.rows["Leads"][early] != nil {
		t.Errorf("next rows %v", next.rows["Leads"])
	}
}

// A run that was cut off after a checkpoint goes on at the page it had reached.
func TestACutOffReadGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *zohosim.Config) { c.PageRows = 50; c.DisableDownloadLimit = true })
	if err := w.sim.Generate("Leads", 180, 5); err != nil {
		t.Fatal(err)
	}
	w.sim.AdvanceClock(time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in := newIn(t)
	var last string
	in.onState = func(state string) {
		last = state
		var st readState
		if err := json.Unmarshal([]byte(state), &st); err != nil {
			t.Error(err)
		}
		if st.Open != nil && st.Open.Page == 3 && st.Open.Job == "" {
			cancel()
		}
	}
	sync := connector.InboundSync{StartedAt: w.sim.Now(), Streams: []connector.StreamSelection{{Name: "Leads", Mode: connector.ReadIncremental}}}
	_ = w.open().SyncInbound(ctx, sync, in) // cancelled
	if len(in.rows["Leads"]) != 100 {
		t.Fatalf("%d rows before the cut", len(in.rows["Leads"]))
	}
	late := w.insertLead("late", nil)
	w.sim.AdvanceClock(time.Minute)
	rest := newIn(t)
	done := w.read("Leads", connector.ReadIncremental, last, w.sim.Now(), rest)
	if done.Error != nil {
		t.Fatal(done.Error)
	}
	all := map[string]bool{}
	for _, part := range []*fakeIn{in, rest} {
		for id := range part.rows["Leads"] {
			all[id] = true
		}
	}
	if len(all) != 181 || !all[late] {
		t.Errorf("%d records in all", len(all))
	}
	if n := len(rest.rows["Leads"]); n != 81 && n > 181 {
		t.Errorf("%d rows in the rest", n)
	}
}

func TestLostResultsAndTokensAreMadeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *zohosim.Config) { c.PageRows = 50; c.DisableDownloadLimit = true })
	if err := w.sim.Generate("Leads", 120, 5); err != nil {
		t.Fatal(err)
	}
	w.sim.AdvanceClock(time.Minute)
	to := w.sim.Now().UTC().Truncate(time.Second)
	unknown := readState{Version: 1, Open: &openRead{To: to, Page: 1, Job: "5700000000000999999"}}
	in := newIn(t)
	if done := w.read("Leads", connector.ReadIncremental, unknown.text(), to, in); done.Error != nil || len(in.rows["Leads"]) != 120 {
		t.Errorf("an unknown job: %v, %d rows", done.Error, len(in.rows["Leads"]))
	}
	state := ""
	for _, s := range in.checkpoints["Leads"] {
		if strings.Contains(s, `"page":2,"token"`) && !strings.Contains(s, `"job"`) {
			state = s
		}
	}
	if state == "" {
		t.Fatalf("no state between pages among %v", in.checkpoints)
	}
	w.sim.AdvanceClock(25 * time.Hour)
	in = newIn(t)
	if done := w.read("Leads", connector.ReadIncremental, state, to, in); done.Error != nil || len(in.rows["Leads"]) != 120 {
		t.Errorf("an expired token: %v, %d rows", done.Error, len(in.rows["Leads"]))
	}
	w2 := newWorld(t, nil)
	w2.insertLead("a", nil)
	in = newIn(t)
	in.onState = func(string) { w2.sim.AdvanceClock(25 * time.Hour); in.onState = nil } // the result expires once
	if done := w2.read("Leads", connector.ReadFullRefresh, "", w2.sim.Now(), in); done.Error != nil || len(in.rows["Leads"]) != 1 {
		t.Errorf("an expired result: %v, %d rows", done.Error, len(in.rows["Leads"]))
	}
}

func TestFaultsWhileReading(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault zohosim.Fault
		fails bool
	}{
		"failed job, once":    {zohosim.Fault{Match: zohosim.Match{Method: "POST", PathPattern: `/read$`, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionFailJob}}, false},
		"failed jobs":         {zohosim.Fault{Match: zohosim.Match{Method: "POST", PathPattern: `/read$`}, Action: zohosim.Action{Kind: zohosim.ActionFailJob}}, true},
		"torn file":           {zohosim.Fault{Match: zohosim.Match{PathPattern: `/result$`, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionTornFile}}, false},
		"damaged file":        {zohosim.Fault{Match: zohosim.Match{PathPattern: `/result$`, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionCorruptFile}}, false},
		"token revoked":       {zohosim.Fault{Match: zohosim.Match{PathPattern: `/read/`, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionRevokeToken}}, false},
		"creation was lost":   {zohosim.Fault{Match: zohosim.Match{Method: "POST", PathPattern: `/read$`, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionDropAfter}}, false},
		"status not answered": {zohosim.Fault{Match: zohosim.Match{PathPattern: `/read/[0-9]+$`, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionDropBefore}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.insertLead("a", nil)
			if err := w.sim.Fault(c.fault); err != nil {
				t.Fatal(err)
			}
			in := newIn(t)
			done := w.read("Leads", connector.ReadFullRefresh, "", w.sim.Now(), in)
			if (done.Error != nil) != c.fails || !c.fails && len(in.rows["Leads"]) != 1 {
				t.Errorf("%v, %d rows", done.Error, len(in.rows["Leads"]))
			}
		})
	}
}

// inflated makes bulk read jobs promise one row more than there is.
type inflated struct{}

func (inflated) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !strings.Contains(r.URL.Path, "/bulk/v8/read/") || strings.HasSuffix(r.URL.Path, "/result") {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	body = []byte(strings.Replace(string(body), `"count":1`, `"count":2`, 1))
	resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(string(body))), int64(len(body))
	resp.Header.Del("Content-Length")
	return resp, err
}

func TestAMissingRowStopsTheCursor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.connector = New(WithTransport(inflated{}), WithPolling(time.Millisecond, 20*time.Millisecond), WithTempDir(t.TempDir()))
	w.insertLead("a", nil)
	w.sim.AdvanceClock(time.Minute)
	done := w.read("Leads", connector.ReadIncremental, "", w.sim.Now(), newIn(t))
	if done.Error == nil || done.Error.Code != "ROWS_MISSING" {
		t.Errorf("got %v", done.Error)
	}
}

func TestAFieldZohoCannotReadIsLeftOutUnlessItWasChosen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	id := w.insertLead("a", map[string]string{"City": "Bonn", "Phone": "1"})
	body := `{"code":"FIELD_NOT_SUPPORTED","details":{"api_name":"City"},"message":"not supported","status":"error"}`
	fault := zohosim.Fault{Match: zohosim.Match{Method: "POST", PathPattern: `/read$`, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 400, Body: body}}
	for _, fields := range [][]string{nil, {"City", "Phone"}} {
		w.sim.ClearFaults()
		if err := w.sim.Fault(fault); err != nil {
			t.Fatal(err)
		}
		in := newIn(t)
		done := w.read("Leads", connector.ReadFullRefresh, "", w.sim.Now(), in, fields...)
		if fields != nil {
			if done.Error == nil || done.Error.Code != "FIELD_NOT_SUPPORTED" || done.Error.Class != connector.ClassSchemaChanged {
				t.Errorf("chosen by name: %v", done.Error)
			}
			continue
		}
		if _, there := in.rows["Leads"][id]["City"]; there || done.Error != nil || in.rows["Leads"][id]["Phone"] != "1" {
			t.Errorf("%v, row %v", done.Error, in.rows["Leads"][id])
		}
	}
}

func TestEmptyModules(t *testing.T) {
	t.Parallel()
	for _, noFile := range []bool{false, true} {
		w := newWorld(t, func(c *zohosim.Config) { c.Variants.EmptyResultFile = noFile })
		in := newIn(t)
		if done := w.read("Leads", connector.ReadIncremental, "", w.sim.Now(), in); done.Error != nil || in.received != 0 || done.State == "" {
			t.Errorf("empty file %t: %v", noFile, done)
		}
	}
}

func TestOneFailingStreamFailsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.insertLead("a", nil)
	in := newIn(t)
	sync := connector.InboundSync{StartedAt: w.sim.Now(), Streams: []connector.StreamSelection{
		{Name: "Leads", Mode: connector.ReadFullRefresh}, {Name: "Unicorns", Mode: connector.ReadFullRefresh},
		{Name: "Accounts", Mode: connector.ReadFullRefresh, Fields: []string{"Shoe_Size"}}, {Name: "Contacts", Mode: connector.ReadIncremental, State: "rubbish"},
	}}
	if err := w.open().SyncInbound(t.Context(), sync, in); err != nil {
		t.Fatal(err)
	}
	if d := in.done["Leads"]; d.Error != nil || len(in.rows["Leads"]) != 1 {
		t.Errorf("Leads: %v", d.Error)
	}
	for stream, code := range map[string]string{"Unicorns": "UNKNOWN_STREAM", "Accounts": "UNKNOWN_FIELD", "Contacts": "INVALID_STATE"} {
		if d := in.done[stream]; d.Error == nil || d.Error.Code != code {
			t.Errorf("%s: %v", stream, d.Error)
		}
	}
}

func TestStreamsAndSchemas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	s := w.open()
	all, err := s.Streams(t.Context(), connector.StreamQuery{})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, st := range all {
		names[st.Name] = true
		if st.Schema != "" {
			t.Errorf("%s: a schema that was not asked for", st.Name)
		}
	}
	if !names["Leads"] || !names["Vehicles"] || names["Notes"] {
		t.Errorf("streams %v", names)
	}
	got, err := s.Streams(t.Context(), connector.StreamQuery{Names: []string{"Accounts"}})
	if err != nil || len(got) != 1 {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(got[0].Schema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("accounts.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("accounts.json")
	if err != nil {
		t.Fatal(err)
	}
	sample := map[string]any{"id": "57", "Account_Name": "Acme", "Industry": "Never listed", "Markets": []any{"EMEA", "New"}, "Employees": nil}
	if err := compiled.Validate(sample); err != nil {
		t.Errorf("a record with choices that are not listed: %v", err)
	}
	if compiled.Validate(map[string]any{"id": "57", "Is_Key_Account": "yes"}) == nil {
		t.Error("text passed as a boolean")
	}
	var schema struct {
		Schema     string `json:"$schema"`
		Type       string
		Required   []string
		Properties map[string]struct {
			Title, Format string
			Type          any
			ReadOnly      bool
			AnyOf         []struct{ Enum []string }
			Items         struct{ AnyOf []struct{ Enum []string } }
			Lookup        string `json:"x-zoho-lookup"`
		}
	}
	if err := json.Unmarshal([]byte(got[0].Schema), &schema); err != nil {
		t.Fatal(err)
	}
	p := schema.Properties
	if schema.Type != "object" || len(schema.Required) != 1 || schema.Required[0] != "id" || p["id"].Type != "string" {
		t.Errorf("schema %s", got[0].Schema)
	}
	for name, want := range map[string]string{
		"Account_Name": "[string null]", "Is_Key_Account": "[boolean null]", "Employees": "[integer null]", "Annual_Revenue": "[number null]", "Founded_On": "[string null]date",
		"Last_Audit": "[string null]date-time", "Markets": "[array null]", "Customer_No": "[string null]", "Account_Number": "[integer null]int64",
	} {
		if got := fmt.Sprint(p[name].Type); got != want && got+p[name].Format != want {
			t.Errorf("%s: %s %s, want %s", name, got, p[name].Format, want)
		}
	}
	if len(p["Markets"].Items.AnyOf) == 0 || !slices.Contains(p["Markets"].Items.AnyOf[0].Enum, "EMEA") || len(p["Industry"].AnyOf) == 0 {
		t.Errorf("choices: %+v %+v", p["Markets"], p["Industry"])
	}
	if !p["Customer_No"].ReadOnly || p["Account_Name"].ReadOnly || p["Parent_Account"].Lookup != "Accounts" {
		t.Errorf("hints: %+v", p["Parent_Account"])
	}
	if _, there := p["Service_Items"]; there {
		t.Error("a subform is no column")
	}
	if _, err := s.Streams(t.Context(), connector.StreamQuery{Names: []string{"Unicorns"}}); connector.ClassOf(err) != connector.ClassConfig {
		t.Errorf("an unknown stream: %v", err)
	}
}
