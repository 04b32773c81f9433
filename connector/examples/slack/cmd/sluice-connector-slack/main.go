// Command sluice-connector-slack is the Slack connector as a program. A host
// launches it; started by hand it says how to serve it on a port.
package main

import (
	"os"

	"github.com/sluiceio/sluice/connector/examples/slack"
	"github.com/sluiceio/sluice/connector/plugin"
)

func main() {
	os.Exit(plugin.Main(slack.New()))
}
