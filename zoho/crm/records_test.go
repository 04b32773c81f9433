package crm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

func values(rows ...string) []jsontext.Value {
	out := make([]jsontext.Value, len(rows))
	for i, r := range rows {
		out[i] = jsontext.Value(r)
	}
	return out
}

func ids(t *testing.T, c *Client, opts ListOptions) ([]string, error) {
	t.Helper()
	var out []string
	for r, err := range c.List(t.Context(), "Leads", opts) {
		if err != nil {
			return out, err
		}
		out = append(out, r.ID)
	}
	return out, nil
}

func TestListPagesByTokenAndByNumber(t *testing.T) {
	f := newFake(t)
	c := f.client(t)
	f.on("GET /crm/v8/Leads", inTurn(
		answer(200, `{"data":[{"id":"1"},{"id":"1234567890123456789"}],"info":{"more_records":true,"next_page_token":"tok"}}`),
		answer(200, `{"info":{"more_records":true},"data":[{"id":3}]}`),
		answer(200, `{"data":[{"id":"4"}],"info":{"more_records":false}}`),
	))
	got, err := ids(t, c, ListOptions{Fields: []string{"Last_Name", "Email"}, SortBy: "id", Ascending: true})
	if want := []string{"1", "1234567890123456789", "3", "4"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	seen := f.requests()
	if len(seen) != 3 || !strings.Contains(seen[0], "fields=Last_Name%2CEmail") || strings.Contains(seen[0], "&page=") ||
		!strings.Contains(seen[1], "page_token=tok") || !strings.Contains(seen[2], "&page=3") {
		t.Errorf("asked %v", seen)
	}
}

func TestListEnds(t *testing.T) {
	opts := ListOptions{Fields: []string{"Last_Name"}}
	for name, c := range map[string]struct {
		h    http.HandlerFunc
		code string
	}{
		"204 is empty":            {answer(204, ""), ""},
		"304 is empty":            {answer(304, ""), ""},
		"silence is not empty":    {answer(200, ""), CodeBadAnswer},
		"an error with 200":       {answer(200, `{"code":"INVALID_MODULE","status":"error","message":"m","details":{}}`), "INVALID_MODULE"},
		"cut short":               {answer(200, `{"data":[{"id":"1"},`), CodeBadAnswer},
		"html":                    {answer(200, `<html>`), CodeBadAnswer},
		"more without records":    {answer(200, `{"data":[],"info":{"more_records":true}}`), CodeBadAnswer},
		"a limit":                 {answer(400, `{"code":"LIMIT_EXCEEDED","status":"error","message":"m","details":{}}`), "LIMIT_EXCEEDED"},
		"a gateway":               {answer(503, `<html>`), codeByStatus},
		"a record is no object":   {answer(200, `{"data":[17]}`), CodeBadAnswer},
		"data is null":            {answer(200, `{"data":null,"info":{"more_records":false}}`), ""},
		"an unknown key is there": {answer(200, `{"data":[],"extra":{"a":[1,{"b":2}]}}`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.on("GET /crm/v8/Leads", c.h)
			_, err := ids(t, f.client(t), opts)
			if ErrorCode(err) != c.code || (c.code == "") != (err == nil) {
				t.Errorf("got %v, want code %q", err, c.code)
			}
		})
	}
}

func TestRecordKeepsAllDigits(t *testing.T) {
	f := newFake(t)
	f.on("GET /crm/v8/Leads/5", answer(200, `{"data":[{"Amount":12345678901234567.123456789,"Big":"9007199254740993","id":"5"}]}`))
	f.on("GET /crm/v8/Leads/6", answer(204, ""))
	r, ok, err := f.client(t).Get(t.Context(), "Leads", "5")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	var got []string
	if err := r.Each(func(name string, v jsontext.Value) error { got = append(got, name+"="+string(v)); return nil }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"Amount=12345678901234567.123456789", `Big="9007199254740993"`, `id="5"`}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if _, ok, err := f.client(t).Get(t.Context(), "Leads", "6"); ok || err != nil {
		t.Errorf("an unknown id gives %v, %v", ok, err)
	}
}

const (
	okRow  = `{"code":"SUCCESS","status":"success","message":"record added","details":{"id":"77"},"action":"insert"}`
	badRow = `{"code":"MANDATORY_NOT_FOUND","status":"error","message":"required field not found","details":{"api_name":"Last_Name"}}`
	dupRow = `{"code":"DUPLICATE_DATA","status":"error","message":"duplicate data","details":{"api_name":"Email","id":"42"}}`
)

func TestWriteResults(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		n      int
		code   string // of the call
		rows   string // codes of the rows
	}{
		"all good":               {201, `{"data":[` + okRow + `,` + okRow + `]}`, 2, "", "SUCCESS SUCCESS"},
		"good with 200":          {200, `{"data":[` + okRow + `]}`, 1, "", "SUCCESS"},
		"mixed":                  {207, `{"data":[` + okRow + `,` + badRow + `]}`, 2, "", "SUCCESS MANDATORY_NOT_FOUND"},
		"all bad":                {400, `{"data":[` + badRow + `,` + dupRow + `]}`, 2, "", "MANDATORY_NOT_FOUND DUPLICATE_DATA"},
		"one bad with 403":       {403, `{"data":[{"code":"NO_PERMISSION","status":"error","message":"m","details":{}}]}`, 1, "", "NO_PERMISSION"},
		"the call is refused":    {400, `{"code":"INVALID_MODULE","status":"error","message":"m","details":{}}`, 2, "INVALID_MODULE", ""},
		"refused inside data":    {400, `{"data":[{"code":"LIMIT_EXCEEDED","status":"error","message":"m","details":{}}]}`, 2, "LIMIT_EXCEEDED", ""},
		"too fast":               {429, `{"code":"TOO_MANY_REQUESTS","status":"error","message":"m","details":{}}`, 1, "TOO_MANY_REQUESTS", ""},
		"too fast, inside data":  {429, `{"data":[{"code":"TOO_MANY_REQUESTS","status":"error","message":"m"}]}`, 1, "TOO_MANY_REQUESTS", ""},
		"a result is missing":    {201, `{"data":[` + okRow + `]}`, 2, CodeResultCount, ""},
		"an error with 200":      {200, `{"code":"INVALID_DATA","status":"error"}`, 1, "INVALID_DATA", ""},
		"an unreadable answer":   {200, `{"data":[`, 1, CodeBadAnswer, ""},
		"server error with html": {500, `<html>`, 1, codeByStatus, ""},
		"several errors": {400, `{"data":[{"code":"MULTIPLE_OR_MULTI_ERRORS","status":"error","errors":[{"code":"DUPLICATE_DATA"}]}]}`,
			1, "", "MULTIPLE_OR_MULTI_ERRORS"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.on("POST /crm/v8/Leads", answer(c.status, c.body))
			got, err := f.client(t).Insert(t.Context(), "Leads", values(slices.Repeat([]string{`{}`}, c.n)...), WriteOptions{})
			if ErrorCode(err) != c.code {
				t.Fatalf("got %v, want code %q", err, c.code)
			}
			var codes []string
			for _, r := range got {
				codes = append(codes, r.Code)
				if r.OK != (r.Code == "SUCCESS") || (r.Err(OpRecordsInsert) == nil) != r.OK {
					t.Errorf("%+v", r)
				}
			}
			if strings.Join(codes, " ") != c.rows {
				t.Errorf("got %v", codes)
			}
		})
	}
}

func TestWriteRequests(t *testing.T) {
	f := newFake(t)
	var body, header string
	echo := func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body, header = string(b), r.Header.Get("X-EXTERNAL")+r.Header.Get("Content-Type")
		_, _ = io.WriteString(w, `{"data":[`+okRow+`]}`)
	}
	f.on("POST /crm/v8/Leads/upsert", echo)
	f.on("PUT /crm/v8/Leads", echo)
	f.on("DELETE /crm/v8/Leads", echo)
	f.on("POST /crm/v8/Leads/actions/mass_delete", echo)
	c := f.client(t)
	opts := WriteOptions{Trigger: []string{}, DuplicateCheck: []string{"Email"}, ExternalField: "Leads.Ext"}
	res, err := c.Upsert(t.Context(), "Leads", values(`{"Email":"a@b"}`), opts)
	if err != nil || res[0].ID != "77" || res[0].Action != "insert" {
		t.Errorf("got %+v, %v", res, err)
	}
	if want := `{"data":[{"Email":"a@b"}],"trigger":[],"duplicate_check_fields":["Email"]}`; body != want || header != "Leads.Extapplication/json" {
		t.Errorf("sent %s with %s", body, header)
	}
	if _, err := c.Update(t.Context(), "Leads", values(`{"id":"1"}`), opts); err != nil || body != `{"data":[{"id":"1"}],"trigger":[]}` {
		t.Errorf("sent %s, %v", body, err)
	}
	if _, err := c.Delete(t.Context(), "Leads", []string{"9"}, DeleteOptions{NoTrigger: true}); err != nil {
		t.Error(err)
	}
	if _, err := c.MassDelete(t.Context(), "Leads", []string{"9"}); err != nil || body != `{"ids":["9"]}` {
		t.Errorf("sent %s, %v", body, err)
	}
	seen := f.requests()
	if !slices.Contains(seen, "DELETE /crm/v8/Leads?ids=9&wf_trigger=false") {
		t.Errorf("asked %v", seen)
	}
	for what, err := range map[string]error{
		"101 records":  second(c.Insert(t.Context(), "Leads", values(slices.Repeat([]string{`{}`}, 101)...), WriteOptions{})),
		"no record":    second(c.Insert(t.Context(), "Leads", nil, WriteOptions{})),
		"not JSON":     second(c.Insert(t.Context(), "Leads", values(`{"a":`), WriteOptions{})),
		"not a record": second(c.Insert(t.Context(), "Leads", values(`[]`), WriteOptions{})),
		"101 ids":      second(c.Delete(t.Context(), "Leads", make([]string, 101), DeleteOptions{})),
		"501 ids":      second(c.MassDelete(t.Context(), "Leads", make([]string, 501))),
	} {
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeInvalidArgument || !e.NotSent {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if got := len(f.requests()); got != len(seen) {
		t.Errorf("%d requests were sent for refused calls", got-len(seen))
	}
}

func second[T any](_ T, err error) error { return err }

func TestDeletedRecords(t *testing.T) {
	f := newFake(t)
	f.on("GET /crm/v8/Leads/deleted", inTurn(
		answer(200, `{"data":[{"id":"1","type":"recycle","deleted_time":"2026-06-19T11:19:38+05:30","deleted_by":{"id":"7"}}],"info":{"more_records":true}}`),
		answer(200, `{"data":[{"id":"2","type":"permanent","deleted_by":null,"deleted_time":null}],"info":{"more_records":false}}`),
	))
	var got []string
	for d, err := range f.client(t).Deleted(t.Context(), "Leads", "", time.Date(2026, 1, 1, 0, 0, 0, 5, time.UTC)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(d.ID, " ", d.Kind, " ", d.DeletedTime.Unix()))
	}
	if want := []string{"1 recycle 1781848178", "2 permanent -62135596800"}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	f.on("GET /crm/v8/Empty/deleted", answer(204, ""))
	for range f.client(t).Deleted(t.Context(), "Empty", DeletedAll, time.Time{}) {
		t.Error("a module without deleted records gives some")
	}
}

func TestCOQLAndCount(t *testing.T) {
	f := newFake(t)
	f.on("POST /crm/v8/coql", answer(200, `{"data":[{"id":"1","Account_Name.Account_Name":"Acme"}],"info":{"more_records":true}}`))
	f.on("GET /crm/v8/Leads/actions/count", answer(200, `{"count":"1234"}`))
	var call Call
	c := f.client(t, WithCallContext(func(ctx context.Context, seen Call) context.Context { call = seen; return ctx }))
	p, err := c.COQL(t.Context(), "select id from Leads where id is not null LIMIT 400, 2000")
	if err != nil || !p.More || len(p.Records) != 1 {
		t.Errorf("got %+v, %v", p, err)
	}
	if call.Credits != 3 || !call.Heavy || !call.Repeatable || call.Op != OpCOQL {
		t.Errorf("described as %+v", call)
	}
	if n, err := c.Count(t.Context(), "Leads"); err != nil || n != 1234 {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestTransportErrorsTellWhetherAnythingWasSent(t *testing.T) {
	refused := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("refused by policy") })}
	c, err := New(WithHTTPClient(refused))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Insert(t.Context(), "Leads", values(`{}`), WriteOptions{})
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code != CodeTransport || !e.NotSent || strings.Contains(err.Error(), "zohoapis") {
		t.Errorf("got %v", err)
	}
	f := newFake(t)
	f.on("POST /crm/v8/Leads", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, err = f.client(t).Insert(t.Context(), "Leads", values(`{}`), WriteOptions{})
	if e, ok = errors.AsType[*Error](err); !ok || e.Code != CodeTransport || e.NotSent || e.Path != "/crm/v8/Leads" {
		t.Errorf("a lost answer gives %v", err)
	}
}

func TestErrorsOfACallCarryTheHeaders(t *testing.T) {
	f := newFake(t)
	f.on("GET /crm/v8/org", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-API-CREDITS-REMAINING", "0")
		w.Header().Set("Retry-After", "90")
		answer(429, `{"code":"TOO_MANY_REQUESTS","details":{},"message":"too many requests","status":"error"}`)(w, r)
	})
	_, err := f.client(t).Organization(t.Context())
	e, ok := errors.AsType[*Error](err)
	if !ok || e.RetryAfter != 90*time.Second || e.CreditsRemaining != 0 || e.Class() != ClassQuota || e.HTTPStatus != 429 {
		t.Errorf("got %+v", e)
	}
}

func TestOptionsContradict(t *testing.T) {
	for name, opts := range map[string][]Option{
		"endpoint and API base":    {WithEndpoint("http://x"), WithAPIBase("https://y")},
		"endpoint and upload base": {WithEndpoint("http://x"), WithUploadBase("https://y")},
		"data center":              {WithDataCenter("MOON", "")},
		"environment":              {WithDataCenter(US, "x")},
		"version":                  {WithVersion("8")},
		"no scheme":                {WithAPIBase("www.zohoapis.com")},
		"query":                    {WithAPIBase("https://a/?b=c")},
		"user":                     {WithAPIBase("https://u:p@a")},
		"bound":                    {WithMaxDownload(-1, 0)},
	} {
		if _, err := New(opts...); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
