package zohosim

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestReportVariants(t *testing.T) {
	t.Parallel()
	csv := "External_Key,Account_Name\na,A\nb,\n"
	for _, c := range []struct {
		variants Variants
		want     string
	}{
		{Variants{}, "a ADDED, b SKIPPED"}, {Variants{StatusCase: "lower"}, "a added, b skipped"}, {Variants{StatusCase: "title", SkippedStatus: "UNPROCESSED"}, "a Added, b Unprocessed"},
		{Variants{OmitSkipped: true}, "a ADDED"},
	} {
		w := start(t, func(conf *Config) { conf.Variants = c.variants })
		_, rows := w.bulkWrite("Accounts", "upsert", `,"find_by":"External_Key"`, csv)
		var got []string
		for _, row := range rows[1:] {
			got = append(got, row[0]+" "+row[2])
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%+v: %s, want %s", c.variants, s, c.want)
		}
	}
}

func TestRepeatedKeyAndWorkflows(t *testing.T) {
	t.Parallel()
	csv := "External_Key,Account_Name\na,A\na,B\n"
	w := start(t, nil)
	if _, rows := w.bulkWrite("Accounts", "upsert", `,"find_by":"External_Key"`, csv); rows[1][2] != "ADDED" || rows[2][2] != "UPDATED" {
		t.Errorf("by default: %v", rows)
	}
	w = start(t, func(c *Config) { c.Variants.RepeatedKey = "skip"; c.Variants.BulkWorkflows = true })
	_, rows := w.bulkWrite("Accounts", "upsert", `,"find_by":"External_Key"`, csv)
	if rows[1][2] != "ADDED" || rows[2][2] != "SKIPPED" || rows[2][4] != "DUPLICATE_DATA-External_Key" {
		t.Errorf("skipped: %v", rows)
	}
	rec := w.sim.Record("Accounts", rows[1][3])
	if created, modified := rec["Created_Time"], rec["Modified_Time"]; created >= modified || w.sim.WritesPerRecord("Accounts")[rows[1][3]] != 1 {
		t.Errorf("a workflow is no write and changes the record later: %v", rec)
	}
	w.want(201, "POST", "/crm/v8/Vendors", `{"data":[{"Vendor_Name":"a"},{"Vendor_Name":"b"}]}`)
	w.want(201, "POST", "/crm/v8/Vendors", `{"data":[{"Vendor_Name":"c"}],"trigger":[]}`)
	if n := w.sim.Counters().Workflows; n != 3 {
		t.Errorf("%d workflows, want one by bulk and two by record calls", n)
	}
}

func TestFailedJobVariants(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{"code": "MANDATORY_FIELDS_NOT_MAPPED", "bare": "", "result": "MANDATORY_FIELDS_NOT_MAPPED"} {
		w := start(t, func(c *Config) { c.Variants = Variants{FailedJob: kind, MandatoryAsFailedJob: true} })
		done, _ := w.bulkWrite("Leads", "insert", "", "Last_Name\nx\ny\n")
		if done.at("status") != "FAILED" || done.at("resource", 0, "code") != want {
			t.Errorf("%s: %s", kind, done.body)
		}
		url := done.at("result", "download_url")
		if (url != "") != (kind == "result") {
			t.Errorf("%s: download URL %q", kind, url)
		}
		if url == "" {
			continue
		}
		if rows := w.rows(url); len(rows) != 3 || rows[2][1] != "UNPROCESSED" {
			t.Errorf("%s: %v", kind, rows)
		}
	}
}

func TestDownloadAndUploadVariants(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) { c.Variants = Variants{DownloadNeedsOrg: true, ExpiredStatus: 410, ResultDays: 1} })
	id := w.upload("data.csv", "Account_Name\nx\n")
	job := w.want(201, "POST", "/crm/bulk/v8/write", `{"operation":"insert","resource":[{"type":"data","module":{"api_name":"Accounts"},"file_id":"`+id+`"}]}`)
	url := w.finish("/crm/bulk/v8/write/"+job.at("details", "id"), "status").at("result", "download_url")
	if a := w.want(400, "GET", url, ""); a.at("x-error") == "" {
		t.Errorf("%s", a.body)
	}
	w.want(200, "GET", url, "", "X-CRM-ORG", w.sim.OrgID())
	w.clock.advance(24 * time.Hour)
	w.token = w.sim.NewAccessToken("")
	w.want(410, "GET", url, "", "X-CRM-ORG", w.sim.OrgID())

	w = start(t, func(c *Config) {
		c.Variants = Variants{UploadHost: "content.example", DownloadBase: "https://files.example"}
	})
	req := w.uploadRequest(zipped(t, "data.csv", "Account_Name\nx\n"))
	if a, err := w.send(req); err != nil || a.status != 404 {
		t.Errorf("upload at another host: %v %+v", err, a)
	}
	req = w.uploadRequest(zipped(t, "data.csv", "Account_Name\nx\n"))
	req.Host = "content.example:443"
	up, err := w.send(req)
	if err != nil || up.status != 200 {
		t.Fatalf("%v %+v", err, up)
	}
	job = w.want(201, "POST", "/crm/bulk/v8/write", `{"operation":"insert","resource":[{"type":"data","module":{"api_name":"Accounts"},"file_id":"`+up.at("details", "file_id")+`"}]}`)
	if url := w.finish("/crm/bulk/v8/write/"+job.at("details", "id"), "status").at("result", "download_url"); !strings.HasPrefix(url, "https://files.example/v2/crm/") {
		t.Errorf("download URL %s", url)
	}
}

func TestZoneDatesAndFormats(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) {
		c.Variants = Variants{UserTimeZone: "Asia/Kolkata", DefaultDates: "iso", RefuseOffsetFormats: true}
	})
	_, rows := w.bulkWrite("Accounts", "insert", "", "Account_Name,Last_Audit,Founded_On\na,2026-02-28 12:00:00,2026-02-28\nb,02/28/2026 12:00:00,2026-02-28\nc,,02/28/2026\n")
	if rows[1][3] != "ADDED" || rows[2][5] != "INVALID_DATA-Last_Audit" || rows[3][5] != "INVALID_DATA-Founded_On" {
		t.Fatalf("%v", rows)
	}
	if rec := w.sim.Record("Accounts", rows[1][4]); rec["Last_Audit"] != "2026-02-28T06:30:00Z" {
		t.Errorf("%v", rec)
	}
	if a := w.want(200, "GET", "/crm/v8/users?type=CurrentUser", ""); a.at("users", 0, "time_zone") != "Asia/Kolkata" || a.at("users", 0, "offset") != "19800000" {
		t.Errorf("%s", a.body)
	}
	id := w.upload("data.csv", "Account_Name,Last_Audit\na,2026\n")
	body := `{"operation":"insert","resource":[{"type":"data","module":{"api_name":"Accounts"},"file_id":"` + id + `","field_mappings":[{"api_name":"Account_Name","index":0},{"api_name":"Last_Audit","index":1,"format":%q}]}]}`
	if a := w.want(400, "POST", "/crm/bulk/v8/write", fmt.Sprintf(body, "yyyy-MM-dd'T'HH:mm:ssXXX")); a.at("code") != "INVALID_FORMAT" {
		t.Errorf("%s", a.body)
	}
	w.want(201, "POST", "/crm/bulk/v8/write", fmt.Sprintf(body, "yyyy-MM-dd HH:mm:ss"))
}

func TestJobLimitsEditionsAndKeys(t *testing.T) {
	t.Parallel()
	read := `{"query":{"module":{"api_name":"Leads"}}}`
	create := func(w *world, want int) *answer {
		return w.want(want, "POST", "/crm/bulk/v8/read", read, "Content-Type", jsonType)
	}
	w := start(t, func(c *Config) {
		c.JobDuration = time.Hour
		c.Variants = Variants{OpenJobs: 1, ThrottleMessage: "slow down", RetryAfter: 3}
	})
	create(w, 201)
	if a := create(w, 429); a.at("message") != "slow down" || a.header.Get("Retry-After") != "3" || w.sim.Counters().ThrottledJobs != 1 {
		t.Errorf("%v %s", a.header, a.body)
	}
	w = start(t, func(c *Config) { c.Variants.DailyJobs = 2 })
	create(w, 201)
	create(w, 201)
	create(w, 429)
	w.clock.advance(24 * time.Hour)
	w.token = w.sim.NewAccessToken("")
	create(w, 201)
	w = start(t, func(c *Config) { c.Edition, c.Variants.BulkNeedsPaid = "standard", true })
	if a := create(w, 400); a.at("code") != "FEATURE_NOT_ENABLED" {
		t.Errorf("%s", a.body)
	}
	w = start(t, func(c *Config) {
		c.Variants = Variants{FindByIDOnly: true, PaidType: "Vertical Suite", BareServerInfo: true}
	})
	id := w.upload("data.csv", "External_Key,Account_Name\na,A\n")
	resource := `{"operation":"upsert","resource":[{"type":"data","module":{"api_name":"Accounts"},"file_id":"` + id + `","find_by":%q}]}`
	if a := w.want(400, "POST", "/crm/bulk/v8/write", fmt.Sprintf(resource, "External_Key")); a.at("code") != "INVALID_DATA" {
		t.Errorf("%s", a.body)
	}
	if a := w.want(200, "GET", "/crm/v8/org", ""); a.at("org", 0, "license_details", "paid_type") != "Vertical Suite" {
		t.Errorf("%s", a.body)
	}
	if a := w.want(200, "GET", "/oauth/serverinfo", ""); a.at("us") != w.base {
		t.Errorf("%s", a.body)
	}
}

func TestReadVariants(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) {
		c.PageRows = 2
		c.Variants = Variants{PageTokenSince: 7, MaxPage: 1, IDColumnLast: true, IDColumn: "ID", ReadContentType: "application/x-download"}
	})
	for range 3 {
		w.insert("Vendors", map[string]string{"Vendor_Name": "v"})
	}
	token := func(version string) string {
		a := w.want(201, "POST", "/crm/bulk/"+version+"/read", `{"query":{"module":{"api_name":"Vendors"},"fields":["Vendor_Name"]}}`, "Content-Type", jsonType)
		done := w.finish("/crm/bulk/"+version+"/read/"+a.at("data", 0, "details", "id"), "data", 0, "state")
		file := w.want(200, "GET", done.at("data", 0, "result", "download_url"), "")
		if rows := unzipRows(t, file.body); rows[0][1] != "ID" || file.header.Get("Content-Type") != "application/x-download" {
			t.Errorf("%v %v", rows[0], file.header)
		}
		return done.at("data", 0, "result", "next_page_token")
	}
	if v6, v8 := token("v6"), token("v8"); v6 != "" || v8 == "" {
		t.Errorf("page tokens %q in v6 and %q in v8", v6, v8)
	}
	w.want(400, "POST", "/crm/bulk/v8/read", `{"query":{"module":{"api_name":"Vendors"},"page":2}}`, "Content-Type", jsonType)
}

func TestCostsHeadersAndCOQLBounds(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) {
		c.Edition = "free"
		c.Variants = Variants{UploadCost: 1, DeletedListCost: 5, DeleteCost: 7, OmitCreditsHeader: true, COQLRows: 3, COQLFields: 1, COQLReach: 4}
	})
	spent := func(do func()) int {
		before := w.sim.Credits().SpentEver
		do()
		return w.sim.Credits().SpentEver - before
	}
	id := w.insert("Vendors", map[string]string{"Vendor_Name": "v"})
	if n := spent(func() { w.want(200, "DELETE", "/crm/v8/Vendors?ids="+id, "") }); n != 7 {
		t.Errorf("a delete call took %d", n)
	}
	if n := spent(func() { w.want(200, "GET", "/crm/v8/Vendors/deleted", "") }); n != 5 {
		t.Errorf("a page of the deleted list took %d", n)
	}
	if n := spent(func() { w.upload("a.csv", "a\n") }); n != 1 {
		t.Errorf("an upload took %d", n)
	}
	for range 5 {
		w.want(201, "POST", "/crm/bulk/v8/read", `{"query":{"module":{"api_name":"Leads"}}}`, "Content-Type", jsonType)
	}
	file := w.upload("b.csv", "Vendor_Name\nv\n")
	for range 5 {
		a := w.want(201, "POST", "/crm/bulk/v8/write", `{"operation":"insert","resource":[{"type":"data","module":{"api_name":"Vendors"},"file_id":"`+file+`"}]}`)
		if a.header.Get("X-API-CREDITS-REMAINING") != "" {
			t.Error("the header was sent")
		}
	}
	for _, q := range []string{"select id, Vendor_Name from Vendors where id is not null limit 1", "select id from Vendors where id is not null limit 4", "select id from Vendors where id is not null limit 3, 3"} {
		if a := w.want(http.StatusBadRequest, "POST", "/crm/v8/coql", `{"select_query":"`+q+`"}`); a.at("code") != "LIMIT_EXCEEDED" {
			t.Errorf("%s: %s", q, a.body)
		}
	}
}
