package runner

import "time"

// StopGrace is how long a connector has to settle what it holds after it was
// asked to stop, before it is killed.
const StopGrace = 5 * time.Second
