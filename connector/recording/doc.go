// Package recording keeps what passes around a connector in files, without its
// secrets, and plays it again.
//
// A recording is a folder with two files. "conversation.jsonl" holds what host
// and connector said to each other in a run: the messages of the contract in
// protobuf's JSON, one a line; a [Writer] writes it at the host, and
// [Conversation.Play] has a connector go through it again, in this process or
// attached under a debugger. "exchanges.json" holds what the connector and its
// app said to each other: a [Recorder] listens below package egress in the
// connector's process, and a [Player] answers there in place of the app.
//
// Secrets are taken out before anything is written, by a [Redactor]; [Scan] looks
// for what it may have missed. What remains are the values of records: record
// with made-up data what is to be committed. Package replay makes a test of a
// recording.
package recording
