package egress_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/oauth2"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/egress"
)

// A client reaches the hosts that were declared and no others, waits for limits,
// and waits again when the app says 429.
func ExampleNew() {
	calls := 0
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		fmt.Println(r.Method, r.URL.Path, r.Header.Get("Authorization"))
	}))
	defer app.Close()
	base, _ := url.Parse(app.URL)
	port, _ := strconv.Atoi(base.Port())

	client, err := egress.New(egress.Config{
		Addresses: []connector.NetworkAddress{{Scheme: "http", Host: base.Hostname(), Port: port}},
		Limits: connector.Limits{Limits: []connector.Limit{{
			Category: "contacts", Matchers: []connector.Matcher{{PathPattern: "/contacts/.*"}}, Rates: []connector.Rate{{Count: 10, Per: time.Second}},
		}}},
		Tokens: egress.OAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "abc"})),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	response, err := client.HTTP().Get(app.URL + "/contacts/1")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(response.StatusCode, response.Body.Close(), calls, "calls")

	_, err = client.HTTP().Get("https://elsewhere.example/?token=secret")
	var refused *egress.HostError
	fmt.Println(errors.As(err, &refused), refused.Host, egress.NotSent(err))
	// Output:
	// GET /contacts/1 Bearer abc
	// 200 <nil> 2 calls
	// true https://elsewhere.example:443 true
}

// A POST is not repeated after a failure, unless it is said to do no harm.
func ExampleWithIdempotent() {
	calls := 0
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls%2 == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer app.Close()
	base, _ := url.Parse(app.URL)
	port, _ := strconv.Atoi(base.Port())
	client, err := egress.New(egress.Config{
		Addresses: []connector.NetworkAddress{{Scheme: "http", Host: base.Hostname(), Port: port}},
		Retry:     egress.Retry{Base: time.Millisecond},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	for _, ctx := range []context.Context{egress.WithIdempotent(context.Background()), context.Background()} {
		request, _ := http.NewRequestWithContext(ctx, http.MethodPost, app.URL+"/search", nil)
		response, err := client.HTTP().Do(request)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(response.StatusCode, response.Body.Close())
	}
	// Output:
	// 200 <nil>
	// 503 <nil>
}
