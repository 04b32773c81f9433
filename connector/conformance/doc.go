// Package conformance holds the laws of the connector contract as data, and
// judges a connector by them.
//
// A [Law] has an id, a sentence and a check. [Check] opens the connector that a
// [Subject] describes, converses with it as a host would (a plain run, one in
// another order, one that is stopped, one whose host fails, one that resumes
// after a stop) and asks every law about what was said. The answer is a
// [Report]: a law is held, broken with the evidence, or skipped with the reason,
// for instance because the subject gave no login that the app refuses.
//
// The package knows connectors by package connector alone and needs no test
// framework: package connectortest runs the same laws as Go tests, and the
// command "sluice verify" runs them against a program in any language. Over a
// process boundary the runtime on either side refuses some breaches before a law
// sees them; then the conversation fails, and the law that it ends well is the
// one reported as broken.
//
// LAWS.md lists the laws; their ids never change meaning.
package conformance
