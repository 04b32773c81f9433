// Package replay makes a test of a recorded sync:
//
//	func TestTheRecordedSync(t *testing.T) {
//		replay.Run(t, acme.New(), "testdata/recordings/outbound")
//	}
//
// Record it with "sluice record SYNC --to testdata/recordings/outbound", with
// made-up data. The connector runs in the test's process, without network and
// without waits; its requests must go through package egress, with the contexts
// that the sync gave it. What a recording holds is told in package recording.
package replay
