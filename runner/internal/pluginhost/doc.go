// Package pluginhost finds, verifies, launches and stops connector programs. It
// implements [runner.Launcher] over package plugin.
//
// A connector is a program of somebody else. It is launched only while its
// content matches the checksum it was installed with, it gets an environment
// that holds nothing of the host's but what a program needs to run, and what it
// says on stderr is kept for the moment it dies.
package pluginhost
