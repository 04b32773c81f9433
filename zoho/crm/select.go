package crm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of COQL. Its pages disagree on the rows (200 or 2,000) and, before v7, the columns (50, later 500); the smaller
// number of columns always works (https://www.zoho.com/crm/developer/docs/api/v8/COQL-Limitations.html).
const (
	COQLMaxRows     = 2_000 // of a LIMIT; where it is refused, COQLSafeRows
	COQLSafeRows    = 200
	COQLMaxFields   = 50 // in the select clause, the id not counted
	COQLMaxFormulas = 5  // formula fields in the select clause
)

// Selection chooses records of one module for [Client.Select]. Records come in the order of their ids, so that a large
// selection is read by ids and not by offsets: AfterID goes on where a page ended, and a record that enters or leaves the
// selection meanwhile moves no other.
type Selection struct {
	Module  string    // API name
	Fields  []string  // API names, at most 50; the id comes along always
	From    time.Time // Modified_Time at or after it; zero is unbounded
	To      time.Time // Modified_Time before it; zero is unbounded
	AfterID string    // ids greater than it; "" is all
	UpToID  string    // ids up to it; "" is all
	Limit   int       // at most 2,000; 0 is 200
}

// Select returns one page of a selection in the order of ids. It costs 1 credit for a Limit up to 200, 2 up to 1,000, 3 up
// to 2,000.
//
// https://www.zoho.com/crm/developer/docs/api/v8/Get-Records-through-COQL-Query.html
func (c *Client) Select(ctx context.Context, s Selection) (Page, error) {
	if s.Limit == 0 {
		s.Limit = COQLSafeRows
	}
	if err := s.check(); err != nil {
		return Page{}, err
	}
	fields := s.Fields
	if len(fields) == 0 {
		fields = []string{"id"}
	}
	page, err := c.COQL(ctx, "select "+strings.Join(fields, ", ")+" from "+s.Module+" where "+s.where()+" order by id asc limit "+strconv.Itoa(s.Limit))
	if err != nil {
		return Page{}, err
	}
	return page, s.inOrder(page)
}

// CountSelected returns the number of records of a selection, Limit and Fields aside. It costs 1 credit.
func (c *Client) CountSelected(ctx context.Context, s Selection) (int64, error) {
	s.Limit, s.Fields = 1, nil
	if err := s.check(); err != nil {
		return 0, err
	}
	page, err := c.COQL(ctx, "select COUNT(id) from "+s.Module+" where "+s.where())
	if err != nil || len(page.Records) == 0 {
		return 0, err
	}
	count, found := int64(0), false
	err = page.Records[0].Each(func(name string, v jsontext.Value) error {
		if n, bad := strconv.ParseInt(textOf(v), 10, 64); bad == nil && strings.HasPrefix(strings.ToLower(name), "count") {
			count, found = n, true
		}
		return nil
	})
	if err == nil && !found {
		err = errors.New("the answer holds no count")
	}
	if err != nil {
		return 0, &Error{Op: OpCOQL, Code: CodeBadAnswer, Err: err, CreditsRemaining: -1, HTTPStatus: http.StatusOK}
	}
	return count, nil
}

var apiNamePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (s Selection) check() error {
	switch {
	case !apiNamePattern.MatchString(s.Module):
		return argumentError(OpCOQL, "%q is no API name of a module", s.Module)
	case len(s.Fields) > COQLMaxFields:
		return argumentError(OpCOQL, "%d fields; a query that always works has at most %d", len(s.Fields), COQLMaxFields)
	case s.Limit < 0 || s.Limit > COQLMaxRows:
		return argumentError(OpCOQL, "a limit of %d; Zoho gives at most %d rows", s.Limit, COQLMaxRows)
	}
	for _, f := range s.Fields {
		if !apiNamePattern.MatchString(f) {
			return argumentError(OpCOQL, "%q is no API name of a field", f)
		}
	}
	for _, id := range []string{s.AfterID, s.UpToID} {
		if strings.Trim(id, "0123456789") != "" {
			return argumentError(OpCOQL, "an id has digits only")
		}
	}
	return nil
}

// where writes the criteria in pairs, as Zoho demands: ((A and B) and C).
func (s Selection) where() string {
	var all []string
	add := func(criterion, value string) {
		if value != "" {
			all = append(all, fmt.Sprintf(criterion, value))
		}
	}
	instant := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return zohoTime(t)
	}
	add("Modified_Time >= '%s'", instant(s.From))
	add("Modified_Time < '%s'", instant(s.To))
	add("id > '%s'", s.AfterID)
	add("id <= '%s'", s.UpToID)
	if len(all) == 0 {
		return "id is not null" // a where clause is mandatory
	}
	out := all[0]
	for _, next := range all[1:] {
		out = "(" + out + " and " + next + ")"
	}
	return out
}

// inOrder makes sure that a page is what reading by ids relies on: ascending, and behind AfterID.
func (s Selection) inOrder(p Page) error {
	last := s.AfterID
	for _, r := range p.Records {
		if r.ID == "" || !idLess(last, r.ID) || s.UpToID != "" && idLess(s.UpToID, r.ID) {
			return &Error{Op: OpCOQL, Code: CodeBadAnswer, HTTPStatus: http.StatusOK, CreditsRemaining: -1, Err: errors.New("the rows are not in the order of their ids")}
		}
		last = r.ID
	}
	if len(p.Records) == 0 && p.More {
		return &Error{Op: OpCOQL, Code: CodeBadAnswer, HTTPStatus: http.StatusOK, CreditsRemaining: -1, Err: errors.New("an empty page promises more")}
	}
	return nil
}

// idLess compares ids as numbers of any length.
func idLess(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

// MaxIDsPerList is how many records are asked for by id at once.
const MaxIDsPerList = 100

// ListByIDs returns up to 100 records by their ids, with at most 50 fields. Records that do not exist are left out, and the
// order is Zoho's. Long rich text is cut off.
//
// https://www.zoho.com/crm/developer/docs/api/v8/get-records.html
func (c *Client) ListByIDs(ctx context.Context, module string, ids, fields []string) ([]Record, error) {
	opts := ListOptions{Fields: fields, PerPage: MaxIDsPerList}
	if err := checkList(module, opts); err != nil {
		return nil, err
	}
	if len(ids) == 0 || len(ids) > MaxIDsPerList {
		return nil, argumentError(OpRecordsList, "%d ids; at most %d are asked for at once", len(ids), MaxIDsPerList)
	}
	q := url.Values{"fields": {strings.Join(fields, ",")}, "ids": {strings.Join(ids, ",")}, "per_page": {strconv.Itoa(MaxIDsPerList)}}
	page, err := c.recordPage(ctx, request{call: newCall(OpRecordsList, module, 0, true), method: http.MethodGet, url: c.apiURL(module), query: q})
	return page.Records, err
}
