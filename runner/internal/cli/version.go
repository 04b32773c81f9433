package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func versionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Say which version this is", Args: takes(0, 0),
		RunE: func(*cobra.Command, []string) error {
			shape := VersionShape{Version: "devel", Go: runtime.Version()}
			if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
				shape.Version = info.Main.Version
			}
			return a.result(shape, func() { a.say("sluice %s, %s", shape.Version, shape.Go) })
		},
	}
}
