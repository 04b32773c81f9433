package zohosim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestModulesList(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	var doc struct {
		Modules []struct {
			APIName       string `json:"api_name"`
			ModuleName    string `json:"module_name"`
			GeneratedType string `json:"generated_type"`
			APISupported  bool   `json:"api_supported"`
		} `json:"modules"`
	}
	if err := json.Unmarshal(w.want(200, "GET", "/crm/v3/settings/modules?", "").body, &doc); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	for _, m := range doc.Modules {
		kinds[m.APIName] = m.GeneratedType + " " + m.ModuleName
	}
	for name, want := range map[string]string{"Leads": "default Leads", "Vehicles": "custom CustomModule3", "Service_Items": "subform Service_Items", "Deals_X_Products": "linking Deals_X_Products"} {
		if kinds[name] != want {
			t.Errorf("%s is %q, want %q", name, kinds[name], want)
		}
	}
	if a := w.want(200, "GET", "/crm/v8/settings/modules?feature_name=bulk_write", ""); strings.Contains(string(a.body), `"Notes"`) {
		t.Error("Notes is listed for bulk_write")
	}
	one := w.want(200, "GET", "/crm/v8/settings/modules/Vehicles", "")
	if one.at("modules", 0, "fields", 0, "api_name") != "Name" {
		t.Errorf("single module: %s", one.body)
	}
	w.want(400, "GET", "/crm/v8/settings/modules/Nope", "")
	w.want(304, "GET", "/crm/v8/settings/modules", "", "If-Modified-Since", w.clock.now().Format("2006-01-02T15:04:05Z07:00"))
}

func TestFieldsCarryWhatAConnectorReads(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	types := map[string]string{}
	for _, m := range []string{"Leads", "Contacts", "Accounts", "Deals", "Vehicles", "Service_Items"} {
		a := w.want(200, "GET", "/crm/v8/settings/fields?module="+m+"&type=all&", "")
		var doc struct {
			Fields []struct {
				APIName   string                     `json:"api_name"`
				DataType  string                     `json:"data_type"`
				JSONType  string                     `json:"json_type"`
				Unique    map[string]bool            `json:"unique"`
				Operation map[string]bool            `json:"operation_type"`
				Lookup    map[string]json.RawMessage `json:"lookup"`
			} `json:"fields"`
		}
		if err := json.Unmarshal(a.body, &doc); err != nil {
			t.Fatal(err)
		}
		for _, f := range doc.Fields {
			types[f.DataType] = f.JSONType
			writable := f.Operation["api_create"]
			switch f.APIName {
			case "External_Key":
				if _, unique := f.Unique["case_sensitive"]; !unique || !writable {
					t.Errorf("%s.%s: %+v", m, f.APIName, f)
				}
			case "Created_Time", "Modified_By", "Customer_No", "Expected_Revenue", "id":
				if writable {
					t.Errorf("%s.%s is writable", m, f.APIName)
				}
			case "Account_Name":
				if f.DataType == "lookup" && !strings.Contains(string(f.Lookup["module"]), `"Accounts"`) {
					t.Errorf("lookup: %s", f.Lookup["module"])
				}
			}
		}
	}
	for _, want := range []string{"text", "textarea", "email", "phone", "website", "picklist", "multiselectpicklist", "boolean", "integer", "bigint", "double", "currency",
		"percent", "date", "datetime", "lookup", "ownerlookup", "userlookup", "formula", "autonumber", "subform", "multiselectlookup", "fileupload", "profileimage"} {
		if types[want] == "" {
			t.Errorf("no field of type %s in the default organisation", want)
		}
	}
	if a := w.want(200, "GET", "/crm/v8/settings/fields?module=Accounts", ""); strings.Contains(string(a.body), `"length":0`) {
		t.Error("a field without length says it is 0, which Zoho's Node SDK reads as no field")
	}
	w.want(204, "GET", "/crm/v8/settings/fields?module=Leads&type=unused", "")
	if a := w.want(400, "GET", "/crm/v8/settings/fields", ""); a.at("code") != "REQUIRED_PARAM_MISSING" {
		t.Errorf("%s", a.body)
	}
	layout := w.want(200, "GET", "/crm/v8/settings/layouts?module=Leads", "")
	if !strings.Contains(string(layout.body), `"required":true`) {
		t.Error("no layout-mandatory field")
	}
}

func TestURLErrors(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for _, c := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"GET", "/crm/v9/org", 404, "INVALID_URL_PATTERN"},
		{"GET", "/crm/org", 404, "INVALID_URL_PATTERN"},
		{"PATCH", "/crm/v8/org", 400, "INVALID_REQUEST_METHOD"},
		{"GET", "/crm/bulk/v8/write", 400, "INVALID_REQUEST_METHOD"},
		{"GET", "/crm/v8/Nope?fields=id", 400, "INVALID_MODULE"},
		{"GET", "/crm/v2.1/org", 200, ""},
		{"GET", "/crm/v8//org/", 200, ""},
	} {
		if a := w.do(c.method, c.path, ""); a.status != c.status || a.at("code") != c.code {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.body)
		}
	}
}

func TestListPagesAndTokens(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	if err := w.sim.Generate("Leads", 2100, 1); err != nil {
		t.Fatal(err)
	}
	seen, path := map[string]bool{}, "/crm/v8/Leads?fields=Last_Name&sort_by=Modified_Time&sort_order=asc"
	for next := "&page=1"; next != ""; {
		a := w.want(200, "GET", path+next, "")
		var doc struct {
			Data []struct{ ID string }
			Info struct {
				Next string `json:"next_page_token"`
			}
		}
		if err := json.Unmarshal(a.body, &doc); err != nil {
			t.Fatal(err)
		}
		for _, r := range doc.Data {
			seen[r.ID] = true
		}
		if next = ""; doc.Info.Next != "" {
			next = "&page_token=" + doc.Info.Next
		}
	}
	if len(seen) != 2100 {
		t.Errorf("%d records seen", len(seen))
	}
	for _, c := range []struct{ query, code string }{
		{"", "REQUIRED_PARAM_MISSING"}, {"fields=a&page=11", "DISCRETE_PAGINATION_LIMIT_EXCEEDED"}, {"fields=a&per_page=201", "INVALID_DATA"},
		{"fields=a&sort_by=Last_Name", "INVALID_DATA"}, {"fields=a&page_token=x", "INVALID_DATA"}, {"fields=a&page_token=x&page=1", "AMBIGUITY_DURING_PROCESSING"},
		{"fields=" + strings.Repeat("a,", 51), "LIMIT_EXCEEDED"},
	} {
		if a := w.want(400, "GET", "/crm/v8/Leads?"+c.query, ""); a.at("code") != c.code {
			t.Errorf("%s: %s", c.query, a.body)
		}
	}
	first := w.want(200, "GET", "/crm/v8/Leads?fields=Last_Name", "")
	if a := w.want(400, "GET", "/crm/v8/Leads?fields=City&page_token="+first.at("info", "next_page_token"), ""); a.at("code") != "TOKEN_BOUND_DATA_MISMATCH" {
		t.Errorf("%s", a.body)
	}
	w.want(304, "GET", "/crm/v8/Leads?fields=id", "", "If-Modified-Since", "2100-01-01T00:00:00+00:00")
}

func TestCOQL(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	acme := w.insert("Accounts", map[string]string{"Account_Name": "Acme O'Hara"})
	for i := range 5 {
		w.insert("Contacts", map[string]string{"Last_Name": fmt.Sprintf("L%d", i), "Score": fmt.Sprint(i), "Account_Name": acme, "Modified_Time": fmt.Sprintf("2026-01-0%dT00:00:00Z", i+1)})
	}
	w.insert("Contacts", map[string]string{"Last_Name": "M"})
	run := func(q string) *answer {
		b, _ := json.Marshal(map[string]string{"select_query": q})
		return w.do("POST", "/crm/v8/coql", string(b))
	}
	for _, c := range []struct{ where, want string }{
		{"id is not null", "L0L1L2L3L4M"},
		{"Score is null", "M"},
		{"Score >= 1 and Score < 3", "L1L2"},
		{"(Score = 1 or Score = 4) and Last_Name != 'l1'", "L4"},
		{"Last_Name in ('l1','m')", "L1M"},
		{"Last_Name not in ('l1', 'L2', 'L3', 'L4')", "L0M"},
		{"Last_Name like 'L%'", "L0L1L2L3L4"},
		{"Last_Name like '%3'", "L3"},
		{"Score between 2 and 3", "L2L3"},
		{"Account_Name.Account_Name = 'Acme O\\'Hara' and Score > 3", "L4"},
		{"Account_Name.Account_Name = 'Acme O''Hara' limit 1", "L0"},
		{"Modified_Time >= '2026-01-04T00:00:00+00:00' and Score is not null order by Score desc", "L4L3"},
		{"id is not null order by Last_Name desc limit 1, 2", "L4L3"},
		{"id is not null order by Last_Name limit 2 offset 4", "L4M"},
	} {
		a := run("select Last_Name, Account_Name.Account_Name from Contacts where " + c.where)
		var doc struct{ Data []map[string]any }
		if err := json.Unmarshal(a.body, &doc); err != nil {
			t.Errorf("%s: %d %s", c.where, a.status, a.body)
			continue
		}
		got := ""
		for _, r := range doc.Data {
			got += r["Last_Name"].(string)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.where, got, c.want)
		}
	}
	a := run("select Account_Name, Account_Name.Account_Name from Contacts where Score = 0")
	if a.at("data", 0, "Account_Name") != `{"id":"`+acme+`"}` || a.at("data", 0, "Account_Name.Account_Name") != "Acme O'Hara" || a.at("info") != `{"count":1,"more_records":false}` {
		t.Errorf("shape: %s", a.body)
	}
	if a = run("select COUNT(id) from Contacts where id is not null"); a.at("data", 0, "COUNT(id)") != "6" {
		t.Errorf("count: %s", a.body)
	}
	if a = run("select id from Contacts where Score = 77"); a.status != 204 {
		t.Errorf("none: %d", a.status)
	}
	for q, code := range map[string]string{
		"select id from Contacts":                                 "SYNTAX_ERROR",
		"selekt id from Contacts where id is not null":            "SYNTAX_ERROR",
		"select id from Contacts where id = 'x":                   "SYNTAX_ERROR",
		"select id from Nope where id is not null":                "INVALID_QUERY",
		"select Nope from Contacts where id is not null":          "INVALID_QUERY",
		"select id from Contacts where Nope = 1":                  "INVALID_QUERY",
		"select id from Contacts where Score = 'abc'":             "INVALID_QUERY",
		"select id from Contacts where Score = 1 limit 2001":      "LIMIT_EXCEEDED",
		"select id from Contacts where Score = 1 limit 100000, 1": "LIMIT_EXCEEDED",
	} {
		if a := run(q); a.status != 400 || a.at("code") != code {
			t.Errorf("%s: %d %s", q, a.status, a.body)
		}
	}
}

func TestMassDeleteAndDeletedList(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	a, b := w.insert("Vendors", map[string]string{"Vendor_Name": "a"}), w.insert("Vendors", map[string]string{"Vendor_Name": "b"})
	got := w.want(207, "POST", "/crm/v8/Vendors/actions/mass_delete", `{"ids":["`+a+`","1"]}`)
	if got.at("data", 0, "message") != "record is deleted" || got.at("data", 1, "code") != "INVALID_DATA" {
		t.Errorf("%s", got.body)
	}
	w.clock.advance(61 * 24 * 3600 * 1e9)
	w.token = w.sim.NewAccessToken("")
	w.want(200, "DELETE", "/crm/v8/Vendors/"+b, "")
	var kinds []string
	for _, kind := range []string{"all", "recycle", "permanent"} {
		l := w.want(200, "GET", "/crm/v8/Vendors/deleted?type="+kind, "")
		kinds = append(kinds, l.at("info", "count"))
	}
	if !slices.Equal(kinds, []string{"2", "1", "1"}) {
		t.Errorf("counts %v", kinds)
	}
	w.want(204, "GET", "/crm/v8/Vendors/deleted", "", "If-Modified-Since", "2100-01-01T00:00:00Z")
	if e := w.want(400, "GET", "/crm/v8/Vendors/deleted?type=odd", ""); e.at("code") != "PATTERN_NOT_MATCHED" {
		t.Errorf("%s", e.body)
	}
	w.want(400, "DELETE", "/crm/v8/Vendors?ids="+a, "")
	if c := w.want(200, "GET", "/crm/v8/Vendors/actions/count", ""); c.at("count") != "0" {
		t.Errorf("%s", c.body)
	}
}
