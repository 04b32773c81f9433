package zohosim

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
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
	"field /fields/* required":                                           demands,
	"field /fields/*/associated_module type":                             nulls,
	"field /fields/*/association_details type":                           nulls,
	"field /fields/*/convert_mapping type":                               nulls,
	"field /fields/*/crypt type":                                         nulls,
	"field /fields/*/external type":                                      nulls,
	"field /fields/*/hipaa_compliance type":                              nulls,
	"field /fields/*/history_tracking type":                              nulls,
	"field /fields/*/private type":                                       nulls,
	"field /fields/*/quick_sequence_number type":                         nulls,
	"field /fields/*/tooltip type":                                       nulls,
	"module /modules/* required":                                         demands,
	"module /modules/*/modified_by type":                                 nulls,
	"module /modules/*/fields/* required":                                demands,
	"module /modules/*/fields/*/associated_module type":                  nulls,
	"module /modules/*/fields/*/association_details type":                nulls,
	"module /modules/*/fields/*/convert_mapping type":                    nulls,
	"module /modules/*/fields/*/crypt type":                              nulls,
	"module /modules/*/fields/*/external type":                           nulls,
	"module /modules/*/fields/*/hipaa_compliance type":                   nulls,
	"module /modules/*/fields/*/history_tracking type":                   nulls,
	"module /modules/*/fields/*/private type":                            nulls,
	"module /modules/*/fields/*/quick_sequence_number type":              nulls,
	"module /modules/*/fields/*/tooltip type":                            nulls,
	"user / required":                                                    "the file has one schema for the list and for one user, so it demands paging of one user",
	"user /users/*/Modified_By required":                                 demands,
	"user /users/*/date_format enum":                                     "the file allows one date format only",
	"user /users/*/date_format type":                                     "as above: its null alternative",
	"user /users/*/email pattern":                                        "the pattern fits one sample address",
	"user /users/*/time_zone type":                                       "the file wants an object, the documentation and the SDK a zone name",
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

// TestFilesComeAsZohosOpenAPIFilesSay compares the content types of downloads with those of the files. The read result
// has two: the older file's is a variant.
func TestFilesComeAsZohosOpenAPIFilesSay(t *testing.T) {
	t.Parallel()
	types := func(file, path string) []string {
		b, err := os.ReadFile(filepath.Join(oasDir, file+".json"))
		if err != nil {
			t.Skipf("Zoho's OpenAPI files are not at %s", oasDir)
		}
		var doc struct {
			Paths map[string]struct {
				Get struct {
					Responses map[string]struct {
						Content map[string]json.RawMessage `json:"content"`
					} `json:"responses"`
				} `json:"get"`
			} `json:"paths"`
		}
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Fatal(err)
		}
		return slices.Collect(maps.Keys(doc.Paths[path].Get.Responses["200"].Content))
	}
	w := start(t, nil)
	done, _ := w.bulkWrite("Vendors", "insert", "", "Vendor_Name\nx\n")
	written := w.want(200, "GET", done.at("result", "download_url"), "").header.Get("Content-Type")
	if want := types("bulk_write", "/{download_url}"); !slices.Contains(want, written) {
		t.Errorf("a bulk write result comes as %s, the file says %v", written, want)
	}
	want := types("bulk_read", "/crm/bulk/v8/read/{job_id}/result")
	if err := w.sim.Configure(func(c *Config) { c.Variants.ReadContentType = want[0] }); err != nil {
		t.Fatal(err)
	}
	read, _ := w.bulkRead(`{"module":{"api_name":"Vendors"}}`)
	if got := w.want(200, "GET", read.at("data", 0, "result", "download_url"), "").header.Get("Content-Type"); !slices.Contains(want, got) {
		t.Errorf("a bulk read result comes as %s, the file says %v", got, want)
	}
}
