package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/connector/recording"
	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/pluginhost"
	"github.com/sluiceio/sluice/runner/internal/store"
	"github.com/sluiceio/sluice/runner/internal/template"
	"github.com/sluiceio/sluice/runner/internal/warehouse/duckdb"
)

// Main runs one command and returns the exit code. It writes errors to
// env.Stderr.
func Main(ctx context.Context, env Env, args []string) int {
	err := interruptible(ctx, env, func(ctx context.Context) error {
		root := newRoot(&app{env: env})
		root.SetArgs(args)
		return root.ExecuteContext(ctx)
	})
	if err != nil {
		fmt.Fprintln(env.Stderr, "sluice:", err)
	}
	return exitCode(err)
}

// app is what all commands share: the environment and the flags of the root.
type app struct {
	env       Env
	state     string
	warehouse string
	json      bool
	verbose   bool
	// watch writes down what host and connectors say to each other, when set.
	watch *recording.Writer
	// recordTo is the folder connectors record into, when set.
	recordTo string
}

// newRoot assembles the commands.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "sluice",
		Short: "Move records between a warehouse and SaaS products, with an answer for every record",
		Long: `Sluice moves records between a warehouse and SaaS products, both ways, through
connectors, and keeps an answer for every record.

Exit codes: 0 ok; 1 run incomplete; 2 usage or configuration; 3 connector or
login; 4 plan refused; 5 delayed; 6 run failed; 7 sync is running elsewhere;
8 store, warehouse or internal failure; 130 interrupted.`,
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q; see: sluice --help", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.env.Stdin)
	root.SetOut(a.env.Stdout)
	root.SetErr(a.env.Stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%v; see: %s --help", err, cmd.CommandPath())
	})
	flags := root.PersistentFlags()
	flags.StringVar(&a.state, "state", "", "state folder (default $SLUICE_STATE, or .sluice)")
	flags.StringVar(&a.warehouse, "warehouse", "", "DuckDB file (default $SLUICE_WAREHOUSE, or warehouse.duckdb in the state folder)")
	flags.BoolVar(&a.json, "json", false, "write results as JSON")
	flags.BoolVar(&a.verbose, "verbose", false, "log what is going on to stderr")
	root.AddCommand(
		connectorsCommand(a), connectionsCommand(a), streamsCommand(a), syncsCommand(a), recordCommand(a), replayCommand(a),
		runsCommand(a), recordsCommand(a), queryCommand(a), applyCommand(a), exportCommand(a), verifyCommand(a), versionCommand(a),
	)
	return root
}

// group is a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q; see: %s --help", args[0], cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(commands...)
	return cmd
}

// takes checks the number of arguments, and says how the command is used.
func takes(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return usagef("usage: %s", cmd.UseLine())
		}
		return nil
	}
}

// stateDir returns the state folder's absolute path.
func (a *app) stateDir() string {
	dir := a.state
	if dir == "" {
		dir, _ = a.env.lookup("SLUICE_STATE")
	}
	if dir == "" {
		dir = ".sluice"
	}
	return a.env.path(dir)
}

// warehousePath returns the warehouse file's absolute path.
func (a *app) warehousePath() string {
	path := a.warehouse
	if path == "" {
		path, _ = a.env.lookup("SLUICE_WAREHOUSE")
	}
	if path == "" {
		return filepath.Join(a.stateDir(), "warehouse.duckdb")
	}
	return a.env.path(path)
}

// host is the composed machine a command works with.
type host struct {
	*runner.Engine
	store runner.Store
}

// with composes the machine, does something with it and takes it apart.
func (a *app) with(ctx context.Context, watcher runner.Watcher, do func(*host) error) error {
	config := store.Config{Path: filepath.Join(a.stateDir(), "sluice.db"), Now: a.env.Now}
	if text, ok := a.env.lookup("SLUICE_KEY"); ok && text != "" {
		key, err := store.ParseKey(text)
		if err != nil {
			return usagef("SLUICE_KEY: %v", err)
		}
		config.Key = key
	}
	s, err := store.Open(ctx, config)
	if err != nil {
		return err
	}
	around := runner.Store(s)
	if a.env.Store != nil {
		around = a.env.Store(s)
	}
	return errors.Join(a.withStore(around, watcher, do), s.Close())
}

func (a *app) withStore(s runner.Store, watcher runner.Watcher, do func(*host) error) error {
	engine, err := runner.New(runner.Config{
		Store: s, Templates: template.New(), Watcher: watcher, Logger: a.logger(), Now: a.env.Now,
		Launcher: launcher{pluginhost.New(pluginhost.Config{
			Environ: a.env.Environ, Logger: a.logger(), Shelf: a.shelf(), RecordTo: a.recordTo,
		}), a.watch},
		Warehouse: a.openWarehouse,
	})
	if err != nil {
		return err
	}
	return do(&host{Engine: engine, store: s})
}

// launcher marks failures to launch, so that they have an exit code, and has
// conversations written down.
type launcher struct {
	runner.Launcher
	watch *recording.Writer // nil for none
}

func (l launcher) Launch(ctx context.Context, ref runner.ConnectorRef) (runner.RunningConnector, error) {
	running, err := l.Launcher.Launch(ctx, ref)
	if err != nil {
		return nil, &launchError{cause: err}
	}
	if l.watch != nil {
		running = watched{RunningConnector: running, writer: l.watch, ref: ref}
	}
	return running, nil
}

// openWarehouse opens the warehouse with what the user lets it have, by default
// what a run needs.
func (a *app) openWarehouse(ctx context.Context) (runner.Warehouse, error) {
	return a.openWarehouseWith(ctx, "", 0)
}

// openWarehouseWith opens the warehouse with a limit of memory and a number of
// threads, unless the user has set others.
func (a *app) openWarehouseWith(ctx context.Context, memory string, threads int) (runner.Warehouse, error) {
	if m, _ := a.env.lookup("SLUICE_WAREHOUSE_MEMORY"); m != "" {
		memory = m
	}
	if t, _ := a.env.lookup("SLUICE_WAREHOUSE_THREADS"); t != "" {
		n, err := strconv.Atoi(t)
		if err != nil || n < 1 {
			return nil, usagef("SLUICE_WAREHOUSE_THREADS is %q; set it to a number of threads, or unset it", t)
		}
		threads = n
	}
	w, err := duckdb.Open(ctx, duckdb.Config{Path: a.warehousePath(), MemoryLimit: memory, Threads: threads})
	if err != nil {
		return nil, err
	}
	if a.env.Warehouse != nil {
		return a.env.Warehouse(w), nil
	}
	return w, nil
}

// withWarehouse opens the warehouse for one piece of work.
func (a *app) withWarehouse(ctx context.Context, do func(runner.Warehouse) error) error {
	return a.withWarehouseOf(ctx, "", 0, do)
}

// withWarehouseOf does so with a limit of memory and a number of threads.
func (a *app) withWarehouseOf(ctx context.Context, memory string, threads int, do func(runner.Warehouse) error) error {
	w, err := a.openWarehouseWith(ctx, memory, threads)
	if err != nil {
		return err
	}
	return errors.Join(do(w), w.Close())
}

func (a *app) logger() *slog.Logger {
	if !a.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(a.env.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// finder looks for connector programs.
func (a *app) finder() pluginhost.Finder {
	path, _ := a.env.lookup("PATH")
	f := pluginhost.Finder{WorkDir: a.env.WorkDir, Path: path}
	if a.env.Executable != "" {
		f.Beside = filepath.Dir(a.env.Executable)
	}
	return f
}

// notice writes a line for the user that is not part of the result.
func (a *app) notice(format string, args ...any) {
	fmt.Fprintf(a.env.Stderr, format+"\n", args...)
}
