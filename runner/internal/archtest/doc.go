// Package archtest holds the laws of the house as tests: which package may
// reach which, that every exported name is documented, and what may happen in
// main packages only. It has no code of its own.
package archtest
