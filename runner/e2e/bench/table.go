package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// mega is the MB of the table.
const mega = 1e6

// printLines prints the table and what is not met, and returns how many targets
// are not.
func printLines(ctx context.Context, to io.Writer, lines []line) (unmet int) {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "stage\trecords/s\tMB/s\tCPU s/M\tpeak MB\tratio\tby CPU\ttarget\tnoise\tlimit (CPU s/M)")
	for _, l := range lines {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Stage, l.rate(), l.throughput(), perMillion(l.Ours, l.Records), l.peaks(), ratio(l.Ratio), ratio(l.ByCPU), l.verdict(), l.noise(), l.limit())
	}
	_ = t.Flush()
	for _, l := range lines {
		if l.met() {
			continue
		}
		unmet++
		fmt.Fprintf(to, "\nNOT MET: %s: %s beside %q\n", l.Stage, l.verdict(), l.Limit)
		for _, row := range l.Spent {
			fmt.Fprintf(to, "    %s\n", row)
		}
		if l.Profile != "" {
			fmt.Fprintf(to, "  profile: %s\n", l.Profile)
			for _, row := range topOf(ctx, l.Profile) {
				fmt.Fprintf(to, "    %s\n", row)
			}
		}
	}
	return unmet
}

func (l line) rate() string {
	if l.Records <= 1 {
		return fmt.Sprintf("%.0f ms", l.Ours.Wall.Seconds()*1000)
	}
	return fmt.Sprintf("%.0f", float64(l.Records)/l.Ours.Wall.Seconds())
}

func (l line) throughput() string {
	if l.Bytes == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f", float64(l.Bytes)/mega/l.Ours.Wall.Seconds())
}

// perMillion is the CPU time for a million records.
func perMillion(c cost, records int64) string {
	if records <= 1 || c.CPU == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", c.CPU.Seconds()*1e6/float64(records))
}

func (l line) peaks() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(l.Peaks)) {
		if n := l.Peaks[name]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %.0f", name, float64(n)/mega))
		}
	}
	return strings.Join(parts, ", ")
}

func ratio(r float64) string {
	if r == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", r)
}

func (l line) noise() string {
	if l.High == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f-%.2f", l.Low, l.High)
}

func (l line) limit() string {
	if c := perMillion(l.Theirs, l.Records); c != "" {
		return fmt.Sprintf("%s (%s)", l.Limit, c)
	}
	return l.Limit
}

// verdict says what the target is, and whether it is met.
func (l line) verdict() string {
	var wanted []string
	if l.Target.Least > 0 {
		wanted = append(wanted, fmt.Sprintf("at least %g", l.Target.Least))
	}
	if l.Target.Most > 0 {
		wanted = append(wanted, fmt.Sprintf("at most %g", l.Target.Most))
	}
	if l.Absolute > 0 {
		wanted = append(wanted, fmt.Sprintf("within %.0f ms when quiet", l.Absolute*1000))
	}
	switch {
	case wanted == nil:
		return ""
	case l.met():
		return strings.Join(wanted, ", ") + ": met"
	}
	return strings.Join(wanted, ", ") + ": NOT MET"
}
