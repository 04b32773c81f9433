package wire

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// rule is one sentence of the proto files, and a message that breaks it.
type rule struct {
	pair  string
	field string // that the violation names
	spoil func(m proto.Message)
	// readOnly rules are broken by what the vocabulary cannot say, so that only
	// the reader can meet them.
	readOnly bool
}

func broke[M proto.Message](pair, field string, spoil func(M)) rule {
	return rule{pair: pair, field: field, spoil: func(m proto.Message) { spoil(m.(M)) }}
}

func unreadable[M proto.Message](pair, field string, spoil func(M)) rule {
	r := broke(pair, field, spoil)
	r.readOnly = true
	return r
}

// lawful are messages that obey every rule; each rule spoils a copy.
var lawful = map[string]proto.Message{
	"Manifest": &pb.Manifest{Id: "demo", Name: "Demo", Version: "1.0.0", DocumentationUrl: "https://example.com", Icon: &pb.Icon{MediaType: "image/png", Data: []byte{1}},
		Features: []pb.Feature{1}, Strategies: []*pb.Strategy{{Name: "a", OnNew: "Create"}, {Name: "b", OnNew: "Create"}}, TargetTypes: []*pb.TargetType{{Name: "a"}, {Name: "b"}}, Rendering: &pb.Rendering{Timestamp: 1, Date: 1}},
	"ConnectionForm": &pb.ConnectionFormResponse{Methods: []*pb.ConnectionMethod{
		{Name: "a", Form: &pb.Form{}, Oauth: &pb.OAuthTemplate{Grant: 1, AuthorizationUrl: "https://example.com", ClientIdField: "id", Parameters: []*pb.Answer{{Field: "p", Values: []string{"1"}}}}},
		{Name: "b", Form: &pb.Form{}}}},
	"Connection":    &pb.Connection{Method: "m", Answers: []*pb.Answer{{Field: "a"}, {Field: "b"}}, Addresses: []*pb.NetworkAddress{{Host: "example.com", Scheme: "https", Port: 1}}, Limits: lawfulLimits},
	"Connected":     &pb.ConnectResponse{Parameters: []*pb.Answer{{Field: "a"}, {Field: "b"}}, Secrets: []*pb.Answer{{Field: "a"}}, Addresses: []*pb.NetworkAddress{{Host: "example.com"}}},
	"Addresses":     &pb.NetworkAddressesResponse{Addresses: []*pb.NetworkAddress{{Host: "a.example.com"}, {Host: "b.example.com"}}},
	"Authorization": &pb.Authorization{Code: "c", RedirectUri: "https://example.com", Parameters: []*pb.Answer{{Field: "a", Values: []string{"1"}}}},
	"Form": &pb.Form{Fields: []*pb.Field{
		{Name: "a", Kind: pb.FieldKind_FIELD_KIND_INPUT, Label: "A", Validation: &pb.Validation{Pattern: "x", MinLength: 1, MaxLength: 2, Min: proto.Float64(1), Max: proto.Float64(2)}},
		{Name: "b", Kind: pb.FieldKind_FIELD_KIND_DROPDOWN, Label: "B", Options: []*pb.Option{{Value: "1", Metadata: []*pb.Metadata{{Name: "x"}, {Name: "y"}}}, {Value: "2"}}, DependsOn: []*pb.Condition{{Field: "a"}}},
		{Name: "c", Kind: pb.FieldKind_FIELD_KIND_INFORMATION, Help: "read this"},
	}, Mapper: &pb.Mapper{Kind: &pb.Mapper_Fields{Fields: &pb.FieldMapper{OptionSource: "fields"}}}},
	"InboundForm":         &pb.Form{},
	"OutboundFormRequest": &pb.OutboundConfigurationFormRequest{Connection: aConnection, Strategy: "Upsert"},
	"InboundFormRequest":  &pb.InboundConfigurationFormRequest{Connection: aConnection, Answers: []*pb.Answer{{Field: "a"}}},
	"OptionsRequest":      &pb.FormOptionsRequest{Connection: aConnection, Source: "fields", Direction: 1, Strategy: "Upsert"},
	"OptionsPage":         &pb.FormOptionsResponse{Options: []*pb.Option{{Value: "a"}, {Value: "b"}}},
	"Limits":              lawfulLimits,
	"ActionCounts":        &pb.OutboundCostsRequest{Connection: aConnection, Counts: []*pb.ActionCount{{Action: "Create", Records: 1}, {Action: "Update", Records: 2}}},
	"OutboundPaths": &pb.OutboundCostsResponse{Paths: []*pb.OutboundPath{
		{Name: "a", Chosen: true, Costs: []*pb.PathCost{{Category: "c", Requests: 1, Pool: "p", Units: 1}, {Category: "d", Requests: 1}}}, {Name: "b"}}},
	"StreamQuery": &pb.StreamListRequest{Connection: aConnection, Answers: []*pb.Answer{{Field: "a"}}},
	"Streams":     &pb.StreamListResponse{Streams: []*pb.Stream{{Name: "a", Modes: []pb.ReadMode{1}, JsonSchema: "{}"}, {Name: "b", Modes: []pb.ReadMode{2}}}},
	"OutboundSync": &pb.OutboundSync{SyncId: "s", RunId: "r", Strategy: &pb.Strategy{Name: "Upsert", OnNew: "Create"}, Mapping: []*pb.Column{{Name: "a", Type: &pb.LogicalType{Kind: 1}}, {Name: "b", Type: &pb.LogicalType{Kind: 1}}},
		Tickets: []*pb.Ticket{{Id: "a", State: 2, Seqs: []*pb.SeqRange{{First: 1, Last: 2}}}, {Id: "b", State: 2, Seqs: []*pb.SeqRange{{First: 3, Last: 3}}}}},
	"InboundSync":   &pb.InboundSync{SyncId: "s", RunId: "r", StartedAt: timestamppb.Now(), Streams: []*pb.StreamSelection{{Name: "a", Mode: 1, StateJson: "{}"}, {Name: "b", Mode: 2}}},
	"Schema":        &pb.Schema{Id: "s", Columns: []*pb.Column{{Name: "a", Type: &pb.LogicalType{Kind: 3, Precision: 5, Scale: 2}}, {Name: "b", Type: &pb.LogicalType{Kind: 1}}}},
	"Ticket":        &pb.Ticket{Id: "t", State: 1, Seqs: []*pb.SeqRange{{First: 1, Last: 2}, {First: 4, Last: 4}}, HandleJson: "{}"},
	"TicketAck":     &pb.TicketAck{Id: "t", State: 1},
	"Outcomes":      &pb.Outcomes{Seqs: []int64{1, 2, 3}, Exceptions: []*pb.RowOutcome{{Row: 0, Status: 2, Error: &pb.Error{Message: "no"}}, {Row: 2, Status: 1}}},
	"RowOutcome":    &pb.RowOutcome{Status: 2, Error: &pb.Error{Class: 7, Message: "no"}, DetailJson: "{}"},
	"Error":         &pb.Error{Class: 1, Message: "no", RetryAfter: durationpb.New(1), ResetAt: timestamppb.Now()},
	"Tombstones":    &pb.Tombstones{Stream: "s", AppIdentifiers: []string{"1"}, DeletedAt: []*timestamppb.Timestamp{timestamppb.Now()}},
	"Checkpoint":    &pb.Checkpoint{Stream: "s", StateJson: "{}", Number: 1},
	"CheckpointAck": &pb.CheckpointAck{Stream: "s", Number: 1},
	"StreamDone":    &pb.StreamDone{Stream: "s", StateJson: "{}"},
	"Progress":      &pb.Progress{Activity: "polling", Waiting: 1},
	"Stop":          &pb.Stop{Mode: 1, Deadline: timestamppb.Now()},
	"Keep":          &pb.Keep{Secrets: []*pb.Answer{{Field: "a"}, {Field: "b"}}, Parameters: []*pb.Answer{{Field: "a"}}},
	"Usage":         &pb.Usage{Category: "c", Requests: 1, Pool: "p", Units: 1},
	"GrantRequest":  &pb.GrantRequest{Id: 1, Pool: "p", Units: 1},
	"Grant":         &pb.Grant{Id: 1, Pool: "p", Units: 1, ExpiresAt: timestamppb.Now()},
}

var lawfulLimits = &pb.Limits{
	Limits: []*pb.Limit{
		{Category: "a", Matchers: []*pb.RequestMatcher{{PathPattern: "/.*"}}, Rates: []*pb.Rate{{Count: 1, Per: durationpb.New(1)}}, Cost: &pb.Cost{Pool: "p", Units: 1}},
		{Category: "b", Matchers: []*pb.RequestMatcher{{}}},
	},
	Pools: []*pb.Pool{{Name: "p", Capacity: 1, Window: durationpb.New(1)}, {Name: "q", Capacity: 1, Window: durationpb.New(1)}},
}

var invalidTime = &timestamppb.Timestamp{Nanos: -1}

var rules = []rule{
	broke("Manifest", "id", func(m *pb.Manifest) { m.Id = "Zoho" }),
	broke("Manifest", "id", func(m *pb.Manifest) { m.Id = "a" + strings.Repeat("b", 64) }),
	broke("Manifest", "name", func(m *pb.Manifest) { m.Name = "" }),
	broke("Manifest", "version", func(m *pb.Manifest) { m.Version = "v1.0.0" }),
	broke("Manifest", "documentation_url", func(m *pb.Manifest) { m.DocumentationUrl = "http://example.com" }),
	broke("Manifest", "icon.media_type", func(m *pb.Manifest) { m.Icon.MediaType = "image/gif" }),
	broke("Manifest", "icon.data", func(m *pb.Manifest) { m.Icon.Data = nil }),
	broke("Manifest", "icon.data", func(m *pb.Manifest) { m.Icon.Data = make([]byte, 64<<10+1) }),
	broke("Manifest", "strategies[0].name", func(m *pb.Manifest) { m.Strategies[0].Name = "" }),
	broke("Manifest", "strategies[1].name", func(m *pb.Manifest) { m.Strategies[1].Name = "a" }),
	broke("Manifest", "strategies[0].on_new", func(m *pb.Manifest) { m.Strategies[0].OnNew = "" }),
	broke("Manifest", "target_types[0].name", func(m *pb.Manifest) { m.TargetTypes[0].Name = "" }),
	broke("Manifest", "target_types[1].name", func(m *pb.Manifest) { m.TargetTypes[1].Name = "a" }),
	unreadable("Manifest", "rendering.timestamp", func(m *pb.Manifest) { m.Rendering.Timestamp = 99 }),
	unreadable("Manifest", "rendering.date", func(m *pb.Manifest) { m.Rendering.Date = 99 }),

	broke("ConnectionForm", "methods", func(m *pb.ConnectionFormResponse) { m.Methods = nil }),
	broke("ConnectionForm", "methods[0].name", func(m *pb.ConnectionFormResponse) { m.Methods[0].Name = "" }),
	broke("ConnectionForm", "methods[1].name", func(m *pb.ConnectionFormResponse) { m.Methods[1].Name = "a" }),
	unreadable("ConnectionForm", "methods[0].form.form", func(m *pb.ConnectionFormResponse) { m.Methods[0].Form = nil }),
	broke("ConnectionForm", "methods[0].form.mapper", func(m *pb.ConnectionFormResponse) {
		m.Methods[0].Form.Mapper = lawful["Form"].(*pb.Form).Mapper
	}),
	unreadable("ConnectionForm", "methods[0].oauth.grant", func(m *pb.ConnectionFormResponse) { m.Methods[0].Oauth.Grant = 0 }),
	broke("ConnectionForm", "methods[0].oauth.authorization_url", func(m *pb.ConnectionFormResponse) { m.Methods[0].Oauth.AuthorizationUrl = "" }),
	broke("ConnectionForm", "methods[0].oauth.client_id_field", func(m *pb.ConnectionFormResponse) { m.Methods[0].Oauth.ClientIdField = "" }),
	unreadable("ConnectionForm", "methods[0].oauth.parameters", func(m *pb.ConnectionFormResponse) {
		m.Methods[0].Oauth.Parameters[0].Values = []string{"1", "2"}
	}),

	broke("Connection", "connection.method", func(m *pb.Connection) { m.Method = "" }),
	unreadable("Connection", "connection.answers[1].field", func(m *pb.Connection) { m.Answers[1].Field = "a" }),
	unreadable("Connection", "connection.answers", func(m *pb.Connection) { m.Answers[1].Field = "" }),
	broke("Connection", "connection.addresses[0].host", func(m *pb.Connection) { m.Addresses[0].Host = "" }),
	broke("Connection", "connection.limits.pools[0].name", func(m *pb.Connection) { m.Limits.Pools[0].Name = "" }),
	broke("Connected", "addresses[0].host", func(m *pb.ConnectResponse) { m.Addresses[0].Host = "*.example.com" }),
	unreadable("Connected", "secrets", func(m *pb.ConnectResponse) { m.Secrets[0].Field = "" }),
	broke("Addresses", "addresses[0].scheme", func(m *pb.NetworkAddressesResponse) { m.Addresses[0].Scheme = "ftp" }),
	broke("Addresses", "addresses[0].port", func(m *pb.NetworkAddressesResponse) { m.Addresses[0].Port = 65536 }),
	broke("Addresses", "addresses[0].port", func(m *pb.NetworkAddressesResponse) { m.Addresses[0].Port = -1 }),
	broke("Addresses", "addresses[0].host", func(m *pb.NetworkAddressesResponse) { m.Addresses[0].Host = "example.com:443" }),
	broke("Addresses", "addresses[1].host", func(m *pb.NetworkAddressesResponse) {
		m.Addresses[1].Host, m.Addresses[1].Scheme = "a.example.com", "https"
	}),
	broke("Authorization", "authorization.code", func(m *pb.Authorization) { m.Code = "" }),
	broke("Authorization", "authorization.redirect_uri", func(m *pb.Authorization) { m.RedirectUri = "" }),
	unreadable("Authorization", "authorization.parameters", func(m *pb.Authorization) { m.Parameters[0].Values = []string{"1", "2"} }),

	broke("Form", "fields[0].name", func(m *pb.Form) { m.Fields[0].Name = "" }),
	broke("Form", "fields[2].name", func(m *pb.Form) { m.Fields[2].Name = "a" }),
	unreadable("Form", "fields[0].kind", func(m *pb.Form) { m.Fields[0].Kind = 0 }),
	unreadable("Form", "fields[0].kind", func(m *pb.Form) { m.Fields[0].Kind = 99 }),
	broke("Form", "fields[0].label", func(m *pb.Form) { m.Fields[0].Label = "" }),
	broke("Form", "fields[2].help", func(m *pb.Form) { m.Fields[2].Help = "" }),
	broke("Form", "fields[1].depends_on[0].field", func(m *pb.Form) { m.Fields[1].DependsOn[0].Field = "c" }),
	broke("Form", "fields[0].options", func(m *pb.Form) { m.Fields[0].Options = []*pb.Option{{Value: "x"}} }),
	broke("Form", "fields[0].options", func(m *pb.Form) { m.Fields[0].OptionSource = "x" }),
	broke("Form", "fields[1].option_source", func(m *pb.Form) { m.Fields[1].OptionSource = "x" }),
	broke("Form", "fields[0].multiple", func(m *pb.Form) { m.Fields[0].Multiple = true }),
	broke("Form", "fields[1].options[1].value", func(m *pb.Form) { m.Fields[1].Options[1].Value = "1" }),
	broke("Form", "fields[1].options[0].value", func(m *pb.Form) { m.Fields[1].Options[0].Value = "" }),
	unreadable("Form", "fields[1].options[0].metadata", func(m *pb.Form) { m.Fields[1].Options[0].Metadata[1].Name = "x" }),
	unreadable("Form", "fields[1].options[0].metadata", func(m *pb.Form) { m.Fields[1].Options[0].Metadata[1].Name = "" }),
	broke("Form", "fields[0].validation.pattern", func(m *pb.Form) { m.Fields[0].Validation.Pattern = "(" }),
	broke("Form", "fields[0].validation.min", func(m *pb.Form) { m.Fields[0].Validation.Min = proto.Float64(3) }),
	broke("Form", "fields[0].validation.min_length", func(m *pb.Form) { m.Fields[0].Validation.MinLength = 3 }),
	broke("Form", "fields[0].validation.min_length", func(m *pb.Form) { m.Fields[0].Validation.MinLength = -3 }),
	broke("Form", "fields[0].validation.max_length", func(m *pb.Form) { m.Fields[0].Validation.MaxLength = -3 }),
	broke("Form", "mapper.kind", func(m *pb.Form) { m.Mapper.Kind = nil }),
	broke("Form", "mapper.fields.option_source", func(m *pb.Form) { m.Mapper.GetFields().OptionSource = "" }),
	broke("Form", "mapper.template.max_length", func(m *pb.Form) {
		m.Mapper.Kind = &pb.Mapper_Template{Template: &pb.TemplateMapper{MaxLength: -1}}
	}),
	broke("InboundForm", "mapper", func(m *pb.Form) { m.Mapper = lawful["Form"].(*pb.Form).Mapper }),
	broke("OutboundFormRequest", "strategy", func(m *pb.OutboundConfigurationFormRequest) { m.Strategy = "" }),
	unreadable("InboundFormRequest", "answers", func(m *pb.InboundConfigurationFormRequest) { m.Answers[0].Field = "" }),
	broke("OptionsRequest", "source", func(m *pb.FormOptionsRequest) { m.Source = "" }),
	unreadable("OptionsRequest", "direction", func(m *pb.FormOptionsRequest) { m.Direction = 0 }),
	broke("OptionsRequest", "strategy", func(m *pb.FormOptionsRequest) { m.Direction = 2 }),
	broke("OptionsRequest", "page_size", func(m *pb.FormOptionsRequest) { m.PageSize = 10_001 }),
	broke("OptionsRequest", "page_size", func(m *pb.FormOptionsRequest) { m.PageSize = -1 }),
	broke("OptionsPage", "options[1].value", func(m *pb.FormOptionsResponse) { m.Options[1].Value = "a" }),

	broke("ActionCounts", "counts", func(m *pb.OutboundCostsRequest) { m.Counts = nil }),
	broke("ActionCounts", "counts[0].action", func(m *pb.OutboundCostsRequest) { m.Counts[0].Action = "" }),
	broke("ActionCounts", "counts[1].action", func(m *pb.OutboundCostsRequest) { m.Counts[1].Action = "Create" }),
	broke("ActionCounts", "counts[0].records", func(m *pb.OutboundCostsRequest) { m.Counts[0].Records = 0 }),
	broke("OutboundPaths", "paths[0].name", func(m *pb.OutboundCostsResponse) { m.Paths[0].Name = "" }),
	broke("OutboundPaths", "paths[1].name", func(m *pb.OutboundCostsResponse) { m.Paths[1].Name = "a" }),
	broke("OutboundPaths", "paths[1].chosen", func(m *pb.OutboundCostsResponse) { m.Paths[1].Chosen = true }),
	broke("OutboundPaths", "paths[0].costs[0].category", func(m *pb.OutboundCostsResponse) { m.Paths[0].Costs[0].Category = "" }),
	broke("OutboundPaths", "paths[0].costs[1].category", func(m *pb.OutboundCostsResponse) { m.Paths[0].Costs[1].Category = "c" }),
	broke("OutboundPaths", "paths[0].costs[0].requests", func(m *pb.OutboundCostsResponse) { m.Paths[0].Costs[0].Requests = 0 }),
	broke("OutboundPaths", "paths[0].costs[0].units", func(m *pb.OutboundCostsResponse) { m.Paths[0].Costs[0].Units = -1 }),
	broke("OutboundPaths", "paths[0].costs[0].units", func(m *pb.OutboundCostsResponse) { m.Paths[0].Costs[0].Pool = "" }),
	broke("Limits", "limits[0].category", func(m *pb.Limits) { m.Limits[0].Category = "" }),
	broke("Limits", "limits[1].category", func(m *pb.Limits) { m.Limits[1].Category = "a" }),
	broke("Limits", "limits[0].matchers", func(m *pb.Limits) { m.Limits[0].Matchers = nil }),
	broke("Limits", "limits[0].matchers[0].path_pattern", func(m *pb.Limits) { m.Limits[0].Matchers[0].PathPattern = "(" }),
	broke("Limits", "limits[0].rates[0].count", func(m *pb.Limits) { m.Limits[0].Rates[0].Count = 0 }),
	broke("Limits", "limits[0].rates[0].per", func(m *pb.Limits) { m.Limits[0].Rates[0].Per = nil }),
	broke("Limits", "limits[0].max_concurrency", func(m *pb.Limits) { m.Limits[0].MaxConcurrency = -1 }),
	broke("Limits", "limits[0].cost.pool", func(m *pb.Limits) { m.Limits[0].Cost.Pool = "x" }),
	broke("Limits", "limits[0].cost.pool", func(m *pb.Limits) { m.Limits[0].Cost.Pool = "" }),
	broke("Limits", "limits[0].cost.units", func(m *pb.Limits) { m.Limits[0].Cost.Units = 0 }),
	broke("Limits", "limits[0].cost.items", func(m *pb.Limits) { m.Limits[0].Cost.Items = -1 }),
	broke("Limits", "pools[1].name", func(m *pb.Limits) { m.Pools[1].Name = "p" }),
	broke("Limits", "pools[0].capacity", func(m *pb.Limits) { m.Pools[0].Capacity = 0 }),
	broke("Limits", "pools[0].window", func(m *pb.Limits) { m.Pools[0].Window = nil }),

	unreadable("StreamQuery", "answers", func(m *pb.StreamListRequest) { m.Answers[0].Field = "" }),
	broke("Streams", "streams[0].name", func(m *pb.StreamListResponse) { m.Streams[0].Name = "" }),
	broke("Streams", "streams[1].name", func(m *pb.StreamListResponse) { m.Streams[1].Name = "a" }),
	broke("Streams", "streams[0].modes", func(m *pb.StreamListResponse) { m.Streams[0].Modes = nil }),
	unreadable("Streams", "streams[0].modes[0].mode", func(m *pb.StreamListResponse) { m.Streams[0].Modes[0] = 0 }),
	broke("Streams", "streams[0].json_schema", func(m *pb.StreamListResponse) { m.Streams[0].JsonSchema = "{" }),

	broke("OutboundSync", "sync.sync_id", func(m *pb.OutboundSync) { m.SyncId = "" }),
	broke("OutboundSync", "sync.run_id", func(m *pb.OutboundSync) { m.RunId = "" }),
	unreadable("OutboundSync", "sync.strategy.name", func(m *pb.OutboundSync) { m.Strategy = nil }),
	broke("OutboundSync", "sync.mapping", func(m *pb.OutboundSync) { m.Mapping = nil }),
	broke("OutboundSync", "sync.mapping[1].name", func(m *pb.OutboundSync) { m.Mapping[1].Name = "a" }),
	broke("OutboundSync", "sync.records", func(m *pb.OutboundSync) { m.Records = -1 }),
	broke("OutboundSync", "sync.tickets[0].state", func(m *pb.OutboundSync) { m.Tickets[0].State = 1 }),
	broke("OutboundSync", "sync.tickets[1].id", func(m *pb.OutboundSync) { m.Tickets[1].Id = "a" }),
	unreadable("OutboundSync", "sync.deadline", func(m *pb.OutboundSync) { m.Deadline = invalidTime }),
	broke("InboundSync", "sync.sync_id", func(m *pb.InboundSync) { m.SyncId = "" }),
	broke("InboundSync", "sync.run_id", func(m *pb.InboundSync) { m.RunId = "" }),
	broke("InboundSync", "sync.started_at", func(m *pb.InboundSync) { m.StartedAt = nil }),
	broke("InboundSync", "sync.streams", func(m *pb.InboundSync) { m.Streams = nil }),
	broke("InboundSync", "sync.streams[1].name", func(m *pb.InboundSync) { m.Streams[1].Name = "a" }),
	broke("InboundSync", "sync.streams[0].name", func(m *pb.InboundSync) { m.Streams[0].Name = "" }),
	unreadable("InboundSync", "sync.streams[0].mode", func(m *pb.InboundSync) { m.Streams[0].Mode = 0 }),
	broke("InboundSync", "sync.streams[0].state_json", func(m *pb.InboundSync) { m.Streams[0].StateJson = "{" }),

	broke("Schema", "id", func(m *pb.Schema) { m.Id = "" }),
	broke("Schema", "columns[0].name", func(m *pb.Schema) { m.Columns[0].Name = "" }),
	broke("Schema", "columns[1].name", func(m *pb.Schema) { m.Columns[1].Name = "a" }),
	unreadable("Schema", "columns[0].type.kind", func(m *pb.Schema) { m.Columns[0].Type = nil }),
	unreadable("Schema", "columns[0].type.kind", func(m *pb.Schema) { m.Columns[0].Type.Kind = 99 }),
	broke("Schema", "columns[0].type.scale", func(m *pb.Schema) { m.Columns[0].Type.Scale = 6 }),
	broke("Schema", "columns[0].type.scale", func(m *pb.Schema) { m.Columns[0].Type.Scale = -1 }),
	broke("Schema", "columns[0].type.precision", func(m *pb.Schema) { m.Columns[0].Type.Precision = -1 }),

	broke("Ticket", "id", func(m *pb.Ticket) { m.Id = "" }),
	unreadable("Ticket", "state", func(m *pb.Ticket) { m.State = 0 }),
	broke("Ticket", "seqs", func(m *pb.Ticket) { m.Seqs = nil }),
	broke("Ticket", "seqs[0].last", func(m *pb.Ticket) { m.Seqs[0].Last = 0 }),
	broke("Ticket", "seqs[1].first", func(m *pb.Ticket) { m.Seqs[1].First = 2 }),
	broke("Ticket", "handle_json", func(m *pb.Ticket) { m.HandleJson = "{" }),
	broke("Ticket", "handle_json", func(m *pb.Ticket) { m.HandleJson = `"` + strings.Repeat("x", 64<<10) + `"` }),
	broke("TicketAck", "id", func(m *pb.TicketAck) { m.Id = "" }),
	unreadable("TicketAck", "state", func(m *pb.TicketAck) { m.State = 0 }),

	broke("Outcomes", "seqs", func(m *pb.Outcomes) { m.Seqs, m.Exceptions = nil, nil }),
	broke("Outcomes", "app_identifiers", func(m *pb.Outcomes) { m.AppIdentifiers = []string{"1"} }),
	broke("Outcomes", "exceptions[1].row", func(m *pb.Outcomes) { m.Exceptions[1].Row = 3 }),
	broke("Outcomes", "exceptions[1].row", func(m *pb.Outcomes) { m.Exceptions[1].Row = 0 }),
	unreadable("RowOutcome", "status", func(m *pb.RowOutcome) { m.Status = 0 }),
	broke("RowOutcome", "status", func(m *pb.RowOutcome) { m.Status = pb.OutcomeStatus_OUTCOME_STATUS_SKIPPED }),
	broke("RowOutcome", "error", func(m *pb.RowOutcome) { m.Error = nil }),
	unreadable("RowOutcome", "error.message", func(m *pb.RowOutcome) { m.Error.Message = "" }),
	broke("RowOutcome", "detail_json", func(m *pb.RowOutcome) { m.DetailJson = "{" }),
	broke("Error", "message", func(m *pb.Error) { m.Message = "" }),
	unreadable("Error", "retry_after", func(m *pb.Error) { m.RetryAfter = &durationpb.Duration{Seconds: 1, Nanos: -1} }),
	unreadable("Error", "reset_at", func(m *pb.Error) { m.ResetAt = invalidTime }),

	broke("Tombstones", "stream", func(m *pb.Tombstones) { m.Stream = "" }),
	broke("Tombstones", "app_identifiers", func(m *pb.Tombstones) { m.AppIdentifiers = nil }),
	broke("Tombstones", "deleted_at", func(m *pb.Tombstones) { m.AppIdentifiers = []string{"1", "2"} }),
	unreadable("Tombstones", "deleted_at", func(m *pb.Tombstones) { m.DeletedAt[0] = invalidTime }),
	broke("Checkpoint", "stream", func(m *pb.Checkpoint) { m.Stream = "" }),
	broke("Checkpoint", "state_json", func(m *pb.Checkpoint) { m.StateJson = "" }),
	broke("Checkpoint", "state_json", func(m *pb.Checkpoint) { m.StateJson = "{" }),
	broke("Checkpoint", "state_json", func(m *pb.Checkpoint) { m.StateJson = `"` + strings.Repeat("x", 1<<20) + `"` }),
	broke("Checkpoint", "number", func(m *pb.Checkpoint) { m.Number = 0 }),
	broke("CheckpointAck", "stream", func(m *pb.CheckpointAck) { m.Stream = "" }),
	broke("CheckpointAck", "number", func(m *pb.CheckpointAck) { m.Number = 0 }),
	broke("StreamDone", "stream", func(m *pb.StreamDone) { m.Stream = "" }),
	broke("StreamDone", "state_json", func(m *pb.StreamDone) { m.StateJson = "{" }),

	broke("Progress", "activity", func(m *pb.Progress) { m.Activity = "" }),
	broke("Progress", "done", func(m *pb.Progress) { m.Done = -1 }),
	broke("Progress", "total", func(m *pb.Progress) { m.Total = -1 }),
	unreadable("Progress", "waiting", func(m *pb.Progress) { m.Waiting = 99 }),
	broke("Stop", "deadline", func(m *pb.Stop) { m.Deadline = nil }),
	unreadable("Stop", "mode", func(m *pb.Stop) { m.Mode = 99 }),
	unreadable("Keep", "secrets[1].field", func(m *pb.Keep) { m.Secrets[1].Field = "a" }),
	unreadable("Keep", "parameters", func(m *pb.Keep) { m.Parameters[0].Field = "" }),
	broke("Usage", "category", func(m *pb.Usage) { m.Category = "" }),
	broke("Usage", "requests", func(m *pb.Usage) { m.Requests = 0 }),
	broke("Usage", "pool", func(m *pb.Usage) { m.Pool = "" }),
	broke("Usage", "units", func(m *pb.Usage) { m.Units = -1 }),
	broke("GrantRequest", "id", func(m *pb.GrantRequest) { m.Id = 0 }),
	broke("GrantRequest", "pool", func(m *pb.GrantRequest) { m.Pool = "" }),
	broke("GrantRequest", "units", func(m *pb.GrantRequest) { m.Units = 0 }),
	broke("GrantRequest", "want", func(m *pb.GrantRequest) { m.Want = -1 }),
	broke("Grant", "id", func(m *pb.Grant) { m.Id = 0 }),
	broke("Grant", "pool", func(m *pb.Grant) { m.Pool = "" }),
	broke("Grant", "units", func(m *pb.Grant) { m.Units = -1 }),
	broke("Grant", "expires_at", func(m *pb.Grant) { m.ExpiresAt = nil }),
	broke("Grant", "retry_at", func(m *pb.Grant) { m.Units = 0 }),
}

func byName(name string) pair {
	for _, p := range pairs {
		if p.name == name {
			return p
		}
	}
	panic("no pair " + name)
}

func TestLawfulMessagesAreAccepted(t *testing.T) {
	for _, p := range pairs {
		m, ok := lawful[p.name]
		if !ok {
			t.Errorf("%s: no lawful message", p.name)
			continue
		}
		if _, err := p.judge(m); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		if accepted, err := p.read(m); !accepted || err != nil {
			t.Errorf("%s: accepted %t, then %v", p.name, accepted, err)
		}
	}
}

func TestABrokenRuleIsRefusedByBothSidesAndNamesItsField(t *testing.T) {
	for i, r := range rules {
		t.Run(fmt.Sprintf("%s/%s/%d", r.pair, r.field, i), func(t *testing.T) {
			m := proto.Clone(lawful[r.pair])
			r.spoil(m)
			made, err := byName(r.pair).judge(m)
			var v *Violation
			if !errors.As(err, &v) || v.Field != r.field {
				t.Errorf("read: got %v, want a violation of %s", err, r.field)
			}
			// A list with a broken element is not returned; then there is nothing
			// to make the message of again.
			if r.readOnly || strings.Contains(r.field, "[") {
				return
			}
			if !errors.As(made, &v) || v.Field != r.field {
				t.Errorf("made: got %v, want a violation of %s", made, r.field)
			}
		})
	}
}
