package wire

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

func TestEveryClassCrossesAsAStatus(t *testing.T) {
	want := map[connector.Class]codes.Code{
		connector.ClassConfig: codes.InvalidArgument, connector.ClassAuth: codes.Unauthenticated, connector.ClassPermission: codes.PermissionDenied,
		connector.ClassRateLimited: codes.ResourceExhausted, connector.ClassQuotaExhausted: codes.ResourceExhausted, connector.ClassTransient: codes.Unavailable,
		connector.ClassRejected: codes.FailedPrecondition, connector.ClassSchemaChanged: codes.FailedPrecondition, connector.ClassTooLarge: codes.OutOfRange,
		connector.ClassCancelled: codes.Canceled, connector.ClassInternal: codes.Internal,
	}
	if len(want) != len(connector.Classes) {
		t.Fatalf("the table has %d classes of %d", len(want), len(connector.Classes))
	}
	for _, class := range connector.Classes {
		e := &connector.Error{
			Class: class, Code: "A_CODE", Message: "what happened", RetryAfter: 1500 * time.Millisecond, ResetAt: time.Date(2026, 2, 3, 4, 5, 6, 789, time.UTC),
			Fields: []connector.FieldViolation{{Field: "f", Description: "is bad"}}, Help: []connector.Help{{Description: "do this", URL: "https://example.com"}},
		}
		st := Status(e)
		if status.Code(st) != want[class] {
			t.Errorf("%s has the code %s, want %s", class, status.Code(st), want[class])
		}
		got, ours := StatusFrom(st)
		if diff := cmp.Diff(e, got); diff != "" || !ours {
			t.Errorf("%s: ours %v\n%s", class, ours, diff)
		}
	}
}

func TestCodesThatHaveAStatusOfTheirOwn(t *testing.T) {
	for code, c := range map[string]struct {
		class connector.Class
		want  codes.Code
	}{CodeUnimplemented: {connector.ClassConfig, codes.Unimplemented}, CodeRecordTooLarge: {connector.ClassTooLarge, codes.ResourceExhausted}} {
		st := Status(connector.Errorf(c.class, code, "no"))
		if got, ours := StatusFrom(st); status.Code(st) != c.want || got.Class != c.class || got.Code != code || !ours {
			t.Errorf("%s: status %v, read as %+v", code, st, got)
		}
	}
}

func TestStatusesOfOthers(t *testing.T) {
	for _, c := range []struct {
		err   error
		class connector.Class
		code  string
	}{
		{status.Error(codes.Unavailable, "gone"), connector.ClassTransient, "GRPC_UNAVAILABLE"},
		{status.Error(codes.ResourceExhausted, "grpc: received message larger than max (17 vs. 16)"), connector.ClassTooLarge, CodeRecordTooLarge},
		{status.Error(codes.Unimplemented, "unknown method"), connector.ClassConfig, CodeUnimplemented},
		{status.Error(codes.DataLoss, "?"), connector.ClassInternal, "GRPC_DATA_LOSS"},
	} {
		e, ours := StatusFrom(c.err)
		if e.Class != c.class || e.Code != c.code || ours {
			t.Errorf("%v is read as %+v, ours %v", c.err, e, ours)
		}
	}
}

func TestTextsThatAreNotUTF8DoNotLoseAnError(t *testing.T) {
	e := &connector.Error{Class: connector.ClassRejected, Code: "C\xff", Message: "bad \xff byte", Fields: []connector.FieldViolation{{Field: "f\xff", Description: "\xff"}}}
	got, ours := StatusFrom(Status(e))
	if !ours || got.Class != connector.ClassRejected || !strings.HasPrefix(got.Message, "bad ") || len(got.Fields) != 1 {
		t.Errorf("got %+v, ours %v", got, ours)
	}
	m, err := Error(e)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proto.Marshal(m); err != nil {
		t.Error(err)
	}
}

// TestEnumsAreComplete finds words and numbers that have no partner.
func TestEnumsAreComplete(t *testing.T) {
	for name, c := range map[string]struct{ pairs, numbers int }{
		"Kind": {len(kinds.number), len(connectorv1.Kind_name)}, "FieldKind": {len(fieldKinds.number), len(connectorv1.FieldKind_name)},
		"Feature": {len(features.number), len(connectorv1.Feature_name)}, "OutcomeStatus": {len(statuses.number), len(connectorv1.OutcomeStatus_name)},
		"ErrorClass": {len(classes.number), len(connectorv1.ErrorClass_name)}, "Waiting": {len(waits.number), len(connectorv1.Waiting_name)},
		"TicketState": {len(ticketStates.number), len(connectorv1.TicketState_name)}, "StopMode": {len(stopModes.number), len(connectorv1.StopMode_name)},
		"ReadMode": {len(readModes.number), len(connectorv1.ReadMode_name)}, "Direction": {len(directions.number), len(connectorv1.Direction_name)},
		"OauthGrant": {len(grants.number), len(connectorv1.OauthGrant_name)}, "TimestampFormat": {len(timestampFormats.number), len(connectorv1.TimestampFormat_name)},
		"DateFormat": {len(dateFormats.number), len(connectorv1.DateFormat_name)},
	} {
		if c.pairs != c.numbers-1 { // all but UNSPECIFIED
			t.Errorf("%s has %d numbers and %d words", name, c.numbers-1, c.pairs)
		}
	}
	if len(classes.number) != len(connector.Classes) || len(statusCodes) != len(connector.Classes) {
		t.Error("a class is missing")
	}
}
