package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/pluginhost"
)

// install is the command "connectors install" with its flags.
type install struct {
	app    *app
	lock   string
	sha256 string
	update bool
}

func connectorsInstall(a *app) *cobra.Command {
	i := &install{app: a}
	cmd := &cobra.Command{
		Use: "install [PATH|URL]", Short: "Copy a connector into the state folder and pin it in a lock file",
		Long: `Copy a connector's program into the state folder and pin it, by the SHA-256 of its
content, in the lock file connectors.lock, which belongs into git. {os} and {arch}
in PATH or URL stand for this machine's, such as linux and amd64. URLs are https;
what they lead to is the program itself, not an archive.

Without PATH or URL, install what the lock file lists. What arrives must have the
checksum that is pinned; --update pins what arrives instead. A program whose
content changes after it was installed is not launched.`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return i.locked(cmd.Context())
			}
			return i.from(cmd.Context(), args[0])
		},
	}
	lockFlag(cmd, &i.lock)
	cmd.Flags().StringVar(&i.sha256, "sha256", "", "refuse the program unless it has this checksum")
	cmd.Flags().BoolVar(&i.update, "update", false, "pin what arrives, in place of what was pinned")
	return cmd
}

func lockFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "lock", pluginhost.LockName, "the lock `file`")
}

// shelf is the folder with installed programs.
func (a *app) shelf() pluginhost.Shelf {
	return pluginhost.Shelf{Dir: filepath.Join(a.stateDir(), "connectors")}
}

// readLock reads a lock file and returns its absolute path.
func (a *app) readLock(name string) (*pluginhost.Lock, string, error) {
	path := a.env.path(name)
	lock, err := pluginhost.ReadLock(path)
	if err != nil {
		return nil, path, usagef("%v", err)
	}
	return lock, path, nil
}

// from installs one connector from where the user says.
func (i *install) from(ctx context.Context, text string) error {
	lock, path, err := i.app.readLock(i.lock)
	if err != nil {
		return err
	}
	source, err := pluginhost.ParseSource(text, i.app.env.WorkDir)
	if err != nil {
		return usagef("%v", err)
	}
	kept := keptSource(source, text, filepath.Dir(path))
	want := strings.ToLower(i.sha256)
	if pin, ok := lock.FromSource(kept); ok && want == "" && !i.update {
		want = pin.SHA256
	}
	return i.app.with(ctx, nil, func(h *host) error {
		done, err := i.one(ctx, h, lock, path, source, kept, want, "")
		if err != nil {
			return err
		}
		return i.app.result(done, func() {
			i.app.say("next: sluice connections create NAME --connector %s", done.ID)
		})
	})
}

// keptSource is a source as it is kept in a lock file: a file beside or below it
// by its relative path, so that the folder can move.
func keptSource(source pluginhost.Source, text, folder string) string {
	if source.Local() == "" {
		return text
	}
	if relative, err := filepath.Rel(folder, source.Local()); err == nil && filepath.IsLocal(relative) {
		return filepath.ToSlash(relative)
	}
	return source.Local()
}

// locked installs what the lock file lists for this platform.
func (i *install) locked(ctx context.Context) error {
	if i.sha256 != "" {
		return usagef("--sha256 goes with the PATH or URL of one connector")
	}
	lock, path, err := i.app.readLock(i.lock)
	if err != nil {
		return err
	}
	if len(lock.Connectors) == 0 {
		return usagef("%s lists no connector; install one with: sluice connectors install PATH|URL", path)
	}
	all := []ConnectorShape{}
	err = i.app.with(ctx, nil, func(h *host) error {
		var failures []error
		for _, name := range slices.Sorted(maps.Keys(lock.Connectors)) {
			done, err := i.again(ctx, h, lock, path, name)
			if err != nil {
				failures = append(failures, fmt.Errorf("connector %s: %w", name, err))
				continue
			}
			all = append(all, done)
		}
		return errors.Join(failures...)
	})
	return errors.Join(err, i.app.result(all, func() {}))
}

// again installs one connector of the lock file, unless it is there and intact.
func (i *install) again(ctx context.Context, h *host, lock *pluginhost.Lock, path, name string) (ConnectorShape, error) {
	pin, ok := lock.Program(name)
	if !ok {
		return ConnectorShape{}, usagef("%s pins no program for %s; install one with: sluice connectors install PATH|URL", path, pluginhost.Platform())
	}
	if ref, err := h.store.Connector(ctx, name); err == nil && !i.update && ref.SHA256 == pin.SHA256 && programState(ref) == programIntact {
		i.app.notice("connector %s %s is installed", name, ref.Version)
		return connectorShape(ref), nil
	}
	source, err := pluginhost.ParseSource(pin.Source, filepath.Dir(path))
	if err != nil {
		return ConnectorShape{}, usagef("%v", err)
	}
	want := pin.SHA256
	if i.update {
		want = ""
	}
	return i.one(ctx, h, lock, path, source, pin.Source, want, name)
}

// one brings a program, checks it, and installs and pins it. Want is the checksum
// it must have, name the connector it must be; empty for any.
func (i *install) one(ctx context.Context, h *host, lock *pluginhost.Lock, path string, source pluginhost.Source, kept, want, name string) (ConnectorShape, error) {
	none := ConnectorShape{}
	progress := i.app.transfer(source.String())
	parcel, err := i.app.shelf().Take(ctx, source, progress.tell)
	progress.end()
	if err != nil {
		return none, &launchError{cause: err}
	}
	defer parcel.Discard()
	if want != "" && want != parcel.SHA256 {
		return none, usagef("%s is not the program you expect: it has the SHA-256 %s (%d bytes), expected is %s; when the change is wanted, pin it with: sluice connectors install --update %s",
			source, parcel.SHA256, parcel.Size, want, kept)
	}
	ref := runner.ConnectorRef{Path: parcel.Path, SHA256: parcel.SHA256, AddedAt: i.app.env.Now()}
	manifest, err := h.Manifest(ctx, ref)
	if err != nil && parcel.Script {
		return none, fmt.Errorf("%w; a script is installed without what lies beside it: if it needs that, use sluice connectors add", err)
	}
	if err != nil {
		return none, err
	}
	ref.ID, ref.Version = manifest.ID, manifest.Version
	if name != "" && ref.ID != name {
		return none, usagef("%s is the connector %s", source, ref.ID)
	}
	if pin, ok := lock.Program(ref.ID); ok && pin.SHA256 != parcel.SHA256 && !i.update {
		return none, usagef("%s pins the connector %s to the SHA-256 %s, this program has %s; when the change is wanted, add --update", path, ref.ID, pin.SHA256, parcel.SHA256)
	}
	return i.keep(ctx, h, path, kept, parcel, ref)
}

// keep installs a program that was checked.
func (i *install) keep(ctx context.Context, h *host, path, kept string, parcel *pluginhost.Parcel, ref runner.ConnectorRef) (ConnectorShape, error) {
	before, err := h.store.Connector(ctx, ref.ID)
	if err != nil && !errors.Is(err, runner.ErrNotFound) {
		return ConnectorShape{}, err
	}
	if ref.Path, err = parcel.Keep(); err != nil {
		return ConnectorShape{}, err
	}
	if err := h.store.PutConnector(ctx, ref); err != nil {
		return ConnectorShape{}, err
	}
	var dropped []string
	if err := pluginhost.UpdateLock(path, func(l *pluginhost.Lock) {
		dropped = l.Pin(ref.ID, ref.Version, pluginhost.LockedProgram{Source: kept, SHA256: ref.SHA256, Size: parcel.Size})
	}); err != nil {
		return ConnectorShape{}, fmt.Errorf("the connector %s is installed, but not pinned: %w", ref.ID, err)
	}
	if len(dropped) > 0 {
		i.app.notice("%s no longer pins %s for %s, whose programs were of another version; install and commit it there too", path, ref.ID, strings.Join(dropped, ", "))
	}
	if before.Path != ref.Path {
		if err := i.app.shelf().Remove(before.Path); err != nil {
			i.app.notice("the program it replaces was not removed: %v", err)
		}
	}
	i.app.notice("installed connector %s %s, pinned in %s to sha256 %s", ref.ID, ref.Version, i.lock, ref.SHA256)
	return connectorShape(ref), nil
}
