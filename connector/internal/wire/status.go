package wire

import (
	"strings"
	"time"
	"unicode"

	"github.com/sluiceio/sluice/connector"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Domain is the domain of the ErrorInfo that carries a class.
const Domain = "connector.sluice"

// The keys of the metadata of an ErrorInfo.
const (
	codeKey  = "code"
	resetKey = "reset_at"
)

// statusCodes says which gRPC code a class has.
var statusCodes = map[connector.Class]codes.Code{
	connector.ClassConfig:         codes.InvalidArgument,
	connector.ClassAuth:           codes.Unauthenticated,
	connector.ClassPermission:     codes.PermissionDenied,
	connector.ClassRateLimited:    codes.ResourceExhausted,
	connector.ClassQuotaExhausted: codes.ResourceExhausted,
	connector.ClassTransient:      codes.Unavailable,
	connector.ClassRejected:       codes.FailedPrecondition,
	connector.ClassSchemaChanged:  codes.FailedPrecondition,
	connector.ClassTooLarge:       codes.OutOfRange,
	connector.ClassCancelled:      codes.Canceled,
	connector.ClassInternal:       codes.Internal,
}

// classOf says what a gRPC code means that came without our details: from gRPC
// itself, or from a peer that does not know them. Others are INTERNAL.
var classOf = map[codes.Code]connector.Class{
	codes.InvalidArgument:    connector.ClassConfig,
	codes.NotFound:           connector.ClassConfig,
	codes.Unimplemented:      connector.ClassConfig,
	codes.Unauthenticated:    connector.ClassAuth,
	codes.PermissionDenied:   connector.ClassPermission,
	codes.ResourceExhausted:  connector.ClassRateLimited,
	codes.Unavailable:        connector.ClassTransient,
	codes.Aborted:            connector.ClassTransient,
	codes.DeadlineExceeded:   connector.ClassCancelled,
	codes.Canceled:           connector.ClassCancelled,
	codes.FailedPrecondition: connector.ClassRejected,
	codes.OutOfRange:         connector.ClassTooLarge,
}

// The codes of errors that have a gRPC code of their own, whatever their class.
const (
	// CodeUnimplemented: the connector does not have this part of the contract.
	CodeUnimplemented = "UNIMPLEMENTED"
	// CodeRecordTooLarge: a message exceeds MaxMessage.
	CodeRecordTooLarge = "RECORD_TOO_LARGE"
)

// Status makes the status of a failed call; nil stays nil.
func Status(err error) error {
	e := connector.AsError(err)
	if e == nil {
		return nil
	}
	class := e.Class
	code, known := statusCodes[class]
	if !known {
		class, code = connector.ClassInternal, codes.Internal
	}
	switch {
	case e.Code == CodeUnimplemented && class == connector.ClassConfig:
		code = codes.Unimplemented
	case e.Code == CodeRecordTooLarge:
		code = codes.ResourceExhausted
	}
	message := valid(e.Message)
	st, failed := status.New(code, message).WithDetails(details(class, e)...)
	if failed != nil { // which well-formed details cannot
		return status.Error(code, message)
	}
	return st.Err()
}

// valid replaces what is not UTF-8, which no message may hold.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

func details(class connector.Class, e *connector.Error) []protoadapt.MessageV1 {
	info := &errdetails.ErrorInfo{Reason: string(class), Domain: Domain}
	set := func(key, value string) {
		if info.Metadata == nil {
			info.Metadata = make(map[string]string)
		}
		info.Metadata[key] = value
	}
	if e.Code != "" {
		set(codeKey, valid(e.Code))
	}
	if !e.ResetAt.IsZero() {
		set(resetKey, e.ResetAt.UTC().Format(time.RFC3339Nano))
	}
	all := []protoadapt.MessageV1{info}
	if e.RetryAfter != 0 {
		all = append(all, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)})
	}
	if len(e.Fields) > 0 {
		bad := &errdetails.BadRequest{}
		for _, f := range e.Fields {
			bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: valid(f.Field), Description: valid(f.Description)})
		}
		all = append(all, bad)
	}
	if len(e.Help) > 0 {
		help := &errdetails.Help{}
		for _, h := range e.Help {
			help.Links = append(help.Links, &errdetails.Help_Link{Description: valid(h.Description), Url: valid(h.URL)})
		}
		all = append(all, help)
	}
	return all
}

// StatusFrom reads the error of a failed call; nil stays nil. Ours is true when
// the status carried our details, so that the peer itself has spoken and not
// gRPC on its behalf.
func StatusFrom(err error) (e *connector.Error, ours bool) {
	if err == nil {
		return nil, false
	}
	st, ok := status.FromError(err)
	if !ok {
		return connector.AsError(err), false
	}
	e = &connector.Error{Class: classOf[st.Code()], Code: "GRPC_" + codeName(st.Code()), Message: st.Message()}
	switch {
	case e.Class == "":
		e.Class = connector.ClassInternal
	case st.Code() == codes.Unimplemented:
		e.Code = CodeUnimplemented
	case st.Code() == codes.ResourceExhausted && strings.Contains(st.Message(), "larger than max"): // gRPC's own bound
		e.Class, e.Code = connector.ClassTooLarge, CodeRecordTooLarge
	}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			ours = info(e, d) || ours
		case *errdetails.RetryInfo:
			e.RetryAfter = d.GetRetryDelay().AsDuration()
		case *errdetails.BadRequest:
			for _, f := range d.GetFieldViolations() {
				e.Fields = append(e.Fields, connector.FieldViolation{Field: f.GetField(), Description: f.GetDescription()})
			}
		case *errdetails.Help:
			for _, l := range d.GetLinks() {
				e.Help = append(e.Help, connector.Help{Description: l.GetDescription(), URL: l.GetUrl()})
			}
		}
	}
	return e, ours
}

// info takes over what an ErrorInfo says, if it is ours.
func info(e *connector.Error, d *errdetails.ErrorInfo) bool {
	class := connector.Class(d.GetReason())
	if _, known := statusCodes[class]; !known || d.GetDomain() != Domain {
		return false
	}
	e.Class, e.Code = class, d.GetMetadata()[codeKey]
	if at, err := time.Parse(time.RFC3339Nano, d.GetMetadata()[resetKey]); err == nil {
		e.ResetAt = at
	}
	return true
}

// codeName spells a gRPC code in upper case with underscores.
func codeName(c codes.Code) string {
	var name strings.Builder
	for i, r := range c.String() {
		if i > 0 && unicode.IsUpper(r) {
			name.WriteByte('_')
		}
		name.WriteRune(unicode.ToUpper(r))
	}
	return name.String()
}
