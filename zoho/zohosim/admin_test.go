package zohosim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAdminSide(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.want(200, "POST", "/_sim/modules", `{"api_name":"Orders","fields":[{"api_name":"Number","data_type":"text","unique":true}]}`)
	w.want(200, "POST", "/_sim/fields", `{"module":"Orders","api_name":"Total","data_type":"currency"}`)
	w.want(400, "POST", "/_sim/fields", `{"module":"Orders","api_name":"Total","data_type":"currency"}`)
	w.want(400, "POST", "/_sim/fields", `{"module":"Orders","api_name":"T2","data_type":"nonsense"}`)
	load := w.want(200, "POST", "/_sim/records/Orders", "{\"Name\":\"a, \\\"b\\\"\",\"Number\":\"1\",\"Total\":1.50}\n{\"Name\":\"c\",\"Number\":\"2\",\"id\":\"42\"}\n")
	if load.at("loaded") != "2" {
		t.Errorf("%s", load.body)
	}
	if a := w.want(400, "POST", "/_sim/records/Orders", `{"Name":"d","Number":"2"}`); !strings.Contains(a.at("error"), "unique field Orders.Number") {
		t.Errorf("%s", a.body)
	}
	records := w.want(200, "GET", "/_sim/records/Orders", "")
	var names []string
	for sc := bufio.NewScanner(bytes.NewReader(records.body)); sc.Scan(); {
		var rec map[string]string
		if err := json.Unmarshal(sc.Bytes(), &rec); err != nil {
			t.Fatal(err)
		}
		names = append(names, rec["id"]+rec["Total"])
	}
	if len(names) != 2 || names[0] != "42" || !strings.HasSuffix(names[1], "1.50") {
		t.Errorf("records by ascending id: %v", names)
	}
	if a := w.want(200, "GET", "/_sim/records/Orders/42", ""); a.at("Name") != "c" {
		t.Errorf("%s", a.body)
	}
	if a := w.want(200, "GET", "/_sim/writes/Orders", ""); a.at("42") != "1" {
		t.Errorf("%s", a.body)
	}
	w.want(200, "DELETE", "/_sim/records/Orders/42", "")
	w.want(404, "GET", "/_sim/records/Orders/42", "")
	w.want(200, "POST", "/_sim/generate", `{"module":"Orders","count":7}`)
	if n := w.sim.Count("Orders"); n != 8 {
		t.Errorf("%d orders", n)
	}
	code := w.want(200, "POST", "/_sim/grant-code", `{"scopes":"ZohoCRM.org.READ"}`).at("code")
	tok := w.post("/oauth/v2/token", w.form("grant_type", "authorization_code", "code", code))
	if tok.at("scope") != "ZohoCRM.org.READ" || tok.at("refresh_token") == "" {
		t.Errorf("%s", tok.body)
	}
	w.want(200, "POST", "/_sim/faults", `{"name":"x","match":{"path":"/org"},"action":{"kind":"delay","delay":"1ms"}}`)
	if a := w.want(200, "GET", "/_sim/faults", ""); a.at(0, "action", "delay") != "1ms" {
		t.Errorf("%s", a.body)
	}
	w.want(200, "GET", "/crm/v8/org?client_secret=hush", "")
	log := w.want(200, "GET", "/_sim/requests", "")
	if strings.Contains(string(log.body), "hush") || !strings.Contains(string(log.body), `"fault":"delay"`) {
		t.Errorf("%s", log.body)
	}
	w.want(200, "DELETE", "/_sim/faults", "")
	if a := w.want(200, "GET", "/_sim/counters", ""); a.at("requests", "GET /crm/{v}/org") != "1" || a.at("token_mints") != "1" {
		t.Errorf("%s", a.body)
	}
	if a := w.want(200, "GET", "/_sim/credits", ""); a.at("spent") != "1" {
		t.Errorf("%s", a.body)
	}
	w.bulkWrite("Accounts", "insert", "", "Account_Name\n<script>\n")
	state := w.want(200, "GET", "/_sim/state", "")
	if state.at("jobs", 0, "added") != "1" || state.at("base_url") != w.base || state.at("org_id") != w.sim.OrgID() {
		t.Errorf("%s", state.body)
	}
	page := string(w.want(200, "GET", "/_sim/", "").body)
	if !strings.Contains(page, "Accounts") || !strings.Contains(page, "COMPLETED") {
		t.Errorf("page: %s", page)
	}
	w.want(200, "POST", "/_sim/reset", "")
	if w.sim.Count("Orders") != 0 || w.sim.Credits().SpentEver != 0 || len(w.sim.JobCreations()) != 0 || len(w.sim.RequestLog()) != 0 {
		t.Error("reset left something")
	}
	w.want(200, "GET", "/crm/v8/settings/modules/Orders", "")
}

func TestSettingsChangeLive(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.want(200, "POST", "/_sim/config", `{"edition":"free","job_duration":"5s","variants":{"status_case":"lower"},"advance_clock":"30m"}`)
	a := w.want(200, "GET", "/_sim/config", "")
	if a.at("edition") != "free" || a.at("job_duration") != "5s" || a.at("variants", "status_case") != "lower" || a.at("page_rows") != "200000" {
		t.Errorf("%s", a.body)
	}
	if d := w.sim.Now().Sub(w.clock.now()); d != 30*time.Minute {
		t.Errorf("clock moved %v", d)
	}
	if c := w.sim.Credits(); c.Limit != 5000 {
		t.Errorf("%+v", c)
	}
	w.want(400, "POST", "/_sim/config", `{"edition":"gold"}`)
	w.want(200, "POST", "/_sim/expire-tokens", "")
	w.want(401, "GET", "/crm/v8/org", "")
}

func TestSeedFromTxtarAndJSON(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	archive := `A comment.
-- modules.json --
[{"api_name":"Boats","fields":[{"api_name":"Name","data_type":"text"}]}]
-- fields/Boats.json --
[{"api_name":"Length","data_type":"double"}]
-- Boats.csv --
Name,Length
"Anna, II",12.5
-- Boats.ndjson --
{"Name":"B"}
-- Boats.json --
[{"Name":"C","Length":3}]
`
	if err := w.sim.Seed([]byte(archive)); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.Seed([]byte(`{"fields":{"Boats":[{"api_name":"Tags","data_type":"multiselectpicklist"}]},"records":{"Boats":[{"Name":"D","Tags":["x","y"]}]}}`)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for rec := range w.sim.Records("Boats") {
		got = append(got, rec["Name"]+"|"+rec["Length"]+"|"+rec["Tags"])
	}
	if !slices.Equal(got, []string{"Anna, II|12.5|", "B||", "C|3|", "D||x;y"}) {
		t.Errorf("%q", got)
	}
	for _, bad := range []string{"", "{", "-- a.xml --\n", "-- Nope.csv --\na\n1\n", "-- Boats.csv --\nLength\nlong\n", `{"modules":[{}]}`} {
		if w.sim.Seed([]byte(bad)) == nil {
			t.Errorf("seed %q was accepted", bad)
		}
	}
}

func TestFieldAddedAndTypeChangedUnderRecords(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	id := w.insert("Vehicles", map[string]string{"Name": "v", "Mileage": "7"})
	if err := w.sim.AddCustomField("Vehicles", Field{APIName: "Colour", DataType: "text"}); err != nil {
		t.Fatal(err)
	}
	if err := w.sim.SetFieldType("Vehicles", "Mileage", "text"); err != nil {
		t.Fatal(err)
	}
	w.want(200, "PUT", "/crm/v8/Vehicles/"+id, `{"data":[{"Colour":"red"}]}`)
	a := w.want(200, "GET", "/crm/v8/Vehicles/"+id, "")
	if a.at("data", 0, "Colour") != "red" || a.at("data", 0, "Mileage") != "7" || !strings.Contains(string(a.body), `"Mileage":"7"`) {
		t.Errorf("%s", a.body)
	}
}

func TestCloseRemovesFilesAndMayBeRepeated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := New(Config{Dir: dir, JobDuration: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	base, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, sim: s, base: base, token: s.NewAccessToken("")}
	w.upload("a.csv", "a\n")
	w.want(201, "POST", "/crm/bulk/v8/read", `{"query":{"module":{"api_name":"Leads"}}}`, "Content-Type", jsonType)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestAnOlderIntegration sends what a plugin of mixed API versions sends, in its order.
func TestAnOlderIntegration(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	org := w.want(200, "GET", "/crm/v5/org", "").at("org", 0, "zgid")
	w.want(200, "GET", "/crm/v3/settings/modules", "")
	w.want(200, "GET", "/crm/v3/settings/fields?module=Accounts&type=all", "")
	req := w.uploadRequestOf("file.csv.zip", zipped(t, "file.csv", "External_Key,Account_Name\nk,Acme\n"))
	req.URL, _ = url.Parse(w.base + "/crm/v3/upload")
	req.Header.Set("X-CRM-ORG", org)
	up, err := w.send(req)
	if err != nil || up.at("status") != "success" {
		t.Fatalf("%v %+v", err, up)
	}
	job := w.want(201, "POST", "/crm/bulk/v3/write", `{"operation":"upsert","ignore_empty":true,"resource":[{"type":"data","module":{"api_name":"Accounts"},"file_id":"`+
		up.at("details", "file_id")+`","find_by":"External_Key","field_mappings":[{"api_name":"External_Key","index":0},{"api_name":"Account_Name","index":1}]}]}`)
	done := w.finish("/crm/bulk/v3/write/"+job.at("details", "id"), "status")
	if rows := w.rows(done.at("result", "download_url")); rows[1][2] != "ADDED" {
		t.Errorf("%v", rows)
	}
	read := w.want(201, "POST", "/crm/bulk/v5/read", `{"query":{"module":{"api_name":"Accounts"},"criteria":{"field":{"api_name":"Modified_Time"},"comparator":"greater_than","value":"2020-01-01T00:00:00-08:00"}}}`, "Content-Type", jsonType)
	done = w.finish("/crm/bulk/v5/read/"+read.at("data", 0, "details", "id"), "data", 0, "state")
	if rows := w.rows(done.at("data", 0, "result", "download_url")); rows[0][0] != "Id" || len(rows) != 2 {
		t.Errorf("%v", rows)
	}
}

// TestVersionsMix creates jobs in one version and asks for them in another, in the shapes of their time.
func TestVersionsMix(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) { c.DisableDownloadLimit = true })
	w.insert("Vendors", map[string]string{"Vendor_Name": "a"})
	for v := 2; v <= 8; v++ {
		for _, path := range []string{"org", "users?type=CurrentUser", "settings/modules", "settings/fields?module=Vendors", "Vendors?fields=Vendor_Name"} {
			w.want(200, "GET", fmt.Sprintf("/crm/v%d/%s", v, path), "")
		}
		query := `{"module":{"api_name":"Vendors"},"fields":["Vendor_Name"],"criteria":{"field":{"api_name":"Vendor_Name"},"comparator":"equal","value":"a"}}`
		if v == 2 { // a module was a text then, and a criterion's field too
			query = `{"module":"Vendors","fields":["Vendor_Name"],"criteria":{"api_name":"Vendor_Name","comparator":"equal","value":"a"}}`
		}
		a := w.want(201, "POST", fmt.Sprintf("/crm/bulk/v%d/read", v), `{"query":`+query+`}`, "Content-Type", jsonType)
		done := w.finish(fmt.Sprintf("/crm/bulk/v%d/read/%s", 10-v, a.at("data", 0, "details", "id")), "data", 0, "state")
		if rows := w.rows(done.at("data", 0, "result", "download_url")); len(rows) != 2 || rows[1][1] != "a" {
			t.Errorf("v%d: %v", v, rows)
		}
	}
	w.want(200, "GET", "/crm/v2.1/org", "")
	for _, path := range []string{"/crm/v1/org", "/crm/v9/org", "/crm/org", "/crm/bulk/v1/read/1"} {
		if a := w.want(404, "GET", path, ""); a.at("code") != "INVALID_URL_PATTERN" {
			t.Errorf("%s: %s", path, a.body)
		}
	}
}
