package cli

import (
	"cmp"
	"path/filepath"
	"regexp"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/runner/internal/scaffold"
)

func connectorsNew(a *app) *cobra.Command {
	var p scaffold.Project
	var dir string
	cmd := &cobra.Command{
		Use: "new NAME", Short: "Write a connector project in Go, to begin with",
		Long: `Write a Go module with a connector that works, against a fake app of its own, and
passes "sluice verify": to be changed into one for your app. NAME is the
connector's id: lower-case letters, digits and hyphens.`,
		Args: takes(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			p.ID = args[0]
			p.Module = cmp.Or(p.Module, "example.com/sluice-connector-"+p.ID)
			p.Version = ownVersion()
			if p.Replace != "" {
				p.Replace = a.env.path(p.Replace)
			}
			return a.newConnector(a.env.path(cmp.Or(dir, "sluice-connector-"+p.ID)), p)
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.Module, "module", "", "path of the Go module (default example.com/sluice-connector-NAME)")
	f.StringVar(&dir, "dir", "", "folder to write into (default sluice-connector-NAME)")
	f.StringVar(&p.Replace, "replace", "", "build with the checkout of Sluice in this folder, not with a published version")
	return cmd
}

func (a *app) newConnector(dir string, p scaffold.Project) error {
	written, err := scaffold.Write(dir, p)
	if err != nil {
		return usagef("%v", err)
	}
	shape := NewConnectorShape{Folder: dir, Module: p.Module, Files: written}
	return a.result(shape, func() {
		folder := dir
		if relative, err := filepath.Rel(a.env.WorkDir, dir); err == nil {
			folder = relative
		}
		a.say("wrote %d files into %s", len(written), folder)
		if p.Version == noVersion && p.Replace == "" {
			a.notice("this sluice is not a published version, which the project could require: name a checkout with --replace, or edit go.mod")
		}
		a.say("next: cd %s && go mod tidy && go test ./...", folder)
		a.say("then: read README.md there")
	})
}

// noVersion stands in a go.mod file for a version that was not published.
const noVersion = "v0.0.0"

// released is what a version looks like that a module can require.
var released = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// ownVersion is the version of Sluice this program is, [noVersion] when it is
// none that was published.
func ownVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && released.MatchString(info.Main.Version) {
		return info.Main.Version
	}
	return noVersion
}
