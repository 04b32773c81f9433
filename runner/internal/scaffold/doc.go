// Package scaffold writes a connector project for an author to begin with: a
// small Go module that works, against a fake of an app of its own, and obeys
// every law of the contract.
package scaffold
