package zoho

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// The version is the user's to choose, and everything works in each.
func TestEveryAPIVersionServes(t *testing.T) {
	t.Parallel()
	for _, version := range apiVersions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.connection.Answers[fieldAPIVersion] = []string{version}
			w.connect()
			for i, path := range []string{pathBulk, pathRecords} {
				out := newOut(t, batchOf(connector.ActionCreate, leadHeader, 1, leads(i*10, 3)...))
				w.must(syncFor(connector.StrategyUpsert, upsertAnswers(path), leadHeader), out)
				out.want(connector.StatusSucceeded, 3)
				in := newIn(t)
				if d := w.readBy(path, "Leads", connector.ReadFullRefresh, "", in); d.Error != nil || len(in.rows["Leads"]) != 3*(i+1) {
					t.Errorf("%v, %d rows", d.Error, len(in.rows["Leads"]))
				}
			}
			for _, r := range w.sim.RequestLog() {
				if strings.Contains(r.Path, "/crm/") && !strings.Contains(r.Path, "/"+version+"/") && !strings.HasSuffix(r.Path, "/result") && !strings.Contains(r.Path, "bulk-write") { // results are where Zoho says
					t.Errorf("%s %s is not %s", r.Method, r.Path, version)
				}
			}
		})
	}
}

func TestAFixedCadenceIsKept(t *testing.T) {
	t.Parallel()
	s := &session{config: config{now: time.Now, firstPoll: time.Hour, maxPoll: time.Hour}}
	asked := 0
	var said []time.Time
	err := s.poll(t.Context(), time.Time{}, time.Millisecond, func() (bool, error) { asked++; return asked == 5, nil }, func(until time.Time) { said = append(said, until) })
	if err != nil || asked != 5 || len(said) != 5 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	for field, value := range map[string]string{fieldPoll: "301", fieldPath: "by pigeon"} {
		answers := upsertAnswers("")
		answers[field] = []string{value}
		w := newWorld(t, nil)
		e := connector.AsError(w.run(syncFor(connector.StrategyUpsert, answers, leadHeader), newOut(t)))
		if e == nil || e.Class != connector.ClassConfig || e.Fields[0].Field != field {
			t.Errorf("%s: %v", field, e)
		}
		e = connector.AsError(w.open().SyncInbound(t.Context(), connector.InboundSync{Answers: connector.Answers{field: {value}}}, newIn(t)))
		if e == nil || e.Class != connector.ClassConfig || e.Fields[0].Field != field {
			t.Errorf("inbound, %s: %v", field, e)
		}
	}
}

// A connection asks for no more consent than what it is for needs.
func TestScopesFollowFromWhatTheConnectionIsFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		purposes     []string
		with, wthout []string
	}{
		{nil, []string{"ZohoCRM.modules.ALL", "ZohoFiles.files.ALL", "ZohoCRM.bulk.ALL", "ZohoCRM.coql.READ"}, nil},
		{[]string{purposeRead}, []string{"ZohoCRM.modules.READ", "ZohoCRM.bulk.READ", "ZohoCRM.coql.READ"}, []string{"ZohoFiles.files.ALL", "ZohoCRM.modules.ALL", "ZohoCRM.bulk.ALL"}},
		{[]string{purposeWrite}, []string{"ZohoCRM.modules.ALL", "ZohoFiles.files.ALL", "ZohoCRM.bulk.CREATE"}, []string{"ZohoCRM.coql.READ"}},
		{[]string{purposeDelete}, []string{"ZohoCRM.org.READ", "ZohoCRM.users.READ"}, []string{"ZohoFiles.files.ALL", "ZohoCRM.bulk.CREATE"}},
	} {
		answers := connector.Answers{fieldPurposes: c.purposes}
		form := connectionForm(answers)
		scopes := form.Methods[0].OAuth.Scopes
		for _, s := range c.with {
			if !slices.Contains(scopes, s) {
				t.Errorf("%v: %s is not asked for: %v", c.purposes, s, scopes)
			}
		}
		for _, s := range c.wthout {
			if slices.Contains(scopes, s) {
				t.Errorf("%v: %s is asked for", c.purposes, s)
			}
		}
		for _, m := range form.Methods {
			i := slices.IndexFunc(m.Form.Fields, func(f connector.Field) bool { return f.Name == fieldScopesInfo })
			if !strings.Contains(m.Form.Fields[i].Help, strings.Join(scopes, ",")) {
				t.Errorf("%s tells %q", m.Name, m.Form.Fields[i].Help)
			}
		}
	}
	c := answersFor("US", "production")
	c.Answers[fieldPurposes] = []string{"espionage"}
	if _, err := parseSettings(c); connector.ClassOf(err) != connector.ClassConfig {
		t.Errorf("an unknown purpose: %v", err)
	}
}

// The scopes asked for suffice for what they were asked for, and only for that.
func TestScopesSuffice(t *testing.T) {
	t.Parallel()
	for _, purpose := range purposeNames() {
		t.Run(purpose, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			gone := w.insertLead("gone", nil)
			w.sim.AdvanceClock(time.Hour)
			w.connection.Answers[fieldPurposes] = []string{purpose}
			delete(w.connection.Secrets, keptRefreshToken)
			w.connection.Secrets[fieldGrantCode] = []string{w.sim.NewGrantCode(strings.Join(scopesFor(w.connection.Answers), ","))}
			if got := w.connect(); len(got.Notices) != 0 {
				t.Errorf("notices %v", got.Notices)
			}
			works := map[string]bool{}
			for _, path := range []string{pathBulk, pathRecords} {
				out := newOut(t, batchOf(connector.ActionCreate, leadHeader, 1, leads(1, 1)...))
				works[purposeWrite] = w.run(syncFor(connector.StrategyUpsert, upsertAnswers(path), leadHeader), out) == nil && out.count()[connector.StatusSucceeded] == 1
				state := readState{Version: 1, Cursor: w.sim.Now().Add(-2 * time.Hour)}
				works[purposeRead] = w.readBy(path, "Leads", connector.ReadIncremental, state.text(), newIn(t)).Error == nil
				if works[purposeRead] != (purpose == purposeRead) || works[purposeWrite] != (purpose == purposeWrite) && purpose != purposeDelete {
					t.Errorf("%s: %v work", path, works)
				}
			}
			if purpose == purposeDelete {
				out := newOut(t, batchOf(connector.ActionDelete, []string{"id"}, 1, []string{gone}))
				w.must(syncFor(connector.StrategyDelete, connector.Answers{fieldModule: {"Leads"}}, []string{"id"}), out)
				out.want(connector.StatusSucceeded, 1)
			}
		})
	}
}

// layouts makes Leads have two layouts, the second of which demands a city.
type layouts struct{}

func (layouts) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/settings/layouts") {
		body := `{"layouts":[{"id":"57001","name":"Standard","visible":true,"sections":[{"fields":[{"api_name":"Last_Name","required":true},{"api_name":"Company","required":true}]}]},` +
			`{"id":"57002","name":"Field sales","visible":true,"sections":[{"fields":[{"api_name":"Last_Name","required":true},{"api_name":"City","required":true}]}]}]}`
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
	return http.DefaultTransport.RoundTrip(r)
}

func TestALayoutIsChosenCheckedAndSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.connector = New(append(quick(t), WithTransport(layouts{}))...)
	s := w.open()
	options, err := s.Options(t.Context(), connector.OptionsRequest{Source: sourceLayouts, Strategy: strategyUpsert, Answers: connector.Answers{fieldModule: {"Leads"}}})
	if err != nil || len(options.Options) != 2 || options.Options[1].Label != "Field sales" {
		t.Fatalf("%v %+v", err, options)
	}
	compiled := func(layout string, header ...string) (*plan, *connector.Error) {
		answers := upsertAnswers("")
		answers[fieldLayout] = []string{layout}
		p, err := s.compile(t.Context(), syncFor(connector.StrategyUpsert, answers, header))
		return p, connector.AsError(err)
	}
	// Without a layout, what all of them demand is demanded.
	if _, e := compiled("", "External_Key", "Last_Name"); e != nil {
		t.Error(e)
	}
	if _, e := compiled("57002", "External_Key", "Last_Name", "Company"); e == nil || e.Code != "MANDATORY_FIELDS_NOT_MAPPED" || e.Fields[0].Field != "City" {
		t.Errorf("the layout's own mandatory field: %v", e)
	}
	if _, e := compiled("57009", "External_Key", "Last_Name", "City"); e == nil || e.Code != "UNKNOWN_LAYOUT" || e.Fields[0].Field != fieldLayout {
		t.Errorf("an unknown layout: %v", e)
	}
	p, e := compiled("57002", "External_Key", "Last_Name", "City")
	if e != nil {
		t.Fatal(e)
	}
	mappings := p.mappings()
	if last := mappings[len(mappings)-1]; last.Field != "Layout" || last.Default != "57002" || last.Index != -1 || mappings[0].Field != "External_Key" {
		t.Errorf("mappings %+v", mappings)
	}
	b := batchOf(connector.ActionCreate, []string{"External_Key", "Last_Name", "City"}, 1, []string{"k", "Ray", "Bonn"})
	at := []int{0, 1, 2}
	if record, e := (&writer{plan: p}).object(b, at, 0); e != nil || !strings.HasPrefix(string(record), `{"Layout":{"id":"57002"},`) {
		t.Errorf("%v %s", e, record)
	}
	for _, path := range []string{pathBulk, pathRecords} {
		answers := upsertAnswers(path)
		answers[fieldLayout] = []string{"57002"}
		header := []string{"External_Key", "Last_Name", "City", "Company"}
		out := newOut(t, batchOf(connector.ActionCreate, header, 1, []string{path, "Ray", "Bonn", "Acme"}))
		w.must(syncFor(connector.StrategyUpsert, answers, header), out)
		out.want(connector.StatusSucceeded, 1)
	}
	if p.strategy = strategyUpdate; creates(p.strategy) {
		t.Error("an update creates")
	}
}

// Owners are found by their e-mail address on either way; where the users may
// not be listed only a bulk job can.
func TestOwnersByMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *zohosim.Config) { c.Users = 230 })
	var last crm.User
	for u, err := range w.open().client.Users(t.Context(), crm.ActiveUsers) {
		if err != nil {
			t.Fatal(err)
		}
		last = u
	}
	header := []string{"External_Key", "Last_Name", "Company", "Owner.email"}
	for _, path := range []string{pathBulk, pathRecords} {
		out := newOut(t, batchOf(connector.ActionCreate, header, 1,
			[]string{path + "1", "Ray", "Acme", last.Email}, []string{path + "2", "Ray", "Acme", "nobody@example.org"}))
		w.must(syncFor(connector.StrategyUpsert, upsertAnswers(path), header), out)
		if o := out.outcomes[1]; o.status != connector.StatusSucceeded || w.sim.Record("Leads", o.id)["Owner"] != last.ID {
			t.Errorf("%s: %+v, owner %s, want %s", path, o, w.sim.Record("Leads", o.id)["Owner"], last.ID)
		}
		if o := out.outcomes[2]; o.status == connector.StatusSucceeded || o.err.Fields[0].Field != "Owner.email" && o.err.Fields[0].Field != "Owner" {
			t.Errorf("%s: an unknown address: %+v", path, o)
		}
	}
	denied := zohosim.Fault{Match: zohosim.Match{PathPattern: `/users$`}, Action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 403}}
	w.connect() // learns the time zone
	if err := w.sim.Fault(denied); err != nil {
		t.Fatal(err)
	}
	jobs := w.sim.Counters().BulkWriteJobs
	out := newOut(t, batchOf(connector.ActionCreate, header, 1, []string{"x", "Ray", "Acme", last.Email}))
	w.must(syncFor(connector.StrategyUpsert, upsertAnswers(pathAuto), header), out)
	out.want(connector.StatusSucceeded, 1)
	if n := w.sim.Counters().BulkWriteJobs - jobs; n != 1 {
		t.Errorf("%d jobs", n)
	}
}

func TestTheWayOfWritingAndItsPriceAreSaid(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{pathBulk: "by a bulk job for 502 credits", pathRecords: "by record calls for 12 credits"} {
		w := newWorld(t, nil)
		out := newOut(t, batchOf(connector.ActionCreate, leadHeader, 1, leads(1, 115)...))
		w.must(syncFor(connector.StrategyUpsert, upsertAnswers(path), leadHeader), out)
		if !slices.ContainsFunc(out.progress, func(p connector.Progress) bool { return strings.Contains(p.Activity, want) }) {
			t.Errorf("%s: %q was not said: %v", path, want, out.progress)
		}
	}
}

// Subform and linking modules are streams, computed fields come with their
// caveat, and deletions of either kind are tombstones.
func TestSubformsLinksAndComputedFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *zohosim.Config) { c.DisableDownloadLimit = true })
	w.connect()
	s := w.open()
	for _, name := range []string{"Service_Items", "Deals_X_Products"} {
		if err := w.sim.Generate(name, 5, 1); err != nil {
			t.Fatal(err)
		}
		got, err := s.Streams(t.Context(), connector.StreamQuery{Names: []string{name}})
		if err != nil || got[0].Tombstones {
			t.Fatalf("%v %+v", err, got)
		}
		in := newIn(t)
		if d := w.read(name, connector.ReadFullRefresh, "", w.sim.Now(), in); d.Error != nil || len(in.rows[name]) != 5 {
			t.Errorf("%s: %v, %d rows", name, d.Error, len(in.rows[name]))
		}
	}
	got, err := s.Streams(t.Context(), connector.StreamQuery{Names: []string{"Accounts", "Contacts"}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got[0].Schema, computedCaveat) || !strings.Contains(got[0].Description, "Modified_Time") || strings.Contains(got[1].Description, "Modified_Time") {
		t.Errorf("descriptions %q, %q", got[0].Description, got[1].Description)
	}
	old := readState{Version: 1, Cursor: w.sim.Now().Add(-90 * 24 * time.Hour)}
	in := newIn(t)
	w.read("Leads", connector.ReadIncremental, old.text(), w.sim.Now(), in)
	if !slices.ContainsFunc(in.progress, func(p connector.Progress) bool { return strings.Contains(p.Activity, "may be missing") }) {
		t.Error("deletions that Zoho no longer lists were not mentioned")
	}
}

// tagged gives Leads a field of tags, which queries leave out and lists hold as
// objects.
type tagged struct{}

func (tagged) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	edit := func(old, replacement string, n int) (*http.Response, error) {
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		text := strings.Replace(string(body), old, replacement, n)
		resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		resp.Header.Del("Content-Length")
		return resp, err
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/settings/fields"):
		return edit(`"fields":[`, `"fields":[{"api_name":"Tag","field_label":"Tag","data_type":"text","json_type":"jsonarray","view_type":{"view":true}},`, 1)
	case r.URL.Query().Has("ids"):
		return edit(`"id":"`, `"Tag":[{"name":"hot","id":"1","color_code":null},{"name":"eu"}],"id":"`, -1)
	}
	return resp, nil
}

func TestTagsComeByRecordLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.connector = New(append(quick(t), WithTransport(tagged{}))...)
	for i := range 150 {
		w.insertLead(fmt.Sprint(i), nil)
	}
	w.sim.AdvanceClock(time.Minute)
	in := newIn(t)
	state := readState{Version: 1, Cursor: w.sim.Now().Add(-2 * time.Hour)}
	if d := w.readBy(pathAuto, "Leads", connector.ReadIncremental, state.text(), in, "Last_Name", "Tag"); d.Error != nil || len(in.rows["Leads"]) != 150 {
		t.Fatalf("%v, %d rows", d.Error, len(in.rows["Leads"]))
	}
	for id, row := range in.rows["Leads"] {
		if row["Tag"] != "hot,eu" || row["Last_Name"] != "Ray" {
			t.Errorf("record %s: %v", id, row)
			break
		}
	}
	if c := w.sim.Counters(); c.BulkReadJobs != 0 {
		t.Errorf("%d jobs", c.BulkReadJobs)
	}
}

// Zoho keeps a deleted record in the recycle bin for 60 days, and its trace for
// as long again.
func TestDeletionsOfEitherKindAreTombstones(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.connect()
	old, recent := w.insertLead("old", nil), w.insertLead("recent", nil)
	state := readState{Version: 1, Cursor: w.sim.Now()}
	w.sim.AdvanceClock(time.Hour)
	w.sim.Delete("Leads", old)
	w.sim.AdvanceClock(70 * 24 * time.Hour)
	w.sim.Delete("Leads", recent)
	w.sim.AdvanceClock(time.Minute)
	in := newIn(t)
	if d := w.read("Leads", connector.ReadIncremental, state.text(), w.sim.Now(), in); d.Error != nil {
		t.Fatal(d.Error)
	}
	got := in.tombstones["Leads"]
	slices.Sort(got)
	if want := []string{old, recent}; !slices.Equal(got, want) {
		t.Errorf("tombstones %v, want %v", got, want)
	}
}

func TestNoMoreColumnsThanZohoTakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	module := zohosim.Module{APIName: "Wide", Generated: "custom", Singular: "Wide", Plural: "Wide", Fields: []zohosim.Field{{APIName: "Name", DataType: "text", Unique: true}}}
	header := []string{"Name"}
	for i := range 200 {
		header = append(header, fmt.Sprint("F", i))
		module.Fields = append(module.Fields, zohosim.Field{APIName: header[i+1], DataType: "text"})
	}
	if err := w.sim.AddModule(module); err != nil {
		t.Fatal(err)
	}
	s := w.open()
	layouts, err := s.client.Layouts(t.Context(), "Wide")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		columns int
		layout  string
		code    string
	}{{200, "", ""}, {201, "", "TOO_MANY_FIELDS"}, {199, layouts[0].ID, ""}, {200, layouts[0].ID, "TOO_MANY_FIELDS"}} {
		answers := connector.Answers{fieldModule: {"Wide"}, fieldUnique: {"Name"}, fieldPath: {pathBulk}, fieldLayout: {c.layout}}
		out := newOut(t, batchOf(connector.ActionCreate, header[:c.columns], 1, make([]string, c.columns)))
		out.batches[0].Columns[0].Texts[0] = "x"
		err := w.run(syncFor(connector.StrategyUpsert, answers, header[:c.columns]), out)
		if e := connector.AsError(err); (e == nil) != (c.code == "") || e != nil && e.Code != c.code {
			t.Errorf("%d columns, layout %q: %v", c.columns, c.layout, err)
		}
		if c.code == "" {
			out.want(connector.StatusSucceeded, 1)
		}
	}
}
