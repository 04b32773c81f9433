package wire

import (
	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

var classes = newEnum(map[connector.Class]connectorv1.ErrorClass{
	connector.ClassConfig:         connectorv1.ErrorClass_ERROR_CLASS_CONFIG,
	connector.ClassAuth:           connectorv1.ErrorClass_ERROR_CLASS_AUTH,
	connector.ClassPermission:     connectorv1.ErrorClass_ERROR_CLASS_PERMISSION,
	connector.ClassRateLimited:    connectorv1.ErrorClass_ERROR_CLASS_RATE_LIMITED,
	connector.ClassQuotaExhausted: connectorv1.ErrorClass_ERROR_CLASS_QUOTA_EXHAUSTED,
	connector.ClassTransient:      connectorv1.ErrorClass_ERROR_CLASS_TRANSIENT,
	connector.ClassRejected:       connectorv1.ErrorClass_ERROR_CLASS_REJECTED,
	connector.ClassSchemaChanged:  connectorv1.ErrorClass_ERROR_CLASS_SCHEMA_CHANGED,
	connector.ClassTooLarge:       connectorv1.ErrorClass_ERROR_CLASS_TOO_LARGE,
	connector.ClassCancelled:      connectorv1.ErrorClass_ERROR_CLASS_CANCELLED,
	connector.ClassInternal:       connectorv1.ErrorClass_ERROR_CLASS_INTERNAL,
})

// Error makes the error that stands inside outcomes and stream ends; nil stays
// nil. A class that the contract does not have becomes INTERNAL.
func Error(e *connector.Error) (*connectorv1.Error, error) {
	if e == nil {
		return nil, nil
	}
	class, ok := classes.number[e.Class]
	if !ok {
		class = connectorv1.ErrorClass_ERROR_CLASS_INTERNAL
	}
	out := &connectorv1.Error{
		Class: class, Code: valid(e.Code), Message: valid(e.Message), RetryAfter: span(e.RetryAfter), ResetAt: moment(e.ResetAt),
	}
	for _, f := range e.Fields {
		out.Fields = append(out.Fields, &connectorv1.FieldViolation{Field: valid(f.Field), Description: valid(f.Description)})
	}
	for _, h := range e.Help {
		out.Help = append(out.Help, &connectorv1.HelpLink{Description: valid(h.Description), Url: valid(h.URL)})
	}
	return out, required("message", e.Message)
}

// ErrorFrom reads an error; nil stays nil. A class that is not said or not known
// is INTERNAL.
func ErrorFrom(e *connectorv1.Error) (*connector.Error, error) {
	if e == nil {
		return nil, nil
	}
	retryAfter, err1 := spanFrom("retry_after", e.RetryAfter)
	resetAt, err2 := momentFrom("reset_at", e.ResetAt)
	if err := first(err1, err2, required("message", e.Message)); err != nil {
		return nil, err
	}
	out := &connector.Error{Class: classes.word[e.Class], Code: e.Code, Message: e.Message, RetryAfter: retryAfter, ResetAt: resetAt}
	if out.Class == "" {
		out.Class = connector.ClassInternal
	}
	for _, f := range e.Fields {
		out.Fields = append(out.Fields, connector.FieldViolation{Field: f.GetField(), Description: f.GetDescription()})
	}
	for _, h := range e.Help {
		out.Help = append(out.Help, connector.Help{Description: h.GetDescription(), URL: h.GetUrl()})
	}
	return out, nil
}
