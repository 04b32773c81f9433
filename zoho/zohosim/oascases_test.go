package zohosim

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// oasCase is an answer of a route and the schema it is judged by.
type oasCase struct {
	route  string
	schema string
	answer *answer
}

// unjudged are the routes Zoho's files have no schema for, and why.
var unjudged = map[string]string{
	"GET /oauth/v2/auth":                         "the files describe the API, not the accounts server",
	"POST /oauth/v2/auth":                        "the simulator's own consent form",
	"POST /oauth/v2/token":                       "the files describe the API, not the accounts server",
	"POST /oauth/v2/token/revoke":                "the files describe the API, not the accounts server",
	"POST /oauth/v2/revoke/token":                "the files describe the API, not the accounts server",
	"GET /oauth/serverinfo":                      "the files describe the API, not the accounts server",
	"GET /crm/{v}/settings/layouts":              "its file is not among those examined",
	"POST /crm/{v}/{module}/actions/mass_delete": "its file is not among those examined",
	"GET /{v}/crm/{org}/bulk-write/{id}/{file}":  "a file; TestFilesComeAsZohosOpenAPIFilesSay judges its content type",
	"GET /crm/bulk/{v}/read/{id}/result":         "a file; TestFilesComeAsZohosOpenAPIFilesSay judges its content type",
}

// TestEveryOperationIsJudged holds the routes against the cases.
func TestEveryOperationIsJudged(t *testing.T) {
	t.Parallel()
	judged := map[string]bool{}
	for _, k := range oasCases(start(t, nil)) {
		judged[k.route] = true
	}
	for _, r := range routes() {
		if _, excused := unjudged[r.name]; excused == judged[r.name] {
			t.Errorf("%s is judged: %t, excused: %t", r.name, judged[r.name], excused)
		}
		delete(judged, r.name)
	}
	if len(judged) > 0 {
		t.Errorf("no such routes: %v", slices.Sorted(maps.Keys(judged)))
	}
}

// oasCases are calls whose answers are judged, with the schema's place in the files.
func oasCases(w *world) map[string]oasCase {
	type oas = oasCase
	w.t.Helper()
	media := "/content/application~1json/schema"
	path := func(file, method, path, status string) string {
		return "https://oas.invalid/" + file + ".json#/paths/" + strings.ReplaceAll(strings.ReplaceAll(path, "~", "~0"), "/", "~1") + "/" + method + "/responses/" + status + media
	}
	response := func(file, name string) string {
		return "https://oas.invalid/" + file + ".json#/components/responses/" + name + media
	}
	vendor := w.insert("Vendors", map[string]string{"Vendor_Name": "gone"})
	contact := w.insert("Contacts", map[string]string{"Last_Name": "a", "Email": "a@example.com"})
	w.sim.Delete("Vendors", vendor)
	up, err := w.send(w.uploadRequest(zipped(w.t, "a.csv", "Account_Name\nx\n")))
	if err != nil {
		w.t.Fatal(err)
	}
	user := w.want(200, "GET", "/crm/v8/users?type=CurrentUser", "").at("users", 0, "id")
	field := w.want(200, "GET", "/crm/v8/settings/fields?module=Contacts", "").at("fields", 0, "id")
	doomed := []string{w.insert("Vendors", map[string]string{"Vendor_Name": "c"}), w.insert("Vendors", map[string]string{"Vendor_Name": "d"})}
	write := w.want(201, "POST", "/crm/bulk/v8/write", `{"operation":"insert","resource":[{"type":"data","module":{"api_name":"Accounts"},"file_id":"`+up.at("details", "file_id")+`","field_mappings":[{"api_name":"Account_Name","index":0}]}]}`)
	read := w.want(201, "POST", "/crm/bulk/v8/read", `{"query":{"module":{"api_name":"Contacts"},"fields":["Last_Name"],"criteria":{"field":{"api_name":"Last_Name"},"comparator":"equal","value":"a"}}}`, "Content-Type", jsonType)
	return map[string]oas{
		"org":               {"GET /crm/{v}/org", path("org", "get", "/crm/v8/org", "200"), w.want(200, "GET", "/crm/v8/org", "")},
		"users":             {"GET /crm/{v}/users", response("users", "Users"), w.want(200, "GET", "/crm/v8/users?type=AllUsers", "")},
		"modules":           {"GET /crm/{v}/settings/modules", response("modules", "Modules"), w.want(200, "GET", "/crm/v8/settings/modules", "")},
		"fields Accounts":   {"GET /crm/{v}/settings/fields", response("fields", "Fields"), w.want(200, "GET", "/crm/v8/settings/fields?module=Accounts", "")},
		"fields Deals":      {"GET /crm/{v}/settings/fields", response("fields", "Fields"), w.want(200, "GET", "/crm/v8/settings/fields?module=Deals", "")},
		"upload":            {"POST /crm/{v}/upload", path("bulk_write", "post", "/crm/v8/upload", "200"), up},
		"write created":     {"POST /crm/bulk/{v}/write", path("bulk_write", "post", "/crm/bulk/v8/write", "201"), write},
		"write refused":     {"POST /crm/bulk/{v}/write", path("bulk_write", "post", "/crm/bulk/v8/write", "400"), w.want(400, "POST", "/crm/bulk/v8/write", `{"operation":"insert","resource":[{"type":"data","module":{"api_name":"Nope"},"file_id":"`+up.at("details", "file_id")+`"}]}`)},
		"write status":      {"GET /crm/bulk/{v}/write/{id}", path("bulk_write", "get", "/crm/bulk/v8/write/{job_id}", "200"), w.finish("/crm/bulk/v8/write/"+write.at("details", "id"), "status")},
		"write unknown job": {"GET /crm/bulk/{v}/write/{id}", path("bulk_write", "get", "/crm/bulk/v8/write/{job_id}", "400"), w.want(404, "GET", "/crm/bulk/v8/write/1", "")},
		"read created":      {"POST /crm/bulk/{v}/read", path("bulk_read", "post", "/crm/bulk/v8/read", "201"), read},
		"read status":       {"GET /crm/bulk/{v}/read/{id}", path("bulk_read", "get", "/crm/bulk/v8/read/{job_id}", "200"), w.finish("/crm/bulk/v8/read/"+read.at("data", 0, "details", "id"), "data", 0, "state")},
		"read unknown job":  {"GET /crm/bulk/{v}/read/{id}", path("bulk_read", "get", "/crm/bulk/v8/read/{job_id}", "404"), w.want(404, "GET", "/crm/bulk/v8/read/1", "")},
		"list":              {"GET /crm/{v}/{module}", path("record", "get", "/crm/v8/{module_api_name}", "200"), w.want(200, "GET", "/crm/v8/Contacts?fields=Last_Name,Email", "")},
		"single":            {"GET /crm/{v}/{module}/{id}", path("record", "get", "/crm/v8/{module_api_name}/{id}", "200"), w.want(200, "GET", "/crm/v8/Contacts/"+contact, "")},
		"insert":            {"POST /crm/{v}/{module}", path("record", "post", "/crm/v8/{module_api_name}", "200"), w.want(207, "POST", "/crm/v8/Contacts", `{"data":[{"Last_Name":"b"},{"First_Name":"c"}]}`)},
		"update":            {"PUT /crm/{v}/{module}", path("record", "put", "/crm/v8/{module_api_name}", "200"), w.want(200, "PUT", "/crm/v8/Contacts", `{"data":[{"id":"`+contact+`","Last_Name":"d"}]}`)},
		"upsert":            {"POST /crm/{v}/{module}/upsert", path("record", "post", "/crm/v8/{module_api_name}/upsert", "200"), w.want(200, "POST", "/crm/v8/Contacts/upsert", `{"data":[{"Email":"a@example.com","Last_Name":"d"}]}`)},
		"deleted":           {"GET /crm/{v}/{module}/deleted", path("record", "get", "/crm/v8/{module_api_name}/deleted", "200"), w.want(200, "GET", "/crm/v8/Vendors/deleted", "")},
		"count":             {"GET /crm/{v}/{module}/actions/count", path("record", "get", "/crm/v8/{module_api_name}/actions/count", "200"), w.want(200, "GET", "/crm/v8/Contacts/actions/count", "")},
		"coql":              {"POST /crm/{v}/coql", path("coql", "post", "/crm/v8/coql", "200"), w.want(200, "POST", "/crm/v8/coql", `{"select_query":"select Last_Name from Contacts where id is not null"}`)},
		"coql refused":      {"POST /crm/{v}/coql", path("coql", "post", "/crm/v8/coql", "400"), w.want(400, "POST", "/crm/v8/coql", `{"select_query":"select x"}`)},
		"user":              {"GET /crm/{v}/users/{id}", response("users", "Users"), w.want(200, "GET", "/crm/v8/users/"+user, "")},
		"users refused":     {"GET /crm/{v}/users", response("users", "RErrorResponse"), w.want(400, "GET", "/crm/v8/users?type=Nobody", "")},
		"module":            {"GET /crm/{v}/settings/modules/{module}", response("modules", "Modules"), w.want(200, "GET", "/crm/v8/settings/modules/Contacts", "")},
		"module refused":    {"GET /crm/{v}/settings/modules/{module}", response("modules", "RErrorResponse"), w.want(400, "GET", "/crm/v8/settings/modules/Nope", "")},
		"field":             {"GET /crm/{v}/settings/fields/{id}", response("fields", "Fields"), w.want(200, "GET", "/crm/v8/settings/fields/"+field+"?module=Contacts", "")},
		"read refused":      {"POST /crm/bulk/{v}/read", path("bulk_read", "post", "/crm/bulk/v8/read", "400"), w.want(400, "POST", "/crm/bulk/v8/read", `{"query":{"module":{"api_name":"Nope"}}}`, "Content-Type", jsonType)},
		"update one":        {"PUT /crm/{v}/{module}/{id}", path("record", "put", "/crm/v8/{module_api_name}/{id}", "200"), w.want(200, "PUT", "/crm/v8/Contacts/"+contact, `{"data":[{"Last_Name":"e"}]}`)},
		"delete":            {"DELETE /crm/{v}/{module}", path("record", "delete", "/crm/v8/{module_api_name}", "200"), w.want(207, "DELETE", "/crm/v8/Vendors?ids="+doomed[0]+",1", "")},
		"delete one":        {"DELETE /crm/{v}/{module}/{id}", path("record", "delete", "/crm/v8/{module_api_name}/{id}", "200"), w.want(200, "DELETE", "/crm/v8/Vendors/"+doomed[1], "")},
	}
}
