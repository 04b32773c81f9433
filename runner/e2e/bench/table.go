package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// mega is the MB of the table.
const mega = 1e6

// printRuns prints one line for each run.
func printRuns(to io.Writer, runs []measured) {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "road\trecords\tseconds\trecords/s\tCPU s per million\trunner peak MB\tconnector peak MB\t")
	for _, r := range runs {
		fmt.Fprintf(t, "%s\t%d\t%.1f\t%.0f\t%.1f\t%.0f\t%.0f\t\n", r.road, r.records, r.wall.Seconds(), float64(r.records)/r.wall.Seconds(),
			r.cpu.Seconds()*1e6/float64(r.records), float64(r.runner)/mega, float64(r.child)/mega)
	}
	_ = t.Flush()
}

// judge prints how the peaks grow from the smallest number of records to the
// largest, and fails where that is too much.
func judge(to io.Writer, runs []measured, most float64) error {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	var tooMuch error
	fmt.Fprintln(t, "\nroad\tprogram\tpeak of largest / smallest\t")
	for _, road := range []string{outbound, inbound} {
		few, many := extremes(runs, road)
		for _, p := range []struct {
			name      string
			few, many int64
		}{{"runner", few.runner, many.runner}, {"connector", few.child, many.child}} {
			growth := float64(p.many) / float64(p.few)
			fmt.Fprintf(t, "%s\t%s\t%.2f\t\n", road, p.name, growth)
			if growth > most {
				tooMuch = errors.Join(tooMuch, fmt.Errorf("%s: the peak memory of the %s grew %.2f times from %d to %d records, more than %.2f times", road, p.name, growth, few.records, many.records, most))
			}
		}
	}
	return errors.Join(t.Flush(), tooMuch)
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
	for _, road := range []string{outbound, inbound} {
		on := slices.DeleteFunc(slices.Clone(runs), func(m measured) bool { return m.road != road })
		out = append(out, measured{road: road, records: on[0].records, usage: usage{
			wall:   median(on, func(m measured) time.Duration { return m.wall }),
			cpu:    median(on, func(m measured) time.Duration { return m.cpu }),
			runner: median(on, func(m measured) int64 { return m.runner }),
			child:  median(on, func(m measured) int64 { return m.child }),
		}})
	}
	return out
}

// median returns the middle of a measure, the larger of two.
func median[T cmp.Ordered](runs []measured, of func(measured) T) T {
	var all []T
	for _, r := range runs {
		all = append(all, of(r))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
