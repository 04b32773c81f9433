// Package slack is a small, complete connector: it sends messages to a Slack
// channel, and reads the list of channels. It is in the repository to be read.
//
// The files, in the order in which a host meets them:
//
//   - slack.go: the manifest, the ways to connect, and [New]
//   - session.go: a connection: its client, its login, its limits
//   - call.go: one call of Slack's Web API
//   - errors.go: the one table from Slack's error codes to the contract's
//   - options.go: the channels to choose from, page by page
//   - send.go: outbound, one message for each record
//   - channels.go: inbound, the stream "channels"
//
// # What a record becomes
//
// The outbound form has a template mapper: the user writes one text with the
// record's columns in it, the host renders it, and the connector gets records
// with the one column "text". A template is not the connector's business, and
// neither is the diff: the strategy Send sends each new record once.
//
// # A message must not be posted twice
//
// chat.postMessage is not idempotent, and Slack offers no key to make it so. So
// each message is journaled before it is posted, with a ticket of its own
// ([connector.Chunk.Prepare]): after a crash, or when an answer is lost, the
// host knows that this one record is in doubt, tells the user, and does not
// send it again by itself. Metadata of messages could answer the question
// ("is there a message with this record's id?"), but reading them back needs
// scopes to read the channel's history, which a program that only posts should
// not ask for.
//
// # Scopes
//
// The bot token needs chat:write to post, and channels:read and groups:read to
// list channels. The bot must be a member of the channel, or have
// chat:write.public for public ones.
package slack
