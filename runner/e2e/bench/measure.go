package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// cost is what doing something once took. The CPU time is that of all processes
// that took part.
type cost struct {
	Wall, CPU time.Duration
	// Peaks are the peak memory of the other processes that took part, by name.
	Peaks map[string]int64
}

// subject is something that can be done again and again.
type subject struct {
	name string
	do   func(context.Context) (cost, error)
}

// timed is the cost of something that this process does.
func timed(do func() error) (cost, error) {
	start, cpu := time.Now(), ownCPU()
	err := do()
	return cost{Wall: time.Since(start), CPU: ownCPU() - cpu}, err
}

// ownCPU is the CPU time of this process so far, without its children.
func ownCPU() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// ownPeak is the peak memory of this process in bytes.
func ownPeak() int64 {
	_, peak := status(os.Getpid())
	return peak
}

// target is what a ratio has to be: at least Least, where that is set, and at
// most Most, where that is.
type target struct{ Least, Most float64 }

// line is one line of the table: a subject beside its limit, measured in rounds
// of limit, subject, limit.
type line struct {
	Stage, Limit string
	// Records and Bytes are those of one round. Bytes is 0 where it means nothing.
	Records, Bytes int64
	// Ours and Theirs are the medians of subject and limit.
	Ours, Theirs cost
	// Ratio is how fast the subject is for a limit of 1, by wall time; where the
	// target is a most, how long it takes for a limit of 1.
	Ratio float64
	// ByCPU is the same by CPU time, which the load of the machine by others moves
	// less; 0 where it is not known.
	ByCPU float64
	// Low and High are the extremes of the limit against itself, which is the
	// noise of this run.
	Low, High float64
	Target    target
	// Absolute is a target in seconds for the subject alone; 0 for none.
	Absolute float64
	// Peaks are the peak memory of each process, in bytes.
	Peaks map[string]int64
	// Profile names the profile of a target that is not met. Where the subject is
	// another program, Spent are the seconds it says it spent, and on what.
	Profile string
	Spent   []string
}

// met reports whether a line has what its target asks for.
func (l line) met() bool {
	switch {
	case l.Target.Least > 0 && l.Ratio < l.Target.Least, l.Target.Most > 0 && l.Ratio > l.Target.Most:
		return false
	}
	return l.Absolute == 0 || l.Ours.Wall.Seconds() <= l.Absolute
}

// race does the limit, every subject, and the limit again, in so many rounds,
// and returns a line for each subject. What is shared in a round is alike for
// all of them: the load of the machine by others, above all.
func race(ctx context.Context, rounds int, limit subject, subjects ...subject) ([]line, error) {
	costs := make([][]cost, len(subjects)+2)
	for range rounds {
		for i, s := range slices.Concat([]subject{limit}, subjects, []subject{limit}) {
			c, err := s.do(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			costs[i] = append(costs[i], c)
		}
	}
	first, last := costs[0], costs[len(costs)-1]
	lines := make([]line, len(subjects))
	for i, s := range subjects {
		l := line{Stage: s.name, Limit: limit.name, Ours: middle(costs[i+1]), Theirs: middle(slices.Concat(first, last))}
		var ratios, control []float64
		for round, c := range costs[i+1] {
			ratios = append(ratios, (first[round].Wall+last[round].Wall).Seconds()/2/c.Wall.Seconds())
			control = append(control, first[round].Wall.Seconds()/last[round].Wall.Seconds())
		}
		l.Ratio, l.Low, l.High = middleOf(ratios), slices.Min(control), slices.Max(control)
		l.Peaks, l.ByCPU = l.Ours.Peaks, byCPU(l)
		lines[i] = l
	}
	return lines, nil
}

func byCPU(l line) float64 {
	if l.Ours.CPU == 0 {
		return 0
	}
	return l.Theirs.CPU.Seconds() / l.Ours.CPU.Seconds()
}

// middle takes the median of each measure for itself, and the largest peaks.
func middle(all []cost) cost {
	var wall, cpu []time.Duration
	out := cost{Peaks: map[string]int64{}}
	for _, c := range all {
		wall, cpu = append(wall, c.Wall), append(cpu, c.CPU)
		for name, peak := range c.Peaks {
			out.Peaks[name] = max(out.Peaks[name], peak)
		}
	}
	out.Wall, out.CPU = middleOf(wall), middleOf(cpu)
	return out
}

// middleOf is the median, the larger of two.
func middleOf[T float64 | time.Duration | int64](all []T) T {
	sorted := slices.Clone(all)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}

// tell hands lines to the process that prints the table.
func tell(lines ...line) error {
	for _, l := range lines {
		if err := json.NewEncoder(os.Stdout).Encode(l); err != nil {
			return err
		}
	}
	return nil
}

// explain profiles one more round of a subject whose target is not met. What runs
// within DuckDB shows as one call of it.
func explain(ctx context.Context, o options, l *line, name string, do func(context.Context) (cost, error)) error {
	if l.met() || o.profiles == "" {
		return nil
	}
	if err := os.MkdirAll(o.profiles, 0o755); err != nil {
		return err
	}
	l.Profile = filepath.Join(o.profiles, name+".pprof")
	stop, err := profiled(l.Profile)
	if err != nil {
		return err
	}
	_, err = do(ctx)
	return errors.Join(err, stop())
}
