package connector_test

import (
	"context"
	"fmt"

	"github.com/sluiceio/sluice/connector"
)

// guestbook is a whole connector: it writes records to a list in memory. Served
// with plugin.Serve(guestbook{}) it would be a program.
type guestbook struct{}

func (guestbook) Manifest(context.Context) (connector.Manifest, error) {
	return connector.Manifest{
		ID: "guestbook", Name: "Guest Book", Version: "1.0.0",
		Strategies: []connector.Strategy{connector.StrategyCreate}, TargetTypes: []connector.TargetType{{Name: "book", Label: "Book"}},
	}, nil
}

func (guestbook) ConnectionForm(context.Context, connector.Answers) (connector.ConnectionForm, error) {
	return connector.ConnectionForm{Methods: []connector.ConnectionMethod{{Name: "open", Label: "No login"}}}, nil
}

func (guestbook) NetworkAddresses(context.Context, connector.Connection) ([]connector.NetworkAddress, error) {
	return nil, nil // it talks to nobody
}

func (guestbook) Open(context.Context, connector.Connection) (connector.Session, error) {
	return &book{}, nil
}

// book is a guestbook bound to one connection.
type book struct{ names []string }

func (*book) Connect(context.Context, connector.Authorization) (connector.Connected, error) {
	return connector.Connected{Account: "the book in the hall"}, nil
}

func (*book) Limits(context.Context) (connector.Limits, error) { return connector.Limits{}, nil }

func (*book) Close() error { return nil }

func (*book) OutboundForm(context.Context, connector.FormRequest) (connector.Form, error) {
	return connector.Form{}, nil
}

func (b *book) SyncOutbound(ctx context.Context, sync connector.OutboundSync, stream connector.OutboundStream) error {
	managed := connector.ManagedOutbound{Concurrency: 1, Write: b.write}
	return managed.Run(ctx, sync, stream)
}

// write is all that is left to do: apply the rows of a chunk, and say of each
// what became of it.
func (b *book) write(_ context.Context, chunk *connector.Chunk) error {
	name := chunk.Records.Schema.Column("Name")
	if name < 0 {
		return connector.Errorf(connector.ClassConfig, "NAME_NOT_MAPPED", "map a column to Name")
	}
	for row, text := range chunk.Records.Columns[name].Texts {
		if text == "" {
			chunk.Fail(row, connector.StatusInvalid, connector.Errorf(connector.ClassRejected, "NAME_MISSING", "a guest needs a name"), "")
			continue
		}
		b.names = append(b.names, text)
		chunk.Succeed(row, fmt.Sprint("page ", len(b.names)))
	}
	return nil
}

var (
	_ connector.Connector = guestbook{}
	_ connector.Outbound  = (*book)(nil)
)

// The shortest honest connector: every record gets an answer.
func Example() {
	ctx := context.Background()
	session, err := guestbook{}.Open(ctx, connector.Connection{Method: "open"})
	if err != nil {
		fmt.Println(err)
		return
	}
	guests := &connector.RecordBatch{
		Schema: people, Action: connector.ActionCreate, Rows: 3, Seqs: []int64{1, 2, 3}, Identifiers: []string{"a", "b", "c"},
		Columns: []connector.Values{{Texts: []string{"Ada", "", "Grace"}, Nulls: []uint32{1}}, {Texts: []string{"", "", ""}}},
	}
	host := newOutboundHost(guests) // what a host does is in hosts_test.go
	err = session.(connector.Outbound).SyncOutbound(ctx, connector.OutboundSync{Strategy: connector.StrategyCreate}, host)
	for i, seq := range []int64{1, 2, 3} {
		fmt.Printf("%s %s %q\n", guests.Identifiers[i], host.outcomes[seq].Status, host.appIDs[seq])
	}
	fmt.Println(err, session.Close())
	// Output:
	// a SUCCEEDED "page 1"
	// b INVALID ""
	// c SUCCEEDED "page 2"
	// <nil> <nil>
}
