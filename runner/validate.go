package runner

import (
	"context"
	"errors"
)

// ValidateSync checks a sync, which need not be stored, against its connector:
// the strategy exists; required answers are given and options are among those
// offered; mapped fields exist, can be written, and include the mandatory ones;
// streams exist and can be read as asked. The error is a [connector.Error] of
// class CONFIG that lists every finding as a field violation.
func (e *Engine) ValidateSync(ctx context.Context, sync Sync) error {
	return errors.ErrUnsupported
}
