package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
)

// The short run against regressions: the sections that are a matter of seconds,
// with few records. A ratio below leastOfRecorded of the recorded one, checkTries
// times in a row, fails it; times are never compared. The ratios are those by CPU
// time, which the load of the machine moves little; that something waits is for the
// long run to find.
const (
	leastOfRecorded = 0.6
	checkTries      = 3
	checkRecords    = "50000"
	checkRounds     = "3"
)

var checkSections = []string{"boundary", "transform", "warehouse", "plan"}

// recorded are the ratios of a run by stage, higher being better.
type recorded map[string]float64

// check compares a short run with recorded ratios, or records them.
func check(ctx context.Context, o options) error {
	if o.record != "" {
		now, err := short(ctx, checkSections)
		if err != nil {
			return err
		}
		text, err := json.MarshalIndent(now, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(o.record, append(text, '\n'), 0o644)
	}
	text, err := os.ReadFile(o.check)
	if err != nil {
		return err
	}
	var want recorded
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&want); err != nil {
		return fmt.Errorf("read the recorded ratios in %s: %w", o.check, err)
	}
	best := recorded{}
	todo := checkSections
	for try := 1; ; try++ {
		now, err := short(ctx, todo)
		if err != nil {
			return err
		}
		for stage, ratio := range now {
			best[stage] = max(best[stage], ratio)
		}
		slow := want.slower(best)
		if len(slow) == 0 {
			break
		}
		if try == checkTries {
			var errs []error
			for _, stage := range slow {
				errs = append(errs, fmt.Errorf("%s: the ratio is %.2f, recorded is %.2f, and at least %.2f of that is wanted", stage, best[stage], want[stage], leastOfRecorded))
			}
			return errors.Join(append(errs, fmt.Errorf("where this is on purpose, record the ratios anew: make bench-record"))...)
		}
		fmt.Fprintf(os.Stderr, "slower than recorded, so once more: %q\n", slow)
	}
	for stage, ratio := range want {
		fmt.Printf("%-45s ratio %.2f, recorded %.2f\n", stage, best[stage], ratio)
	}
	return nil
}

// slower are the recorded stages that now are much slower, or were not measured.
func (want recorded) slower(now recorded) []string {
	var slow []string
	for stage, ratio := range want {
		if now[stage] < leastOfRecorded*ratio {
			slow = append(slow, stage)
		}
	}
	slices.Sort(slow)
	return slow
}

// short measures some sections with few records.
func short(ctx context.Context, names []string) (recorded, error) {
	out := recorded{}
	for _, name := range names {
		fmt.Fprintf(os.Stderr, "%s ...\n", name)
		lines, err := apart(ctx, name, []string{"--few", checkRecords, "--many", checkRecords, "--rounds", checkRounds, "--profiles", "", "--sections", name})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, l := range lines {
			switch {
			case l.Target.Least > 0:
				out[l.Stage] = l.ByCPU
			case l.Target.Most > 0:
				out[l.Stage] = 1 / l.ByCPU
			}
		}
	}
	return out, nil
}
