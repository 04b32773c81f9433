// Package crm is a client for the REST API of Zoho CRM. It knows HTTP and Zoho: OAuth and the data centers, metadata,
// the record calls, COQL, Bulk Write and Bulk Read. It knows nothing of connectors, warehouses or syncs.
//
// # Beginning
//
//	oauth := crm.OAuth{ClientID: id, ClientSecret: secret, AccountsURL: "https://accounts.zoho.eu"}
//	source := oauth.TokenSource(crm.Token{RefreshToken: refresh}, nil)
//	client, err := crm.New(crm.WithDataCenter(crm.EU, crm.Production), crm.WithTokenSource(source))
//	if err != nil { ... }
//	modules, err := client.Modules(ctx)
//
// # Layers
//
// A [Client] sends through an [http.Client] given with [WithHTTPClient]. That is where policy belongs: allow-lists, rate
// limits, retries, the Authorization header. This package never retries a request, because only the layer that owns the
// budget knows whether and when a second attempt is affordable. What that layer must know about each request (what it
// is, how many records it carries, what it costs, whether repeating it is safe) is told by [WithCallContext].
//
// Used alone, [WithTokenSource] makes the client set "Authorization: Zoho-oauthtoken ..." itself and, when Zoho answers
// INVALID_TOKEN, refresh the token once and repeat the request once. The first attempt was refused before it had any effect, so
// that single repetition is safe for every call.
//
// # Errors
//
// Every failed call returns an [*Error] carrying Zoho's own code, and [Lookup] says what a code means, which [Class] it
// belongs to and whether trying again can help. Bodies of errors are always read (to a bound), whatever their shape: the
// usual envelope, the same inside a data array, the OAuth shape with HTTP 200, the file gateway's, or a gateway's HTML.
// Error texts never hold tokens, query strings or cell values.
//
// Failures of single records are not errors of the call: the write calls return one [RecordResult] per record, and a
// bulk write report one [ReportRow] per row.
//
// # Memory
//
// Record calls hold one page. Bulk data is streamed: [ZipWriter] writes rows into a zip without keeping them,
// [Client.Upload] sends a file without reading it into memory, results are downloaded to a temporary file and inflated
// row by row.
//
// # Numbers
//
// Ids are decimal strings of 15 to 19 digits; they are kept as strings everywhere, because a float64 holds only 53 bits.
// Record values are kept as JSON text for the same reason.
//
// # Sources of facts
//
// Limits and shapes come from Zoho's developer documentation under https://www.zoho.com/crm/developer/docs/api/v8/ and its
// published OpenAPI files; where pages contradict each other the client accepts every documented variant.
package crm
