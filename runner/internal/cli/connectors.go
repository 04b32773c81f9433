package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/pluginhost"
)

func connectorsCommand(a *app) *cobra.Command {
	return group("connectors", "Install and look at connectors",
		connectorsInstall(a), connectorsVerifyLock(a), connectorsAdd(a), connectorsList(a), connectorsShow(a), connectorsRemove(a), connectorsNew(a))
}

func connectorsAdd(a *app) *cobra.Command {
	var pin string
	cmd := &cobra.Command{
		Use: "add PATH|NAME", Short: "Install a connector, pinned by its checksum",
		Long: `Install a connector. NAME stands for a program sluice-connector-NAME beside sluice
or on PATH. The program is pinned by its SHA-256 checksum: after it was replaced
it has to be added again before it is launched.`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.addConnector(cmd.Context(), args[0], pin) },
	}
	cmd.Flags().StringVar(&pin, "sha256", "", "refuse the program unless it has this checksum")
	return cmd
}

func (a *app) addConnector(ctx context.Context, name, pin string) error {
	path, err := a.finder().Find(name)
	if err != nil {
		return usagef("%v", err)
	}
	sum, err := pluginhost.Checksum(path)
	if err != nil {
		return err
	}
	if pin != "" && !strings.EqualFold(pin, sum) {
		return usagef("%s has the checksum %s, not the one given: it is not the program you expect", path, sum)
	}
	ref := runner.ConnectorRef{Path: path, SHA256: sum, AddedAt: a.env.Now()}
	return a.with(ctx, nil, func(h *host) error {
		manifest, err := h.Manifest(ctx, ref)
		if err != nil {
			return err
		}
		ref.ID, ref.Version = manifest.ID, manifest.Version
		if err := h.store.PutConnector(ctx, ref); err != nil {
			return err
		}
		return a.result(connectorShape(ref), func() {
			a.say("added connector %s: %s %s", ref.ID, manifest.Name, manifest.Version)
			a.say("next: sluice connections create NAME --connector %s", ref.ID)
		})
	})
}

func connectorsList(a *app) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: "list", Short: "List installed connectors, what they are pinned to, and whether they are intact", Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			lock, _, err := a.readLock(name)
			if err != nil {
				return err
			}
			return a.with(cmd.Context(), nil, func(h *host) error {
				refs, err := h.store.Connectors(cmd.Context())
				if err != nil {
					return err
				}
				list := shapes(refs, func(ref runner.ConnectorRef) ConnectorShape {
					shape := connectorShape(ref)
					shape.Program, shape.Lock = programState(ref), pinState(lock, ref)
					return shape
				})
				return a.result(list, func() {
					var rows [][]string
					for _, c := range list {
						rows = append(rows, []string{c.ID, c.Version, c.SHA256[:min(12, len(c.SHA256))], c.Program, c.Lock, c.Path})
					}
					a.table([]string{"CONNECTOR", "VERSION", "SHA256", "PROGRAM", "LOCK", "PATH"}, rows)
				})
			})
		},
	}
	lockFlag(cmd, &name)
	return cmd
}

func connectorsShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show CONNECTOR", Short: "Show what a connector says about itself", Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.with(ctx, nil, func(h *host) error {
				ref, err := h.store.Connector(ctx, args[0])
				if err != nil {
					return err
				}
				manifest, err := h.Manifest(ctx, ref)
				if err != nil {
					return err
				}
				return a.result(manifestShape(manifest), func() { a.sayManifest(ref, manifest) })
			})
		},
	}
}

func (a *app) sayManifest(ref runner.ConnectorRef, m connector.Manifest) {
	a.say("%s %s (%s)", m.Name, m.Version, m.ID)
	a.say("program   %s", ref.Path)
	a.say("sha256    %s", ref.SHA256)
	if m.DocumentationURL != "" {
		a.say("manual    %s", m.DocumentationURL)
	}
	a.say("inbound   %s", yesNo(m.Inbound))
	var features []string
	for _, f := range m.Features {
		features = append(features, string(f))
	}
	a.say("features  %s", orDash(strings.Join(features, ", ")))
	var rows [][]string
	for _, s := range m.Strategies {
		rows = append(rows, []string{s.Name, orDash(string(s.New)), orDash(string(s.Changed)), orDash(string(s.Removed)), orDash(string(s.Unchanged)), s.Description})
	}
	if len(rows) > 0 {
		a.say("")
		a.table([]string{"STRATEGY", "NEW", "CHANGED", "REMOVED", "UNCHANGED", "WHAT IT DOES"}, rows)
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func connectorsRemove(a *app) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: "remove CONNECTOR", Short: "Remove an installed connector, and its pin", Args: takes(1, 1),
		Long: `Remove an installed connector. Its copy in the state folder goes, and its entry in
the lock file; a program that was only added stays where it is.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.removeConnector(cmd.Context(), args[0], name)
		},
	}
	lockFlag(cmd, &name)
	return cmd
}

func (a *app) removeConnector(ctx context.Context, id, lockName string) error {
	lock, path, err := a.readLock(lockName)
	if err != nil {
		return err
	}
	return a.with(ctx, nil, func(h *host) error {
		if err := a.refuseUsed(ctx, h, id); err != nil {
			return err
		}
		ref, err := h.store.Connector(ctx, id)
		if err != nil {
			return err
		}
		if err := h.store.DeleteConnector(ctx, id); err != nil {
			return err
		}
		if err := a.shelf().Remove(ref.Path); err != nil {
			return fmt.Errorf("connector %s is forgotten, its program is still there: %w", id, err)
		}
		if _, pinned := lock.Connectors[id]; pinned {
			if err := pluginhost.UpdateLock(path, func(l *pluginhost.Lock) { delete(l.Connectors, id) }); err != nil {
				return fmt.Errorf("connector %s is removed, its pin is still there: %w", id, err)
			}
		}
		a.notice("removed connector %s", id)
		return nil
	})
}

// refuseUsed refuses to remove a connector that connections need.
func (a *app) refuseUsed(ctx context.Context, h *host, id string) error {
	connections, err := h.store.Connections(ctx)
	if err != nil {
		return err
	}
	var users []string
	for _, c := range connections {
		if c.Connector == id {
			users = append(users, c.Name)
		}
	}
	slices.SortFunc(users, cmp.Compare)
	if len(users) > 0 {
		return usagef("connector %s is used by connection %s; delete that first", id, strings.Join(users, ", "))
	}
	return nil
}
