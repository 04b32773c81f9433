// Package e2e holds tests only: stories told by scripts in testdata/script, in
// which real sluice processes launch real connector processes against a
// simulated Zoho CRM.
//
// The test binary is all of them: started under the name of a command it is that
// command. The simulator runs inside the test, so that a script can look into it,
// and can wait for what it sees instead of sleeping.
//
// A script may use, beside testscript's own commands:
//
//	sim [option=value...]     starts a simulator; sets SIM_URL, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, GRANT_CODE
//	connect [NAME]            installs the connector and makes a connection to the simulator
//	grant [SCOPES]            makes a new GRANT_CODE, of the scopes named only
//	fault FILE                arms the fault written in a file
//	heal                      disarms all faults
//	exits CODE COMMAND...     runs a command that must end with an exit code
//	count MODULE N            checks how many records the simulator holds
//	written MODULE            checks that no record of it was written twice
//	disk DIR SIZE             mounts a small disk; ask for the condition [tmpfs] first
//	fill FILE N               fills the disk of a file but for N bytes
//	jobs N                    checks how many bulk jobs the simulator has seen created
//	paced N DURATION          checks that no more than N were created within any such time
//	await METHOD PATH N       waits until the simulator saw N calls of a path pattern
//	browse FILE               opens the login page whose address a command wrote to a file
//	crash                     kills the connector process of this script
//	clock DURATION            moves the simulator's clock
//	envsubst FILE             replaces ${NAME} in a file by the environment's values
//	rows FILE N               writes a CSV file of N companies
package e2e
