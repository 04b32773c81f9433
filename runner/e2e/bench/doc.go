// Command bench moves many records out to a simulated Zoho CRM and back in
// through the bulk path, with the programs in bin/ and the settings a user gets,
// and prints how fast they were, what CPU time they took, and the peak memory of
// the runner and of its connector.
//
//	go run ./runner/e2e/bench [--records 200000,1000000] [--times 3] [--most-growth 1.2]
//
// It exits with 1 when a run fails, when records are missing or differ, when
// they did not take the bulk path, or when the peak memory of either program
// with the largest number of records is more than --most-growth times that with
// the smallest. It reads /proc, so it needs Linux; where memory cannot be
// measured it fails rather than leave the question open.
//
// The peak is VmHWM, the most physical memory a process has held, files mapped
// into it included. Everything is done --times times, each in a fresh state
// folder, and the median of each measure counts. CPU seconds are those of the
// runner and its connector, not of the simulator, which works on the same
// machine and makes the records a second fewer than they would be without it.
package main
