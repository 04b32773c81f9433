package zoho

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// Every code package crm knows must come through with its own spelling, a class
// of the contract, and a remedy.
func TestEveryCodeOfZohoTranslates(t *testing.T) {
	t.Parallel()
	for _, info := range crm.Codes() {
		e := translate(fmt.Errorf("around: %w", &crm.Error{Code: info.Code, Op: crm.OpFields, HTTPStatus: 400, CreditsRemaining: -1}), "doing it")
		if e.Code != info.Code {
			t.Errorf("%s became %s", info.Code, e.Code)
		}
		want := classes[info.Class]
		if r, ok := remedies[info.Code]; ok && r.class != "" {
			want = r.class
		}
		if e.Class != want || want == "" {
			t.Errorf("%s: class %q, want %q", info.Code, e.Class, want)
		}
		if len(e.Help) == 0 || e.Help[0].Description == "" {
			t.Errorf("%s: no remedy", info.Code)
		}
		if !strings.HasPrefix(e.Message, "doing it: ") {
			t.Errorf("%s: message %q does not say what was done", info.Code, e.Message)
		}
	}
	for code := range remedies {
		if _, ok := crm.Lookup(code); !ok {
			t.Errorf("the remedy for %s is for a code nobody knows", code)
		}
	}
}

func TestEveryClassHasACounterpart(t *testing.T) {
	t.Parallel()
	for _, info := range crm.Codes() {
		if _, ok := classes[info.Class]; !ok {
			t.Errorf("class %s of %s has no counterpart", info.Class, info.Code)
		}
	}
}

func TestTranslate(t *testing.T) {
	t.Parallel()
	quota := &crm.Error{Code: "TOO_MANY_REQUESTS", HTTPStatus: 429, CreditsRemaining: 0}
	for name, c := range map[string]struct {
		err   error
		class connector.Class
		says  string
	}{
		"wrong secret":       {&crm.Error{Code: "INVALID_CLIENT_SECRET", HTTPStatus: 200}, connector.ClassAuth, "client secret"},
		"wrong data center":  {&crm.Error{Code: "INVALID_CLIENT", HTTPStatus: 200}, connector.ClassAuth, "data center"},
		"missing scope":      {&crm.Error{Code: "OAUTH_SCOPE_MISMATCH", HTTPStatus: 401, Op: crm.OpUpload}, connector.ClassPermission, "ZohoFiles.files.ALL"},
		"missing right":      {&crm.Error{Code: "NO_PERMISSION", HTTPStatus: 403, Details: []byte(`{"permissions":["Crm_Implied_Api_Access"]}`)}, connector.ClassPermission, "Crm_Implied_Api_Access"},
		"spent credits":      {quota, connector.ClassQuotaExhausted, "credits"},
		"server failure":     {&crm.Error{Code: "INVALID_CLIENT", HTTPStatus: 503}, connector.ClassTransient, ""},
		"cancelled":          {&crm.Error{Code: crm.CodeTransport, Err: context.Canceled}, connector.ClassCancelled, ""},
		"egress refused":     {&crm.Error{Code: crm.CodeTransport, Err: &connector.Error{Class: connector.ClassConfig, Code: "HOST_NOT_ALLOWED", Message: "x"}}, connector.ClassConfig, "HOST_NOT_ALLOWED"},
		"somebody else's":    {errors.New("disk full"), connector.ClassInternal, "disk full"},
		"unknown code, 400":  {&crm.Error{Code: "NEVER_SEEN", HTTPStatus: 400}, connector.ClassRejected, "NEVER_SEEN"},
		"unknown, throttled": {&crm.Error{Code: "NEVER_SEEN", HTTPStatus: 429}, connector.ClassRateLimited, ""},
	} {
		e := translate(c.err, "trying")
		if e.Class != c.class || !strings.Contains(e.Error(), c.says) {
			t.Errorf("%s: %s %q", name, e.Class, e.Error())
		}
	}
	if e := translate(quota, "x"); e.ResetAt.IsZero() {
		t.Error("a spent pool must say when to ask again")
	}
	if translate(nil, "x") != nil {
		t.Error("no error became one")
	}
}

func TestOnlyZohosOwnRefusalProvesThatNothingHappened(t *testing.T) {
	t.Parallel()
	if !answered(&crm.Error{HTTPStatus: 400}) || answered(&crm.Error{HTTPStatus: 502}) || answered(&crm.Error{}) || answered(errors.New("x")) {
		t.Error("answered is wrong")
	}
	if !notSent(&crm.Error{NotSent: true}) || notSent(&crm.Error{}) {
		t.Error("notSent is wrong")
	}
}
