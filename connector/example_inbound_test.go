package connector_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// A stream is read page by page. After each page rows and cursor become durable
// together; a read that was interrupted goes on from there.
func ExampleManagedInbound() {
	pages := [][]string{{"Ada", "Grace"}, {"Edsger"}}
	managed := connector.ManagedInbound{
		Read: func(ctx context.Context, selection connector.StreamSelection, out *connector.StreamWriter) (string, error) {
			at := struct{ Page int }{}
			if selection.State != "" {
				if err := json.Unmarshal([]byte(selection.State), &at); err != nil {
					return "", connector.Errorf(connector.ClassConfig, "STATE", "the state of %s is not one of ours", selection.Name)
				}
			}
			if err := out.Begin([]connector.Column{{Name: "name", Type: connector.Type{Kind: connector.KindString}}}); err != nil {
				return "", err
			}
			for ; at.Page < len(pages); at.Page++ {
				out.Progress(fmt.Sprint("reading page ", at.Page), connector.WaitingNone, time.Time{}, 0, 0)
				for i, name := range pages[at.Page] {
					if err := out.Row(ctx, fmt.Sprintf("%d/%d", at.Page, i), []string{name}, nil); err != nil {
						return "", err
					}
				}
				if err := out.Checkpoint(ctx, fmt.Sprintf(`{"Page": %d}`, at.Page+1)); err != nil {
					return "", err
				}
			}
			return `{"Page": 0}`, nil
		},
	}
	read := func(state string) {
		host := newInboundHost()
		err := managed.Run(context.Background(), connector.InboundSync{
			Streams: []connector.StreamSelection{{Name: "guests", Mode: connector.ReadFullRefresh, State: state}},
		}, host)
		for _, said := range host.said["guests"] {
			fmt.Println(said)
		}
		fmt.Println(host.done["guests"].State, err)
	}
	read("")
	fmt.Println("and again, from the first checkpoint:")
	read(`{"Page": 1}`)
	// Output:
	// 2 rows of guests#1
	// checkpoint {"Page": 1}
	// 1 rows of guests#1
	// checkpoint {"Page": 2}
	// done
	// {"Page": 0} <nil>
	// and again, from the first checkpoint:
	// 1 rows of guests#1
	// checkpoint {"Page": 2}
	// done
	// {"Page": 0} <nil>
}

// Rows are texts; null, empty and absent are three different things.
func ExampleStreamWriter_Row() {
	managed := connector.ManagedInbound{
		Read: func(ctx context.Context, _ connector.StreamSelection, out *connector.StreamWriter) (string, error) {
			columns := []connector.Column{
				{Name: "name", Type: connector.Type{Kind: connector.KindString}},
				{Name: "member", Type: connector.Type{Kind: connector.KindBool}},
			}
			if err := out.Begin(columns); err != nil {
				return "", err
			}
			null := func(column int) bool { return columns[column].Name == "member" }
			return "{}", out.Row(ctx, "1", []string{"", ""}, null)
		},
	}
	host := newInboundHost()
	err := managed.Run(context.Background(), connector.InboundSync{Streams: []connector.StreamSelection{{Name: "guests"}}}, host)
	name, member := host.batches[0].Columns[0], host.batches[0].Columns[1]
	fmt.Printf("name %q null %v, member null %v, %v\n", name.Texts[0], name.IsNull(0), member.IsNull(0), err)
	// Output:
	// name "" null false, member null true, <nil>
}
