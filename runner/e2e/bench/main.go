package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/sluiceio/sluice/connector/plugin"
)

// options are what the command line says.
type options struct {
	few, many  int64
	bin        string
	dir        string
	profiles   string
	mostGrowth float64
	rounds     int
	times      int
	starts     int
	sections   []string
	strict     bool
	check      string
	record     string
	// section makes this process one that measures a part and writes lines.
	section string
}

// section is a part of the program, measured in a process of its own so that its
// memory is its own.
type section struct {
	name    string
	measure func(context.Context, options) ([]line, error)
	// needs is whether the programs in bin/ are needed.
	needs bool
}

var sections = []section{
	{name: "boundary", measure: measureBoundary},
	{name: "peers", measure: measurePeers},
	{name: "transform", measure: measureTransforms},
	{name: "warehouse", measure: measureWarehouse},
	{name: "plan", measure: measurePlan},
	{name: "latency", measure: measureLatency, needs: true},
	{name: "starts", measure: measureStarts, needs: true},
}

// syncSection is measured by the first process, which watches the others.
const syncSection = "sync"

func main() {
	if role := os.Getenv(childRole); role != "" {
		if err := playChild(role); err != nil {
			fmt.Fprintln(os.Stderr, "bench, far end:", err)
			os.Exit(1)
		}
		return
	}
	if os.Getenv(plugin.CookieKey) == plugin.CookieValue {
		os.Exit(plugin.Main(double{}))
	}
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

// run measures every section, prints the table, and judges it.
func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.section != "" {
		at := slices.IndexFunc(sections, func(s section) bool { return s.name == o.section })
		if at < 0 {
			return fmt.Errorf("there is no section %q", o.section)
		}
		lines, err := sections[at].measure(ctx, o)
		return errors.Join(err, tell(lines...))
	}
	if o.check != "" || o.record != "" {
		return check(ctx, o)
	}
	return all(ctx, o, args)
}

// all measures everything that is wanted.
func all(ctx context.Context, o options, args []string) error {
	var lines []line
	for _, s := range sections {
		if !o.wants(s.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s ...\n", s.name)
		more, err := apart(ctx, s.name, args)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		lines = append(lines, more...)
	}
	var growth error
	if o.wants(syncSection) {
		fmt.Fprintf(os.Stderr, "%s ...\n", syncSection)
		more, err := measureSyncs(ctx, o, lines)
		if err != nil {
			return fmt.Errorf("%s: %w", syncSection, err)
		}
		lines = append(lines, more.lines...)
		defer func() { printStages(os.Stdout, more.runs) }()
		growth = more.judge(os.Stdout, o.mostGrowth)
	}
	unmet := printLines(ctx, os.Stdout, lines)
	if o.strict && unmet > 0 {
		return errors.Join(fmt.Errorf("%d targets are not met", unmet), growth)
	}
	return growth
}

func (o options) wants(section string) bool {
	return len(o.sections) == 0 || slices.Contains(o.sections, section)
}

func parse(args []string) (options, error) {
	var o options
	var chosen string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.Int64Var(&o.few, "few", 200_000, "records of most stages and of the smaller syncs")
	f.Int64Var(&o.many, "many", 1_000_000, "records of the plans and of the larger syncs")
	f.StringVar(&chosen, "sections", "", "what to measure, with commas between: boundary, peers, transform, warehouse, plan, latency, starts, sync; all when empty")
	f.StringVar(&o.bin, "bin", "bin", "folder of sluice, sluice-connector-zoho and zohosim")
	f.StringVar(&o.dir, "dir", os.TempDir(), "folder to work in; what is made in it is removed")
	f.StringVar(&o.profiles, "profiles", "bench-profiles", "folder for the profiles of targets that are not met; none are made when empty")
	f.IntVar(&o.rounds, "rounds", 3, "rounds of limit, stage, limit; the medians count")
	f.IntVar(&o.times, "times", 3, "how often the smaller syncs are done; the larger ones once")
	f.IntVar(&o.starts, "starts", 30, "how often the connector is started to look for stalls")
	f.BoolVar(&o.strict, "strict", false, "exit with 1 when a target is not met")
	f.StringVar(&o.check, "check", "", "a file of recorded ratios to compare a short run with")
	f.StringVar(&o.record, "record", "", "a file to record the ratios of a short run in")
	f.StringVar(&o.section, "section", "", "measure one section and write lines of JSON (used by the program itself)")
	f.Float64Var(&o.mostGrowth, "most-growth", 1.2, "what the peak memory may grow by from --few to --many, as a factor")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if chosen != "" {
		o.sections = strings.Split(chosen, ",")
	}
	for _, name := range o.sections {
		if name != syncSection && !slices.ContainsFunc(sections, func(s section) bool { return s.name == name }) {
			return o, fmt.Errorf("--sections: there is no section %q", name)
		}
	}
	if o.few < 1 || o.many < o.few || o.rounds < 1 || o.times < 1 || o.starts < 1 {
		return o, errors.New("--few, --many, --rounds, --times and --starts want positive numbers, and --many no less than --few")
	}
	var err error
	if o.bin, err = filepath.Abs(o.bin); err != nil {
		return o, err
	}
	if o.profiles != "" {
		if o.profiles, err = filepath.Abs(o.profiles); err != nil {
			return o, err
		}
	}
	return o, o.programs()
}

// programs checks that what is measured was built.
func (o options) programs() error {
	needed := o.wants(syncSection) || slices.ContainsFunc(sections, func(s section) bool { return s.needs && o.wants(s.name) })
	if !needed || o.check != "" || o.record != "" {
		return nil
	}
	for _, name := range []string{"sluice", connectorName, "zohosim"} {
		if _, err := os.Stat(filepath.Join(o.bin, name)); err != nil {
			return fmt.Errorf("%w; run: make build", err)
		}
	}
	return nil
}
