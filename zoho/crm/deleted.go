package crm

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// DeletedKind chooses which deleted records to list.
type DeletedKind string

// The kinds. Zoho lists what is in the recycle bin for 60 days and what is gone for good for 120.
const (
	DeletedAll       DeletedKind = "all"
	DeletedRecycle   DeletedKind = "recycle"
	DeletedPermanent DeletedKind = "permanent"
)

// DeletedRecord is the trace of a deleted record.
type DeletedRecord struct {
	ID          string
	Kind        string    // recycle or permanent
	DeletedTime time.Time // zero when Zoho gives none
}

// Deleted yields the records deleted after since; a zero since is as far back as Zoho goes. An empty kind is [DeletedAll].
//
// https://www.zoho.com/crm/developer/docs/api/v8/get-deleted-records.html
func (c *Client) Deleted(ctx context.Context, module string, kind DeletedKind, since time.Time) iter.Seq2[DeletedRecord, error] {
	return func(yield func(DeletedRecord, error) bool) {
		token := ""
		for page := 1; ; page++ {
			answer, err := c.deletedPage(ctx, module, kind, since, page, token)
			if err != nil {
				yield(DeletedRecord{}, err)
				return
			}
			for _, d := range answer.Data {
				when, _ := time.Parse(time.RFC3339, string(d.Time))
				if !yield(DeletedRecord{ID: string(d.ID), Kind: string(d.Type), DeletedTime: when}, nil) {
					return
				}
			}
			if !answer.Info.Value.More {
				return
			}
			if len(answer.Data) == 0 {
				yield(DeletedRecord{}, &Error{Op: OpDeletedList, Code: CodeBadAnswer, Err: errors.New("an empty page promises more"), CreditsRemaining: -1})
				return
			}
			token = string(answer.Info.Value.Next)
		}
	}
}

type wireDeleted struct {
	Data flexList[struct {
		ID   flexString `json:"id"`
		Type flexString `json:"type"`
		Time flexString `json:"deleted_time"`
	}] `json:"data"`
	Info flexObject[struct {
		More flexBool   `json:"more_records"`
		Next flexString `json:"next_page_token"`
	}] `json:"info"`
}

func (c *Client) deletedPage(ctx context.Context, module string, kind DeletedKind, since time.Time, page int, token string) (wireDeleted, error) {
	var answer wireDeleted
	if module == "" {
		return answer, argumentError(OpDeletedList, "no module")
	}
	if kind == "" {
		kind = DeletedAll
	}
	q := url.Values{"type": {string(kind)}, "per_page": {strconv.Itoa(MaxRecordsPerPage)}}
	if token != "" {
		q.Set("page_token", token)
	} else {
		q.Set("page", strconv.Itoa(page))
	}
	r := request{call: newCall(OpDeletedList, module, 0, true), method: http.MethodGet, url: c.apiURL(module, "deleted"), query: q}
	if !since.IsZero() {
		r.header = http.Header{"If-Modified-Since": {zohoTime(since)}}
	}
	var raw json.RawMessage
	ok, err := c.getJSON(ctx, r, &raw)
	if err != nil || !ok {
		return answer, err
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return answer, badAnswer(r, http.StatusOK, err)
	}
	return answer, nil
}
