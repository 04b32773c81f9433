package wire

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

var oneColumn = &connector.Schema{ID: "s", Columns: []connector.Column{{Name: "c", Type: connector.Type{Kind: connector.KindString}}}}

// outgoing makes a batch of two good rows, changed by change.
func outgoing(change func(*connector.RecordBatch)) error {
	b := &connector.RecordBatch{
		Schema: oneColumn, Action: connector.ActionCreate, Rows: 2, Seqs: []int64{1, 2}, Identifiers: []string{"a", "b"},
		AppIdentifiers: []string{"", "x"}, Columns: []connector.Values{{Texts: []string{"", "t"}, Nulls: []uint32{0}}},
	}
	change(b)
	_, err := OutboundBatch(b)
	return err
}

func formOf(f connector.Field) error {
	_, err := Form(connector.Form{Fields: []connector.Field{f}})
	return err
}

func second[A any](_ A, err error) error { return err }

// TestBrokenRulesNameTheirField breaks one rule at a time.
func TestBrokenRulesNameTheirField(t *testing.T) {
	long := strings.Repeat("1", 2<<20)
	reason := connector.Errorf(connector.ClassRejected, "X", "no")
	manifest := connector.Manifest{ID: "a", Name: "A", Version: "1.0.0"}
	with := func(change func(*connector.Manifest)) error {
		m := manifest
		change(&m)
		return second(Manifest(m))
	}
	for field, err := range map[string]error{
		"id":                   with(func(m *connector.Manifest) { m.ID = "Zoho" }),
		"name":                 with(func(m *connector.Manifest) { m.Name = "" }),
		"version":              with(func(m *connector.Manifest) { m.Version = "v1.0.0" }),
		"documentation_url":    with(func(m *connector.Manifest) { m.DocumentationURL = "http://x" }),
		"icon.data":            with(func(m *connector.Manifest) { m.Icon = connector.Icon{MediaType: "image/png", Data: []byte(long)} }),
		"icon.media_type":      with(func(m *connector.Manifest) { m.Icon = connector.Icon{MediaType: "image/gif", Data: []byte("x")} }),
		"features[0].feature":  with(func(m *connector.Manifest) { m.Features = []connector.Feature{"magic"} }),
		"strategies[0].on_new": with(func(m *connector.Manifest) { m.Strategies = []connector.Strategy{{Name: "Nothing"}} }),
		"strategies[1].name": with(func(m *connector.Manifest) {
			m.Strategies = []connector.Strategy{connector.StrategySend, connector.StrategySend}
		}),
		"target_types[0].name":          with(func(m *connector.Manifest) { m.TargetTypes = []connector.TargetType{{}} }),
		"methods":                       second(ConnectionForm(connector.ConnectionForm{})),
		"connection.method":             second(Connection(connector.Connection{})),
		"connection":                    second(ConnectionFrom(nil)),
		"authorization.code":            second(Authorization(connector.Authorization{RedirectURI: "x"})),
		"connection.answers[0].field":   second(Connection(connector.Connection{Method: "m", Answers: connector.Answers{"": nil}})),
		"connection.addresses[0].host":  second(Connection(connector.Connection{Method: "m", Addresses: []connector.NetworkAddress{{Host: "*.example"}}})),
		"scheme":                        second(NetworkAddress(connector.NetworkAddress{Scheme: "ftp", Host: "a"})),
		"port":                          second(NetworkAddress(connector.NetworkAddress{Host: "a", Port: 70000})),
		"fields[0].kind":                formOf(connector.Field{Name: "n", Label: "l"}),
		"fields[0].label":               formOf(connector.Field{Name: "n", Kind: connector.FieldInput}),
		"fields[0].help":                formOf(connector.Field{Name: "n", Kind: connector.FieldInformation}),
		"fields[0].options":             formOf(connector.Field{Name: "n", Label: "l", Kind: connector.FieldInput, OptionSource: "x"}),
		"fields[0].option_source":       formOf(connector.Field{Name: "n", Label: "l", Kind: connector.FieldDropdown, OptionSource: "x", Options: []connector.Option{{Value: "1"}}}),
		"fields[0].options[1].value":    formOf(connector.Field{Name: "n", Label: "l", Kind: connector.FieldRadio, Options: []connector.Option{{Value: "1"}, {Value: "1"}}}),
		"fields[0].multiple":            formOf(connector.Field{Name: "n", Label: "l", Kind: connector.FieldRadio, Multiple: true}),
		"fields[0].depends_on[0].field": formOf(connector.Field{Name: "n", Label: "l", Kind: connector.FieldInput, DependsOn: []connector.Condition{{Field: "n"}}}),
		"fields[0].validation.pattern":  formOf(connector.Field{Name: "n", Label: "l", Kind: connector.FieldInput, Validation: connector.Validation{Pattern: "("}}),
		"mapper.kind":                   second(Form(connector.Form{Mapper: &connector.Mapper{}})),
		"mapper.fields.option_source":   second(Form(connector.Form{Mapper: &connector.Mapper{Fields: &connector.FieldMapper{}}})),
		"mapper":                        second(InboundForm(connector.Form{Mapper: &connector.Mapper{Template: &connector.TemplateMapper{}}})),
		"limits[0].matchers":            second(Limits(connector.Limits{Limits: []connector.Limit{{Category: "c"}}})),
		"limits[0].rates[0].per":        second(Limits(connector.Limits{Limits: []connector.Limit{{Category: "c", Matchers: []connector.Matcher{{}}, Rates: []connector.Rate{{Count: 1}}}}})),
		"limits[0].cost.pool":           second(Limits(connector.Limits{Limits: []connector.Limit{{Category: "c", Matchers: []connector.Matcher{{}}, Cost: &connector.Cost{Pool: "p", Units: 1}}}})),
		"pools[0].window":               second(Limits(connector.Limits{Pools: []connector.Pool{{Name: "p", Capacity: 1}}})),
		"page_size":                     second(OptionsRequest(nil, connector.OptionsRequest{Source: "s", Direction: connector.DirectionInbound, PageSize: 10_001})),
		"direction":                     second(OptionsRequest(nil, connector.OptionsRequest{Source: "s"})),
		"source":                        second(OptionsRequest(nil, connector.OptionsRequest{Direction: connector.DirectionInbound})),
		"columns[0].type.kind":          second(Schema(&connector.Schema{ID: "s", Columns: []connector.Column{{Name: "c"}}})),
		"columns[0].type.scale":         second(Schema(&connector.Schema{ID: "s", Columns: []connector.Column{{Name: "c", Type: connector.Type{Kind: connector.KindDecimal, Precision: 2, Scale: 3}}}})),
		"rows":                          outgoing(func(b *connector.RecordBatch) { b.Rows = 0 }),
		"seqs":                          outgoing(func(b *connector.RecordBatch) { b.Seqs = b.Seqs[:1] }),
		"identifiers":                   outgoing(func(b *connector.RecordBatch) { b.Identifiers = nil }),
		"app_identifiers":               outgoing(func(b *connector.RecordBatch) { b.AppIdentifiers = []string{"x"} }),
		"action":                        outgoing(func(b *connector.RecordBatch) { b.Action = "" }),
		"stream":                        outgoing(func(b *connector.RecordBatch) { b.Stream = "s" }),
		"columns":                       outgoing(func(b *connector.RecordBatch) { b.Columns = nil }),
		"columns[0].texts":              outgoing(func(b *connector.RecordBatch) { b.Columns[0].Nulls = []uint32{1} }),
		"columns[0].nulls": outgoing(func(b *connector.RecordBatch) {
			b.Columns[0] = connector.Values{Texts: []string{"", ""}, Nulls: []uint32{1, 0}}
		}),
		"schema_id":                 second(OutboundBatchFrom(&connectorv1.RecordBatch{SchemaId: "other"}, nil)),
		"exceptions[0].row":         second(Outcomes(connector.Outcomes{Seqs: []int64{1}, Exceptions: []connector.RowOutcome{{Row: 1, Status: connector.StatusRejected, Error: reason}}})),
		"exceptions[1].row":         second(Outcomes(connector.Outcomes{Seqs: []int64{1, 2}, Exceptions: []connector.RowOutcome{{Row: 1, Status: connector.StatusRejected, Error: reason}, {Row: 0, Status: connector.StatusRejected, Error: reason}}})),
		"exceptions[0].error":       second(Outcomes(connector.Outcomes{Seqs: []int64{1}, Exceptions: []connector.RowOutcome{{Status: connector.StatusRejected}}})),
		"exceptions[0].status":      second(Outcomes(connector.Outcomes{Seqs: []int64{1}, Exceptions: []connector.RowOutcome{{Status: "MAYBE", Error: reason}}})),
		"exceptions[0].detail_json": second(Outcomes(connector.Outcomes{Seqs: []int64{1}, Exceptions: []connector.RowOutcome{{Status: connector.StatusSucceeded, Detail: "<html>"}}})),
		"seqs[1].first":             second(Ticket(connector.Ticket{ID: "t", State: connector.TicketPrepared, Seqs: []connector.SeqRange{{First: 1, Last: 3}, {First: 3, Last: 4}}})),
		"seqs[0].last":              second(Ticket(connector.Ticket{ID: "t", State: connector.TicketPrepared, Seqs: []connector.SeqRange{{First: 2, Last: 1}}})),
		"handle_json":               second(Ticket(connector.Ticket{ID: "t", State: connector.TicketPrepared, Seqs: []connector.SeqRange{{First: 1, Last: 1}}, Handle: long[:70_000]})),
		"activity":                  second(Progress(connector.Progress{})),
		"deadline":                  second(Stop(connector.Stop{Mode: connector.StopNow})),
		"category":                  second(Usage(connector.Usage{Requests: 1})),
		"requests":                  second(Usage(connector.Usage{Category: "c"})),
		"units":                     second(GrantRequest(1, connector.GrantRequest{Pool: "p"})),
		"retry_at":                  second(Grant(1, connector.Grant{Pool: "p"})),
		"expires_at":                second(Grant(1, connector.Grant{Pool: "p", Units: 1})),
		"sync.mapping":              second(OutboundSync(connector.OutboundSync{SyncID: "s", RunID: "r", Strategy: connector.StrategySend})),
		"sync.strategy.name":        second(OutboundSync(connector.OutboundSync{SyncID: "s", RunID: "r", Strategy: connector.Strategy{New: "x"}})),
		"sync.streams":              second(InboundSync(connector.InboundSync{SyncID: "s", RunID: "r", StartedAt: time.Unix(1, 0)})),
		"sync.started_at":           second(InboundSync(connector.InboundSync{SyncID: "s", RunID: "r", Streams: []connector.StreamSelection{{Name: "a", Mode: connector.ReadFullRefresh}}})),
		"sync.streams[0].mode":      second(InboundSync(connector.InboundSync{SyncID: "s", RunID: "r", Streams: []connector.StreamSelection{{Name: "a"}}})),
		"state_json":                second(Checkpoint(connector.Checkpoint{Stream: "a", State: long}, 1)),
		"number":                    second(Checkpoint(connector.Checkpoint{Stream: "a", State: "{}"}, 0)),
		"deleted_at":                second(Tombstones(connector.Tombstones{Stream: "a", AppIdentifiers: []string{"1"}, DeletedAt: make([]time.Time, 2)})),
		"streams":                   second(Streams([]connector.Stream{{Name: "a", Modes: []connector.ReadMode{connector.ReadFullRefresh}}}, []string{"a"})),
		"streams[0].modes":          second(Streams([]connector.Stream{{Name: "a"}}, nil)),
	} {
		var v *Violation
		if !errors.As(err, &v) || v.Field != field {
			t.Errorf("the rule of %s: got error %v", field, err)
		}
	}
}

func TestUnknownNumbers(t *testing.T) {
	m, err := ManifestFrom(&connectorv1.Manifest{Id: "a", Name: "A", Version: "1.0.0", Features: []connectorv1.Feature{0, 99, connectorv1.Feature_FEATURE_GRANTS}})
	if err != nil || len(m.Features) != 1 || m.Features[0] != connector.FeatureGrants {
		t.Errorf("unknown features are to be ignored: %v, %v", m.Features, err)
	}
	e, err := ErrorFrom(&connectorv1.Error{Class: 99, Message: "m"})
	if err != nil || e.Class != connector.ClassInternal {
		t.Errorf("an unknown class is to be INTERNAL: %v, %v", e, err)
	}
	if _, err := FormFrom(&connectorv1.Form{Fields: []*connectorv1.Field{{Name: "n", Label: "l", Kind: 99}}}); err == nil || !strings.Contains(err.Error(), "99") {
		t.Errorf("an unknown kind of field is to be refused: %v", err)
	}
}

func TestRefuseHoldsTheFieldAndNoValue(t *testing.T) {
	err := Refuse(connector.ClassConfig, "the connection", second(Connection(connector.Connection{Secrets: connector.Answers{"": {"s3cret"}}})))
	e := connector.AsError(err)
	if e.Class != connector.ClassConfig || len(e.Fields) != 1 || e.Fields[0].Field != "connection.method" || strings.Contains(e.Error(), "s3cret") {
		t.Errorf("got %+v", e)
	}
	if Refuse(connector.ClassConfig, "x", nil) != nil {
		t.Error("no error became one")
	}
}

// FuzzReading reads messages that anybody may have made: what is accepted can be
// made again.
func FuzzReading(f *testing.F) {
	good, _ := OutboundBatch(&connector.RecordBatch{
		Schema: oneColumn, Action: "Create", Rows: 1, Seqs: []int64{1}, Identifiers: []string{"a"}, Columns: []connector.Values{{Texts: []string{"x"}}},
	})
	for _, m := range []proto.Message{good, &connectorv1.Connection{Method: "m"}, &connectorv1.Outcomes{Seqs: []int64{1}}, &connectorv1.Form{Mapper: &connectorv1.Mapper{}}} {
		bytes, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes)
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		again(t, bytes, ManifestFrom, Manifest)
		again(t, bytes, FormFrom, Form)
		again(t, bytes, ConnectionFrom, Connection)
		again(t, bytes, ConnectionFormFrom, ConnectionForm)
		again(t, bytes, LimitsFrom, Limits)
		again(t, bytes, SchemaFrom, Schema)
		again(t, bytes, OutcomesFrom, Outcomes)
		again(t, bytes, TicketFrom, Ticket)
		again(t, bytes, ErrorFrom, Error)
		again(t, bytes, OutboundSyncFrom, OutboundSync)
		again(t, bytes, InboundSyncFrom, InboundSync)
		again(t, bytes, TombstonesFrom, Tombstones)
		again(t, bytes, ProgressFrom, Progress)
		again(t, bytes, KeepFrom, Keep)
		again(t, bytes, func(m *connectorv1.RecordBatch) (*connector.RecordBatch, error) {
			return OutboundBatchFrom(m, oneColumn)
		}, OutboundBatch)
		again(t, bytes, func(m *connectorv1.RecordBatch) (*connector.RecordBatch, error) {
			return InboundBatchFrom(m, oneColumn)
		}, InboundBatch)
	})
}

func again[P any, M interface {
	*P
	proto.Message
}, V any](t *testing.T, bytes []byte, in func(M) (V, error), out func(V) (M, error)) {
	t.Helper()
	m := M(new(P))
	if proto.Unmarshal(bytes, m) != nil {
		return
	}
	v, err := in(m)
	if err != nil {
		return
	}
	if _, err := out(v); err != nil {
		t.Errorf("what was read as %T cannot be made: %v", v, err)
	}
}
