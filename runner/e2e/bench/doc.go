// Command bench measures every stage of a sync against its physical limit and
// against what others do, and whole syncs against their slowest stage, and prints
// a table with a verdict on each target.
//
//	go run ./runner/e2e/bench [--few 200000] [--many 1000000] [--sections boundary,plan] [--strict]
//	go run ./runner/e2e/bench --check runner/e2e/bench/recorded.json
//
// A stage is measured in rounds of limit, stage, limit, so that the load of the
// machine by others is alike for both; the medians count. The column ratio is how
// fast a stage is for a limit of 1, by wall time, or where the target is a most, how
// many times the limit it takes; the column beside it is the same by CPU time, which
// moves less on a busy machine. The column noise is the limit against itself, from
// the lowest round to the highest: what the ratio would be for no difference at all.
//
// The limits:
//
//	boundary     the same bytes in the same messages through a Unix socket with mutual
//	             TLS, and the bytes of the outcomes back, to a process that only reads
//	             and writes; a socket in the clear is printed beside it. TLS is part of
//	             the limit, because the contract is not spoken without
//	peers        ours, with the same batch of records and the same CSV written at the
//	             far end, against small doubles of how others do it
//	transform    deflate alone of the same CSV with the same library and level, inflate
//	             alone of the same zip; measured by benchmarks of package zoho
//	warehouse    DuckDB's COPY of the same query to a CSV file; DuckDB's load of the same
//	             rows from a CSV file into the same types
//	plan         one scan of the table that reads each mapped value as text and hashes
//	             it; a scan that only reads is printed beside it
//	latency      the program alone, and the start of the connector
//	sync         the slowest stage on the road alone, the simulated app included
//
// DuckDB's own work is done in the same database, with the settings a user gets.
//
// Peak memory is VmHWM, the most physical memory a process has held, files mapped
// into it included; each section has a process of its own. Whole syncs are done with
// the programs in bin/, each in a fresh state folder, and what came back is compared
// with what was sent. CPU seconds of whole syncs are those of the runner and its
// connector, not of the simulator, which works on the same machine and makes the
// records a second fewer than they would be without it.
//
// For a target that is not met the program writes a profile and prints its first
// lines, where the stage is ours and not DuckDB's; of whole runs it prints what they
// say they spent their time on. It exits with 1 when something
// fails, when records are missing or differ, and when the peak memory of the runner or
// the connector grows by more than --most-growth from --few records to --many; because
// of a target that is not met only with --strict. It reads /proc, so it needs Linux.
//
// With --check it makes a short run and compares the ratios by CPU time, never times,
// with recorded ones; one below 0.6 of the recorded one, three times in a row, is a
// failure.
package main
