package plugin

import (
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/sluiceio/sluice/connector"
)

func TestADeathInMidStreamNamesItsCause(t *testing.T) {
	t.Run("by itself", func(t *testing.T) {
		t.Parallel()
		err := open(t, launched(t), "die").(connector.Outbound).SyncOutbound(t.Context(), outboundSync(), newOutbox(9, 10))
		e := wantError(t, err, connector.ClassTransient, codeExited)
		for _, says := range []string{"exit status 3", "the roof is on fire", "last activity"} {
			if !strings.Contains(e.Message, says) {
				t.Errorf("the error does not say %q: %v", says, e)
			}
		}
	})
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		p := launched(t)
		o := newOutbox(1000, 10)
		o.doom = sync.OnceFunc(func() { _ = syscall.Kill(p.Pid(), syscall.SIGKILL) })
		err := open(t, p, "").(connector.Outbound).SyncOutbound(t.Context(), outboundSync(), o)
		if e := wantError(t, err, connector.ClassTransient, codeExited); !strings.Contains(e.Message, "signal: killed") {
			t.Errorf("got %v", e)
		}
		_, err = p.Manifest(t.Context())
		wantError(t, err, connector.ClassTransient, codeExited)
	})
}
