package zohosim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestUploadErrors(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	good := zipped(t, "a.csv", "Last_Name\nx\n")
	for name, c := range map[string]struct {
		data   []byte
		change func(*http.Request)
		status int
		field  string
		want   string
	}{
		"no feature header": {good, func(r *http.Request) { r.Header.Del("feature") }, 400, "x-error", "check if headers [feature, X-CRM-ORG] are present and valid"},
		"foreign org":       {good, func(r *http.Request) { r.Header.Set("X-CRM-ORG", "1") }, 400, "ERROR_MESSAGE", "Bad Request"},
		"not a zip":         {[]byte(strings.Repeat("a,b\n", 20)), nil, 400, "code", "INVALID_FILE_FORMAT"},
		"not multipart":     {good, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 400, "code", "INVALID_REQUEST"},
		"over 25 MB":        {append([]byte("PK"), make([]byte, 25<<20)...), nil, 413, "code", "FILE_TOO_LARGE"},
		"no token":          {good, func(r *http.Request) { r.Header.Del("Authorization") }, 401, "code", "AUTHENTICATION_FAILURE"},
	} {
		req := w.uploadRequest(c.data)
		if c.change != nil {
			c.change(req)
		}
		a, err := w.send(req)
		if err != nil || a.status != c.status || a.at(c.field) != c.want {
			t.Errorf("%s: %v %d %s", name, err, a.status, a.body)
		}
	}
	if n := w.sim.Counters().Uploads; n != 0 {
		t.Errorf("%d uploads counted", n)
	}
}

func TestBulkWriteCreateErrors(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) { c.Variants.RowLimit = 3; c.DisableCredits = true })
	w.insert("Accounts", map[string]string{"Account_Name": "A"})
	lead := w.upload("a.csv", "Last_Name,Company,Email\nx,y,\n")
	two := w.upload("a.csv", "Last_Name\nx\n", "b.csv", "Last_Name\nx\n")
	long := w.upload("a.csv", "Last_Name,Company\n"+strings.Repeat("a,b\n", 4))
	wide := w.upload("a.csv", strings.Repeat("A,", 200)+"B\n")
	text := w.upload("a.txt", "x")
	torn := w.upload("a.csv", "Last_Name\n\"unclosed\n")
	mapping := `"field_mappings":[{"api_name":"Last_Name","index":0},{"api_name":"Company","index":1},{"api_name":"Email","index":2}]`
	res := func(module, file, rest string) string {
		if rest != "" {
			rest = "," + rest
		}
		return fmt.Sprintf(`{"operation":"insert","resource":[{"type":"data","module":{"api_name":%q},"file_id":%q%s}]}`, module, file, rest)
	}
	for name, c := range map[string]struct{ body, code, message string }{
		"no operation":          {`{"resource":[{}]}`, "MISSING_REQUIRED_KEY", "required key operation is not found in request body."},
		"odd operation":         {`{"operation":"merge","resource":[{}]}`, "INVALID_DATA", "invalid operation"},
		"no resource":           {`{"operation":"insert"}`, "MISSING_REQUIRED_KEY", "required key resource is not found in request body."},
		"no find_by":            {strings.Replace(res("Leads", lead, mapping), "insert", "upsert", 1), "MANDATORY_NOT_FOUND", "Required key find_by is not available"},
		"unknown module":        {res("Nope", lead, mapping), "MODULE_NOT_AVAILABLE", "Requested module 'Nope' is not available."},
		"unsupported module":    {res("Notes", lead, mapping), "MODULE_NOT_AVAILABLE", "Requested module 'Notes' is not available."},
		"improper file id":      {res("Leads", "abc", mapping), "INVALID_FILE_ID", "improper file id"},
		"unknown file":          {res("Leads", "123", mapping), "INVALID_FILE_ID", "improper file id"},
		"several files":         {res("Leads", two, mapping), "FILE_NOT_SUPPORTED", "File not supported for bulk write"},
		"too many rows":         {res("Leads", long, mapping), "FILE_NOT_SUPPORTED", "File not supported for bulk write"},
		"not a CSV":             {res("Leads", text, ""), "FILE_NOT_SUPPORTED", "File not supported for bulk write"},
		"broken CSV":            {res("Leads", torn, ""), "FILE_NOT_SUPPORTED", "File not supported for bulk write"},
		"too many columns":      {res("Leads", wide, ""), "HEADER_LIMIT_EXCEEDED", "header limit exceeded"},
		"unknown file name":     {res("Leads", lead, `"file_names":["z.csv"],`+mapping), "FILE_NOT_FOUND", "the file name given is not in the zip"},
		"unknown field":         {res("Leads", lead, strings.Replace(mapping, "Email", "Xyz", 1)), "INVALID_FIELD", "invalid mapping. invalid api_name Xyz."},
		"read-only field":       {res("Leads", lead, strings.Replace(mapping, "Email", "Created_Time", 1)), "INVALID_FIELD", "invalid mapping. invalid api_name Created_Time."},
		"index out of range":    {res("Leads", lead, strings.Replace(mapping, `"index":2`, `"index":3`, 1)), "COLUMN_INDEX_NOT_FOUND", "column index 3 is not found"},
		"no index":              {res("Leads", lead, strings.Replace(mapping, `,"index":2`, ``, 1)), "MISSING_REQUIRED_KEY", "required key index for field Email is not found in request body."},
		"bad format":            {res("Leads", lead, strings.Replace(mapping, `"Email","index":2`, `"Visit_Date","index":2,"format":"YYYY-DD"`, 1)), "INVALID_FORMAT", "invalid format for field Visit_Date"},
		"layout-mandatory":      {res("Leads", lead, `"field_mappings":[{"api_name":"Last_Name","index":0}]`), "MANDATORY_FIELDS_NOT_MAPPED", "All mandatory fields are not mapped for the layout [Company]"},
		"lookup w/o find_by":    {res("Deals", lead, `"field_mappings":[{"api_name":"Account_Name","index":0}]`), "MANDATORY_NOT_FOUND", "Required key find_by is not available"},
		"non-unique find_by":    {res("Leads", lead, `"find_by":"Last_Name",`+mapping), "INVALID_FIELD", "the find_by field Last_Name is not unique"},
		"unmapped find_by":      {res("Leads", lead, `"find_by":"External_Key",`+mapping), "INVALID_FIELD", "invalid mapping. find_by field External_Key is not mapped"},
		"bad callback URL":      {strings.Replace(res("Leads", lead, mapping), `{"op`, `{"callback":{"url":"x","method":"post"},"op`, 1), "INVALID_CALLBACK_URL", "invalid callback url"},
		"bad callback method":   {strings.Replace(res("Leads", lead, mapping), `{"op`, `{"callback":{"url":"http://a.b/","method":"get"},"op`, 1), "INVALID_CALLBACK_METHOD", "invalid callback method"},
		"not JSON":              {`{`, "INVALID_REQUEST", "the request body is not valid JSON"},
		"subform without index": {res("Service_Items", lead, `"field_mappings":[{"api_name":"Parent_Id","index":0}]`), "MANDATORY_NOT_FOUND", "Required key find_by is not available"},
	} {
		a := w.do("POST", "/crm/bulk/v8/write", c.body)
		if a.status != 400 || a.at("code") != c.code || a.at("message") != c.message || a.at("status") != "error" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if n := len(w.sim.JobCreations()); n != 0 {
		t.Errorf("%d jobs were created", n)
	}
}

func TestBulkWriteRowOutcomes(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	acme := w.insert("Accounts", map[string]string{"Account_Name": "Acme", "External_Key": "acme"})
	user := w.want(200, "GET", "/crm/v8/users", "").at("users", 1, "id")
	w.insert("Deals", map[string]string{"Deal_Name": "old", "Account_Name": acme, "Stage": "Qualification", "Order_Number": "1"})
	head := "Deal_Name,Order_Number,Account_Name.id,Stage,Amount,Probability,Closing_Date,Owner.email\n"
	for name, c := range map[string]struct{ row, status, errors string }{
		"all valid":           {"d," + "2," + acme + ",Closed Won,1.50,10,01/31/2026,user2@example.com", "ADDED", ""},
		"iso date":            {"d,3," + acme + ",Closed Won,,,2026-01-31,", "ADDED", ""},
		"unique clash":        {"d,1," + acme + ",Closed Won,,,,", "SKIPPED", "DUPLICATE_DATA-Order_Number"},
		"lookup not found":    {"d,4,123,Closed Won,,,,", "SKIPPED", "INVALID_DATA-Account_Name"},
		"two missing":         {",5,,Closed Won,,,,", "SKIPPED", "MANDATORY_NOT_FOUND-Deal_Name,Account_Name"},
		"fixed picklist":      {"d,6," + acme + ",Nope,,,,", "SKIPPED", "INVALID_DATA-Stage"},
		"types":               {"d,x," + acme + ",Closed Won,1e5,ten,31.01.2026,", "SKIPPED", "INVALID_DATA-Order_Number,Amount,Probability,Closing_Date"},
		"too long":            {strings.Repeat("ü", 121) + ",7," + acme + ",Closed Won,,,,", "SKIPPED", "INVALID_DATA-Deal_Name"},
		"as long as allowed":  {strings.Repeat("ü", 120) + ",8," + acme + ",Closed Won,,,,", "ADDED", ""},
		"18 digits":           {"d,999999999999999999," + acme + ",Closed Won,,,,", "ADDED", ""},
		"19 digits":           {"d,1999999999999999999," + acme + ",Closed Won,,,,", "SKIPPED", "INVALID_DATA-Order_Number"},
		"unknown owner":       {"d,9," + acme + ",Closed Won,,,,nobody@example.com", "SKIPPED", "INVALID_DATA-Owner"},
		"missing end columns": {"d,10," + acme + ",Closed Won", "ADDED", ""},
	} {
		_, rows := w.bulkWrite("Deals", "insert", "", head+c.row+"\n")
		if len(rows) != 2 || rows[1][3] != c.status || rows[1][5] != c.errors {
			t.Errorf("%s: %v, want %s %s", name, rows, c.status, c.errors)
		}
	}
	for rec := range w.sim.Records("Deals") {
		if rec["Order_Number"] == "2" && (rec["Owner"] != user || rec["Amount"] != "1.50" || rec["Closing_Date"] != "2026-01-31" || rec["Expected_Revenue"] != "15") {
			t.Errorf("stored: %v", rec)
		}
	}
}

func TestFindBySemantics(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	known := w.insert("Leads", map[string]string{"Last_Name": "A", "Company": "C", "Email": "a@x.org", "Phone": "1"})
	mapping := `,"find_by":"Email","field_mappings":[{"api_name":"Email","index":0},{"api_name":"Last_Name","index":1},{"api_name":"Company","index":2},{"api_name":"Phone","index":3}]`
	csv := "e,l,c,p\nA@x.org,A2,C2,\nb@x.org,B,C,2\nb@x.org,B3,C3,3\n"
	status := func(rows [][]string) string {
		var out []string
		for _, r := range rows[1:] {
			out = append(out, strings.Join(r[3:4], "")+" "+r[5])
		}
		return strings.Join(out, "|")
	}
	_, rows := w.bulkWrite("Leads", "insert", mapping, csv)
	if got := status(rows); got != "SKIPPED DUPLICATE_DATA-Email|ADDED |SKIPPED DUPLICATE_DATA-Email" {
		t.Errorf("insert with find_by skips what exists: %s", got)
	}
	_, rows = w.bulkWrite("Leads", "update", mapping, csv+"z@x.org,Z,C,\n")
	if got := status(rows); got != "UPDATED |UPDATED |UPDATED |SKIPPED RESOURCE_NOT_FOUND-Email" {
		t.Errorf("update skips what does not exist: %s", got)
	}
	_, rows = w.bulkWrite("Leads", "upsert", `,"ignore_empty":true`+mapping, "e,l,c,p\nA@X.ORG,A4,C,\nz@x.org,Z,C,\n")
	if got := status(rows); got != "UPDATED |ADDED " {
		t.Errorf("upsert: %s", got)
	}
	if rec := w.sim.Record("Leads", known); rec["Phone"] != "" || rec["Last_Name"] != "A4" || rec["Email"] != "A@X.ORG" {
		t.Errorf("record: %v", rec)
	}
	byID := `,"find_by":"id","field_mappings":[{"api_name":"id","index":0},{"api_name":"Last_Name","index":1},{"api_name":"Company","default_value":{"value":"Const"}}]`
	_, rows = w.bulkWrite("Leads", "upsert", byID, "id,n\n"+known+",N\n99,M\nx,K\n")
	got := fmt.Sprint(rows)
	if got != "[[id n STATUS RECORD_ID ERRORS] ["+known+" N UPDATED "+known+" ] [99 M SKIPPED  RESOURCE_NOT_FOUND-id] [x K SKIPPED  INVALID_DATA-id]]" {
		t.Errorf("by id: %s", got)
	}
	if n := w.sim.WritesPerRecord("Leads")[known]; n != 4 {
		t.Errorf("%d writes of the first lead, want insert, update, upsert, upsert", n)
	}
}

func TestDatesFollowFormatAndZone(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for _, c := range []struct{ format, cell, want string }{
		{"yyyy-MM-dd HH:mm:ss", "2026-07-01 10:00:00", "2026-07-01T17:00:00Z"},
		{"yyyy-MM-dd'T'HH:mm:ssXXX", "2026-07-01T10:00:00+05:30", "2026-07-01T04:30:00Z"},
		{"dd.MM.yyyy hh:mm a", "01.12.2026 01:30 PM", "2026-12-01T21:30:00Z"},
		{"", "07/01/2026 10:00:00", "2026-07-01T17:00:00Z"},
		{"", "2026-07-01T10:00:00-07:00", "2026-07-01T17:00:00Z"},
	} {
		mapping := fmt.Sprintf(`,"field_mappings":[{"api_name":"Account_Name","index":0},{"api_name":"Last_Audit","index":1,"format":%q}]`, c.format)
		_, rows := w.bulkWrite("Accounts", "insert", mapping, "a,b\nx,"+c.cell+"\n")
		if rec := w.sim.Record("Accounts", rows[1][3]); rec["Last_Audit"] != c.want {
			t.Errorf("%s %s: %v %v", c.format, c.cell, rec["Last_Audit"], rows)
		}
	}
}

func TestPicklistsAndMultiselect(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	mapping := `,"field_mappings":[{"api_name":"Account_Name","index":0},{"api_name":"Account_Type","index":1},{"api_name":"Markets","index":2}]`
	_, rows := w.bulkWrite("Accounts", "insert", mapping, "a;b;c\nx;Brand new;\"EMEA;Mars\"\n")
	if rows[1][3] != "ADDED" {
		t.Fatalf("rows %v", rows)
	}
	_, read := w.bulkRead(`{"module":{"api_name":"Accounts"},"fields":["Account_Type","Markets"]}`)
	if got := fmt.Sprint(read[1][1:]); got != "[Brand new EMEA;Mars]" {
		t.Errorf("read %v", got)
	}
	fields := w.want(200, "GET", "/crm/v8/settings/fields?module=Accounts", "")
	if !strings.Contains(string(fields.body), `"actual_value":"Brand new"`) {
		t.Error("the unknown value was not added to the list")
	}
	if err := w.sim.Configure(func(c *Config) {
		c.Variants.RejectUnknownPicklist = true
		c.Variants.MultiSelectSeparator = ","
		c.Variants.IDColumn = "id"
	}); err != nil {
		t.Fatal(err)
	}
	if _, rows = w.bulkWrite("Accounts", "insert", mapping, "a;b;c\ny;Newer;EMEA\n"); rows[1][5] != "INVALID_DATA-Account_Type" {
		t.Errorf("rejecting variant: %v", rows)
	}
	_, read = w.bulkRead(`{"module":{"api_name":"Accounts"},"fields":["Markets"]}`)
	if diff := cmp.Diff([]string{"id", "Markets"}, read[0]); diff != "" || read[1][1] != "EMEA,Mars" {
		t.Errorf("%s %v", diff, read)
	}
}

func TestParentAndChildren(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	id := w.upload("accounts.csv", "Key,Name\nk1,One\nk2,Two\n", "items.csv", "Key,Item,Quantity\nk1,Bolt,3\nk1,Nut,5\nk9,Lost,1\n")
	body := fmt.Sprintf(`{"operation":"insert","resource":[
	 {"type":"data","module":{"api_name":"Accounts"},"file_id":%[1]q,"file_names":["accounts.csv"],"field_mappings":[{"api_name":"External_Key","index":0},{"api_name":"Account_Name","index":1}]},
	 {"type":"data","module":{"api_name":"Service_Items"},"file_id":%[1]q,"file_names":["items.csv"],"field_mappings":[{"api_name":"Parent_Id","index":0,"parent_column_index":0,"find_by":"External_Key"},{"api_name":"Item","index":1},{"api_name":"Quantity","index":2}]}]}`, id)
	if err := w.sim.Configure(func(c *Config) { c.Variants.ChildRows = 2 }); err != nil {
		t.Fatal(err)
	}
	if a := w.want(400, "POST", "/crm/bulk/v8/write", body); a.at("code") != "FILE_NOT_SUPPORTED" {
		t.Errorf("more children than the variant takes: %s", a.body)
	}
	if err := w.sim.Configure(func(c *Config) { c.Variants.ChildRows = 3 }); err != nil {
		t.Fatal(err)
	}
	job := w.want(201, "POST", "/crm/bulk/v8/write", body).at("details", "id")
	done := w.finish("/crm/bulk/v8/write/"+job, "status")
	if done.at("resource", 1, "file", "added_count") != "2" || done.at("resource", 1, "file", "skipped_count") != "1" {
		t.Fatalf("children: %s", done.body)
	}
	parent := w.rows(done.at("result", "download_url"))[1][3]
	one := w.want(200, "GET", "/crm/v8/Accounts/"+parent, "")
	if one.at("data", 0, "Service_Items", 1, "Item") != "Nut" || one.at("data", 0, "Service_Items", 1, "Parent_Id", "name") != "One" {
		t.Errorf("subform: %s", one.body)
	}
}

func TestJobStatesByTimeAndByPolls(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) { c.JobDuration = 100 * time.Second })
	body := `{"operation":"insert","resource":[{"type":"data","module":{"api_name":"Accounts"},"file_id":"` + w.upload("a.csv", "Account_Name\nx\n") + `"}]}`
	id := w.want(201, "POST", "/crm/bulk/v8/write", body).at("details", "id")
	var states []string
	for range 4 {
		a := w.want(200, "GET", "/crm/bulk/v8/write/"+id, "")
		states = append(states, a.at("status")+a.at("result"))
		w.clock.advance(30 * time.Second)
	}
	if diff := cmp.Diff([]string{"ADDED", "INPROGRESS", "INPROGRESS", "INPROGRESS"}, states); diff != "" {
		t.Error(diff)
	}
	w.finish("/crm/bulk/v8/write/"+id, "status")
	if err := w.sim.Configure(func(c *Config) { c.JobPolls = 5; c.Variants.SpacedInProgress = true }); err != nil {
		t.Fatal(err)
	}
	id = w.want(201, "POST", "/crm/bulk/v8/read", `{"query":{"module":{"api_name":"Accounts"}}}`, "Content-Type", jsonType).at("data", 0, "details", "id")
	states = nil
	for range 5 {
		states = append(states, w.want(200, "GET", "/crm/bulk/v2/read/"+id, "").at("data", 0, "state"))
	}
	if diff := cmp.Diff([]string{"ADDED", "ADDED", "QUEUED", "IN PROGRESS", "COMPLETED"}, states); diff != "" {
		t.Error(diff)
	}
}

func TestWriteVariants(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) {
		c.Variants = Variants{StatusCase: "lower", RelativeDownloadURL: true, MandatoryAsFailedJob: true, UnknownJobStatus: 400, SkippedRecordID: true,
			EchoColumnOrder: true, FileUsedOnce: true, ShuffleResult: true, NonUniqueFindBy: "insert"}
	})
	mapping := `,"field_mappings":[{"api_name":"Account_Name","index":1},{"api_name":"External_Key","index":0}]`
	text := "k,n\n"
	for i := range 40 {
		text += fmt.Sprintf("k%02d,n\n", i)
	}
	done, rows := w.bulkWrite("Accounts", "insert", mapping, text)
	if url := done.at("result", "download_url"); !strings.HasPrefix(url, "/v2/crm/org"+w.sim.OrgID()+"/bulk-write/") {
		t.Errorf("relative: %s", url)
	}
	if rows[0][0] != "k" || rows[1][2] != "added" {
		t.Errorf("echo and case: %v", rows[:2])
	}
	ordered := true
	for i := range 40 {
		ordered = ordered && rows[i+1][0] == fmt.Sprintf("k%02d", i)
	}
	if ordered {
		t.Error("rows were not shuffled")
	}
	_, again := w.bulkWrite("Accounts", "insert", mapping, "k,n\nk00,n\n")
	if again[1][2] != "skipped" || again[1][3] == "" {
		t.Errorf("id of the duplicate: %v", again[1])
	}
	done, _ = w.bulkWrite("Accounts", "insert", `,"field_mappings":[{"api_name":"External_Key","index":0}]`, "k\nz\n")
	if done.at("status") != "FAILED" || done.at("resource", 0, "code") != "MANDATORY_FIELDS_NOT_MAPPED" || done.at("result") != "" {
		t.Errorf("failed job: %s", done.body)
	}
	w.want(400, "GET", "/crm/bulk/v8/write/123", "")
	id := w.upload("a.csv", "Account_Name\nx\n")
	body := `{"operation":"insert","resource":[{"type":"data","module":"Accounts","file_id":` + id + `}]}`
	w.want(201, "POST", "/crm/bulk/v8/write", body)
	if a := w.want(400, "POST", "/crm/bulk/v8/write", body); a.at("code") != "ALREADY_USED" {
		t.Errorf("file used twice: %s", a.body)
	}
}

func TestCallbackCarriesTheStatus(t *testing.T) {
	t.Parallel()
	got := make(chan []byte, 2)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- b
	}))
	defer hook.Close()
	w := start(t, nil)
	body := `{"operation":"insert","callback":{"url":"` + hook.URL + `","method":"post"},"resource":[{"type":"data","module":{"api_name":"Accounts"},"file_id":"` + w.upload("a.csv", "Account_Name\nx\n") + `"}]}`
	id := w.want(201, "POST", "/crm/bulk/v8/write", body).at("details", "id")
	var status struct{ ID, Status string }
	select {
	case b := <-got:
		if err := json.Unmarshal(b, &status); err != nil || status.ID != id || status.Status != "COMPLETED" {
			t.Errorf("callback: %s", b)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("no callback")
	}
}

func TestResultsVanish(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	done, _ := w.bulkWrite("Accounts", "insert", "", "Account_Name\nx\n")
	read, _ := w.bulkRead(`{"module":{"api_name":"Accounts"}}`)
	w.clock.advance(25 * time.Hour)
	w.token = w.sim.NewAccessToken("")
	w.want(200, "GET", done.at("result", "download_url"), "")
	w.want(404, "GET", read.at("data", 0, "result", "download_url"), "")
	w.clock.advance(6 * 24 * time.Hour)
	w.token = w.sim.NewAccessToken("")
	w.want(404, "GET", done.at("result", "download_url"), "")
}
