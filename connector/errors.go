package connector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Class is the closed set of reasons for which a call, or a record, fails.
type Class string

// The classes.
const (
	// ClassConfig: an answer is missing or wrong; the user must change it.
	ClassConfig Class = "CONFIG"
	// ClassAuth: the login was refused or the grant is gone.
	ClassAuth Class = "AUTH"
	// ClassPermission: logged in, but not allowed; a scope or a right is missing.
	ClassPermission Class = "PERMISSION"
	// ClassRateLimited: too fast; passes by itself after RetryAfter.
	ClassRateLimited Class = "RATE_LIMITED"
	// ClassQuotaExhausted: a budget is spent; comes back at ResetAt.
	ClassQuotaExhausted Class = "QUOTA_EXHAUSTED"
	// ClassTransient: a passing fault of the app or of the network.
	ClassTransient Class = "TRANSIENT"
	// ClassRejected: the app said no to the data.
	ClassRejected Class = "REJECTED"
	// ClassSchemaChanged: a module or field is no longer what it was.
	ClassSchemaChanged Class = "SCHEMA_CHANGED"
	// ClassTooLarge: a record, a batch or an answer exceeds a bound.
	ClassTooLarge Class = "TOO_LARGE"
	// ClassCancelled: stopped by the host or the user.
	ClassCancelled Class = "CANCELLED"
	// ClassInternal: a defect of the connector or of Sluice.
	ClassInternal Class = "INTERNAL"
)

// Classes lists every class, for tables that must be complete.
var Classes = []Class{
	ClassConfig, ClassAuth, ClassPermission, ClassRateLimited, ClassQuotaExhausted, ClassTransient,
	ClassRejected, ClassSchemaChanged, ClassTooLarge, ClassCancelled, ClassInternal,
}

// Error says what failed, to what, and what to do next. It crosses the wire
// whole, except for Cause, so its texts never hold a secret or the content of a
// record.
type Error struct {
	// Class says who must act. Required.
	Class Class
	// Code is the app's own code, or one of ours, in upper case with
	// underscores; for instance MANDATORY_NOT_FOUND.
	Code string
	// Message names the operation and its object, in one sentence.
	Message string
	// Fields are the offending fields.
	Fields []FieldViolation
	// RetryAfter is how long to wait before trying again; 0 when unknown.
	RetryAfter time.Duration
	// ResetAt is when a spent budget comes back; zero when unknown.
	ResetAt time.Time
	// Help says how to fix it, with a link where there is one.
	Help []Help
	// Cause is what led to it; it stays on this side of the wire.
	Cause error
}

// FieldViolation names a field and what is wrong with its value.
type FieldViolation struct{ Field, Description string }

// Help is a remedy, and a link to more; either may be empty.
type Help struct{ Description, URL string }

// Errorf returns an Error with a formatted message. A %w operand becomes its Cause.
func Errorf(class Class, code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Class: class, Code: code, Message: err.Error(), Cause: errors.Unwrap(err)}
}

// Error returns the message, the code in brackets where there is one, and the remedies.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	if e.Code != "" && !strings.Contains(e.Message, e.Code) {
		fmt.Fprintf(&b, " [%s]", e.Code)
	}
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "; %s: %s", f.Field, f.Description)
	}
	for _, h := range e.Help {
		b.WriteString("; ")
		b.WriteString(strings.TrimSpace(h.Description + " " + h.URL))
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// AsError returns err as an *Error. A context error becomes CANCELLED; anything
// else that is not an *Error becomes INTERNAL. AsError(nil) is nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &Error{Class: ClassCancelled, Code: "CANCELLED", Message: err.Error(), Cause: err}
	}
	return &Error{Class: ClassInternal, Code: "INTERNAL", Message: err.Error(), Cause: err}
}

// ClassOf returns the class of err, or "" for nil.
func ClassOf(err error) Class {
	if e := AsError(err); e != nil {
		return e.Class
	}
	return ""
}

// StatusFor returns the outcome that an error of a class means for a record
// that was not applied.
func StatusFor(class Class) Status {
	switch class {
	case ClassTransient, ClassRateLimited:
		return StatusRetry
	case ClassQuotaExhausted, ClassCancelled, ClassAuth, ClassPermission:
		return StatusDelayed
	case ClassConfig, ClassTooLarge:
		return StatusInvalid
	default:
		return StatusRejected
	}
}
