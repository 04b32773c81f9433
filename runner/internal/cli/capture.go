package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/recording"
	"github.com/sluiceio/sluice/runner"
)

// watched is a launched connector whose syncs are written down.
type watched struct {
	runner.RunningConnector
	writer *recording.Writer
	ref    runner.ConnectorRef
}

// Open opens a session that is watched.
func (w watched) Open(ctx context.Context, c connector.Connection) (connector.Session, error) {
	session, err := w.RunningConnector.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	return w.writer.Watch(session, c, recording.About{Connector: w.ref.ID, Version: w.ref.Version}), nil
}

// captured does something while what is said to connectors and by them is written
// to a file; an empty name writes nothing.
func (a *app) captured(name string, do func() error) error {
	if name == "" {
		return do()
	}
	path := a.env.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return usagef("the capture cannot be written: %v", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return usagef("the capture cannot be written: %v", err)
	}
	a.watch = recording.NewWriter(file, a.env.Now)
	err = do()
	if failed := errors.Join(a.watch.Err(), file.Close()); failed != nil {
		return errors.Join(err, fmt.Errorf("the capture %s is not complete: %w", path, failed))
	}
	return err
}
