package zohosim

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// oasDir holds Zoho's published OpenAPI files of v8, beside the repository; they are not part of it.
const oasDir = "../../../shared/zoho-oas"

// contradictions are the places where this simulator and Zoho's OpenAPI files disagree on purpose: a place is the JSON
// pointer of the value with indexes as *, after the name of the case. Each has its reason; an entry that is no longer
// needed fails the test.
var contradictions = map[string]string{
	"fields Accounts /fields/* required":                                 demands,
	"fields Accounts /fields/*/associated_module type":                   nulls,
	"fields Accounts /fields/*/association_details type":                 nulls,
	"fields Accounts /fields/*/convert_mapping type":                     nulls,
	"fields Accounts /fields/*/crypt type":                               nulls,
	"fields Accounts /fields/*/external type":                            nulls,
	"fields Accounts /fields/*/hipaa_compliance type":                    nulls,
	"fields Accounts /fields/*/history_tracking type":                    nulls,
	"fields Accounts /fields/*/private type":                             nulls,
	"fields Accounts /fields/*/quick_sequence_number type":               nulls,
	"fields Accounts /fields/*/tooltip type":                             nulls,
	"fields Deals /fields/* required":                                    demands,
	"fields Deals /fields/*/associated_module type":                      nulls,
	"fields Deals /fields/*/association_details type":                    nulls,
	"fields Deals /fields/*/convert_mapping type":                        nulls,
	"fields Deals /fields/*/crypt type":                                  nulls,
	"fields Deals /fields/*/external type":                               nulls,
	"fields Deals /fields/*/hipaa_compliance type":                       nulls,
	"fields Deals /fields/*/history_tracking type":                       nulls,
	"fields Deals /fields/*/private type":                                nulls,
	"fields Deals /fields/*/quick_sequence_number type":                  nulls,
	"fields Deals /fields/*/tooltip type":                                nulls,
	"modules /modules/* required":                                        demands,
	"modules /modules/*/generated_type enum":                             "the documentation also names subform",
	"modules /modules/*/modified_by type":                                nulls,
	"read status /data/*/query required":                                 demands,
	"read status /data/*/query/criteria required":                        demands,
	"read status /data/*/query/criteria/field required":                  "a criterion is echoed as it was sent, by api_name",
	"read status /data/*/query/criteria/value type":                      "the file wants an object where a scalar is documented",
	"read status /data/*/result required":                                "next_page_token only comes with more records",
	"upload /code enum":                                                  "the file gives upload and job creation one schema, so it demands a job id, and a numeric file_id where the documentation has a string; the rest are the error alternatives",
	"upload /details required":                                           "the file gives upload and job creation one schema, so it demands a job id, and a numeric file_id where the documentation has a string; the rest are the error alternatives",
	"upload /details/file_id type":                                       "the file gives upload and job creation one schema, so it demands a job id, and a numeric file_id where the documentation has a string; the rest are the error alternatives",
	"upload /message enum":                                               "the file gives upload and job creation one schema, so it demands a job id, and a numeric file_id where the documentation has a string; the rest are the error alternatives",
	"upload /status enum":                                                "the file gives upload and job creation one schema, so it demands a job id, and a numeric file_id where the documentation has a string; the rest are the error alternatives",
	"users /users/*/Modified_By required":                                demands,
	"users /users/*/date_format enum":                                    "the file allows one date format only",
	"users /users/*/date_format type":                                    "as above: its null alternative",
	"users /users/*/email pattern":                                       "the pattern fits one sample address",
	"users /users/*/time_zone type":                                      "the file wants an object, the documentation and the SDK a zone name",
	"write refused /code enum":                                           "the file allows only the module name of its sample in this message; the rest are its other alternatives",
	"write refused /details required":                                    "the file allows only the module name of its sample in this message; the rest are its other alternatives",
	"write refused /message enum":                                        "the file allows only the module name of its sample in this message; the rest are its other alternatives",
	"write status /resource/*/field_mappings/*/default_value type":       nulls,
	"write status /resource/*/field_mappings/*/find_by type":             nulls,
	"write status /resource/*/field_mappings/*/format type":              nulls,
	"write status /resource/*/field_mappings/*/module type":              nulls,
	"write status /resource/*/field_mappings/*/parent_column_index type": nulls,
}

const (
	nulls   = "Zoho's own samples send null here, the file forgets to allow it"
	demands = "the file demands every property any version ever had, its own samples lack them"
)

// oasCompiler turns the files into JSON Schema: nullable becomes a null type, oneOf becomes anyOf (Zoho's alternatives
// overlap), and patterns Go cannot compile are dropped.
func oasCompiler(t *testing.T) *jsonschema.Compiler {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(oasDir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Skipf("Zoho's OpenAPI files are not at %s", oasDir)
	}
	c := jsonschema.NewCompiler()
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("https://oas.invalid/"+filepath.Base(f), schemaOf(doc)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func schemaOf(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = schemaOf(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = schemaOf(v[k])
		}
		if any, found := v["oneOf"].([]any); found {
			delete(v, "oneOf")
			v["anyOf"] = any
		}
		delete(v, "discriminator")
		if ref, found := v["$ref"].(string); found && strings.Contains(ref, "/v8.0/") {
			_, local, _ := strings.Cut(ref, "/v8.0/")
			file, _, _ := strings.Cut(local, "#")
			if _, err := os.Stat(filepath.Join(oasDir, file)); err != nil {
				return map[string]any{} // the file is not among ours: anything goes
			}
			v["$ref"] = "https://oas.invalid/" + local
		}
		if p, found := v["pattern"].(string); found {
			if _, err := regexp.Compile(p); err != nil {
				delete(v, "pattern")
			}
		}
		if null, _ := v["nullable"].(bool); null {
			delete(v, "nullable")
			plain := make(map[string]any, len(v))
			for k, x := range v {
				plain[k] = x
			}
			return map[string]any{"anyOf": []any{map[string]any{"type": "null"}, plain}}
		}
	}
	return v
}

// oasCases are calls whose answers are judged, with the schema's place in the files.
func oasCases(w *world) map[string]struct {
	schema string
	answer *answer
} {
	type oas = struct {
		schema string
		answer *answer
	}
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
	write := w.want(201, "POST", "/crm/bulk/v8/write", `{"operation":"insert","resource":[{"type":"data","module":{"api_name":"Accounts"},"file_id":"`+up.at("details", "file_id")+`","field_mappings":[{"api_name":"Account_Name","index":0}]}]}`)
	read := w.want(201, "POST", "/crm/bulk/v8/read", `{"query":{"module":{"api_name":"Contacts"},"fields":["Last_Name"],"criteria":{"field":{"api_name":"Last_Name"},"comparator":"equal","value":"a"}}}`, "Content-Type", jsonType)
	return map[string]oas{
		"org":               {path("org", "get", "/crm/v8/org", "200"), w.want(200, "GET", "/crm/v8/org", "")},
		"users":             {response("users", "Users"), w.want(200, "GET", "/crm/v8/users?type=AllUsers", "")},
		"modules":           {response("modules", "Modules"), w.want(200, "GET", "/crm/v8/settings/modules", "")},
		"fields Accounts":   {response("fields", "Fields"), w.want(200, "GET", "/crm/v8/settings/fields?module=Accounts", "")},
		"fields Deals":      {response("fields", "Fields"), w.want(200, "GET", "/crm/v8/settings/fields?module=Deals", "")},
		"upload":            {path("bulk_write", "post", "/crm/v8/upload", "200"), up},
		"write created":     {path("bulk_write", "post", "/crm/bulk/v8/write", "201"), write},
		"write refused":     {path("bulk_write", "post", "/crm/bulk/v8/write", "400"), w.want(400, "POST", "/crm/bulk/v8/write", `{"operation":"insert","resource":[{"type":"data","module":{"api_name":"Nope"},"file_id":"`+up.at("details", "file_id")+`"}]}`)},
		"write status":      {path("bulk_write", "get", "/crm/bulk/v8/write/{job_id}", "200"), w.finish("/crm/bulk/v8/write/"+write.at("details", "id"), "status")},
		"write unknown job": {path("bulk_write", "get", "/crm/bulk/v8/write/{job_id}", "400"), w.want(404, "GET", "/crm/bulk/v8/write/1", "")},
		"read created":      {path("bulk_read", "post", "/crm/bulk/v8/read", "201"), read},
		"read status":       {path("bulk_read", "get", "/crm/bulk/v8/read/{job_id}", "200"), w.finish("/crm/bulk/v8/read/"+read.at("data", 0, "details", "id"), "data", 0, "state")},
		"read unknown job":  {path("bulk_read", "get", "/crm/bulk/v8/read/{job_id}", "404"), w.want(404, "GET", "/crm/bulk/v8/read/1", "")},
		"list":              {path("record", "get", "/crm/v8/{module_api_name}", "200"), w.want(200, "GET", "/crm/v8/Contacts?fields=Last_Name,Email", "")},
		"single":            {path("record", "get", "/crm/v8/{module_api_name}/{id}", "200"), w.want(200, "GET", "/crm/v8/Contacts/"+contact, "")},
		"insert":            {path("record", "post", "/crm/v8/{module_api_name}", "200"), w.want(207, "POST", "/crm/v8/Contacts", `{"data":[{"Last_Name":"b"},{"First_Name":"c"}]}`)},
		"update":            {path("record", "put", "/crm/v8/{module_api_name}", "200"), w.want(200, "PUT", "/crm/v8/Contacts", `{"data":[{"id":"`+contact+`","Last_Name":"d"}]}`)},
		"upsert":            {path("record", "post", "/crm/v8/{module_api_name}/upsert", "200"), w.want(200, "POST", "/crm/v8/Contacts/upsert", `{"data":[{"Email":"a@example.com","Last_Name":"d"}]}`)},
		"deleted":           {path("record", "get", "/crm/v8/{module_api_name}/deleted", "200"), w.want(200, "GET", "/crm/v8/Vendors/deleted", "")},
		"count":             {path("record", "get", "/crm/v8/{module_api_name}/actions/count", "200"), w.want(200, "GET", "/crm/v8/Contacts/actions/count", "")},
		"coql":              {path("coql", "post", "/crm/v8/coql", "200"), w.want(200, "POST", "/crm/v8/coql", `{"select_query":"select Last_Name from Contacts where id is not null"}`)},
		"coql refused":      {path("coql", "post", "/crm/v8/coql", "400"), w.want(400, "POST", "/crm/v8/coql", `{"select_query":"select x"}`)},
	}
}

// TestAnswersFitZohosOpenAPIFiles validates what the simulator sends against Zoho's own description of it.
func TestAnswersFitZohosOpenAPIFiles(t *testing.T) {
	c := oasCompiler(t)
	w := start(t, nil)
	used := map[string]bool{}
	for name, k := range oasCases(w) {
		schema, err := c.Compile(k.schema)
		if err != nil {
			t.Errorf("%s: schema: %v", name, err)
			continue
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(k.answer.body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var invalid *jsonschema.ValidationError
		if err := schema.Validate(doc); err != nil && !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
		}
		for _, place := range places(invalid) {
			key := name + " " + place
			if _, known := contradictions[key]; !known {
				t.Errorf("%q: contradicts the OpenAPI file", key)
			}
			used[key] = true
		}
	}
	for key := range contradictions {
		if !used[key] {
			t.Errorf("%q is listed as a contradiction but does not occur", key)
		}
	}
}

var indexes = regexp.MustCompile(`/\d+`)

// places are the leaves of a validation error: where, and why.
func places(e *jsonschema.ValidationError) []string {
	if e == nil {
		return nil
	}
	var out []string
	if len(e.Causes) == 0 {
		out = append(out, indexes.ReplaceAllString("/"+strings.Join(e.InstanceLocation, "/"), "/*")+" "+strings.Join(e.ErrorKind.KeywordPath(), "/"))
	}
	for _, cause := range e.Causes {
		out = append(out, places(cause)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
