package cli

import (
	"context"
	"fmt"

	"github.com/sluiceio/sluice/runner"
)

// interruptible does something that Ctrl-C stops: the first one ends its
// context, which stops a run gracefully; the second one returns at once. What is
// still going on then is left to the end of the process, which follows: this is
// the one place where a goroutine is not awaited.
func interruptible(ctx context.Context, env Env, do func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopping := false
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	for {
		select {
		case err := <-done:
			if stopping && err != nil {
				return fmt.Errorf("%w: %w", errInterrupted, err)
			}
			return err
		case <-env.Interrupts:
			if stopping {
				return fmt.Errorf("%w at once; whatever was under way goes on at the next run", errInterrupted)
			}
			stopping = true
			fmt.Fprintf(env.Stderr, "stopping: settling what is under way, at most %s; press Ctrl-C again to stop at once\n", runner.StopGrace)
			cancel()
		}
	}
}
