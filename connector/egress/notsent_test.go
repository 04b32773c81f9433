package egress

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// failingTokens have none.
type failingTokens struct{}

func (failingTokens) Token(context.Context) (string, error) {
	return "", errors.New("there is no token")
}
func (failingTokens) Invalidate(context.Context, string) {}

// TestWhatWasNotSentMayBeSentAgain: a call that must not be repeated may be made
// again after a failure only when nothing of it can have had an effect.
func TestWhatWasNotSentMayBeSentAgain(t *testing.T) {
	answers := func(status int, header ...string) roundTrip {
		return func(*http.Request) (*http.Response, error) { return answer(status, "", header...), nil }
	}
	fails := func(err error) roundTrip {
		return func(*http.Request) (*http.Response, error) { return nil, err }
	}
	limits := connector.Limits{Limits: []connector.Limit{{Category: "slow", Rates: []connector.Rate{{Count: 1, Per: time.Hour}}, Matchers: []connector.Matcher{{PathPattern: "/slow"}}}}}
	for name, c := range map[string]struct {
		config Config
		url    string
		want   bool
	}{
		"a host that is not allowed":   {Config{Transport: answers(200)}, "https://elsewhere.example/", true},
		"a token that cannot be had":   {Config{Transport: answers(200), Tokens: failingTokens{}}, "https://app.example/", true},
		"a limit with too long a wait": {Config{Transport: answers(200), Limits: limits}, "https://app.example/slow", true},
		"a connection not made":        {Config{Transport: fails(&net.OpError{Op: "dial", Err: errors.New("refused")})}, "https://app.example/", true},
		"an answer that got lost":      {Config{Transport: fails(errors.New("connection reset"))}, "https://app.example/", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := newClient(t, c.config)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if c.config.Limits.Limits != nil {
					if _, err := send(ctx, client, http.MethodPost, c.url, nil); err != nil {
						t.Fatal(err)
					}
				}
				_, err := send(ctx, client, http.MethodPost, c.url, nil)
				if err == nil || NotSent(err) != c.want {
					t.Errorf("NotSent = %v of %v", NotSent(err), err)
				}
				if connector.AsError(err) == nil {
					t.Errorf("%v is no error of the contract's", err)
				}
			})
		})
	}
}

// TestACallGivenUpAfterA429WasNotSent, since 429 says that it was not carried out.
func TestACallGivenUpAfterA429WasNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, Config{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return answer(http.StatusTooManyRequests, "", "Retry-After", "600"), nil
		})})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		_, err := send(ctx, client, http.MethodPost, "https://app.example/", nil)
		if !NotSent(err) || connector.ClassOf(err) != connector.ClassCancelled {
			t.Errorf("NotSent = %v of %v", NotSent(err), err)
		}
	})
}
