package plugin_test

import (
	"context"
	"fmt"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/connectortest"
	"github.com/sluiceio/sluice/connector/plugin"
)

// A connector in this process, over the same messages and checks as one in
// another: what a test or a debugger wants. plugin.Launch starts a program
// instead, and returns the same.
func ExampleInProcess() {
	ctx := context.Background()
	process, err := plugin.InProcess(connectortest.NewReference(connectortest.NewApp(), ""))
	if err != nil {
		fmt.Println(err)
		return
	}
	manifest, err := process.Manifest(ctx)
	fmt.Println(manifest.ID, manifest.Inbound, err)

	form, err := process.ConnectionForm(ctx, nil)
	fmt.Println(form.Methods[0].Name, err)

	// A session is opened at its first call, with everything that call needs.
	session, err := process.Open(ctx, connector.Connection{Method: "telepathy"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = session.Limits(ctx)
	fmt.Println(connector.ClassOf(err), session.Close(), process.Close())
	// Output:
	// reference true <nil>
	// token <nil>
	// CONFIG <nil> <nil>
}
