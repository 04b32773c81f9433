// Command sluice-connector-zoho is the Zoho CRM connector as a program. A host
// launches it; started by hand it says how to serve it on a port.
package main

import (
	"os"

	"github.com/sluiceio/sluice/connector/plugin"
	"github.com/sluiceio/sluice/zoho"
)

func main() {
	os.Exit(plugin.Main(zoho.New()))
}
