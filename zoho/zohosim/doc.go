// Package zohosim is Zoho CRM in one process: a faithful simulator of the parts of its REST API an integration uses.
//
// It serves OAuth, the organisation, users, module and field metadata, the file upload, bulk write, bulk read, the
// records API with its deleted list, mass delete, count, and a subset of COQL, for every version segment v2 to v8.
// It keeps the account's books as Zoho does: a rolling ledger of API credits by edition, concurrency limits, token
// throttling, download throttling, expiring results.
//
// [New] returns a [Sim], which is an [http.Handler]; [Sim.Start] puts it on a loopback port. What Zoho's documentation
// leaves open is a field of [Variants] with a documented default, so a client can be tried against both readings.
// What can go wrong between a client and Zoho is a [Fault]. Everything the Go API offers is also reachable over HTTP
// under /_sim/, so programs in other languages can use it too.
//
// The wire structures here are written from Zoho's public documentation and shared with no client: a client's mistake
// cannot agree with itself. Each endpoint's file opens with what is documented and where this simulator deviates.
package zohosim
