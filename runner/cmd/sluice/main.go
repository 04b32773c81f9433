// Command sluice moves records between a warehouse and SaaS products. See
// package cli for what it can do, or run: sluice --help
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/sluiceio/sluice/runner/internal/cli"
)

func main() { os.Exit(run()) }

func run() int {
	workDir, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sluice: the working directory is gone:", err)
		return cli.ExitInternal
	}
	executable, _ := os.Executable() // without it, connectors are looked for on PATH alone
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupts)
	stdin := int(os.Stdin.Fd())
	return cli.Main(context.Background(), cli.Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Environ: os.Environ(), WorkDir: workDir, Executable: executable,
		Now: time.Now, Interrupts: interrupts,
		StdinTerminal: term.IsTerminal(stdin), StderrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		ReadSecret: func() (string, error) {
			secret, err := term.ReadPassword(stdin)
			fmt.Fprintln(os.Stderr) // the newline that was not shown
			return string(secret), err
		},
	}, os.Args[1:])
}
