package zohosim

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

func TestRecordValues(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	acme := w.insert("Accounts", map[string]string{"Account_Name": "Acme"})
	user := w.want(200, "GET", "/crm/v8/users", "").at("users", 1, "id")
	for name, c := range map[string]struct{ field, sent, want, expected string }{
		"lookup by object":     {"Account_Name", `{"id":"` + acme + `"}`, `{"id":"` + acme + `","name":"Acme"}`, ""},
		"lookup by bare id":    {"Account_Name", `"` + acme + `"`, `{"id":"` + acme + `","name":"Acme"}`, ""},
		"lookup of nothing":    {"Account_Name", `{"id":"99"}`, "", "jsonobject"},
		"lookup without id":    {"Account_Name", `{"name":"Acme"}`, "", "jsonobject"},
		"owner":                {"Owner", `{"id":"` + user + `"}`, `{"email":"user2@example.com","id":"` + user + `","name":"Ana García"}`, ""},
		"unknown owner":        {"Owner", `{"id":"99"}`, "", "jsonobject"},
		"multi-select":         {"Interests", `["Data","Events"]`, `["Data","Events"]`, ""},
		"multi-select as text": {"Interests", `"Data"`, "", "jsonarray"},
		"unknown choice":       {"Interests", `["Nope"]`, "", "picklist"},
		"number":               {"Score", `1.250`, "1.250", ""},
		"number as text":       {"Score", `"1.5"`, "1.5", ""},
		"not a number":         {"Score", `"x"`, "", "double"},
		"boolean":              {"Email_Opt_Out", `true`, "true", ""},
		"not a boolean":        {"Email_Opt_Out", `"maybe"`, "", "boolean"},
		"date":                 {"Date_of_Birth", `"1990-01-31"`, "1990-01-31", ""},
		"American date":        {"Date_of_Birth", `"01/31/1990"`, "1990-01-31", ""},
		"date with time":       {"Date_of_Birth", `"1990-01-31T00:00:00Z"`, "", "date"},
		"date-time":            {"Last_Contacted", `"2026-07-01T10:00:00+05:30"`, "2026-06-30T21:30:00-07:00", ""},
		"email":                {"Email", `"no address"`, "", "email"},
		"text as number":       {"Department", `5`, "", "string"},
		"too long":             {"Department", `"` + strings.Repeat("é", 51) + `"`, "", "string"},
		"null":                 {"Department", `null`, "", ""},
	} {
		a := w.do("POST", "/crm/v8/Contacts", `{"data":[{"Last_Name":"x","`+c.field+`":`+c.sent+`}]}`)
		if c.expected != "" {
			if a.status != 400 || a.at("data", 0, "code") != "INVALID_DATA" || a.at("data", 0, "details", "api_name") != c.field || a.at("data", 0, "details", "expected_data_type") != c.expected {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
			continue
		}
		one := w.want(200, "GET", "/crm/v8/Contacts/"+a.at("data", 0, "details", "id"), "")
		if got := one.at("data", 0, c.field); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestSubformAndMultiLookupRows(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	bad := w.want(400, "POST", "/crm/v8/Accounts", `{"data":[{"Account_Name":"A","Service_Items":[{"Item":"Bolt","Quantity":"many"}]}]}`)
	if bad.at("data", 0, "details", "json_path") != "$.data[0].Service_Items[0].Quantity" || w.sim.Count("Accounts") != 0 {
		t.Errorf("a bad row refuses the record: %s", bad.body)
	}
	id := w.want(201, "POST", "/crm/v8/Accounts", `{"data":[{"Account_Name":"A","Service_Items":[{"Item":"Bolt","Quantity":2,"Price":1.5},{"Item":"Nut"}]}]}`).at("data", 0, "details", "id")
	one := w.want(200, "GET", "/crm/v8/Accounts/"+id, "")
	if one.at("data", 0, "Service_Items", 0, "Total") != "3" || one.at("data", 0, "Service_Items", 1, "Item") != "Nut" {
		t.Fatalf("rows: %s", one.body)
	}
	bolt, nut := one.at("data", 0, "Service_Items", 0, "id"), one.at("data", 0, "Service_Items", 1, "id")
	w.want(200, "PUT", "/crm/v8/Accounts/"+id, `{"data":[{"Service_Items":[{"id":"`+bolt+`","Quantity":4},{"id":"`+nut+`","_delete":null}]}]}`)
	one = w.want(200, "GET", "/crm/v8/Accounts/"+id, "")
	if one.at("data", 0, "Service_Items", 0, "Total") != "6" || one.at("data", 0, "Service_Items", 1) != "" {
		t.Errorf("changed rows: %s", one.body)
	}
	product := w.insert("Products", map[string]string{"Product_Name": "P"})
	deal := w.want(201, "POST", "/crm/v8/Deals", `{"data":[{"Deal_Name":"D","Stage":"Closed Won","Account_Name":{"id":"`+id+`"},"Interested_Products":[{"Interested_Products":{"id":"`+product+`"}}]}]}`)
	one = w.want(200, "GET", "/crm/v8/Deals/"+deal.at("data", 0, "details", "id"), "")
	if one.at("data", 0, "Interested_Products", 0, "Interested_Products", "name") != "P" {
		t.Errorf("multi-select lookup: %s", one.body)
	}
}

func TestUpsertDuplicateRule(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	a := w.insert("Accounts", map[string]string{"Account_Name": "Acme", "External_Key": "k1"})
	b := w.insert("Accounts", map[string]string{"Account_Name": "Beta", "External_Key": "k2"})
	for _, c := range []struct{ name, body, id, field, action string }{
		{"system field", `{"data":[{"Account_Name":"acme"}]}`, a, "Account_Name", "update"},
		{"listed field first", `{"data":[{"Account_Name":"Acme","External_Key":"k2"}],"duplicate_check_fields":["External_Key"]}`, b, "External_Key", "update"},
		{"then unique fields", `{"data":[{"Account_Name":"Gamma","External_Key":"k1"}]}`, a, "External_Key", "update"},
		{"unlisted system ignored", `{"data":[{"Account_Name":"Gamma","External_Key":"k9"}],"duplicate_check_fields":["External_Key"]}`, "", "", "insert"},
	} {
		got := w.want(200, "POST", "/crm/v8/Accounts/upsert", c.body)
		if got.at("data", 0, "action") != c.action || got.at("data", 0, "duplicate_field") != c.field || c.id != "" && got.at("data", 0, "details", "id") != c.id {
			t.Errorf("%s: %s", c.name, got.body)
		}
		w.want(200, "PUT", "/crm/v8/Accounts", `{"data":[{"id":"`+a+`","Account_Name":"Acme","External_Key":"k1"},{"id":"`+b+`","Account_Name":"Beta","External_Key":"k2"}]}`)
	}
	if a := w.want(200, "POST", "/crm/v8/Accounts/upsert", `{"data":[{"Account_Name":"New"}]}`); !strings.Contains(string(a.body), `"duplicate_field":null`) {
		t.Errorf("an upsert that inserts says null: %s", a.body)
	}
	w.want(400, "POST", "/crm/v8/Accounts/upsert", `{"data":[{"Account_Name":"x"}],"duplicate_check_fields":["Nope"]}`)
	if m := w.do("PUT", "/crm/v8/Accounts/"+a, `{"data":[{"Phone":"1"}]}`, "If-Unmodified-Since", "2000-01-01T00:00:00Z"); m.status != 412 || m.at("data", 0, "code") != "ALREADY_MODIFIED" {
		t.Errorf("If-Unmodified-Since: %d %s", m.status, m.body)
	}
	if e := w.want(400, "POST", "/crm/v8/Accounts", `{"data":[`+strings.TrimSuffix(strings.Repeat(`{"Account_Name":"x"},`, 101), ",")+`]}`); e.at("code") != "LIMIT_EXCEEDED" {
		t.Errorf("101 records: %s", e.body)
	}
}

func TestLookupByDisplayFieldInBulkWrite(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	acme := w.insert("Accounts", map[string]string{"Account_Name": "Acme", "External_Key": "k1"})
	_, rows := w.bulkWrite("Contacts", "insert", "", "Last_Name,Account_Name.Account_Name\na,ACME\nb,Nope\n")
	if rows[1][2] != "ADDED" || rows[2][4] != "INVALID_DATA-Account_Name" || w.sim.Record("Contacts", rows[1][3])["Account_Name"] != acme {
		t.Errorf("by display field: %v", rows)
	}
	mapping := `,"field_mappings":[{"api_name":"Last_Name","index":0},{"api_name":"Account_Name","index":1,"find_by":"External_Key"}]`
	if _, rows = w.bulkWrite("Contacts", "insert", mapping, "n,k\nc,k1\n"); w.sim.Record("Contacts", rows[1][3])["Account_Name"] != acme {
		t.Errorf("by unique field: %v", rows)
	}
}

func TestSmallEndpoints(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	user := w.want(200, "GET", "/crm/v8/users?per_page=2&page=2", "")
	if user.at("info") != `{"count":2,"more_records":true,"page":2,"per_page":2}` {
		t.Errorf("users: %s", user.body)
	}
	w.want(200, "GET", "/crm/v8/users/"+user.at("users", 0, "id"), "")
	w.want(400, "GET", "/crm/v8/users/1", "")
	w.want(204, "GET", "/crm/v8/users?type=DeletedUsers", "")
	field := w.want(200, "GET", "/crm/v8/settings/fields?module=Leads", "").at("fields", 3, "id")
	if a := w.want(200, "GET", "/crm/v8/settings/fields/"+field+"?module=Leads", ""); a.at("fields", 0, "api_name") != "Company" {
		t.Errorf("field: %s", a.body)
	}
	w.want(400, "GET", "/crm/v8/settings/fields/1?module=Leads", "")
	if a := w.want(200, "GET", "/oauth/serverinfo", ""); a.at("result") != "success" || a.at("locations", "us") != w.base {
		t.Errorf("serverinfo: %s", a.body)
	}
	e := w.sim.Endpoint(w.base)
	if a := w.post("/oauth/v2/token", w.form("grant_type", "authorization_code", "code", e.GrantCode)); a.at("refresh_token") == "" {
		t.Errorf("the endpoint's grant code: %s", a.body)
	}
	w.want(200, "POST", "/_sim/seed", `{"records":{"Vendors":[{"Vendor_Name":"V"}]}}`)
	w.want(400, "POST", "/_sim/seed", `nonsense`)
	if names := w.sim.Modules(); names[0] != "Leads" || w.sim.Count("Vendors") != 1 {
		t.Errorf("modules %v", names)
	}
	if err := w.sim.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(w.base + "/oauth/serverinfo"); err == nil {
		t.Error("still serving after Shutdown")
	}
}
