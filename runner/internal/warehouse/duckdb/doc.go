// Package duckdb is the embedded warehouse: a [runner.Warehouse] on one DuckDB
// file.
//
// Work is done in SQL, set by set; Go only carries rows to and from
// connectors. Beside the user's tables the package keeps a schema named sluice:
//
//	sluice.state_<sync>     record state: one row for each identifier known
//	sluice.outbox_<sync>    the outbox of the run under way
//	sluice.outboxes         which runs have, or had, an outbox, with their reports
//	sluice.outcome_pending  outcomes of runs under way, in the order they came
//	sluice.outcome_log      one outcome for each record of each finished run
//	sluice.finishing        how far runs being finished have come
//	sluice.outcomes         a view of both: what to query (its time is settled_at)
//	sluice.stream_state     cursors and counts of inbound streams
//
// # Source files
//
// The columns of a CSV file are text, exactly as the file has it: nothing is
// guessed, so leading zeros, 19-digit ids and local date formats survive. A
// mapping expression casts where another type is wanted. The first line is the
// header, the delimiter is sniffed, the encoding is UTF-8; an empty field is
// null and a quoted empty field ("") is an empty text. Parquet files have their
// own types, JSON files those DuckDB infers.
//
// # Text
//
// Values leave as canonical text (see [connector.Kind]). DECIMAL keeps its
// scale; integers wider than 64 bits are decimals; UUID, ENUM, INTERVAL, BIT
// and TIMETZ are strings; lists, structs, maps and unions are JSON. A FLOAT is
// written with the digits of a single, so that 0.1 stays 0.1. Sessions run in
// UTC.
//
// # What makes it fast
//
// Profiles showed where the time went, and it was never where it was looked for:
//
//   - A plan joins identifiers and hashes with the record state, once and in full, and
//     keeps what is to be done; values are read for what is sent. With values in the
//     join ten million records took twice the time.
//   - One thread instead of two: the slices of a run are too small for two, and
//     the thread that waits spins. A third less CPU time.
//   - DuckDB's own 16 MB of log before a checkpoint instead of 4 MB: a checkpoint
//     analyses and compresses the last 122,880 rows of each table anew. Half of the
//     CPU time of settling.
//   - A decimal is read as 64 bits where its digits fit, and never written back to
//     compare: 128 bits cost up to 14 µs a value. A third of an inbound run.
//   - Identifiers and the outbox say how they are compressed. DuckDB would try each
//     compression on them, which took a sixth of a plan and a tenth of a finish.
//   - A run that goes on passes what has an outcome in windows that grow.
//   - Finishing joins each slice with the whole record state: 100,000 records at a
//     time keep the joins few, and the memory bounded.
//   - The newest row of a key is found by its number, not by a window, which would
//     sort whole rows; duplicates of an identifier are looked for among hashes first.
//   - 96 MB are as fast as 256: what is worked on at a time fits.
//   - A row of the outbox leaves the database as one packed text, because each value
//     costs the driver two allocations.
//
// # Processes and crashes
//
// One process opens a file at a time. What a method reports as done is
// committed; a process killed at any moment leaves the last committed state, and
// so does a machine that loses its power, on a file system that keeps the order
// of what is appended to a file. DuckDB itself does not promise as much: see
// create.go for files that are being made, and torn.go for checkpoints.
package duckdb
