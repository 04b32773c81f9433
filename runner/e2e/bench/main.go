package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// options are what the command line says.
type options struct {
	records    []int64
	bin        string
	dir        string
	mostGrowth float64
	times      int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures every number of records, prints the table, and judges it.
func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	var runs []measured
	for _, n := range o.records {
		var same []measured
		for range o.times {
			r, err := benchmark(ctx, o, n)
			if err != nil {
				return fmt.Errorf("%d records: %w", n, err)
			}
			same = append(same, r...)
		}
		runs = append(runs, medians(same)...)
	}
	printRuns(os.Stdout, runs)
	return judge(os.Stdout, runs, o.mostGrowth)
}

func parse(args []string) (options, error) {
	var o options
	var records string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&records, "records", "200000,1000000", "numbers of records, with commas between")
	f.StringVar(&o.bin, "bin", "bin", "folder of sluice, sluice-connector-zoho and zohosim")
	f.StringVar(&o.dir, "dir", os.TempDir(), "folder to work in; what is made in it is removed")
	f.IntVar(&o.times, "times", 3, "how often everything is done; the medians are what counts")
	f.Float64Var(&o.mostGrowth, "most-growth", 1.2, "what the peak memory may grow by, as a factor")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	for text := range strings.SplitSeq(records, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil || n < 1 {
			return o, fmt.Errorf("--records: %q is not a number of records", text)
		}
		o.records = append(o.records, n)
	}
	if o.times < 1 {
		return o, fmt.Errorf("--times: %d is not a number of times", o.times)
	}
	var err error
	if o.bin, err = filepath.Abs(o.bin); err != nil {
		return o, err
	}
	for _, name := range []string{"sluice", connectorName, "zohosim"} {
		if _, err := os.Stat(filepath.Join(o.bin, name)); err != nil {
			return o, fmt.Errorf("%w; run: make build", err)
		}
	}
	return o, nil
}
