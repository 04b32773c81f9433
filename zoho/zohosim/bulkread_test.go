package zohosim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBulkReadCriteria(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) { c.DisableDownloadLimit = true })
	acme := w.insert("Accounts", map[string]string{"Account_Name": "Acme"})
	rows := []map[string]string{
		{"Last_Name": "Boyle", "Score": "1.5", "Date_of_Birth": "1990-01-31", "Email_Opt_Out": "true", "Account_Name": acme, "Interests": "Data;Events", "Modified_Time": "2026-01-01T00:00:00Z"},
		{"Last_Name": "boyle", "Score": "-2", "Date_of_Birth": "1991-01-31", "Email_Opt_Out": "false", "Phone": "7", "Modified_Time": "2026-01-01T00:00:01Z"},
		{"Last_Name": "Curie, Marie", "Score": "10", "Interests": "Newsletter", "Modified_Time": "2026-02-01T00:00:00Z"},
	}
	for _, r := range rows {
		w.insert("Contacts", r)
	}
	one := func(field, comparator, value string) string {
		return fmt.Sprintf(`{"field":{"api_name":%q},"comparator":%q,"value":%s}`, field, comparator, value)
	}
	group := func(op string, members ...string) string {
		return fmt.Sprintf(`{"group_operator":%q,"group":[%s]}`, op, strings.Join(members, ","))
	}
	for _, c := range []struct{ criteria, want string }{
		{one("Last_Name", "equal", `"boyle"`), "12"},
		{one("Last_Name", "not_equal", `"boyle"`), "3"},
		{one("Last_Name", "starts_with", `"cu"`), "3"},
		{one("Last_Name", "ends_with", `"MARIE"`), "3"},
		{one("Last_Name", "contains", `"oy"`), "12"},
		{one("Last_Name", "not_contains", `"oy"`), "3"},
		{one("Last_Name", "in", `["x","curie, marie"]`), "3"},
		{one("Phone", "equal", `"${EMPTY}"`), "13"},
		{one("Phone", "not_equal", `"${EMPTY}"`), "2"},
		{one("Score", "greater_than", `1.5`), "3"},
		{one("Score", "greater_equal", `"1.50"`), "13"},
		{one("Score", "less_than", `-1`), "2"},
		{one("Score", "not_in", `[10,-2]`), "1"},
		{one("Email_Opt_Out", "equal", `true`), "1"},
		{one("Date_of_Birth", "between", `["1990-01-31","1990-12-31"]`), "1"},
		{one("Date_of_Birth", "not_between", `["1990-01-31","1990-12-31"]`), "2"},
		{one("Account_Name", "equal", `"`+acme+`"`), "1"},
		{one("Account_Name.Account_Name", "equal", `"acme"`), "1"},
		{one("Owner.email", "equal", `"user1@example.com"`), "123"},
		{one("Interests", "equal", `"events"`), "1"},
		{one("Modified_Time", "greater_than", `"2025-12-31T16:00:00-08:00"`), "23"},
		{group("and", one("Modified_Time", "greater_equal", `"2026-01-01T00:00:00Z"`), one("Modified_Time", "less_than", `"2026-02-01T05:30:00+05:30"`)), "12"},
		{group("AND", one("Last_Name", "equal", `"boyle"`), group("or", one("Score", "equal", `10`), one("Score", "equal", `-2`))), "2"},
		{`{"api_name":"Last_Name","comparator":"equal","value":"Curie, Marie"}`, "3"},
	} {
		_, read := w.bulkRead(`{"module":{"api_name":"Contacts"},"fields":["Score"],"criteria":` + c.criteria + `}`)
		got := ""
		for _, r := range read[1:] {
			got += map[string]string{"1.5": "1", "-2": "2", "10": "3"}[r[1]]
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.criteria, got, c.want)
		}
	}
}

func TestBulkReadErrors(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	crit := func(c string) string { return `{"query":{"module":{"api_name":"Contacts"},"criteria":` + c + `}}` }
	many := strings.TrimSuffix(strings.Repeat(`{"field":{"api_name":"id"},"comparator":"equal","value":1},`, 26), ",")
	for name, c := range map[string]struct{ body, code string }{
		"empty body":              {``, "REQUEST_BODY_IS_EMPTY"},
		"not JSON":                {`{`, "REQUEST_BODY_NOT_READABLE"},
		"no query":                {`{}`, "MANDATORY_NOT_FOUND"},
		"no module":               {`{"query":{}}`, "MANDATORY_NOT_FOUND"},
		"unknown module":          {`{"query":{"module":{"api_name":"Nope"}}}`, "MODULE_NOT_AVAILABLE"},
		"unsupported module":      {`{"query":{"module":{"api_name":"Notes"}}}`, "MODULE_NOT_SUPPORTED"},
		"unknown field":           {`{"query":{"module":{"api_name":"Contacts"},"fields":["X"]}}`, "FIELD_NOT_AVAILABLE"},
		"unsupported field":       {`{"query":{"module":{"api_name":"Accounts"},"fields":["Contract"]}}`, "FIELD_NOT_SUPPORTED"},
		"page 0":                  {`{"query":{"module":{"api_name":"Contacts"},"page":0}}`, "PAGE_RANGE_EXCEEDED"},
		"page 501":                {`{"query":{"module":{"api_name":"Contacts"},"page":501}}`, "PAGE_RANGE_EXCEEDED"},
		"custom view":             {`{"query":{"module":{"api_name":"Contacts"},"cvid":"1"}}`, "CVID_NOT_SUPPORTED"},
		"unknown token":           {`{"query":{"page_token":"x"}}`, "INVALID_DATA"},
		"token with page":         {`{"query":{"page_token":"x","page":2}}`, "PAGE_NOT_SUPPORTED"},
		"ics":                     {`{"file_type":"ics","query":{"module":{"api_name":"Contacts"}}}`, "INVALID_DATA"},
		"no comparator":           {crit(`{"field":{"api_name":"Email"}}`), "INVALID_CRITERIA"},
		"criteria not an object":  {crit(`[]`), "INVALID_CRITERIA"},
		"unknown criteria field":  {crit(`{"field":{"api_name":"X"},"comparator":"equal","value":1}`), "FIELD_IN_CRITERIA_NOT_AVAILABLE"},
		"odd operator":            {crit(`{"group_operator":"xor","group":[]}`), "GROUP_OPERATOR_NOT_SUPPORTED"},
		"empty group":             {crit(`{"group_operator":"or","group":[]}`), "AMBIGUOUS_GROUP_IN_CRITERIA"},
		"text with less_than":     {crit(`{"field":{"api_name":"Email"},"comparator":"less_than","value":"a"}`), "FIELD_AND_COMPARATOR_IN_CRITERIA_NOT_COMPATIBLE"},
		"number with text":        {crit(`{"field":{"api_name":"Score"},"comparator":"equal","value":"abc"}`), "FIELD_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE"},
		"milliseconds":            {crit(`{"field":{"api_name":"Modified_Time"},"comparator":"equal","value":"2026-01-01T00:00:00.000Z"}`), "FIELD_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE"},
		"between with one value":  {crit(`{"field":{"api_name":"Modified_Time"},"comparator":"between","value":"2026-01-01T00:00:00Z"}`), "COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE"},
		"list with equal":         {crit(`{"field":{"api_name":"Score"},"comparator":"equal","value":[1,2]}`), "COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE"},
		"encrypted with contains": {crit(`{"field":{"api_name":"Tax_Number"},"comparator":"contains","value":"1"}`), "COMPARATOR_AND_ENCRYPTED_VALUE_IN_CRITERIA_NOT_COMPATIBLE"},
		"21 values":               {crit(`{"field":{"api_name":"Score"},"comparator":"in","value":[` + strings.Repeat("1,", 20) + `1]}`), "VALUE_LIMIT_EXCEEDED_IN_CRITERIA"},
		"26 criteria":             {crit(`{"group_operator":"or","group":[` + many + `]}`), "CRITERIA_LIMIT_EXCEEDED"},
	} {
		a := w.do("POST", "/crm/bulk/v8/read", c.body, "Content-Type", jsonType)
		if a.status != 400 || a.at("code") != c.code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := w.do("POST", "/crm/bulk/v8/read", `{}`); a.status != 415 || a.at("code") != "MEDIA_TYPE_NOT_SUPPORTED" {
		t.Errorf("no Content-Type: %d %s", a.status, a.body)
	}
	if a := w.want(404, "GET", "/crm/bulk/v8/read/1", ""); a.at("code") != "RESOURCE_NOT_FOUND" {
		t.Errorf("unknown job: %s", a.body)
	}
}

func TestPagesByTokenSeeEveryRowOnceThoughRowsAreAdded(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *Config) { c.PageRows = 10 })
	if err := w.sim.Generate("Leads", 25, 1); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	query := `{"module":{"api_name":"Leads"},"fields":["Last_Name"]}`
	pages := 0
	for query != "" {
		done, rows := w.bulkRead(query)
		for _, r := range rows[1:] {
			if seen[r[0]] {
				t.Errorf("row %s came twice", r[0])
			}
			seen[r[0]] = true
		}
		if got := done.at("data", 0, "result", "count"); got != fmt.Sprint(len(rows)-1) {
			t.Errorf("count %s, rows %d", got, len(rows)-1)
		}
		pages++
		query = ""
		if token := done.at("data", 0, "result", "next_page_token"); token != "" {
			query = fmt.Sprintf(`{"page_token":%q}`, token)
		}
		for rec := range w.sim.Records("Leads") { // a row of the first page goes
			w.sim.Delete("Leads", rec["id"])
			break
		}
	}
	if len(seen) != 25 || pages != 3 {
		t.Errorf("%d rows on %d pages", len(seen), pages)
	}
	second, rows := w.bulkRead(`{"module":{"api_name":"Leads"},"page":2}`)
	if second.at("data", 0, "result", "page") != "2" || len(rows) != 11 {
		t.Errorf("page 2: %d rows", len(rows)-1)
	}
	first, _ := w.bulkRead(`{"module":{"api_name":"Leads"}}`)
	w.clock.advance(25 * time.Hour)
	w.token = w.sim.NewAccessToken("")
	a := w.want(400, "POST", "/crm/bulk/v8/read", `{"query":{"page_token":"`+first.at("data", 0, "result", "next_page_token")+`"}}`, "Content-Type", jsonType)
	if a.at("code") != "EXPIRED_VALUE" {
		t.Errorf("expired token: %s", a.body)
	}
}

func TestEmptyReadIsCompletedWithAHeader(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	done, rows := w.bulkRead(`{"module":{"api_name":"Campaigns"},"fields":["Campaign_Name","id"]}`)
	if done.at("data", 0, "result", "count") != "0" || done.at("data", 0, "result", "more_records") != "false" {
		t.Errorf("status %s", done.body)
	}
	if diff := cmp.Diff([][]string{{"Id", "Campaign_Name"}}, rows); diff != "" {
		t.Error(diff)
	}
	if err := w.sim.Configure(func(c *Config) { c.Variants.EmptyResultFile = true; c.Variants.NoPageToken = true }); err != nil {
		t.Fatal(err)
	}
	if _, rows = w.bulkRead(`{"module":{"api_name":"Campaigns"}}`); len(rows) != 0 {
		t.Errorf("variant: %v", rows)
	}
}

func TestTenDownloadsAMinute(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	done, _ := w.bulkRead(`{"module":{"api_name":"Leads"}}`)
	url := done.at("data", 0, "result", "download_url")
	for range 9 {
		w.want(200, "GET", url, "")
	}
	if a := w.want(429, "GET", url, ""); a.at("code") != "TOO_MANY_REQUESTS" {
		t.Errorf("11th: %s", a.body)
	}
	w.clock.advance(59 * time.Second)
	w.want(429, "GET", url, "")
	w.clock.advance(time.Second)
	w.want(200, "GET", url, "")
	if n := w.sim.Counters(); n.ThrottledDownloads != 2 || n.Downloads != 11 {
		t.Errorf("%+v", n)
	}
}

func TestMessyValuesSurviveWriteAndRead(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	if err := w.sim.Generate("Accounts", 500, 4); err != nil {
		t.Fatal(err)
	}
	_, rows := w.bulkRead(`{"module":{"api_name":"Accounts"},"fields":["External_Key","Account_Name","Description","Customer_No"]}`)
	want := map[string]map[string]string{}
	for rec := range Generate("Accounts", 500, 4) {
		want[rec["External_Key"]] = rec
	}
	if len(rows) != 501 {
		t.Fatalf("%d rows", len(rows)-1)
	}
	for _, r := range rows[1:] {
		// encoding/csv turns \r\n inside quotes into \n, as any reader of text does.
		if rec := want[r[1]]; rec["Account_Name"] != r[2] || strings.ReplaceAll(rec["Description"], "\r\n", "\n") != r[3] || !strings.HasPrefix(r[4], "ACC-") {
			t.Fatalf("row %q, want %q", r, rec)
		}
	}
}
