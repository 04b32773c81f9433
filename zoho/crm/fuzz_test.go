package crm

import (
	"bytes"
	"encoding/csv"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

func FuzzEnvelope(f *testing.F) {
	for _, s := range []string{
		`{"code":"INVALID_TOKEN","details":{},"message":"m","status":"error"}`, `{"data":[{"code":"X","status":"error"}]}`, `{"error":"Access Denied"}`,
		`{"ERROR_MESSAGE":"Bad Request","ERROR_CODE":400,"x-error":"h"}`, `<html>`, `{"data":[null,{}]}`, `[[[]]]`,
	} {
		f.Add([]byte(s), 400)
	}
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		e := errorFromBody(OpOrg, "/p", status, http.Header{}, body)
		if e.Code == "" || len(e.Code) > maxCode || len(e.Message) > maxMessage+3 || !utf8.ValidString(e.Message) || e.Class() == "" {
			t.Errorf("got %+v", e)
		}
		if e.Details != nil && !e.Details.IsValid(tolerant...) {
			t.Errorf("details %q", e.Details)
		}
		_ = e.Error()
	})
}

func FuzzRowErrors(f *testing.F) {
	f.Add("MANDATORY_NOT_FOUND-Company,Last_Name:DUPLICATE_DATA-Email")
	f.Add("INVALID_DATA-E-mail: work:")
	f.Add("::-,")
	f.Fuzz(func(t *testing.T, cell string) {
		once := ParseRowErrors(cell)
		text := make([]string, len(once))
		for i, e := range once {
			if e.Code == "" {
				t.Fatalf("%q gives an empty code", cell)
			}
			text[i] = e.String()
		}
		twice := ParseRowErrors(strings.Join(text, ":"))
		if !slices.EqualFunc(once, twice, func(a, b FieldError) bool { return a.String() == b.String() }) {
			t.Errorf("%q gives %v, and written again %v", cell, once, twice)
		}
	})
}

func FuzzReport(f *testing.F) {
	f.Add([]byte(report))
	f.Add([]byte("STATUS,RECORD_ID\nADDED,1\n"))
	f.Add([]byte("\uFEFFA,STATUS,RECORD_ID,ERRORS\n\"x"))
	f.Fuzz(func(t *testing.T, content []byte) {
		a := archiveOf(t, zipOf(t, "r.csv", string(content)))
		defer func() { _ = a.Close() }()
		rows := 0
		for row, err := range (&WriteReport{archive: a}).Rows() {
			if err != nil {
				if ErrorCode(err) != CodeBadArchive {
					t.Errorf("got %v", err)
				}
				return
			}
			rows++
			if len(row.Echo) != len(row.Header) || row.Status == "" {
				t.Errorf("got %+v", row)
			}
		}
		want, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(content, []byte("\uFEFF")))).ReadAll()
		if err != nil || max(len(want)-1, 0) != rows {
			t.Errorf("%d rows where encoding/csv sees %d, %v", rows, len(want)-1, err)
		}
	})
}

func FuzzResultZip(f *testing.F) {
	f.Add([]byte("PK\x05\x06"))
	f.Add(zipOf(f, "1.csv", "Id,A\n1,2\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		a := &archive{op: OpBulkReadResult}
		var err error
		if a.file, err = os.CreateTemp(t.TempDir(), ""); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = a.Close() }()
		if err = a.fill(bytes.NewReader(body), 1<<20, 1<<20); err != nil {
			return
		}
		rows, err := newRows(a, 0)
		if err != nil {
			return
		}
		for row, err := range rows.All() {
			if err != nil {
				if _, ok := errors.AsType[*Error](err); !ok {
					t.Errorf("got %T", err)
				}
				return
			}
			if len(row) != len(rows.Header()) {
				t.Errorf("a row of %d under %d names", len(row), len(rows.Header()))
			}
		}
	})
}

func FuzzToken(f *testing.F) {
	for _, s := range []string{
		`{"access_token":"a","expires_in":3600,"api_domain":"https://www.zohoapis.eu"}`, `{"error":"invalid_code"}`, `{"access_token":"a","expires_in_sec":9e99}`, `null`, `7`,
	} {
		f.Add([]byte(s), 200)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		tok, err := decodeToken(status, http.Header{}, body, now)
		if (err == nil) != (tok.AccessToken != "") {
			t.Errorf("token %v with error %v", tok.AccessToken != "", err)
		}
		if err == nil && !tok.Expiry.IsZero() && !tok.Expiry.After(now) {
			t.Errorf("a new token is expired at %s", tok.Expiry)
		}
	})
}

func FuzzFields(f *testing.F) {
	f.Add([]byte(`{"fields":[{"api_name":"Email","unique":{"case_sensitive":true},"lookup":{"module":{"api_name":"A"}},"pick_list_values":[{"actual_value":"x"}]}]}`))
	f.Add([]byte(`{"fields":{"api_name":"One","lookup":{"module":"B"},"associated_module":{"module":"C"}}}`))
	f.Add([]byte(`{"fields":[[],null,{"api_name":7,"length":1e300}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		fields, err := decodeFields(body)
		if err != nil {
			return
		}
		for _, field := range fields {
			if field.APIName == "" || (field.UniqueCase && !field.Unique) {
				t.Errorf("got %+v", field)
			}
		}
	})
}

func FuzzPage(f *testing.F) {
	f.Add([]byte(`{"data":[{"id":"1"}],"info":{"more_records":true,"next_page_token":"t"}}`))
	f.Add([]byte(`{"data":[{"id":1,"id":2}]}`))
	f.Add([]byte(`{"data":[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := decodePage(body)
		if err == nil && !jsontext.Value(body).IsValid(tolerant...) && len(p.Records) == 0 {
			return // trailing bytes after a complete answer
		}
		for _, r := range p.Records {
			if len(r.JSON) > 0 && !r.JSON.IsValid(tolerant...) {
				t.Errorf("record %q", r.JSON)
			}
		}
		_, _ = decodeResults(body)
		_, _ = decodeBulkWrite(body)
		_, _ = decodeBulkRead(body)
	})
}

func FuzzCSVCell(f *testing.F) {
	f.Add("plain", `a"b,c`)
	f.Add("", " x\n")
	f.Add("a\r\nb", "\r")
	f.Fuzz(func(t *testing.T, a, b string) {
		line := append(AppendCSVCell(append(AppendCSVCell(nil, a), ','), b), '\n')
		got, err := newCSVReader(iotest.HalfReader(bytes.NewReader(line))).read()
		if err != nil || len(got) != 2 || got[0] != a || got[1] != b {
			t.Errorf("%q and %q come back as %q, %v", a, b, got, err)
		}
	})
}

// archiveOf is an archive over bytes.
func archiveOf(t testing.TB, b []byte) *archive {
	t.Helper()
	a := &archive{op: OpBulkWriteResult}
	var err error
	if a.file, err = os.CreateTemp(t.TempDir(), ""); err != nil {
		t.Fatal(err)
	}
	if err = a.fill(bytes.NewReader(b), 1<<30, 1<<40); err != nil {
		t.Fatal(err)
	}
	return a
}
