package crm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// WriteOptions belongs to insert, update and upsert.
type WriteOptions struct {
	// Trigger names the automation to run: workflow, approval, blueprint, pathfinder, orchestration. Nil runs all, which is
	// Zoho's default; an empty non-nil list runs none.
	Trigger []string

	// DuplicateCheck names the fields by which an upsert finds existing records, in order. Empty leaves it to Zoho: the
	// module's system field, then its unique fields.
	DuplicateCheck []string

	// Repeatable says that repeating this upsert converges: DuplicateCheck names a unique field that every record carries.
	// It is passed on in [Call].
	Repeatable bool

	// ExternalField, in the form Module.Field, makes ids external values (header X-EXTERNAL).
	ExternalField string
}

// RecordResult is what became of one record of a write or delete.
type RecordResult struct {
	OK      bool
	Code    string // SUCCESS, or why not
	Message string
	ID      string // of the record written; of the existing one when Zoho names it
	Action  string // of an upsert: insert or update
	Field   string // API name of the field that was refused, when Zoho names one
	Details jsontext.Value
}

// Err returns the failure of the record as an [*Error], nil when it succeeded. Its HTTPStatus is 400, whatever the
// call's was.
func (r RecordResult) Err(op Op) error {
	if r.OK {
		return nil
	}
	return &Error{Op: op, Code: r.Code, Message: r.Message, Details: r.Details, CreditsRemaining: -1, HTTPStatus: http.StatusBadRequest}
}

// Insert creates up to 100 records, each a JSON object, and returns one result per record in the same order. It is not
// idempotent: when the answer is lost ([Error] with Code CLIENT_TRANSPORT and not NotSent), the records may exist.
//
// https://www.zoho.com/crm/developer/docs/api/v8/insert-records.html
func (c *Client) Insert(ctx context.Context, module string, records []jsontext.Value, opts WriteOptions) ([]RecordResult, error) {
	opts.DuplicateCheck = nil
	return c.write(ctx, newCall(OpRecordsInsert, module, len(records), false), http.MethodPost, c.apiURL(module), records, opts)
}

// Update changes up to 100 records, each a JSON object with its id, and returns one result per record in the same order.
//
// https://www.zoho.com/crm/developer/docs/api/v8/update-records.html
func (c *Client) Update(ctx context.Context, module string, records []jsontext.Value, opts WriteOptions) ([]RecordResult, error) {
	opts.DuplicateCheck = nil
	return c.write(ctx, newCall(OpRecordsUpdate, module, len(records), true), http.MethodPut, c.apiURL(module), records, opts)
}

// Upsert creates or changes up to 100 records and returns one result per record in the same order. Repeating it converges
// only when DuplicateCheck names a unique field all records carry. Zoho refuses it for Calls.
//
// https://www.zoho.com/crm/developer/docs/api/v8/upsert-records.html
func (c *Client) Upsert(ctx context.Context, module string, records []jsontext.Value, opts WriteOptions) ([]RecordResult, error) {
	return c.write(ctx, newCall(OpRecordsUpsert, module, len(records), opts.Repeatable), http.MethodPost, c.apiURL(module, "upsert"), records, opts)
}

func (c *Client) write(ctx context.Context, call Call, method, target string, records []jsontext.Value, opts WriteOptions) ([]RecordResult, error) {
	if call.Module == "" || len(records) == 0 || len(records) > MaxRecordsPerWrite {
		return nil, argumentError(call.Op, "%d records for module %q; Zoho takes 1 to %d", len(records), call.Module, MaxRecordsPerWrite)
	}
	body, err := writeBody(records, opts)
	if err != nil {
		return nil, argumentError(call.Op, "%v", err)
	}
	r := request{call: call, method: method, url: target, contentType: "application/json", body: BytesBody(body)}
	if opts.ExternalField != "" {
		r.header = http.Header{"X-External": {opts.ExternalField}}
	}
	return c.perRecord(ctx, r, len(records))
}

func writeBody(records []jsontext.Value, opts WriteOptions) ([]byte, error) {
	size := 128
	for _, r := range records {
		size += len(r) + 1
	}
	b := append(make([]byte, 0, size), `{"data":[`...)
	for i, r := range records {
		if r.Kind() != '{' || !r.IsValid(tolerant...) {
			return nil, fmt.Errorf("record %d is not a JSON object", i)
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, r...)
	}
	b = append(b, ']')
	if opts.Trigger != nil {
		b = appendStrings(b, "trigger", opts.Trigger)
	}
	if len(opts.DuplicateCheck) > 0 {
		b = appendStrings(b, "duplicate_check_fields", opts.DuplicateCheck)
	}
	return append(b, '}'), nil
}

func appendStrings(b []byte, name string, values []string) []byte {
	list, _ := json.Marshal(values)
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	return append(b, list...)
}

// DeleteOptions belongs to deletes.
type DeleteOptions struct {
	NoTrigger bool // do not run workflows; Zoho's default is to run them
}

// Delete moves up to 100 records to the recycle bin and returns one result per id in the same order. A record that is
// already gone answers INVALID_DATA.
//
// https://www.zoho.com/crm/developer/docs/api/v8/delete-records.html
func (c *Client) Delete(ctx context.Context, module string, ids []string, opts DeleteOptions) ([]RecordResult, error) {
	if module == "" || len(ids) == 0 || len(ids) > MaxRecordsPerWrite {
		return nil, argumentError(OpRecordsDelete, "%d ids for module %q; Zoho takes 1 to %d", len(ids), module, MaxRecordsPerWrite)
	}
	q := url.Values{"ids": {strings.Join(ids, ",")}}
	if opts.NoTrigger {
		q.Set("wf_trigger", "false")
	}
	r := request{call: newCall(OpRecordsDelete, module, len(ids), true), method: http.MethodDelete, url: c.apiURL(module), query: q}
	return c.perRecord(ctx, r, len(ids))
}

// MassDelete deletes up to 500 records at once and returns one result per id.
//
// https://www.zoho.com/crm/developer/docs/api/v8/mass-delete.html
func (c *Client) MassDelete(ctx context.Context, module string, ids []string) ([]RecordResult, error) {
	if module == "" || len(ids) == 0 || len(ids) > MaxMassDelete {
		return nil, argumentError(OpMassDelete, "%d ids for module %q; Zoho takes 1 to %d", len(ids), module, MaxMassDelete)
	}
	body, err := json.Marshal(map[string][]string{"ids": ids})
	if err != nil {
		return nil, argumentError(OpMassDelete, "%v", err)
	}
	r := request{
		call: newCall(OpMassDelete, module, len(ids), true), method: http.MethodPost, url: c.apiURL(module, "actions", "mass_delete"),
		contentType: "application/json", body: BytesBody(body),
	}
	return c.perRecord(ctx, r, len(ids))
}

// perRecord sends a request whose answer has one element per record. All good is 200 or 201, mixed 207, all bad 400 (or the
// status of a single record's own failure); the elements are read in every case.
func (c *Client) perRecord(ctx context.Context, r request, n int) ([]RecordResult, error) {
	status, header, body, err := c.exchangeAny(ctx, r)
	if err != nil {
		return nil, err
	}
	results, decodeErr := decodeResults(body)
	switch {
	case decodeErr == nil && len(results) == n && elementStatus(status):
		return results, nil
	case status >= 300:
		return nil, errorFromBody(r.call.Op, pathOf(r.url), status, header, body)
	}
	if e := errorInSuccess(r, status, body); e != nil {
		return nil, e
	}
	if decodeErr != nil {
		return nil, badAnswer(r, status, decodeErr)
	}
	return nil, &Error{
		Op: r.call.Op, Path: pathOf(r.url), HTTPStatus: status, Code: CodeResultCount, CreditsRemaining: creditsRemaining(header),
		Message: fmt.Sprintf("%d results for %d records", len(results), n),
	}
}

// elementStatus reports whether a status leaves the verdict to the elements. The others concern the call.
func elementStatus(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed:
		return true
	}
	return status/100 == 2
}

// exchangeAny returns the answer whatever its status, after the token was refreshed if need be.
func (c *Client) exchangeAny(ctx context.Context, r request) (int, http.Header, []byte, error) {
	for tries := 0; ; tries++ {
		resp, token, err := c.attempt(ctx, r)
		if err != nil {
			return 0, nil, nil, err
		}
		body, err := readAll(resp, maxAnswer)
		drain(resp)
		if err != nil {
			e := transportError(r.call.Op, pathOf(r.url), err, false)
			e.HTTPStatus = resp.StatusCode
			return 0, nil, nil, e
		}
		if tries == 0 && resp.StatusCode == http.StatusUnauthorized {
			if code, _, _, _ := decodeEnvelope(body); code == codeInvalidToken && c.invalidate(token, r.body) {
				continue
			}
		}
		return resp.StatusCode, resp.Header, body, nil
	}
}

func decodeResults(body []byte) ([]RecordResult, error) {
	var out []RecordResult
	found := false
	err := eachMember(body, func(name string, v jsontext.Value) error {
		if name != "data" {
			return nil
		}
		found = true
		return eachElement(v, func(e jsontext.Value) error {
			r, err := decodeResult(e)
			out = append(out, r)
			return err
		})
	})
	if err == nil && !found {
		err = fmt.Errorf("the answer holds no data")
	}
	return out, err
}

type wireResult struct {
	Code    flexString     `json:"code"`
	Status  flexString     `json:"status"`
	Message flexString     `json:"message"`
	Action  flexString     `json:"action"`
	Details jsontext.Value `json:"details"`
	Errors  jsontext.Value `json:"errors"`
}

func decodeResult(v jsontext.Value) (RecordResult, error) {
	var w wireResult
	if err := json.Unmarshal(v, &w); err != nil {
		return RecordResult{}, withoutContent(err)
	}
	r := RecordResult{
		OK:   strings.EqualFold(string(w.Status), "success") || (w.Status == "" && strings.EqualFold(string(w.Code), "SUCCESS")),
		Code: normalizeCode(string(w.Code)), Message: clip(string(w.Message)), Action: strings.ToLower(string(w.Action)), Details: objectOrNil(w.Details),
	}
	if r.Details == nil && len(w.Errors) > 0 && w.Errors.Kind() == '[' {
		r.Details = bytes.Clone(w.Errors) // MULTIPLE_OR_MULTI_ERRORS
	}
	var d flexObject[struct {
		ID        flexString `json:"id"`
		APIName   flexString `json:"api_name"`
		Duplicate flexObject[struct {
			ID flexString `json:"id"`
		}] `json:"duplicate_record"`
	}]
	if err := d.UnmarshalJSON(r.Details); err == nil && d.Set {
		r.ID, r.Field = firstOf(string(d.Value.ID), string(d.Value.Duplicate.Value.ID)), string(d.Value.APIName)
	}
	return r, nil
}
