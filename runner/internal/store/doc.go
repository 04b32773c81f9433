// Package store is the control store: what the host remembers between runs, kept
// in one SQLite file. It implements [runner.Store].
//
// # Durability
//
// The journal is a WAL with synchronous=FULL, so every method that returns has
// its change on the disk. With synchronous=NORMAL a change would survive the end
// of the process, but not of the power: a ticket that is gone after a restart
// means that its records are sent a second time, which is the one thing tickets
// exist to prevent. The price is one fsync for each ticket, grant and saved run;
// there is one ticket for thousands of records.
//
// # Secrets
//
// Values of secret fields are sealed with AES-256-GCM. The key never enters the
// store: it is given by the caller, or kept in a file beside it that only its
// owner may read. The name of the connection and of the field are authenticated
// with the value, so that nobody who can write the file can move a secret to
// where it would be shown or sent to another host.
//
// # Who holds a run
//
// A run under way carries the lease of the process that runs it. Processes of
// the same machine are asked for by number and start time, so a crashed one is
// found dead at once; processes of other machines count as dead when they have
// not renewed their lease for [LeaseTime].
package store
