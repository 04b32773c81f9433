// Package runner is the host: it plans a sync in the warehouse, runs it through
// a connector, and settles an outcome for every record.
//
// The flow of a record, outbound:
//
//	source query -> mapping -> diff against record state -> outbox
//	    -> batches -> connector -> outcomes -> outcome log -> record state
//
// and inbound:
//
//	connector -> batches -> staging -> typed table, in one transaction with the cursor
//
// The package is the engine alone. What it needs from the outside it states as
// small interfaces in ports.go: a [Warehouse] to plan in and to read into, a
// [Store] for what it must remember, and a [Launcher] for connectors. The
// adapters live under internal and are composed by internal/cli.
package runner
