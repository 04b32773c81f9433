package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// The exit codes. Scripts may rely on them.
const (
	ExitOK          = 0   // done; a run is Healthy
	ExitIncomplete  = 1   // the run ended, some records or streams did not succeed; verify found a law broken
	ExitUsage       = 2   // wrong flags, unknown names, wrong answers: change the command or the configuration
	ExitConnector   = 3   // the connector could not be started or died, or the login or a permission was refused
	ExitPlanRefused = 4   // the source or the mapping cannot be planned; nothing was sent
	ExitDelayed     = 5   // the run stopped for want of time or budget; the next run goes on
	ExitFailed      = 6   // the run failed as a whole
	ExitBusy        = 7   // another process runs the sync
	ExitInternal    = 8   // the control store, the warehouse or Sluice itself failed
	ExitInterrupted = 130 // stopped by Ctrl-C; the next run goes on
)

// usageError is a mistake in a command.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...)}
}

// errInterrupted is what a command returns that Ctrl-C ended.
var errInterrupted = errors.New("interrupted")

// launchError marks what went wrong between us and a connector process.
type launchError struct{ cause error }

func (e *launchError) Error() string { return e.cause.Error() }
func (e *launchError) Unwrap() error { return e.cause }

// runEnd is a run that ended in a state other than Healthy. Its report was
// written already.
type runEnd struct{ run runner.Run }

func (e *runEnd) Error() string {
	text := fmt.Sprintf("run %s of sync %s is %s", e.run.ID, e.run.Sync, e.run.State)
	if e.run.Error != nil {
		text += ": " + e.run.Error.Error()
	}
	if e.run.State == runner.RunIncomplete {
		text += fmt.Sprintf("; see what became of the records with: sluice runs records %s --status REJECTED,INVALID,IN_DOUBT", e.run.ID)
	}
	if n := e.run.Outcomes[connector.StatusInDoubt]; n > 0 {
		text += fmt.Sprintf("; %d records are in doubt, which you decide: sluice records list %s --outcome in_doubt", n, e.run.Sync)
	}
	return text
}

// severalEnds are the ends of several runs, the gravest first.
type severalEnds struct{ ends []error }

func (e *severalEnds) Error() string { return errors.Join(e.ends...).Error() }

// Unwrap returns the gravest, which decides the exit code.
func (e *severalEnds) Unwrap() error { return e.ends[0] }

// gravity orders exit codes by how much they ask of the user.
func gravity(code int) int {
	order := []int{
		ExitOK, ExitDelayed, ExitIncomplete, ExitBusy, ExitUsage, ExitPlanRefused, ExitFailed, ExitConnector, ExitInternal, ExitInterrupted,
	}
	return slices.Index(order, code)
}

// exitCode is the one table from what went wrong to the exit code.
func exitCode(err error) int {
	var (
		usage  *usageError
		plan   *runner.PlanError
		launch *launchError
		end    *runEnd
		broken *brokenLaws
		said   *connector.Error
	)
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.As(err, &usage), errors.Is(err, runner.ErrNotFound), errors.Is(err, runner.ErrExists):
		return ExitUsage
	case errors.As(err, &plan):
		return ExitPlanRefused
	case errors.Is(err, runner.ErrRunning):
		return ExitBusy
	case errors.As(err, &end):
		return runExit(end.run)
	case errors.As(err, &broken):
		return ExitIncomplete
	case errors.As(err, &launch):
		return ExitConnector
	case errors.As(err, &said) && said.Code == "DEADLINE":
		return ExitDelayed // before anything was planned
	case said != nil:
		return classExit(said.Class)
	default:
		return ExitInternal
	}
}

func runExit(run runner.Run) int {
	switch run.State {
	case runner.RunHealthy:
		return ExitOK
	case runner.RunIncomplete:
		return ExitIncomplete
	case runner.RunDelayed:
		return ExitDelayed
	}
	if run.Error != nil && (run.Error.Class == connector.ClassAuth || run.Error.Class == connector.ClassPermission) {
		return ExitConnector
	}
	return ExitFailed
}

func classExit(class connector.Class) int {
	switch class {
	case connector.ClassConfig, connector.ClassSchemaChanged, connector.ClassTooLarge, connector.ClassRejected:
		return ExitUsage
	case connector.ClassRateLimited, connector.ClassQuotaExhausted:
		return ExitDelayed
	case connector.ClassCancelled:
		return ExitInterrupted
	default: // AUTH, PERMISSION, TRANSIENT, INTERNAL
		return ExitConnector
	}
}
