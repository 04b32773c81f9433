package zoho

import (
	"context"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// zone is the connected user's time zone: what date-times without an offset
// mean in bulk files.
type zone struct {
	mu  sync.Mutex
	loc *time.Location
}

// set takes an IANA name; an unknown one is ignored.
func (z *zone) set(name string) bool {
	if name == "" {
		return false
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return false
	}
	z.mu.Lock()
	z.loc = loc
	z.mu.Unlock()
	return true
}

// get returns the zone, asking Zoho when Connect did not learn it.
func (z *zone) get(ctx context.Context, client *crm.Client) (*time.Location, error) {
	z.mu.Lock()
	loc := z.loc
	z.mu.Unlock()
	if loc != nil {
		return loc, nil
	}
	user, err := client.CurrentUser(ctx)
	if err != nil {
		return nil, translate(err, "reading the connected user's time zone")
	}
	if !z.set(user.TimeZone) {
		return nil, connector.Errorf(connector.ClassInternal, "UNKNOWN_TIME_ZONE", "the connected user's time zone %q is not known here", user.TimeZone)
	}
	return z.get(ctx, client)
}

// orUTC returns the zone if it is known, without asking.
func (z *zone) orUTC() *time.Location {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.loc == nil {
		return time.UTC
	}
	return z.loc
}
