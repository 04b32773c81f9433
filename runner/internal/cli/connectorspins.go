package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/pluginhost"
)

// How an installed program stands.
const (
	programIntact     = "intact"
	programAltered    = "altered" // its content is not what was installed
	programMissing    = "missing"
	programUnreadable = "unreadable"
)

// programState compares an installed program with its checksum.
func programState(ref runner.ConnectorRef) string {
	sum, err := pluginhost.Checksum(ref.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return programMissing
	case err != nil:
		return programUnreadable
	case sum != ref.SHA256:
		return programAltered
	}
	return programIntact
}

// How an installed program stands to the lock file.
const (
	pinSame  = "same"
	pinOther = "other" // another program is pinned
	pinNone  = "-"
)

func pinState(lock *pluginhost.Lock, ref runner.ConnectorRef) string {
	switch pin, ok := lock.Program(ref.ID); {
	case !ok:
		return pinNone
	case pin.SHA256 == ref.SHA256:
		return pinSame
	}
	return pinOther
}

func connectorsVerifyLock(a *app) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: "verify-lock", Short: "Compare what is installed with the lock file",
		Long: `Compare the installed connectors with the lock file: every connector it lists must
be installed with the checksum pinned for this platform, and be intact on disk. The
exit code is 3 when one is not. Nothing is downloaded, launched or changed.`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.verifyLock(cmd.Context(), name) },
	}
	lockFlag(cmd, &name)
	return cmd
}

func (a *app) verifyLock(ctx context.Context, name string) error {
	lock, path, err := a.readLock(name)
	if err != nil {
		return err
	}
	shapes := []PinShape{}
	var failures []error
	err = a.with(ctx, nil, func(h *host) error {
		for _, id := range slices.Sorted(maps.Keys(lock.Connectors)) {
			shape := PinShape{Connector: id, Version: lock.Connectors[id].Version}
			err := a.verifyPin(ctx, h, lock, id, &shape)
			shapes = append(shapes, shape)
			if err != nil {
				failures = append(failures, fmt.Errorf("connector %s: %w", id, err))
			}
		}
		return nil
	})
	if err == nil {
		err = a.result(shapes, func() {
			var rows [][]string
			for _, s := range shapes {
				rows = append(rows, []string{s.Connector, s.Version, orDash(s.SHA256), s.State})
			}
			a.table([]string{"CONNECTOR", "VERSION", "PINNED SHA256", "INSTALLED"}, rows)
		})
	}
	if err == nil && failures != nil {
		return &launchError{cause: fmt.Errorf("%s does not hold: %w", path, errors.Join(failures...))}
	}
	return err
}

// verifyPin says what is wrong with one connector of a lock file.
func (a *app) verifyPin(ctx context.Context, h *host, lock *pluginhost.Lock, id string, shape *PinShape) error {
	pin, ok := lock.Program(id)
	if !ok {
		shape.State = "not pinned for " + pluginhost.Platform()
		return errors.New("it is " + shape.State + "; install it here with: sluice connectors install PATH|URL")
	}
	shape.SHA256 = pin.SHA256
	ref, err := h.store.Connector(ctx, id)
	switch {
	case errors.Is(err, runner.ErrNotFound):
		shape.State = "no"
		return errors.New("it is not installed; install what is pinned with: sluice connectors install")
	case err != nil:
		return err
	case ref.SHA256 != pin.SHA256:
		shape.State = "another program"
		return fmt.Errorf("another program is installed, with the SHA-256 %s instead of %s; install what is pinned with: sluice connectors install", ref.SHA256, pin.SHA256)
	}
	if shape.State = programState(ref); shape.State != programIntact {
		return fmt.Errorf("the program %s is %s; install it anew with: sluice connectors install", ref.Path, shape.State)
	}
	return nil
}
