package plugin

import (
	"context"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// server is the author's half: it translates and delegates.
type server struct {
	pb.UnimplementedConnectorServiceServer
	connector connector.Connector
	sessions  *sessions
}

func newServer(c connector.Connector) *server {
	return &server{connector: c, sessions: newSessions(c)}
}

func (s *server) Manifest(ctx context.Context, _ *pb.ManifestRequest) (*pb.ManifestResponse, error) {
	m, err := s.connector.Manifest(ctx)
	if err != nil {
		return nil, err
	}
	out, err := wire.Manifest(m)
	return &pb.ManifestResponse{Manifest: out}, err
}

func (s *server) ConnectionForm(ctx context.Context, r *pb.ConnectionFormRequest) (*pb.ConnectionFormResponse, error) {
	answers, err := wire.AnswersFrom("answers", r.GetAnswers())
	if err != nil {
		return nil, hostBroke("the request", err)
	}
	form, err := s.connector.ConnectionForm(ctx, answers)
	if err != nil {
		return nil, err
	}
	return wire.ConnectionForm(form)
}

func (s *server) NetworkAddresses(ctx context.Context, r *pb.NetworkAddressesRequest) (*pb.NetworkAddressesResponse, error) {
	connection, err := wire.ConnectionFrom(r.GetConnection())
	if err != nil {
		return nil, hostBroke("the connection", err)
	}
	connection.Secrets = nil // the contract promises that none are needed
	list, err := s.connector.NetworkAddresses(ctx, connection)
	if err != nil {
		return nil, err
	}
	return wire.Addresses(list)
}

// with opens the session of a connection and calls use with the capability T.
func with[T, R any](ctx context.Context, s *server, c *pb.Connection, use func(T) (R, error)) (R, error) {
	var none R
	session, release, err := s.sessions.acquire(ctx, c)
	if err != nil {
		return none, err
	}
	defer release()
	capable, ok := session.(T)
	if !ok {
		return none, unimplemented()
	}
	return use(capable)
}

func (s *server) Connect(ctx context.Context, r *pb.ConnectRequest) (*pb.ConnectResponse, error) {
	authorization, err := wire.AuthorizationFrom(r.GetAuthorization())
	if err != nil {
		return nil, hostBroke("the authorization", err)
	}
	return with(ctx, s, r.GetConnection(), func(session connector.Session) (*pb.ConnectResponse, error) {
		connected, err := session.Connect(ctx, authorization)
		if err != nil {
			return nil, err
		}
		return wire.Connected(connected)
	})
}

func (s *server) ApiLimits(ctx context.Context, r *pb.ApiLimitsRequest) (*pb.ApiLimitsResponse, error) {
	return with(ctx, s, r.GetConnection(), func(session connector.Session) (*pb.ApiLimitsResponse, error) {
		limits, err := session.Limits(ctx)
		if err != nil {
			return nil, err
		}
		out, err := wire.Limits(limits)
		if out == nil {
			out = &pb.Limits{}
		}
		return &pb.ApiLimitsResponse{Limits: out}, err
	})
}

func (s *server) OutboundConfigurationForm(ctx context.Context, r *pb.OutboundConfigurationFormRequest) (*pb.OutboundConfigurationFormResponse, error) {
	request, err := wire.OutboundFormRequestFrom(r)
	if err != nil {
		return nil, hostBroke("the request", err)
	}
	return with(ctx, s, r.GetConnection(), func(out connector.Outbound) (*pb.OutboundConfigurationFormResponse, error) {
		form, err := out.OutboundForm(ctx, request)
		if err != nil {
			return nil, err
		}
		f, err := wire.Form(form)
		return &pb.OutboundConfigurationFormResponse{Form: f}, err
	})
}

func (s *server) InboundConfigurationForm(ctx context.Context, r *pb.InboundConfigurationFormRequest) (*pb.InboundConfigurationFormResponse, error) {
	request, err := wire.InboundFormRequestFrom(r)
	if err != nil {
		return nil, hostBroke("the request", err)
	}
	return with(ctx, s, r.GetConnection(), func(in connector.Inbound) (*pb.InboundConfigurationFormResponse, error) {
		form, err := in.InboundForm(ctx, request)
		if err != nil {
			return nil, err
		}
		f, err := wire.InboundForm(form)
		return &pb.InboundConfigurationFormResponse{Form: f}, err
	})
}

func (s *server) FormOptions(ctx context.Context, r *pb.FormOptionsRequest) (*pb.FormOptionsResponse, error) {
	request, err := wire.OptionsRequestFrom(r)
	if err != nil {
		return nil, hostBroke("the request", err)
	}
	return with(ctx, s, r.GetConnection(), func(lister connector.OptionLister) (*pb.FormOptionsResponse, error) {
		page, err := lister.Options(ctx, request)
		if err != nil {
			return nil, err
		}
		return wire.OptionsPage(page)
	})
}

func (s *server) ValidateRecords(ctx context.Context, r *pb.ValidateRecordsRequest) (*pb.ValidateRecordsResponse, error) {
	sync, err := wire.OutboundSyncFrom(r.GetSync())
	if err != nil {
		return nil, hostBroke("the request", err)
	}
	schema, err := wire.SchemaFrom(r.GetSchema())
	if err != nil {
		return nil, hostBroke("the request", err)
	}
	if r.GetBatch().GetSchemaId() != schema.ID {
		return nil, hostBreach("the batch to validate names another schema than came with it")
	}
	batch, err := wire.OutboundBatchFrom(r.GetBatch(), schema)
	if err != nil {
		return nil, hostBroke("the request", err)
	}
	return with(ctx, s, r.GetConnection(), func(v connector.RecordValidator) (*pb.ValidateRecordsResponse, error) {
		findings, err := v.ValidateRecords(ctx, sync, batch)
		if err != nil {
			return nil, err
		}
		rows, err := wire.RowOutcomes(findings, batch.Rows)
		return &pb.ValidateRecordsResponse{Findings: rows}, err
	})
}

func (s *server) OutboundCosts(ctx context.Context, r *pb.OutboundCostsRequest) (*pb.OutboundCostsResponse, error) {
	sync, err := wire.OutboundSyncFrom(r.GetSync())
	if err != nil {
		return nil, hostBroke("the request", err)
	}
	counts, err := wire.ActionCountsFrom(r.GetCounts())
	if err != nil {
		return nil, hostBroke("the request", err)
	}
	return with(ctx, s, r.GetConnection(), func(e connector.CostEstimator) (*pb.OutboundCostsResponse, error) {
		paths, err := e.OutboundCosts(ctx, sync, counts)
		if err != nil {
			return nil, err
		}
		return wire.OutboundPaths(paths)
	})
}

func (s *server) StreamList(ctx context.Context, r *pb.StreamListRequest) (*pb.StreamListResponse, error) {
	query, err := wire.StreamQueryFrom(r)
	if err != nil {
		return nil, hostBroke("the request", err)
	}
	return with(ctx, s, r.GetConnection(), func(in connector.Inbound) (*pb.StreamListResponse, error) {
		streams, err := in.Streams(ctx, query)
		if err != nil {
			return nil, err
		}
		return wire.Streams(streams, r.GetNames())
	})
}
