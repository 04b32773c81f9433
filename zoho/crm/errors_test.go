package crm

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// documentedCodes are the codes of Zoho's pages on OAuth, uploads, bulk write, bulk read, records, COQL and statuses.
const documentedCodes = `
invalid_client invalid_client_secret invalid_redirect_uri invalid_code missing_org_info other_dc
INVALID_TOKEN AUTHENTICATION_FAILURE OAUTH_SCOPE_MISMATCH NO_PERMISSION
INVALID_FILE_FORMAT FILE_TOO_LARGE INVALID_URL_PATTERN INVALID_REQUEST_METHOD AUTHORIZATION_FAILED INTERNAL_ERROR
MISSING_REQUIRED_KEY MANDATORY_NOT_FOUND MANDATORY_FIELDS_NOT_MAPPED INVALID_FIELD INVALID_FIELD_NAME INVALID_FORMAT
INVALID_FILE_ID FILE_NOT_FOUND FILE_NOT_SUPPORTED HEADER_LIMIT_EXCEEDED COLUMN_INDEX_NOT_FOUND MODULE_NOT_AVAILABLE
INVALID_CALLBACK_URL INVALID_CALLBACK_METHOD COEXISTENCE_NOT_ALLOWED INVALID_DATA INVALID_REQUEST REQUEST_BODY_NOT_SUPPORTED
BAD_REQUEST LIMIT_REACHED NOT_ALLOWED ALREADY_USED TOO_MANY_REQUESTS RESOURCE_NOT_FOUND
DUPLICATE_DATA NOT_APPROVED BLOCKED_RECORD CANNOT_PROCESS LIMIT_EXCEEDED
PAGE_RANGE_EXCEEDED PAGE_NOT_SUPPORTED EXPIRED_VALUE INVALID_CRITERIA AMBIGUOUS_CRITERIA AMBIGUOUS_GROUP_IN_CRITERIA
GROUP_OPERATOR_NOT_SUPPORTED CRITERIA_NOT_SUPPORTED CRITERIA_LIMIT_EXCEEDED VALUE_LIMIT_EXCEEDED_IN_CRITERIA JOIN_LIMIT_EXCEEDED
FIELD_NOT_AVAILABLE FIELD_NOT_SUPPORTED FIELD_IN_CRITERIA_NOT_AVAILABLE FIELD_IN_CRITERIA_NOT_SUPPORTED
FIELD_COMPARATOR_IN_CRITERIA_NOT_SUPPORTED FIELD_AND_COMPARATOR_IN_CRITERIA_NOT_COMPATIBLE
FIELD_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE
COMPARATOR_AND_ENCRYPTED_VALUE_IN_CRITERIA_NOT_COMPATIBLE VALUE_IN_CRITERIA_NOT_SUPPORTED VALUE_TYPE_NOT_SUPPORTED
CVID_NOT_SUPPORTED MODULE_NOT_SUPPORTED QUERY_NOT_SUPPORTED JOB_NOT_SUPPORTED NOT_SUPPORTED_FEATURE INVALID_BULK_OPERATION
INVALID_SERVICE_NAME REQUEST_BODY_IS_EMPTY REQUEST_BODY_NOT_READABLE CALLBACK_FAILURE MEDIA_TYPE_NOT_SUPPORTED
INTERNAL_SERVER_ERROR REQUIRED_PARAM_MISSING DISCRETE_PAGINATION_LIMIT_EXCEEDED PAGINATION_LIMIT_EXCEEDED
TOKEN_BOUND_DATA_MISMATCH AMBIGUITY_DURING_PROCESSING INVALID_MODULE NOT_SUPPORTED MULTIPLE_OR_MULTI_ERRORS
DEPENDENT_FIELD_MISSING EXPECTED_FIELD_MISSING DEPENDENT_MISMATCH DEPENDENT_SERVICE_ERROR RECORD_LOCKED RECORD_IN_BLUEPRINT
ALREADY_MODIFIED ALREADY_SCHEDULED SYNTAX_ERROR INVALID_QUERY INVALID_ALIAS DUPLICATE_ALIAS PATTERN_NOT_MATCHED
FEATURE_NOT_ENABLED UNABLE_TO_PARSE_DATA_TYPE METHOD_NOT_ALLOWED REQUEST_ENTITY_TOO_LARGE BAD_GATEWAY SERVICE_UNAVAILABLE
`

func TestCatalogueKnowsEveryDocumentedCode(t *testing.T) {
	for code := range strings.FieldsSeq(documentedCodes + " Access_Denied") {
		info, ok := Lookup(code)
		if !ok {
			t.Errorf("%s is not in the catalogue", code)
		}
		if info.Class == "" || info.Description == "" || info.Retriable != (info.Wait > 0) {
			t.Errorf("%s is not described: %+v", code, info)
		}
	}
	if _, ok := Lookup("NO_SUCH_CODE"); ok {
		t.Error("an unknown code was found")
	}
	codes := Codes()
	for i := 1; i < len(codes); i++ {
		if codes[i-1].Code >= codes[i].Code {
			t.Errorf("%s is twice in the catalogue or out of order", codes[i].Code)
		}
	}
}

func TestEnvelopeInEveryShape(t *testing.T) {
	for name, c := range map[string]struct {
		body    string
		code    string
		message string
		details string
	}{
		"usual":            {`{"code":"INVALID_TOKEN","details":{},"message":"invalid oauth token","status":"error"}`, "INVALID_TOKEN", "invalid oauth token", ""},
		"with details":     {`{"code":"NO_PERMISSION","details":{"permissions":["A"]},"message":"m","status":"error"}`, "NO_PERMISSION", "m", `{"permissions":["A"]}`},
		"in data":          {`{"data":[{"code":"INVALID_DATA","details":{},"message":"m","status":"error"}]}`, "INVALID_DATA", "m", ""},
		"oauth":            {`{"error":"invalid_client"}`, "INVALID_CLIENT", "", ""},
		"oauth throttle":   {`{"error":"Access Denied","error_description":"too many","status":"failure"}`, "ACCESS_DENIED", "too many", ""},
		"file gateway":     {`{"ERROR_MESSAGE":"Bad Request","ERROR_CODE":400,"x-error":"check headers"}`, "BAD_REQUEST", "Bad Request check headers", ""},
		"status left out":  {`{"code":"INVALID_URL_PATTERN","message":"m"}`, "INVALID_URL_PATTERN", "m", ""},
		"code is a number": {`{"code":12,"status":"error"}`, "12", "", ""},
		"no code":          {`{"status":"error","message":"m"}`, codeByStatus, "m", ""},
		"html":             {`<html>502</html>`, codeByStatus, "Bad Gateway", ""},
		"empty":            {``, codeByStatus, "Bad Gateway", ""},
		"another JSON":     {`[1,2]`, codeByStatus, "Bad Gateway", ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := errorFromBody(OpOrg, "/p", 502, http.Header{}, []byte(c.body))
			if e.Code != c.code || e.Message != c.message || string(e.Details) != c.details {
				t.Errorf("got %q %q %q, want %q %q %q", e.Code, e.Message, e.Details, c.code, c.message, c.details)
			}
			if e.CreditsRemaining != -1 {
				t.Errorf("credits remaining %d without a header", e.CreditsRemaining)
			}
		})
	}
}

func TestClasses(t *testing.T) {
	for name, c := range map[string]struct {
		err       *Error
		class     Class
		retriable bool
	}{
		"known code":              {&Error{HTTPStatus: 400, Code: "MODULE_NOT_AVAILABLE"}, ClassSchemaChanged, false},
		"unknown code by status":  {&Error{HTTPStatus: 403, Code: "SOMETHING_NEW"}, ClassPermission, false},
		"html by status":          {&Error{HTTPStatus: 503, Code: codeByStatus}, ClassTransient, true},
		"familiar code on 500":    {&Error{HTTPStatus: 500, Code: "INVALID_DATA"}, ClassTransient, true},
		"too fast":                {&Error{HTTPStatus: 429, Code: "TOO_MANY_REQUESTS", CreditsRemaining: -1}, ClassRateLimited, true},
		"credits are left":        {&Error{HTTPStatus: 429, Code: "TOO_MANY_REQUESTS", CreditsRemaining: 7}, ClassRateLimited, true},
		"credits are spent":       {&Error{HTTPStatus: 429, Code: "TOO_MANY_REQUESTS", CreditsRemaining: 0}, ClassQuota, true},
		"unknown job with 400":    {&Error{HTTPStatus: 400, Code: "RESOURCE_NOT_FOUND"}, ClassNotFound, false},
		"unknown job with 404":    {&Error{HTTPStatus: 404, Code: "RESOURCE_NOT_FOUND"}, ClassNotFound, false},
		"no answer":               {&Error{Code: CodeTransport, Err: errors.New("reset")}, ClassTransient, true},
		"cancelled":               {&Error{Code: CodeTransport, Err: context.Canceled}, ClassTransient, false},
		"unknown code, no status": {&Error{HTTPStatus: 400, Code: "X"}, ClassRejected, false},
	} {
		if got := c.err.Class(); got != c.class || c.err.Retriable() != c.retriable {
			t.Errorf("%s: class %s retriable %v, want %s %v", name, got, c.err.Retriable(), c.class, c.retriable)
		}
	}
	spent := &Error{HTTPStatus: 429, Code: "TOO_MANY_REQUESTS"}
	if spent.Wait() < time.Hour {
		t.Errorf("spent credits come back within %s", spent.Wait())
	}
	told := &Error{HTTPStatus: 429, Code: "TOO_MANY_REQUESTS", RetryAfter: 7 * time.Second, CreditsRemaining: -1}
	if told.Wait() != 7*time.Second {
		t.Errorf("the server said 7s, waiting %s", told.Wait())
	}
	if !IsNotFound(&Error{HTTPStatus: 400, Code: "RESOURCE_NOT_FOUND"}) || IsNotFound(errors.New("x")) {
		t.Error("IsNotFound is wrong")
	}
}

func TestRetryAfterInBothForms(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "60": time.Minute, "-5": 0, "Sun, 01 Mar 2026 12:00:30 GMT": 30 * time.Second, "Sun, 01 Mar 2026 11:00:00 GMT": 0, "soon": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("Retry-After %q: got %s, want %s", value, got, want)
		}
	}
}

func TestMessagesAreBounded(t *testing.T) {
	e := errorFromBody(OpOrg, "/p", 400, http.Header{}, []byte(`{"code":"X","status":"error","message":"`+strings.Repeat("é", 1000)+`"}`))
	if len(e.Message) > maxMessage+3 || !strings.HasSuffix(e.Message, "é...") {
		t.Errorf("message of %d bytes ends in %q", len(e.Message), e.Message[len(e.Message)-8:])
	}
	if !strings.Contains(e.Error(), string(OpOrg)) || !strings.Contains(e.Error(), "/p") {
		t.Errorf("%q does not name operation and path", e.Error())
	}
}

func TestOwnCodesAreInTheCatalogue(t *testing.T) {
	own := []string{CodeTransport, CodeBadAnswer, CodeResultCount, CodeInvalidArgument, CodeDownloadLimit, CodeBadArchive, CodeUntrustedHost, CodeJobNotComplete, codeByStatus}
	for _, c := range own {
		if !slices.ContainsFunc(Codes(), func(i CodeInfo) bool { return i.Code == c }) {
			t.Errorf("%s is missing", c)
		}
	}
}
