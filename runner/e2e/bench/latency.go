package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector/plugin"
)

// launch starts the real connector, makes the first call, and ends it; what
// counts is the time to the first answer.
func launch(ctx context.Context, o options) (time.Duration, error) {
	start := time.Now()
	p, err := plugin.Launch(ctx, plugin.LaunchConfig{Path: filepath.Join(o.bin, connectorName)})
	if err != nil {
		return 0, err
	}
	_, err = p.Manifest(ctx)
	took := time.Since(start)
	return took, errors.Join(err, p.Close())
}

// stallFactor and stallLeast say what a stall is: a start that takes so many
// times the median and at least so long.
const (
	stallFactor = 20
	stallLeast  = 3 * time.Second
)

// measureStarts starts the connector many times. One that stalls is an error.
func measureStarts(ctx context.Context, o options) ([]line, error) {
	var all []time.Duration
	for i := range o.starts {
		took, err := launch(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("start %d of %d: %w", i+1, o.starts, err)
		}
		all = append(all, took)
	}
	slices.Sort(all)
	median := all[len(all)/2]
	longest := all[len(all)-1]
	if longest > stallLeast && longest > stallFactor*median {
		return nil, fmt.Errorf("a start took %v where half of %d took less than %v: it stalled", longest, o.starts, median)
	}
	l := line{Stage: fmt.Sprintf("%d starts to the first answer, mutual TLS, the median", o.starts), Limit: "the longest of them", Records: 1,
		Ours: cost{Wall: median}, Theirs: cost{Wall: longest}, Absolute: 0.06}
	l.Ratio = longest.Seconds() / median.Seconds()
	return []line{l}, nil
}

// measureLatency measures what does not depend on the number of records.
func measureLatency(ctx context.Context, o options) (lines []line, err error) {
	run := func(args ...string) func(context.Context) (cost, error) {
		return func(ctx context.Context) (cost, error) {
			return timed(func() error { return exec.CommandContext(ctx, args[0], args[1:]...).Run() })
		}
	}
	version := filepath.Join(o.bin, connectorName)
	start := func(ctx context.Context) (cost, error) {
		took, err := launch(ctx, o)
		return cost{Wall: took}, err
	}
	rounds := 3 * o.rounds
	lines, err = race(ctx, rounds, subject{"the program alone: manifest", run(version, "manifest")}, subject{"connector start to first answer, mutual TLS", start})
	if err != nil {
		return nil, err
	}
	lines[0].Absolute = 0.06
	short, err := shortRuns(ctx, o, rounds, start)
	lines = append(lines, short...)
	for i := range lines {
		lines[i].Records = 1
		lines[i].Ratio = 1 / lines[i].Ratio
		if lines[i].ByCPU > 0 {
			lines[i].ByCPU = 1 / lines[i].ByCPU
		}
	}
	return lines, err
}

// shortRuns measures runs that move one row, and none of a thousand.
func shortRuns(ctx context.Context, o options, rounds int, start func(context.Context) (cost, error)) (lines []line, err error) {
	dir, err := os.MkdirTemp(o.dir, "sluice-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	sim, err := startSimulator(ctx, o, dir)
	if err != nil {
		return nil, err
	}
	defer sim.stop()
	b := &bench{options: o, ctx: ctx, dir: dir, n: 1000}
	if err := b.prepare(sim); err != nil {
		return nil, err
	}
	var last report
	sync := func() (cost, error) {
		return timed(func() error {
			cmd := b.sluice("syncs", "run", "out", "--json")
			var said strings.Builder
			cmd.Stderr = &said
			out, err := cmd.Output()
			if err != nil {
				return fmt.Errorf("%w\n%s%s", err, said.String(), out)
			}
			last = report{}
			return json.Unmarshal(out, &last)
		})
	}
	if _, err := sync(); err != nil {
		return nil, err
	}
	n := 0
	one := func(context.Context) (cost, error) {
		n++
		if out, err := b.sluice("query", fmt.Sprintf("UPDATE companies SET city = 'City no. %d' WHERE id = 'C000000007'", n)).CombinedOutput(); err != nil {
			return cost{}, fmt.Errorf("%w\n%s", err, out)
		}
		return sync()
	}
	none := func(context.Context) (cost, error) { return sync() }
	lines, err = race(ctx, rounds, subject{"connector start to first answer", start}, subject{"whole sync of one row", one}, subject{"run over 1,000 rows with nothing changed", none})
	if err != nil {
		return nil, err
	}
	lines[0].Absolute = 0.5
	lines[1].Target.Most = 10
	lines[1].Spent = spentOn(last.Timings, lines[1].Ours.Wall)
	return lines, nil
}
