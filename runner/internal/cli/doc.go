// Package cli is the command line of Sluice, one file for each command. It
// composes the engine with the control store, the warehouse and the connector
// host, and translates: flags into calls, results into words or JSON, errors
// into exit codes (exit.go).
//
// Results go to stdout; progress, notices and errors to stderr. With --json a
// command writes one JSON document to stdout, whose shapes are in shapes.go and
// only ever grow.
package cli
