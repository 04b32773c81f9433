// Package connectortest runs the laws of package conformance as Go tests.
//
// A connector's author describes what is to be examined, best against a
// simulator, and calls [Run]; each law is a subtest. [Reference] is a small
// connector in memory with both directions and tickets. It obeys all laws, and
// can be told to break any one of them: so the suite itself is tested.
package connectortest
