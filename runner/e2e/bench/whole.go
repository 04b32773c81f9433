package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// wholes are the whole syncs with both numbers of records.
type wholes struct {
	runs  []measured // medians
	lines []line
}

// The stages of the two roads, as the table calls them: a whole sync cannot be
// faster than the slowest of them alone.
var stagesOf = map[string][]string{
	outbound: {"plan, all new", "settle and finish, all new", "warehouse to columns", "boundary out, an outcome per record", "transform out: columns, CSV, zip", appOut},
	inbound:  {"columns merged into a typed table by key", "boundary in", "transform in: unzip, CSV, typed columns", appIn},
	nothing:  {"plan, nothing changed"},
}

// What the simulated app does alone.
const (
	appOut = "the simulated app alone, bulk writes"
	appIn  = "the simulated app alone, bulk reads"
)

// measureSyncs measures whole syncs, with few records several times and with many
// once where the difference is great. The limit is the slowest of the stages,
// which were measured before, in the same run of this program.
func measureSyncs(ctx context.Context, o options, stages []line) (wholes, error) {
	var w wholes
	var appOuts, appIns []cost
	for _, n := range []int64{o.few, o.many} {
		times := o.times
		if n >= 5_000_000 {
			times = 1
		}
		var same []measured
		for range times {
			if n == o.few {
				out, in, err := measureApp(ctx, o, n)
				if err != nil {
					return w, err
				}
				appOuts, appIns = append(appOuts, out), append(appIns, in)
			}
			runs, err := syncs(ctx, o, n)
			if err != nil {
				return w, fmt.Errorf("%d records: %w", n, err)
			}
			same = append(same, runs...)
		}
		w.runs = append(w.runs, medians(same)...)
		if o.few == o.many {
			break
		}
	}
	stages = append(slices.Clone(stages), line{Stage: appOut, Records: o.few, Ours: middle(appOuts)}, line{Stage: appIn, Records: o.few, Ours: middle(appIns)})
	for _, r := range w.runs {
		w.lines = append(w.lines, wholeLine(r, stages))
	}
	return w, nil
}

// wholeLine compares a run with the slowest stage on its road.
func wholeLine(r measured, stages []line) line {
	l := line{Stage: r.road, Records: r.records, Ours: cost{Wall: r.wall, CPU: r.cpu}, Peaks: map[string]int64{"runner": r.runner, "connector": r.child}, Limit: "its slowest stage, which was not measured", Spent: spentOn(r.stages, r.wall)}
	var slowest float64 // seconds a record
	for _, s := range stages {
		each := s.Ours.Wall.Seconds() / float64(s.Records)
		if slices.Contains(stagesOf[r.road], s.Stage) && each > slowest {
			slowest = each
			l.Limit = "its slowest stage alone: " + s.Stage
			scale := float64(r.records) / float64(s.Records)
			l.Theirs = cost{Wall: time.Duration(float64(s.Ours.Wall) * scale), CPU: time.Duration(float64(s.Ours.CPU) * scale)}
			l.Low, l.High = s.Low, s.High
		}
	}
	if slowest > 0 {
		l.Ratio = l.Theirs.Wall.Seconds() / l.Ours.Wall.Seconds()
		if r.road != nothing {
			l.Target.Least = 0.7
		}
	}
	return l
}

// spentOn lists what a run says it spent its time on, the most first. Some of it is
// done at once.
func spentOn(stages map[string]float64, all time.Duration) []string {
	names := slices.SortedFunc(maps.Keys(stages), func(a, b string) int { return cmp.Compare(stages[b], stages[a]) })
	var rows []string
	for _, name := range names {
		if share := stages[name] / all.Seconds(); share >= 0.01 {
			rows = append(rows, fmt.Sprintf("%6.3f s  %3.0f %%  %s", stages[name], 100*share, name))
		}
	}
	return rows
}

// judge prints how the peaks grow from few records to many, and fails where that
// is too much.
func (w wholes) judge(to io.Writer, most float64) error {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	var tooMuch error
	fmt.Fprintln(t, "peak memory\trecords\tMB\trecords\tMB\tgrowth\t\t")
	for _, road := range []string{outbound, inbound} {
		few, many := extremes(w.runs, road)
		for _, p := range []struct {
			name      string
			few, many int64
		}{{"runner", few.runner, many.runner}, {"connector", few.child, many.child}} {
			growth := float64(p.many) / float64(p.few)
			verdict := "met"
			if growth > most {
				verdict = "NOT MET"
				tooMuch = errors.Join(tooMuch, fmt.Errorf("%s: the peak memory of the %s grew %.2f times from %d to %d records, more than %.2f times", road, p.name, growth, few.records, many.records, most))
			}
			fmt.Fprintf(t, "%s, %s\t%d\t%.0f\t%d\t%.0f\t%.2f\t%s\t\n", road, p.name, few.records, float64(p.few)/mega, many.records, float64(p.many)/mega, growth, verdict)
		}
	}
	return errors.Join(t.Flush(), tooMuch)
}

// printStages says where the time of each run went, as the run itself reports it.
func printStages(to io.Writer, runs []measured) {
	fmt.Fprintln(to, "\nseconds within the runs (settling overlaps with sending):")
	for _, r := range runs {
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(r.stages)) {
			parts = append(parts, fmt.Sprintf("%s %.1f", name, r.stages[name]))
		}
		fmt.Fprintf(to, "  %s, %d records, %.1f in all: %s\n", r.road, r.records, r.wall.Seconds(), strings.Join(parts, ", "))
	}
}

// extremes returns the runs on a road with the fewest and the most records.
func extremes(runs []measured, road string) (few, many measured) {
	on := slices.DeleteFunc(slices.Clone(runs), func(m measured) bool { return m.road != road })
	byRecords := func(a, b measured) int { return cmp.Compare(a.records, b.records) }
	return slices.MinFunc(on, byRecords), slices.MaxFunc(on, byRecords)
}

// medians makes one run of all runs on each road, taking each measure for itself:
// when the garbage collector and the flushing of buffers happen to run moves a
// peak by some percent.
func medians(runs []measured) []measured {
	var out []measured
	for _, road := range roads {
		on := slices.DeleteFunc(slices.Clone(runs), func(m measured) bool { return m.road != road })
		out = append(out, measured{road: road, records: on[0].records, stages: on[len(on)/2].stages, usage: usage{
			wall:   median(on, func(m measured) time.Duration { return m.wall }),
			cpu:    median(on, func(m measured) time.Duration { return m.cpu }),
			runner: median(on, func(m measured) int64 { return m.runner }),
			child:  median(on, func(m measured) int64 { return m.child }),
		}})
	}
	return out
}

// median returns the middle of a measure, the larger of two.
func median[T time.Duration | int64](runs []measured, of func(measured) T) T {
	var all []T
	for _, r := range runs {
		all = append(all, of(r))
	}
	return middleOf(all)
}
