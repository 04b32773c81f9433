package crm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const uploaded = `{"status":"success","code":"FILE_UPLOAD_SUCCESS","message":"file uploaded.","details":{"file_id":"111","created_time":"x"}}`

func TestUploadFromEverySource(t *testing.T) {
	content := []byte(strings.Repeat("zip bytes ", 100_000))
	path := filepath.Join(t.TempDir(), "a.zip")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for name, c := range map[string]struct {
		body  *Body
		sized bool
	}{
		"bytes":  {BytesBody(content), true},
		"file":   {SeekerBody(file), true},
		"reader": {ReaderBody(io.MultiReader(bytes.NewReader(content))), false},
		"func":   {FuncBody(func(w io.Writer) error { _, err := w.Write(content); return err }), false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.on("POST /crm/v8/upload", func(w http.ResponseWriter, r *http.Request) {
				if (r.ContentLength > 0) != c.sized {
					t.Errorf("content length %d", r.ContentLength)
				}
				if r.Header.Get("feature") != "bulk-write" || r.Header.Get("X-CRM-ORG") != "808000144" {
					t.Errorf("headers %v", r.Header)
				}
				part, head, err := r.FormFile("file")
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(part)
				if err != nil || !bytes.Equal(got, content) || head.Filename != `we"ird.zip` {
					t.Errorf("%d bytes as %s, %v", len(got), head.Filename, err)
				}
				answer(200, uploaded)(w, r)
			})
			id, err := f.client(t).Upload(t.Context(), `we"ird.zip`, c.body)
			if err != nil || id != "111" {
				t.Errorf("got %q, %v", id, err)
			}
		})
	}
}

func TestUploadFailures(t *testing.T) {
	small := func() *Body { return BytesBody([]byte("x")) }
	for name, c := range map[string]struct {
		h    http.HandlerFunc
		body *Body
		code string
	}{
		"too large":         {answer(413, `{"status":"error","code":"FILE_TOO_LARGE","message":"File size too large to process","details":{}}`), small(), "FILE_TOO_LARGE"},
		"the file gateway":  {answer(400, `{"ERROR_MESSAGE":"Bad Request","ERROR_CODE":400,"x-error":"check if headers [feature, X-CRM-ORG] are present and valid"}`), small(), "BAD_REQUEST"},
		"gateway with 200":  {answer(200, `{"status":"error","code":"INVALID_FILE_FORMAT","message":"m","details":{}}`), small(), "INVALID_FILE_FORMAT"},
		"no file id":        {answer(200, `{"status":"success","details":{}}`), small(), CodeBadAnswer},
		"locally too large": {answer(200, uploaded), BytesBody(make([]byte, 26<<20)), "FILE_TOO_LARGE"},
		"early answer": {
			func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(413)
				_, _ = io.WriteString(w, `{"status":"error","code":"FILE_TOO_LARGE","message":"m","details":{}}`)
			},
			FuncBody(func(w io.Writer) error {
				for range 100 {
					if _, err := w.Write(make([]byte, 1<<10)); err != nil {
						return err
					}
				}
				return nil
			}), "FILE_TOO_LARGE",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.on("POST /crm/v8/upload", c.h)
			if _, err := f.client(t).Upload(t.Context(), "a.zip", c.body); ErrorCode(err) != c.code {
				t.Errorf("got %v", err)
			}
		})
	}
	c, _ := New()
	if _, err := c.Upload(t.Context(), "a.zip", small()); ErrorCode(err) != CodeInvalidArgument {
		t.Errorf("without organisation: %v", err)
	}
	f := newFake(t)
	f.on("POST /crm/v8/upload", answer(200, uploaded))
	if _, err := f.client(t).Upload(t.Context(), "a.zip", nil); ErrorCode(err) != CodeInvalidArgument {
		t.Errorf("without content: %v", err)
	}
	once := ReaderBody(strings.NewReader("x"))
	if _, err := f.client(t).Upload(t.Context(), "a.zip", once); err != nil {
		t.Error(err)
	}
	if _, err := f.client(t).Upload(t.Context(), "a.zip", once); !errors.Is(err, errBodyUsed) {
		t.Errorf("a used reader: %v", err)
	}
}

func TestUploadReportsItsSource(t *testing.T) {
	f := newFake(t)
	f.on("POST /crm/v8/upload", answer(200, uploaded))
	broken := errors.New("the warehouse went away")
	_, err := f.client(t).Upload(t.Context(), "a.zip", FuncBody(func(w io.Writer) error {
		_, _ = w.Write(make([]byte, 1<<20))
		return broken
	}))
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestUploadIsRepeatedWithAFreshToken(t *testing.T) {
	for name, body := range map[string]func() *Body{
		"bytes": func() *Body { return BytesBody(make([]byte, 3<<20)) },
		"func": func() *Body {
			return FuncBody(func(w io.Writer) error { _, err := w.Write(make([]byte, 3<<20)); return err })
		},
		"reader": func() *Body { return ReaderBody(bytes.NewBuffer(make([]byte, 3<<20))) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.on("POST /oauth/v2/token", answer(200, `{"access_token":"new","expires_in":3600}`))
			f.on("POST /crm/v8/upload", func(w http.ResponseWriter, r *http.Request) {
				n, _ := io.Copy(io.Discard, r.Body)
				if r.Header.Get("Authorization") != "Zoho-oauthtoken new" {
					answer(401, `{"code":"INVALID_TOKEN","details":{},"message":"m","status":"error"}`)(w, r)
					return
				}
				if n < 3<<20 {
					t.Errorf("%d bytes arrived", n)
				}
				answer(200, uploaded)(w, r)
			})
			o := OAuth{ClientID: "i", ClientSecret: "s", AccountsURL: f.URL}
			id, err := f.client(t, WithTokenSource(o.TokenSource(Token{AccessToken: "old", RefreshToken: "r"}, nil))).Upload(t.Context(), "a.zip", body())
			if name == "reader" {
				if ErrorCode(err) != "INVALID_TOKEN" {
					t.Errorf("a reader cannot be repeated, yet: %q, %v", id, err)
				}
			} else if err != nil || id != "111" {
				t.Errorf("got %q, %v", id, err)
			}
		})
	}
}

func TestCreateBulkWrite(t *testing.T) {
	f := newFake(t)
	var body string
	f.on("POST /crm/bulk/v8/write", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body = string(b)
		answer(201, `{"status":"success","code":"SUCCESS","message":"success","details":{"id":"222","created_by":{"id":"1"}}}`)(w, r)
	})
	c := f.client(t)
	id, err := c.CreateBulkWrite(t.Context(), BulkWriteJobSpec{
		Operation: BulkUpsert, Module: "Leads", FileID: "111", FileName: "leads.csv", FindBy: "Email", IgnoreEmpty: true, CallbackURL: "https://h/",
		Mappings: []BulkWriteMapping{
			{Field: "Email", Index: 0}, {Field: "Visit_Date", Index: 1, Format: "yyyy-MM-dd"}, {Field: "Owner", Index: 2, FindBy: "email"},
			{Field: "Layout", Index: -1, Default: "57"},
		},
	})
	if err != nil || id != "222" {
		t.Fatalf("got %q, %v", id, err)
	}
	want := `{"character_encoding":"UTF-8","operation":"upsert","ignore_empty":true,"callback":{"url":"https://h/","method":"post"},"resource":[` +
		`{"type":"data","module":{"api_name":"Leads"},"file_id":"111","file_names":["leads.csv"],"find_by":"Email","ignore_empty":true,"field_mappings":[` +
		`{"api_name":"Email","index":0},{"api_name":"Visit_Date","index":1,"format":"yyyy-MM-dd"},{"api_name":"Owner","index":2,"find_by":"email"},` +
		`{"api_name":"Layout","default_value":{"value":"57"}}]}]}`
	if body != want {
		t.Errorf("sent %s", body)
	}
	f.on("POST /crm/bulk/v8/write", answer(400, `{"status":"error","code":"MANDATORY_FIELDS_NOT_MAPPED","message":"All mandatory fields are not mapped for the layout [Company]","details":{}}`))
	_, err = c.CreateBulkWrite(t.Context(), BulkWriteJobSpec{Operation: BulkInsert, Module: "Leads", FileID: "1"})
	if e, ok := errors.AsType[*Error](err); !ok || e.Class() != ClassSchemaChanged || !strings.Contains(e.Message, "[Company]") {
		t.Errorf("got %v", err)
	}
	for name, s := range map[string]BulkWriteJobSpec{
		"no module":         {Operation: BulkInsert, FileID: "1"},
		"no operation":      {Module: "Leads", FileID: "1"},
		"upsert by nothing": {Operation: BulkUpsert, Module: "Leads", FileID: "1"},
		"empty mapping":     {Operation: BulkInsert, Module: "Leads", FileID: "1", Mappings: []BulkWriteMapping{{Field: "A", Index: -1}}},
	} {
		if _, err := c.CreateBulkWrite(t.Context(), s); ErrorCode(err) != CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBulkWriteStatus(t *testing.T) {
	const completed = `{"status":"COMPLETED","character_encoding":"UTF-8","resource":[{"status":"COMPLETED","type":"data","code":"SUCCESS",
		"module":{"api_name":"Deals","id":"3"},"file":{"status":"COMPLETED","name":"Deals.csv","added_count":90,"skipped_count":6,"updated_count":"4","total_count":100}}],
		"id":"222","result":{"download_url":"/v7/crm/org8/bulk-write/222/222.zip"},"operation":"upsert"}`
	for name, c := range map[string]struct {
		status int
		body   string
		state  JobState
		code   string
	}{
		"bare":             {200, completed, JobCompleted, ""},
		"wrapped":          {200, `{"data":[` + completed + `]}`, JobCompleted, ""},
		"with a space":     {200, `{"status":"IN PROGRESS","id":"222","resource":[{"file":{"status":"INPROGRESS"}}]}`, JobInProgress, ""},
		"without resource": {200, `{"status":"ADDED","id":"222","resource":null,"result":null}`, JobAdded, ""},
		"unknown, 404":     {404, `{"code":"RESOURCE_NOT_FOUND","details":{},"message":"The requested resource doesn't exist.","status":"error"}`, "", "RESOURCE_NOT_FOUND"},
		"unknown, 400":     {400, `{"code":"RESOURCE_NOT_FOUND","details":{},"message":"The requested resource doesn't exist.","status":"error"}`, "", "RESOURCE_NOT_FOUND"},
		"nothing":          {200, `{}`, "", CodeBadAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.on("GET /crm/bulk/v8/write/222", answer(c.status, c.body))
			job, err := f.client(t).BulkWrite(t.Context(), "222")
			if ErrorCode(err) != c.code || job.State != c.state || IsNotFound(err) != (c.code == "RESOURCE_NOT_FOUND") {
				t.Errorf("got %+v, %v", job, err)
			}
			if c.state == JobCompleted {
				r := job.Resources[0]
				if want := (BulkWriteResource{"Deals", JobCompleted, "SUCCESS", "", "Deals.csv", 90, 4, 6, 100}); r != want || job.Operation != "upsert" || job.Err() != nil {
					t.Errorf("got %+v", r)
				}
			}
		})
	}
	failed, _ := decodeBulkWrite([]byte(`{"status":"FAILED","id":"1","resource":[{"status":"FAILED","code":"COLUMN_INDEX_NOT_FOUND","message":"m"}]}`))
	if ErrorCode(failed.Err()) != "COLUMN_INDEX_NOT_FOUND" || !failed.State.Ended() {
		t.Errorf("got %v", failed.Err())
	}
}

const report = "Email,Last_Name,Company,STATUS,RECORD_ID,ERRORS\n" +
	"a@e.com,Ray,Acme,ADDED,5700000000001001001,\n" +
	"b@e.com,Lee,\"Beta, Inc\",updated,5700000000001001002,\n" +
	"c@e.com,,Gamma,SKIPPED,,\"MANDATORY_NOT_FOUND-Company,Last_Name:DUPLICATE_DATA-Email\"\n" +
	"d@e.com,Kim,Delta,Unprocessed,,\n"

func TestReport(t *testing.T) {
	f := newFake(t)
	f.on("GET /v7/crm/org8/bulk-write/1/1.zip", answer(200, string(zipOf(t, "Leads-x.csv", report, "Items-y.csv", "Status,STATUS,RECORD_ID,ERRORS\nOpen,ADDED,9,\n"))))
	c := f.client(t)
	for name, u := range map[string]string{"relative": "/v7/crm/org8/bulk-write/1/1.zip", "doubled slash": "//v7/crm/org8/bulk-write/1/1.zip", "absolute": f.URL + "/v7/crm/org8/bulk-write/1/1.zip"} {
		t.Run(name, func(t *testing.T) {
			r, err := c.OpenBulkWriteReport(t.Context(), BulkWriteJob{DownloadURL: u})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // a report can be read again
				var got []string
				for row, err := range r.Rows() {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, fmt.Sprintf("%s %s %v %s %s %v %v", row.File, strings.Join(row.Header, "/"), row.Echo, row.Status, row.RecordID, row.Errors, row.Status.OK()))
				}
				want := []string{
					"Leads-x.csv Email/Last_Name/Company [a@e.com Ray Acme] added 5700000000001001001 [] true",
					"Leads-x.csv Email/Last_Name/Company [b@e.com Lee Beta, Inc] updated 5700000000001001002 [] true",
					"Leads-x.csv Email/Last_Name/Company [c@e.com  Gamma] skipped  [MANDATORY_NOT_FOUND-Company,Last_Name DUPLICATE_DATA-Email] false",
					"Leads-x.csv Email/Last_Name/Company [d@e.com Kim Delta] unprocessed  [] false",
					"Items-y.csv Status [Open] added 9 [] true",
				}
				if !slices.Equal(got, want) {
					t.Errorf("got %s", strings.Join(got, "\n"))
				}
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if left, _ := os.ReadDir(c.set.tempDir); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestParseRowErrors(t *testing.T) {
	for cell, want := range map[string][]FieldError{
		"":                             nil,
		"CANNOT_PROCESS":               {{Code: "CANNOT_PROCESS"}},
		"MANDATORY_NOT_FOUND-Company":  {{"MANDATORY_NOT_FOUND", []string{"Company"}}},
		"INVALID_DATA-A,B:BLOCKED_REC": {{"INVALID_DATA", []string{"A", "B"}}, {Code: "BLOCKED_REC"}},
		"INVALID_DATA-E-mail: work":    {{"INVALID_DATA", []string{"E-mail: work"}}},
		"strange words":                {{"UNKNOWN", []string{"strange words"}}},
	} {
		got := ParseRowErrors(cell)
		if !slices.EqualFunc(got, want, func(a, b FieldError) bool { return a.Code == b.Code && slices.Equal(a.Columns, b.Columns) }) {
			t.Errorf("%q: got %v", cell, got)
		}
	}
}

func TestAnOldAttemptDoesNotReadIntoTheNext(t *testing.T) {
	body := SeekerBody(strings.NewReader("0123456789"))
	attempt := func() io.Reader {
		req, err := http.NewRequest(http.MethodPost, "http://x", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := body.attach(req); err != nil {
			t.Fatal(err)
		}
		return req.Body
	}
	first := attempt()
	if _, err := io.CopyN(io.Discard, first, 3); err != nil {
		t.Fatal(err)
	}
	second := attempt()
	if n, err := io.Copy(io.Discard, first); n != 0 || !errors.Is(err, errExchangeOver) {
		t.Errorf("the old attempt read %d bytes, %v", n, err)
	}
	if got, err := io.ReadAll(second); string(got) != "0123456789" || err != nil {
		t.Errorf("the new attempt read %q, %v", got, err)
	}
}
