// Package connector is the vocabulary of Sluice: what a connector is, what it
// receives, and what it must answer.
//
// A connector is a program that moves records between a warehouse and one SaaS
// product. Its author implements [Connector] and [Session] in ordinary Go, adds
// the optional capabilities it has ([Outbound], [Inbound], [OptionLister],
// [RecordValidator]), and serves it with one call from package plugin. The same
// value works called directly, over gRPC in memory, and as a subprocess: a host
// that launches the program gets a [Connector] back and cannot tell the
// difference.
//
// # The life of a record
//
// Outbound, a record leaves the warehouse as a row of a [RecordBatch], crosses to
// the connector through [OutboundStream.Next], and comes back through
// [OutboundStream.Settle] as exactly one outcome. Inbound, a connector sends
// rows with [InboundStream.Append] and makes them durable, together with its
// cursor, with [InboundStream.Checkpoint]. [ManagedOutbound] and
// [ManagedInbound] do the batching, the parallelism and the bookkeeping that
// every connector needs.
//
// # Dependencies and compatibility
//
// The package imports the standard library only. No generated type appears in
// it. New powers arrive as new optional interfaces and new fields, never as new
// methods of an existing interface, so a connector that compiles today goes on
// compiling within version 1 of the contract.
package connector
