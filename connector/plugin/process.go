package plugin

import (
	"context"
	"sync"

	"google.golang.org/grpc"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// Process is a connector that runs elsewhere: in a subprocess, behind an
// address, or in this process behind a pipe. It is safe for concurrent use.
type Process struct {
	client pb.ConnectorServiceClient
	close  func() error
	pid    int
	exited func() bool
	// ended says how the process ended and what it said last, "" if it goes on,
	// as it always does where there is no process.
	ended func() string

	once sync.Once
	err  error // of close
}

var _ connector.Connector = (*Process)(nil)

// Close ends what Launch, Attach, Dial or InProcess began, and waits for it: the
// process of a launched connector, the connection to any other. Calls under way
// fail. A second Close returns what the first did.
func (p *Process) Close() error {
	p.once.Do(func() { p.err = p.close() })
	return p.err
}

// greet asks for the manifest, to see whether a connector is there.
func (p *Process) greet(ctx context.Context, where string) error {
	_, err := p.Manifest(ctx)
	if e := connector.AsError(err); e != nil && e.Class == connector.ClassTransient {
		return connector.Errorf(connector.ClassTransient, "NO_CONNECTOR", "no connector answers at %s; start it there with serve --listen: %w", where, err)
	}
	return err
}

// Pid is the process id of a launched connector, 0 for others.
func (p *Process) Pid() int { return p.pid }

// Exited reports whether a launched connector has ended. It may lag behind the
// failure of a call by a moment.
func (p *Process) Exited() bool { return p.exited != nil && p.exited() }

// Manifest asks for the manifest.
func (p *Process) Manifest(ctx context.Context) (connector.Manifest, error) {
	r, err := p.client.Manifest(ctx, &pb.ManifestRequest{}, callOptions()...)
	if err != nil {
		return connector.Manifest{}, p.reason(err)
	}
	m, err := wire.ManifestFrom(r.GetManifest())
	return m, connectorBroke("the manifest", err)
}

// ConnectionForm asks for the ways to connect.
func (p *Process) ConnectionForm(ctx context.Context, answers connector.Answers) (connector.ConnectionForm, error) {
	list, err := wire.Answers("answers", answers)
	if err != nil {
		return connector.ConnectionForm{}, hostBroke("the answers", err)
	}
	r, err := p.client.ConnectionForm(ctx, &pb.ConnectionFormRequest{Answers: list}, callOptions()...)
	if err != nil {
		return connector.ConnectionForm{}, p.reason(err)
	}
	form, err := wire.ConnectionFormFrom(r)
	return form, connectorBroke("the connection form", err)
}

// NetworkAddresses asks where the connector will connect to. Secrets are not
// sent.
func (p *Process) NetworkAddresses(ctx context.Context, connection connector.Connection) ([]connector.NetworkAddress, error) {
	connection.Secrets = nil
	c, err := wire.Connection(connection)
	if err != nil {
		return nil, hostBroke("the connection", err)
	}
	r, err := p.client.NetworkAddresses(ctx, &pb.NetworkAddressesRequest{Connection: c}, callOptions()...)
	if err != nil {
		return nil, p.reason(err)
	}
	addresses, err := wire.AddressesFrom(r)
	return addresses, connectorBroke("the network addresses", err)
}

// Open returns a session, which has every capability; one that the connector
// lacks answers with a CONFIG error, code UNIMPLEMENTED. Answers are checked by
// the connector at the first call.
func (p *Process) Open(_ context.Context, connection connector.Connection) (connector.Session, error) {
	c, err := wire.Connection(connection)
	if err != nil {
		return nil, hostBroke("the connection", err)
	}
	return &session{process: p, client: p.client, connection: c}, nil
}

// session is a connection at a connector that runs elsewhere.
type session struct {
	process    *Process
	client     pb.ConnectorServiceClient
	connection *pb.Connection
}

var (
	_ connector.Session         = (*session)(nil)
	_ connector.Outbound        = (*session)(nil)
	_ connector.Inbound         = (*session)(nil)
	_ connector.OptionLister    = (*session)(nil)
	_ connector.RecordValidator = (*session)(nil)
	_ connector.CostEstimator   = (*session)(nil)
)

// call makes a unary call and converts its answer.
func call[Q, P, R any](ctx context.Context, p *Process, method func(context.Context, Q, ...grpc.CallOption) (P, error), request Q, convert func(P) (R, error)) (R, error) {
	var none R
	answer, err := method(ctx, request, callOptions()...)
	if err != nil {
		return none, p.reason(err)
	}
	got, err := convert(answer)
	if err != nil {
		return none, connectorBroke("an answer", err)
	}
	return got, nil
}

// reason is the error of a call.
func (p *Process) reason(err error) error {
	e, _ := p.failed(err)
	return e
}

// failed is the error of a call. Where gRPC lost the connection, the end of the
// process is the reason to give. Ours is true when the connector itself spoke.
func (p *Process) failed(err error) (e *connector.Error, ours bool) {
	e, ours = fromStatus(err)
	if ours || e.Class != connector.ClassTransient {
		return e, ours
	}
	if p.ended != nil {
		if how := p.ended(); how != "" {
			e.Code, e.Message = codeExited, "the connector ended ("+how
			return e, false
		}
	}
	e.Code, e.Message = codeLost, "the connector went away ("+e.Message+")"
	return e, false
}

func (s *session) Connect(ctx context.Context, authorization connector.Authorization) (connector.Connected, error) {
	a, err := wire.Authorization(authorization)
	if err != nil {
		return connector.Connected{}, hostBroke("the authorization", err)
	}
	return call(ctx, s.process, s.client.Connect, &pb.ConnectRequest{Connection: s.connection, Authorization: a}, wire.ConnectedFrom)
}

func (s *session) Limits(ctx context.Context) (connector.Limits, error) {
	return call(ctx, s.process, s.client.ApiLimits, &pb.ApiLimitsRequest{Connection: s.connection}, func(r *pb.ApiLimitsResponse) (connector.Limits, error) {
		return wire.LimitsFrom(r.GetLimits())
	})
}

func (s *session) OutboundForm(ctx context.Context, r connector.FormRequest) (connector.Form, error) {
	request, err := wire.OutboundFormRequest(s.connection, r)
	if err != nil {
		return connector.Form{}, hostBroke("the request", err)
	}
	return call(ctx, s.process, s.client.OutboundConfigurationForm, request, func(r *pb.OutboundConfigurationFormResponse) (connector.Form, error) {
		return wire.FormFrom(r.GetForm())
	})
}

func (s *session) InboundForm(ctx context.Context, r connector.FormRequest) (connector.Form, error) {
	request, err := wire.InboundFormRequest(s.connection, r)
	if err != nil {
		return connector.Form{}, hostBroke("the request", err)
	}
	return call(ctx, s.process, s.client.InboundConfigurationForm, request, func(r *pb.InboundConfigurationFormResponse) (connector.Form, error) {
		return wire.InboundFormFrom(r.GetForm())
	})
}

func (s *session) Options(ctx context.Context, r connector.OptionsRequest) (connector.OptionsPage, error) {
	request, err := wire.OptionsRequest(s.connection, r)
	if err != nil {
		return connector.OptionsPage{}, hostBroke("the request", err)
	}
	return call(ctx, s.process, s.client.FormOptions, request, wire.OptionsPageFrom)
}

func (s *session) ValidateRecords(ctx context.Context, about connector.OutboundSync, batch *connector.RecordBatch) ([]connector.RowOutcome, error) {
	sync, err := wire.OutboundSync(about)
	if err != nil {
		return nil, hostBroke("what the sync is about", err)
	}
	schema, err := wire.Schema(batch.Schema)
	if err != nil {
		return nil, hostBroke("the schema", err)
	}
	records, err := wire.OutboundBatch(batch)
	if err != nil {
		return nil, hostBroke("the batch", err)
	}
	request := &pb.ValidateRecordsRequest{Connection: s.connection, Sync: sync, Schema: schema, Batch: records}
	return call(ctx, s.process, s.client.ValidateRecords, request, func(r *pb.ValidateRecordsResponse) ([]connector.RowOutcome, error) {
		return wire.RowOutcomesFrom(r.GetFindings(), batch.Rows)
	})
}

func (s *session) OutboundCosts(ctx context.Context, about connector.OutboundSync, counts []connector.ActionCount) ([]connector.OutboundPath, error) {
	sync, err := wire.OutboundSync(about)
	if err != nil {
		return nil, hostBroke("what the sync is about", err)
	}
	c, err := wire.ActionCounts(counts)
	if err != nil {
		return nil, hostBroke("the numbers of records", err)
	}
	return call(ctx, s.process, s.client.OutboundCosts, &pb.OutboundCostsRequest{Connection: s.connection, Sync: sync, Counts: c}, wire.OutboundPathsFrom)
}

func (s *session) Streams(ctx context.Context, query connector.StreamQuery) ([]connector.Stream, error) {
	request, err := wire.StreamQuery(s.connection, query)
	if err != nil {
		return nil, hostBroke("the request", err)
	}
	return call(ctx, s.process, s.client.StreamList, request, func(r *pb.StreamListResponse) ([]connector.Stream, error) {
		return wire.StreamsFrom(r, query.Names)
	})
}

// Close ends nothing: the connector keeps sessions open between calls.
func (s *session) Close() error { return nil }
