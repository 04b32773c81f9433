package crm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Record is one record as Zoho sent it.
type Record struct {
	ID   string
	JSON jsontext.Value // the whole object; numbers keep all their digits
}

// Each calls f for each member of the record, in Zoho's order, and stops at the first error. The value is valid during
// the call only.
func (r Record) Each(f func(name string, value jsontext.Value) error) error {
	return eachMember(r.JSON, f)
}

// ListOptions chooses records.
type ListOptions struct {
	Fields        []string  // required by Zoho, at most 50
	PerPage       int       // at most 200, which is the default
	PageToken     string    // continue where a [Page] ended
	SortBy        string    // id (default), Created_Time or Modified_Time
	Ascending     bool      // default is descending
	ModifiedSince time.Time // only records modified later; zero is all
	Converted     string    // for Leads: true, false (Zoho's default) or both
}

// Page is one page of records.
type Page struct {
	Records []Record
	More    bool
	Next    string // page token for the next page; "" when there is none or the version gives none
}

// ListPage returns one page. The page token lasts 24 hours, belongs to the user, and needs the same options. An empty
// result is an empty page.
//
// https://www.zoho.com/crm/developer/docs/api/v8/get-records.html
func (c *Client) ListPage(ctx context.Context, module string, opts ListOptions) (Page, error) {
	return c.listPage(ctx, module, opts, 0)
}

func (c *Client) listPage(ctx context.Context, module string, opts ListOptions, page int) (Page, error) {
	if err := checkList(module, opts); err != nil {
		return Page{}, err
	}
	r := request{call: newCall(OpRecordsList, module, 0, true), method: http.MethodGet, url: c.apiURL(module), query: listQuery(opts, page)}
	r.call.Heavy = opts.SortBy != ""
	if !opts.ModifiedSince.IsZero() {
		r.header = http.Header{"If-Modified-Since": {zohoTime(opts.ModifiedSince)}}
	}
	return c.recordPage(ctx, r)
}

// recordPage fetches an answer of the form {"data":[...],"info":{...}}.
func (c *Client) recordPage(ctx context.Context, r request) (Page, error) {
	body, status, err := c.fetch(ctx, r)
	if err != nil || body == nil {
		return Page{}, err
	}
	p, err := decodePage(body)
	if err != nil {
		if e := errorInSuccess(r, status, body); e != nil {
			return Page{}, e
		}
		return Page{}, badAnswer(r, status, err)
	}
	return p, nil
}

func checkList(module string, opts ListOptions) error {
	switch {
	case module == "":
		return argumentError(OpRecordsList, "no module")
	case len(opts.Fields) == 0 || len(opts.Fields) > MaxListFields:
		return argumentError(OpRecordsList, "%d fields; Zoho wants 1 to %d", len(opts.Fields), MaxListFields)
	case opts.PerPage < 0 || opts.PerPage > MaxRecordsPerPage:
		return argumentError(OpRecordsList, "%d records per page; Zoho gives at most %d", opts.PerPage, MaxRecordsPerPage)
	}
	return nil
}

func listQuery(opts ListOptions, page int) url.Values {
	q := url.Values{"fields": {strings.Join(opts.Fields, ",")}}
	perPage := opts.PerPage
	if perPage == 0 {
		perPage = MaxRecordsPerPage
	}
	q.Set("per_page", strconv.Itoa(perPage))
	if opts.PageToken != "" {
		q.Set("page_token", opts.PageToken)
	} else if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	if opts.SortBy != "" {
		q.Set("sort_by", opts.SortBy)
	}
	if opts.Ascending {
		q.Set("sort_order", "asc")
	}
	if opts.Converted != "" {
		q.Set("converted", opts.Converted)
	}
	return q
}

// List yields all records page by page: by page token where Zoho gives one, else by number. It reaches 100,000 records by token
// and 2,000 by number, then yields Zoho's error; use bulk read for more.
func (c *Client) List(ctx context.Context, module string, opts ListOptions) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for page := 1; ; page++ {
			p, err := c.listPage(ctx, module, opts, page)
			if err != nil {
				yield(Record{}, err)
				return
			}
			for _, r := range p.Records {
				if !yield(r, nil) {
					return
				}
			}
			if !p.More {
				return
			}
			if len(p.Records) == 0 {
				yield(Record{}, &Error{Op: OpRecordsList, Code: CodeBadAnswer, Err: errors.New("an empty page promises more"), CreditsRemaining: -1})
				return
			}
			opts.PageToken = p.Next
		}
	}
}

// Get returns one record with all its fields, or with fields only. The second result is false when there is none: Zoho
// answers an unknown id with 204.
func (c *Client) Get(ctx context.Context, module, id string, fields ...string) (Record, bool, error) {
	if module == "" || id == "" {
		return Record{}, false, argumentError(OpRecordGet, "module and id are required")
	}
	r := request{call: newCall(OpRecordGet, module, 1, true), method: http.MethodGet, url: c.apiURL(module, id)}
	if len(fields) > 0 {
		r.query = url.Values{"fields": {strings.Join(fields, ",")}}
	}
	p, err := c.recordPage(ctx, r)
	if err != nil || len(p.Records) == 0 {
		return Record{}, false, err
	}
	return p.Records[0], true, nil
}

// Count returns the number of records of a module. It costs 50 credits and may be minutes old.
//
// https://www.zoho.com/crm/developer/docs/api/v8/get-record-count.html
func (c *Client) Count(ctx context.Context, module string) (int64, error) {
	var answer struct {
		Count *flexInt `json:"count"`
	}
	r := request{call: newCall(OpRecordsCount, module, 0, true), method: http.MethodGet, url: c.apiURL(module, "actions", "count")}
	if _, err := c.getJSON(ctx, r, &answer); err != nil {
		return 0, err
	}
	if answer.Count == nil {
		return 0, &Error{Op: OpRecordsCount, Path: pathOf(r.url), Code: CodeBadAnswer, Err: errors.New("the answer holds no count"), CreditsRemaining: -1}
	}
	return int64(*answer.Count), nil
}

// zohoTime formats an instant as Zoho's headers and criteria want it: ISO 8601 with offset, without fractions.
func zohoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05+00:00") }

// tolerant accepts what a strict JSON reader refuses but Zoho's data may hold.
var tolerant = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

func decodePage(body []byte) (Page, error) {
	var p Page
	sawData := false
	err := eachMember(body, func(name string, v jsontext.Value) error {
		switch name {
		case "data":
			sawData = v.Kind() == '[' || v.Kind() == 'n'
			return eachElement(v, func(e jsontext.Value) error {
				r, err := newRecord(e)
				p.Records = append(p.Records, r)
				return err
			})
		case "info":
			return eachMember(v, func(name string, v jsontext.Value) error {
				switch name {
				case "more_records":
					p.More = v.Kind() == 't'
				case "next_page_token":
					p.Next = textOf(v)
				}
				return nil
			})
		}
		return nil
	})
	if err == nil && !sawData {
		err = errors.New("the answer holds no data")
	}
	return p, err
}

// newRecord copies an element out of the answer.
func newRecord(v jsontext.Value) (Record, error) {
	if v.Kind() != '{' {
		return Record{}, errors.New("a record is not an object")
	}
	r := Record{JSON: bytes.Clone(v)}
	err := eachMember(r.JSON, func(name string, v jsontext.Value) error {
		if name == "id" {
			r.ID = textOf(v)
		}
		return nil
	})
	return r, err
}

// textOf returns a JSON string's text or a number's digits, "" for the rest.
func textOf(v jsontext.Value) string {
	switch v.Kind() {
	case '"':
		b, _ := jsontext.AppendUnquote(nil, v)
		return string(b)
	case '0':
		return string(v)
	}
	return ""
}

// eachMember walks the members of an object. The value is valid during the call only. Anything that is not an object has
// no members.
func eachMember(v jsontext.Value, f func(name string, v jsontext.Value) error) error {
	return walk(v, '{', func(d *jsontext.Decoder) error {
		t, err := d.ReadToken()
		if err != nil {
			return err
		}
		name := t.String()
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		return f(name, value)
	})
}

// eachElement is eachMember for arrays.
func eachElement(v jsontext.Value, f func(v jsontext.Value) error) error {
	return walk(v, '[', func(d *jsontext.Decoder) error {
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		return f(value)
	})
}

func walk(v jsontext.Value, open jsontext.Kind, item func(*jsontext.Decoder) error) error {
	d := jsontext.NewDecoder(bytes.NewReader(v), tolerant...)
	t, err := d.ReadToken()
	if err != nil {
		if err == io.EOF {
			return nil
		}
		return err
	}
	if t.Kind() != open {
		return nil
	}
	for d.PeekKind() != '}' && d.PeekKind() != ']' {
		if d.PeekKind() == 0 {
			_, err := d.ReadToken()
			return fmt.Errorf("truncated: %w", errors.Join(err, io.ErrUnexpectedEOF))
		}
		if err := item(d); err != nil {
			return err
		}
	}
	return nil
}
