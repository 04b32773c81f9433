// Package pluginhost installs, finds, verifies, launches and stops connector
// programs. It implements [runner.Launcher] over package plugin.
//
// A connector is a program of somebody else. It is launched only while its
// content matches the checksum it was installed with, it gets an environment
// that holds nothing of the host's but what a program needs to run, and what it
// says on stderr is kept for the moment it dies.
//
// A [Shelf] holds installed programs, brought from a [Source] whole or not at
// all; a [Lock] says, in a file for git, which programs a project's connectors
// are. Only programs are brought, not archives: what is not unpacked can neither
// swell nor write elsewhere, and the checksum is that of what is launched.
package pluginhost
