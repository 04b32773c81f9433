// Package wire translates between the vocabulary of package connector and the
// messages of the contract, proto/sluice/connector/v1.
//
// There is one file for each concept and one pair of functions for each message:
// X makes the message, XFrom reads it. Both directions check the rules that the
// proto file states for each field, so that a message that breaks one is refused
// by whoever makes it, and by whoever receives it from somebody who does not use
// this package. A broken rule is a [*Violation], which names the field and holds
// no value of it.
package wire
