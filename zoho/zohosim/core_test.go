package zohosim

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const accountMapping = `,"find_by":"External_Key","field_mappings":[{"api_name":"External_Key","index":0},{"api_name":"Account_Name","index":1},
	{"api_name":"Website","index":2},{"api_name":"Founded_On","index":3,"format":"yyyy-MM-dd"},{"api_name":"Employees","index":4}]`

func TestUpsertAndReadBack(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	csv := "External_Key,Account_Name,Website,Founded_On,Employees\n" +
		"k1,\"Acme, \"\"Inc.\"\"\",https://acme.example,1999-12-31,12\n" +
		"k2,,https://b.example,,3\n" +
		"k3,Gamma,gamma,2001-13-01,many\n"
	done, rows := w.bulkWrite("Accounts", "upsert", accountMapping, csv)
	want := [][]string{
		{"External_Key", "Account_Name", "Website", "STATUS", "RECORD_ID", "ERRORS"},
		{"k1", `Acme, "Inc."`, "https://acme.example", "ADDED", rows[1][4], ""},
		{"k2", "", "https://b.example", "SKIPPED", "", "MANDATORY_NOT_FOUND-Account_Name"},
		{"k3", "Gamma", "gamma", "SKIPPED", "", "INVALID_DATA-Website,Founded_On,Employees"},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if got := done.at("resource", 0, "file"); got != `{"added_count":1,"name":"data.csv","skipped_count":2,"status":"COMPLETED","total_count":3,"updated_count":0}` {
		t.Errorf("file: %s", got)
	}
	_, rows = w.bulkWrite("Accounts", "upsert", accountMapping, strings.Replace(csv, ",12\n", ",\n", 1))
	if rows[1][3] != "UPDATED" || rows[1][4] != want[1][4] {
		t.Errorf("second upsert: %v", rows[1])
	}
	if rec := w.sim.Record("Accounts", want[1][4]); rec["Employees"] != "" || rec["Founded_On"] != "1999-12-31" {
		t.Errorf("an empty cell clears the field unless ignore_empty: %v", rec)
	}
	_, read := w.bulkRead(`{"module":{"api_name":"Accounts"},"fields":["External_Key","Account_Name","Owner.email"],"criteria":{"field":{"api_name":"External_Key"},"comparator":"equal","value":"k1"}}`)
	wantRead := [][]string{{"Id", "External_Key", "Account_Name", "Owner.email"}, {want[1][4], "k1", `Acme, "Inc."`, "user1@example.com"}}
	if diff := cmp.Diff(wantRead, read); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

func TestRefreshTokenThenOrg(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	a := w.post("/oauth/v2/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {w.sim.ClientID()}, "client_secret": {w.sim.ClientSecret()}, "refresh_token": {w.sim.RefreshToken()}})
	if a.status != 200 || a.at("api_domain") != w.base || a.at("expires_in") != "3600" || a.at("refresh_token") != "" {
		t.Fatalf("token: %d %s", a.status, a.body)
	}
	w.token = a.at("access_token")
	org := w.want(200, "GET", "/crm/v5/org", "")
	if org.at("org", 0, "zgid") != w.sim.OrgID() || org.at("org", 0, "license_details", "paid_type") != "enterprise" {
		t.Errorf("org: %s", org.body)
	}
	user := w.want(200, "GET", "//crm/v8//users?type=CurrentUser&", "")
	if user.at("users", 0, "time_zone") != "America/Los_Angeles" || user.at("info", "count") != "1" {
		t.Errorf("user: %s", user.body)
	}
}

func TestRecordsLifeCycle(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	a := w.want(207, "POST", "/crm/v8/Contacts", `{"data":[{"Last_Name":"Ōta","Email":"o@example.com","Interests":["Data","Events"]},{"First_Name":"x"},{"Last_Name":"B","Email":"O@example.com"}]}`)
	id := a.at("data", 0, "details", "id")
	got := []string{a.at("data", 0, "code"), a.at("data", 1, "code"), a.at("data", 2, "code"), a.at("data", 2, "details", "id")}
	if diff := cmp.Diff([]string{"SUCCESS", "MANDATORY_NOT_FOUND", "DUPLICATE_DATA", id}, got); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, a.body)
	}
	w.want(200, "PUT", "/crm/v8/Contacts", `{"data":[{"id":"`+id+`","Score":1.5,"Interests":null}]}`)
	one := w.want(200, "GET", "/crm/v8/Contacts/"+id, "")
	if one.at("data", 0, "Score") != "1.5" || one.at("data", 0, "Interests") != "" || one.at("data", 0, "Owner", "email") != "user1@example.com" {
		t.Errorf("single: %s", one.body)
	}
	up := w.want(200, "POST", "/crm/v8/Contacts/upsert", `{"data":[{"Last_Name":"Ōta II","Email":"o@example.com"}]}`)
	if up.at("data", 0, "action") != "update" || up.at("data", 0, "duplicate_field") != "Email" || up.at("data", 0, "details", "id") != id {
		t.Errorf("upsert: %s", up.body)
	}
	list := w.want(200, "GET", "/crm/v8/Contacts?fields=Last_Name,Email&", "")
	if list.at("data") != `[{"Email":"o@example.com","Last_Name":"Ōta II","id":"`+id+`"}]` || list.at("info", "count") != "1" {
		t.Errorf("list: %s", list.body)
	}
	w.want(200, "DELETE", "/crm/v8/Contacts?ids="+id, "")
	w.want(204, "GET", "/crm/v8/Contacts/"+id, "")
	gone := w.want(200, "GET", "/crm/v8/Contacts/deleted?type=all", "")
	if gone.at("data", 0, "id") != id || gone.at("data", 0, "display_name") != "Ōta II" {
		t.Errorf("deleted: %s", gone.body)
	}
	if n := w.sim.Count("Contacts"); n != 0 {
		t.Errorf("%d contacts left", n)
	}
}
