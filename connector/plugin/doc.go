// Package plugin is both ends of the pipe between host and connector, side by
// side so that they cannot drift apart.
//
// The author's half: [Main] is the whole of a connector's main function. It
// serves the connector as a subprocess of a host (hashicorp/go-plugin, mutual
// TLS over a Unix socket) or, with the word serve, standalone for grpcurl and
// for hosts in other languages.
//
// The host's half: [Launch] starts a connector program, [Dial] reaches one that
// is running already (under a debugger, say), [InProcess] runs one in this
// process over memory. "sluice replay --attach" dials one under a debugger to give
// it the records of a run that was captured, see package recording. All three return a [Process], which is again a
// [connector.Connector]: whoever holds it cannot tell where it runs.
//
// During a sync each half has one goroutine that does nothing but receive, so
// that acks, grants and stops never wait behind records: the connector asks for
// batches with Demand and has room for all it asked for.
//
// What made it fast, by profiles: columns of text (an encoding by rows costs more at
// the far end than everything else together), one allocation for the texts of a
// column (see codec.go; a third of the CPU time of both processes), and several
// batches in flight. Buffers, windows and other codecs of protobuf made no
// difference that could be told from noise.
package plugin
