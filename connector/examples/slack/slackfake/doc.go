// Package slackfake is a small Slack in memory: the few methods of its Web API
// that a connector needs, with their answers at HTTP 200, their cursors and
// their error codes, and faults to order. It shares nothing with the connector
// it serves to test, so that a mistake of one cannot agree with itself.
package slackfake
