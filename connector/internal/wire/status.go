package wire

import (
	"time"

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

// Status makes the status of a failed call; nil stays nil. Code is the gRPC code
// where it is to differ from that of the class, else OK.
func Status(err error, code codes.Code) error {
	e := connector.AsError(err)
	if e == nil {
		return nil
	}
	class := e.Class
	if _, ok := statusCodes[class]; !ok {
		class = connector.ClassInternal
	}
	if code == codes.OK {
		code = statusCodes[class]
	}
	st, failed := status.New(code, e.Message).WithDetails(details(class, e)...)
	if failed != nil { // a detail that is not UTF-8, for instance
		return status.Error(code, e.Message)
	}
	return st.Err()
}

func details(class connector.Class, e *connector.Error) []protoadapt.MessageV1 {
	info := &errdetails.ErrorInfo{Reason: string(class), Domain: Domain}
	set := func(key, value string) {
		if info.Metadata == nil {
			info.Metadata = make(map[string]string)
		}
		info.Metadata[key] = value
	}
	if e.Code != "" {
		set(codeKey, e.Code)
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
			bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: f.Field, Description: f.Description})
		}
		all = append(all, bad)
	}
	if len(e.Help) > 0 {
		help := &errdetails.Help{}
		for _, h := range e.Help {
			help.Links = append(help.Links, &errdetails.Help_Link{Description: h.Description, Url: h.URL})
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
	if e.Class == "" {
		e.Class = connector.ClassInternal
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
	var name []byte
	for i, r := range []byte(c.String()) {
		if r >= 'A' && r <= 'Z' && i > 0 && name[len(name)-1] >= 'a' {
			name = append(name, '_')
		}
		name = append(name, r&^0x20)
	}
	return string(name)
}
