package crm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Class says what kind of trouble an error is, and so who can mend it.
type Class string

// The classes, a closed set.
const (
	ClassConfig        Class = "config"         // a setting is wrong; the operator must change it
	ClassAuth          Class = "auth"           // the grant is gone or insufficient; the operator must consent again
	ClassPermission    Class = "permission"     // the connected user's profile lacks a right
	ClassRateLimited   Class = "rate_limited"   // too fast; wait seconds to minutes
	ClassQuota         Class = "quota"          // the day's credits are spent; wait hours
	ClassTransient     Class = "transient"      // the server or the road failed; trying again can help
	ClassRejected      Class = "rejected"       // the request or record is refused as it is
	ClassSchemaChanged Class = "schema_changed" // a module or field named in the request is not there (any more)
	ClassTooLarge      Class = "too_large"      // split it
	ClassNotFound      Class = "not_found"      // the job, file or record does not exist (any more)
	ClassInternal      Class = "internal"       // a mistake of the calling program
)

// CodeInfo describes one error code.
type CodeInfo struct {
	Code        string        // as Zoho spells it in the body, or one of this package's own
	Class       Class         // who can mend it
	Retriable   bool          // the same request may succeed later, unchanged
	Wait        time.Duration // advised wait before trying again when the server names none; zero when not retriable
	Description string        // one sentence: what it means or what to do
}

// Error is the failure of one call.
//
// It matches with [errors.As]; Unwrap gives the cause of a failure that has no answer from Zoho.
type Error struct {
	HTTPStatus int            // status of the answer, 0 when there was none
	Code       string         // Zoho's code, or one of the Code constants of this package
	Message    string         // Zoho's own words, bounded to 300 bytes; may be empty
	Details    jsontext.Value // Zoho's details object, raw; may be nil. It may name fields and hold values: do not log it.
	Op         Op             // what was being done
	Path       string         // host-less path of the request, never its query
	RetryAfter time.Duration  // the server's own delay, 0 when it named none

	// CreditsRemaining is the X-API-CREDITS-REMAINING header of the answer, -1 when absent. Zoho sends it only
	// once half of the day's credits are used (https://www.zoho.com/crm/developer/docs/api/v8/api-limits.html).
	CreditsRemaining int64

	// NotSent is true when the failure came before a connection was used: nothing can have reached Zoho, so even a
	// call that is not idempotent may be repeated.
	NotSent bool

	// Err is the cause: a transport error, a decoding error. Nil when Zoho answered with an error.
	Err error
}

// Codes of failures that are this package's own words, not Zoho's.
const (
	CodeTransport       = "CLIENT_TRANSPORT"        // no answer arrived
	CodeBadAnswer       = "CLIENT_BAD_ANSWER"       // an answer arrived and is not understood
	CodeResultCount     = "CLIENT_RESULT_COUNT"     // fewer or more results than records
	CodeInvalidArgument = "CLIENT_INVALID_ARGUMENT" // refused before sending
	CodeDownloadLimit   = "CLIENT_DOWNLOAD_LIMIT"   // a download exceeded its bound
	CodeJobFailed       = "CLIENT_JOB_FAILED"       // a job failed and Zoho does not say why
	CodeBadArchive      = "CLIENT_BAD_ARCHIVE"      // a result file is damaged or hostile
	CodeUntrustedHost   = "CLIENT_UNTRUSTED_HOST"   // Zoho named a host that must not see the token
	CodeJobNotComplete  = "CLIENT_JOB_NOT_COMPLETE" // a result was asked of a job that has none
)

// Error says what failed, to what, and what to do next.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("zoho crm: ")
	b.WriteString(string(e.Op))
	if e.Path != "" {
		fmt.Fprintf(&b, " (%s)", e.Path)
	}
	b.WriteString(": ")
	b.WriteString(e.Code)
	if e.HTTPStatus != 0 {
		fmt.Fprintf(&b, " (HTTP %d)", e.HTTPStatus)
	}
	switch {
	case e.Message != "":
		b.WriteString(": " + e.Message)
	case e.Err != nil:
		b.WriteString(": " + e.Err.Error())
	}
	if info, ok := Lookup(e.Code); ok {
		b.WriteString("; " + info.Description)
	}
	return b.String()
}

// Unwrap returns the cause, if any.
func (e *Error) Unwrap() error { return e.Err }

// Class returns the class of the error: that of its code, or that of its HTTP status when the code is unknown.
// TOO_MANY_REQUESTS with no credits remaining is [ClassQuota].
func (e *Error) Class() Class {
	if e.Code == "TOO_MANY_REQUESTS" && e.CreditsRemaining == 0 {
		return ClassQuota
	}
	return e.info().Class
}

// Retriable reports whether the same request may succeed later. It says nothing about whether repeating it is safe: a
// create whose answer was lost may have been executed. A cancelled call is not retriable.
func (e *Error) Retriable() bool { return e.info().Retriable && !errors.Is(e.Err, context.Canceled) }

// Wait returns the delay before another attempt: the server's own when it named one, an hour when the day's
// credits are spent, else the advice of the catalogue.
func (e *Error) Wait() time.Duration {
	switch {
	case e.RetryAfter > 0:
		return e.RetryAfter
	case e.Class() == ClassQuota:
		return time.Hour
	}
	return e.info().Wait
}

func (e *Error) info() CodeInfo {
	info, ok := Lookup(e.Code)
	if !ok || info.Code == codeByStatus {
		info = infoByStatus(e.HTTPStatus)
	}
	// A gateway may put a familiar code on a server failure; the status then knows better.
	if e.HTTPStatus >= 500 && !info.Retriable {
		return infoByStatus(e.HTTPStatus)
	}
	return info
}

const codeByStatus = "HTTP_ERROR"

func infoByStatus(status int) CodeInfo {
	switch {
	case status == http.StatusUnauthorized:
		return CodeInfo{Class: ClassAuth}
	case status == http.StatusForbidden:
		return CodeInfo{Class: ClassPermission}
	case status == http.StatusNotFound || status == http.StatusGone:
		return CodeInfo{Class: ClassNotFound}
	case status == http.StatusRequestTimeout:
		return CodeInfo{Class: ClassTransient, Retriable: true, Wait: 2 * time.Second}
	case status == http.StatusRequestEntityTooLarge:
		return CodeInfo{Class: ClassTooLarge}
	case status == http.StatusTooManyRequests:
		return CodeInfo{Class: ClassRateLimited, Retriable: true, Wait: 2 * time.Second}
	case status >= 500 || status == 0:
		return CodeInfo{Class: ClassTransient, Retriable: true, Wait: 2 * time.Second}
	default:
		return CodeInfo{Class: ClassRejected}
	}
}

// ErrorCode returns the code of the [*Error] in err's tree, or "" when there is none.
func ErrorCode(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// IsNotFound reports whether err says that the job, file or record asked for does not exist. Zoho answers an unknown job
// with 404 (documentation) or 400 (its OpenAPI files), both with RESOURCE_NOT_FOUND; both are recognised.
func IsNotFound(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Class() == ClassNotFound
}

func argumentError(op Op, format string, args ...any) *Error {
	return &Error{Op: op, Code: CodeInvalidArgument, Message: fmt.Sprintf(format, args...), CreditsRemaining: -1, NotSent: true}
}
