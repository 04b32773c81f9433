package crm

import (
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

func TestCreateBulkRead(t *testing.T) {
	f := newFake(t)
	var body, contentType string
	f.on("POST /crm/bulk/v8/read", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body, contentType = string(b), r.Header.Get("Content-Type")
		answer(201, `{"data":[{"status":"success","code":"ADDED_SUCCESSFULLY","message":"Added successfully.","details":{"id":"333","state":"ADDED"}}],"info":{}}`)(w, r)
	})
	c := f.client(t)
	from := time.Date(2026, 1, 1, 1, 0, 0, 999, time.FixedZone("", 3600))
	where := And(Compare("Modified_Time", GreaterEqual, from), Or(Compare("Email", NotEqual, Empty), Compare("Score", In, []int64{1, 2})), And(Compare("Active", Equal, true)))
	id, err := c.CreateBulkRead(t.Context(), BulkReadJobSpec{Module: "Contacts", Fields: []string{"Last_Name", "Owner.email"}, Criteria: &where})
	if err != nil || id != "333" || contentType != "application/json" {
		t.Fatalf("got %q, %v with %s", id, err, contentType)
	}
	want := `{"query":{"module":{"api_name":"Contacts"},"fields":["Last_Name","Owner.email"],"criteria":{"group_operator":"and","group":[` +
		`{"field":{"api_name":"Modified_Time"},"comparator":"greater_equal","value":"2026-01-01T00:00:00+00:00"},` +
		`{"group_operator":"or","group":[{"field":{"api_name":"Email"},"comparator":"not_equal","value":"${EMPTY}"},` +
		`{"field":{"api_name":"Score"},"comparator":"in","value":[1,2]}]},` +
		`{"field":{"api_name":"Active"},"comparator":"equal","value":true}]},"page":1},"file_type":"csv"}`
	if body != want {
		t.Errorf("sent %s", body)
	}
	if _, err := c.CreateBulkRead(t.Context(), BulkReadJobSpec{PageToken: "tok", Module: "Contacts"}); err != nil || body != `{"query":{"page_token":"tok"}}` {
		t.Errorf("sent %s, %v", body, err)
	}
	many := And(slices.Repeat([]Criteria{Compare("A", Equal, "b")}, 26)...)
	odd, empty, wide := Compare("A", Equal, math.Pi), And(), Compare("A", In, make([]string, 21))
	for name, s := range map[string]BulkReadJobSpec{
		"no module":         {},
		"201 fields":        {Module: "Leads", Fields: make([]string, 201)},
		"26 criteria":       {Module: "Leads", Criteria: &many},
		"page 501":          {Module: "Leads", Page: 501},
		"a float compared":  {Module: "Leads", Criteria: &odd},
		"an empty criteria": {Module: "Leads", Criteria: &empty},
		"21 values":         {Module: "Leads", Criteria: &wide},
	} {
		if _, err := c.CreateBulkRead(t.Context(), s); ErrorCode(err) != CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.on("POST /crm/bulk/v8/read", answer(400, `{"data":[{"status":"error","code":"FIELD_NOT_AVAILABLE","message":"m","details":{"api_name":"X"}}]}`))
	if _, err := c.CreateBulkRead(t.Context(), BulkReadJobSpec{Module: "Leads"}); ErrorCode(err) != "FIELD_NOT_AVAILABLE" {
		t.Errorf("got %v", err)
	}
	f.on("POST /crm/bulk/v8/read", answer(201, `{"data":[{"status":"error","code":"JOIN_LIMIT_EXCEEDED","message":"m","details":{}}]}`))
	if _, err := c.CreateBulkRead(t.Context(), BulkReadJobSpec{Module: "Leads"}); ErrorCode(err) != "JOIN_LIMIT_EXCEEDED" {
		t.Errorf("an error inside a success gives %v", err)
	}
}

func TestBulkReadStatus(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	f.on("GET /crm/bulk/v8/read/1", answer(200, `{"data":[{"id":"1","operation":"read","state":"COMPLETED",
		"result":{"page":1,"per_page":200000,"count":200000,"download_url":"/crm/bulk/v8/read/1/result","more_records":true,"next_page_token":"tok"}}]}`))
	job, err := c.BulkRead(t.Context(), "1")
	want := BulkReadJob{ID: "1", State: JobCompleted, RawState: "COMPLETED", Count: 200000, Page: 1, More: true, Next: "tok", DownloadURL: "/crm/bulk/v8/read/1/result"}
	if err != nil || job != want {
		t.Errorf("got %+v, %v", job, err)
	}
	f.on("GET /crm/bulk/v8/read/1", answer(200, `{"data":[{"id":"1","state":"IN PROGRESS","result":{"count":5,"download_url":"/x"}}]}`))
	if job, err = c.BulkRead(t.Context(), "1"); err != nil || job.State != JobInProgress || job.Count != 0 || job.DownloadURL != "" {
		t.Errorf("got %+v, %v", job, err)
	}
	f.on("GET /crm/bulk/v8/read/1", answer(200, `{"data":[{"id":"1","state":"FAILURE","result":{"error_message":{"status":"error","code":"INTERNAL_SERVER_ERROR","message":"m","details":{}}}}]}`))
	if job, err = c.BulkRead(t.Context(), "1"); err != nil || job.State != JobFailed || job.Failure.Code != "INTERNAL_SERVER_ERROR" {
		t.Errorf("got %+v, %v", job, err)
	}
	if _, err := c.OpenBulkRead(t.Context(), job); ErrorCode(err) != CodeJobNotComplete {
		t.Errorf("a failed job opens: %v", err)
	}
	f.on("GET /crm/bulk/v8/read/1", answer(200, `{"data":[{"id":"1","state":"FAILURE"}]}`))
	if job, err = c.BulkRead(t.Context(), "1"); err != nil || job.Failure == nil || job.Failure.Message == "" {
		t.Errorf("got %+v, %v", job, err)
	}
}

// readAllRows opens a completed job and returns its rows joined by |.
func readAllRows(t *testing.T, c *Client, job BulkReadJob) (*Rows, []string, error) {
	t.Helper()
	job.State = JobCompleted
	r, err := c.OpenBulkRead(t.Context(), job)
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() { _ = r.Close() })
	var out []string
	for row, err := range r.All() {
		if err != nil {
			return r, out, err
		}
		out = append(out, strings.Join(row, "|"))
	}
	return r, out, nil
}

func TestBulkReadRows(t *testing.T) {
	for name, c := range map[string]struct {
		zip    []byte
		count  int64
		header string
		id     int
		rows   []string
	}{
		"rows": {
			zipOf(t, "1.csv", "Id,Last_Name,Note\n5700000000001001001,Ray,\"two\nlines, \"\"q\"\"\"\r\n5700000000001001002,Lee,\n"), 2, "Id|Last_Name|Note", 0,
			[]string{"5700000000001001001|Ray|two\nlines, \"q\"", "5700000000001001002|Lee|"},
		},
		"id in lower case at the end": {zipOf(t, "1.csv", "Last_Name,id\nRay,1\n"), 1, "Last_Name|id", 1, []string{"Ray|1"}},
		"byte order mark":             {zipOf(t, "1.csv", "\uFEFF\"Id\",A\n1,2\n"), 1, "Id|A", 0, []string{"1|2"}},
		"header only":                 {zipOf(t, "1.csv", "Id,A\n"), 0, "Id|A", 0, nil},
		"empty file":                  {zipOf(t, "1.csv", ""), 0, "", -1, nil},
		"empty zip":                   {zipOf(t), 0, "", -1, nil},
		"a name without ending":       {zipOf(t, "result", "Id\n1\n"), 1, "Id", 0, []string{"1"}},
		"with a folder and junk":      {zipOf(t, "x/", "", "__MACOSX/1.csv", "junk", "x/1.csv", "Id\n1\n"), 1, "Id", 0, []string{"1"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.on("GET /crm/bulk/v8/read/9/result", answer(200, string(c.zip)))
			r, got, err := readAllRows(t, f.client(t), BulkReadJob{ID: "9", Count: c.count})
			if err != nil || !slices.Equal(got, c.rows) || strings.Join(r.Header(), "|") != c.header || r.IDColumn() != c.id || r.Count() != int64(len(c.rows)) {
				t.Errorf("got %q under %q, %v", got, r.Header(), err)
			}
		})
	}
}

func TestHostileResults(t *testing.T) {
	good := zipOf(t, "1.csv", "Id,A\n"+strings.Repeat("1,2\n", 100_000))
	damaged := slices.Clone(good)
	damaged[len(damaged)/3] ^= 0x55
	many := make([]string, 2*(maxEntries+1))
	for i := range many {
		many[i] = "n"
	}
	for name, c := range map[string]struct {
		body string
		opt  Option
		code string
	}{
		"cut short":            {string(good[:len(good)/2]), nil, CodeBadArchive},
		"damaged":              {string(damaged), nil, CodeBadArchive},
		"not a zip":            {"<html>", nil, CodeBadArchive},
		"an error instead":     {`{"code":"RESOURCE_NOT_FOUND","details":{},"message":"m","status":"error"}`, nil, "RESOURCE_NOT_FOUND"},
		"nothing":              {"", nil, CodeBadArchive},
		"two tables":           {string(zipOf(t, "1.csv", "Id\n", "2.csv", "Id\n")), nil, CodeBadArchive},
		"no table":             {string(zipOf(t, "1.ics", "BEGIN")), nil, CodeBadArchive},
		"too many entries":     {string(zipOf(t, many...)), nil, CodeBadArchive},
		"too large zipped":     {string(good), WithMaxDownload(100, 0), CodeDownloadLimit},
		"too large inflated":   {string(good), WithMaxDownload(0, 1000), CodeDownloadLimit},
		"a bomb":               {string(zipOf(t, "1.csv", "Id\n"+strings.Repeat(strings.Repeat("0", 4095)+"\n", 80<<20>>12))), nil, CodeDownloadLimit},
		"an endless quote":     {string(zipOf(t, "1.csv", "Id\n\""+strings.Repeat("x\n", 10<<20))), nil, CodeBadArchive},
		"rows of other widths": {string(zipOf(t, "1.csv", "Id,A\n1\n")), nil, CodeBadArchive},
		"a stray quote":        {string(zipOf(t, "1.csv", "Id,A\n1,secret\"cell\n")), nil, CodeBadArchive},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.on("GET /crm/bulk/v8/read/9/result", answer(200, c.body))
			opts := []Option{}
			if c.opt != nil {
				opts = append(opts, c.opt)
			}
			client := f.client(t, opts...)
			r, _, err := readAllRows(t, client, BulkReadJob{ID: "9", Count: 100_000})
			if ErrorCode(err) != c.code {
				t.Fatalf("got %v, want %s", err, c.code)
			}
			if name == "an endless quote" && !strings.Contains(err.Error(), "a record is longer than") {
				t.Errorf("the whole file was gathered: %v", err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("a cell is in the error: %v", err)
			}
			if r != nil {
				_ = r.Close()
			}
			if left, _ := os.ReadDir(client.set.tempDir); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestTornDownloadIsTransient(t *testing.T) {
	f := newFake(t)
	f.on("GET /crm/bulk/v8/read/9/result", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write(make([]byte, 50_000))
	})
	c := f.client(t)
	_, _, err := readAllRows(t, c, BulkReadJob{ID: "9"})
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeTransport || !e.Retriable() {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(c.set.tempDir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTheTokenGoesToZohoOnly(t *testing.T) {
	source := WithTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "x"}))
	asked := ""
	transport := WithHTTPClient(&http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked = r.URL.String()
		return nil, errors.New("offline")
	})})
	alone, _ := New(source, transport, WithDataCenter(IN, Production), WithDownloadHosts("files.example"))
	below, _ := New(transport)
	for _, c := range []struct {
		client *Client
		url    string
		asked  string
		code   string
	}{
		{alone, "https://download-accl.zoho.in/v2/crm/1/bulk-write/1/1.zip?a=b", "https://download-accl.zoho.in/v2/crm/1/bulk-write/1/1.zip?a=b", CodeTransport},
		{alone, "https://files.example/1.zip", "https://files.example/1.zip", CodeTransport},
		{alone, "//download.zoho.in/1.zip", "https://download.zoho.in/1.zip", CodeTransport},
		{alone, "/v8/crm/org1/1.zip", "https://www.zohoapis.in/v8/crm/org1/1.zip", CodeTransport},
		{alone, "https://evil.example/1.zip", "", CodeUntrustedHost},
		{alone, "//evil.example/1.zip", "", CodeUntrustedHost},
		{alone, "http://download.zoho.in/1.zip", "", CodeUntrustedHost},
		{alone, "https://u:p@download.zoho.in/1.zip", "", CodeUntrustedHost},
		{alone, "file:///etc/passwd", "", CodeUntrustedHost},
		{alone, "", "", CodeJobNotComplete},
		{alone, "https://%zz", "", CodeBadAnswer},
		{below, "https://new.zoho.example/1.zip", "https://new.zoho.example/1.zip", CodeTransport},
	} {
		asked = ""
		_, err := c.client.OpenBulkWriteReport(t.Context(), BulkWriteJob{DownloadURL: c.url})
		if ErrorCode(err) != c.code || asked != c.asked {
			t.Errorf("%q: asked %q, got %v", c.url, asked, err)
		}
	}
}
