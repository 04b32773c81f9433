package connector

import "context"

// Connector is a product Sluice can talk to. It is implemented by connector
// authors, and by the host's handle on a launched connector process.
//
// All methods may be called concurrently. None of them may touch the network.
type Connector interface {
	// Manifest returns the static facts about the connector. It returns the
	// same value at every call and never blocks.
	Manifest(ctx context.Context) (Manifest, error)

	// ConnectionForm returns the ways to connect, given the answers chosen so
	// far (which may be empty). Fields and OAuth endpoints may depend on them.
	ConnectionForm(ctx context.Context, answers Answers) (ConnectionForm, error)

	// NetworkAddresses returns every host the connector will talk to with this
	// connection. The connection carries no secrets. A host outside the list is
	// refused by package egress.
	NetworkAddresses(ctx context.Context, connection Connection) ([]NetworkAddress, error)

	// Open returns a session for a connection. It checks the answers (a bad
	// one is an [Error] of [ClassConfig] naming the field) and prepares
	// clients, but sends nothing. The caller closes the session.
	Open(ctx context.Context, connection Connection) (Session, error)
}

// Session is a connector bound to one connection. Sessions are used by several
// goroutines at once and are kept open between calls, so that tokens and
// connections are reused. A session may also be an [Outbound], an [Inbound], an
// [OptionLister], a [RecordValidator] and a [CostEstimator]; the manifest
// announces which.
type Session interface {
	// Connect tests the connection by logging in, and returns what is to be
	// kept with it. It is called once when the connection is created (then
	// with an authorization where the method has an OAuth template) and at
	// every test. A failed login is an [Error] of [ClassAuth].
	Connect(ctx context.Context, authorization Authorization) (Connected, error)

	// Limits returns what the app allows this connection. It may ask the app.
	Limits(ctx context.Context) (Limits, error)

	// Close releases the session. No call follows it.
	Close() error
}

// Outbound is the capability of a [Session] to write records to the app. A
// connector that has it lists at least one strategy in its manifest.
type Outbound interface {
	// OutboundForm returns the fields and the mapper of an outbound sync,
	// given the strategy and the answers so far.
	OutboundForm(ctx context.Context, request FormRequest) (Form, error)

	// SyncOutbound pulls records from the stream until io.EOF and settles each
	// of them exactly once. It returns nil when every record it was given is
	// settled, and an error when the whole conversation failed; records that
	// were not settled by then are treated by the host as RETRY, or IN_DOUBT
	// where a ticket says so. When the stream's Stop channel delivers, it
	// stops pulling, settles what it holds (DELAYED where need be) and
	// returns nil before the deadline of the stop.
	SyncOutbound(ctx context.Context, sync OutboundSync, stream OutboundStream) error
}

// Inbound is the capability of a [Session] to read records from the app. A
// connector that has it says so in its manifest.
type Inbound interface {
	// InboundForm returns the fields of an inbound sync, given the answers so far.
	InboundForm(ctx context.Context, request FormRequest) (Form, error)

	// Streams lists streams. Without names it lists all of them, with schemas
	// only where that is cheap; with names exactly those, each with a schema.
	// An unknown name is an [Error] of [ClassConfig].
	Streams(ctx context.Context, query StreamQuery) ([]Stream, error)

	// SyncInbound reads the selected streams and sends their rows,
	// checkpoints and ends. A stream that fails alone ends with a StreamDone
	// carrying the error; an error returned here fails the run.
	SyncInbound(ctx context.Context, sync InboundSync, stream InboundStream) error
}

// OptionLister is the capability of a [Session] to list the options of named
// option sources, which form fields and mappers refer to.
type OptionLister interface {
	// Options returns one page of the options of request.Source. An unknown
	// source is an [Error] of [ClassConfig].
	Options(ctx context.Context, request OptionsRequest) (OptionsPage, error)
}

// RecordValidator is the capability of a [Session] to check records before
// anything is sent, without network.
type RecordValidator interface {
	// ValidateRecords returns a finding for each row that would be INVALID.
	ValidateRecords(ctx context.Context, sync OutboundSync, batch *RecordBatch) ([]RowOutcome, error)
}

// CostEstimator is the capability of a [Session] to say what a run would take
// from the pools, before it is started.
type CostEstimator interface {
	// OutboundCosts returns the paths by which the app can be sent these
	// records, one of them chosen. It sends no record; it may ask the app for
	// metadata.
	OutboundCosts(ctx context.Context, sync OutboundSync, counts []ActionCount) ([]OutboundPath, error)
}
