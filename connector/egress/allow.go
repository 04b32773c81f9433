package egress

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// HostError says that a host is not among the declared addresses. It is the
// cause of a [connector.Error] with code HOST_NOT_ALLOWED.
type HostError struct {
	// Host is the host refused, with its scheme and port.
	Host string
	// Redirect is the host that redirected to it; empty when there was none.
	Redirect string
}

// Error names the host.
func (e *HostError) Error() string {
	if e.Redirect != "" {
		return fmt.Sprintf("%s redirects to %s, which is not among the connector's network addresses", e.Redirect, e.Host)
	}
	return fmt.Sprintf("%s is not among the connector's network addresses", e.Host)
}

// allowList holds "scheme://host:port" of every declared address.
type allowList map[string]bool

func newAllowList(addresses []connector.NetworkAddress) (allowList, error) {
	if len(addresses) == 0 {
		return nil, badConfig("no addresses: nothing could be reached")
	}
	list := make(allowList, len(addresses))
	for _, a := range addresses {
		scheme, port := a.Scheme, strconv.Itoa(a.Port)
		if scheme == "" {
			scheme = "https"
		}
		if scheme != "https" && scheme != "http" || a.Host == "" || strings.ContainsAny(a.Host, "*/@") {
			return nil, badConfig("%q with scheme %q is not an address", a.Host, a.Scheme)
		}
		if a.Port == 0 {
			port = defaultPort(scheme)
		}
		list[scheme+"://"+net.JoinHostPort(canonicalHost(a.Host), port)] = true
	}
	return list, nil
}

// canonicalHost makes "Example.COM." and "example.com" the same name.
func canonicalHost(host string) string {
	return strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
}

func defaultPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}

func (l allowList) check(u *url.URL, redirect string) error {
	host := origin(u)
	if l[host] && u.User == nil {
		return nil
	}
	e := connector.Errorf(connector.ClassConfig, "HOST_NOT_ALLOWED", "a request was refused: %w", &HostError{Host: host, Redirect: redirect})
	e.Help = []connector.Help{{Description: "declare the host in NetworkAddresses if the connector is meant to reach it"}}
	return e
}

// checkRedirect refuses foreign hosts and long chains, and takes credentials
// that the caller set himself from requests to another origin: net/http would
// let them go to subdomains and from https to http.
func (l allowList) checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return connector.Errorf(connector.ClassTransient, "REDIRECTS", "%s redirected 10 times", via[0].URL.Host)
	}
	if !sameOrigin(r.URL, via[0].URL) {
		for _, name := range []string{"Authorization", "Cookie", "Proxy-Authorization"} {
			r.Header.Del(name)
		}
	}
	return l.check(r.URL, via[len(via)-1].URL.Host)
}

// origin is "scheme://host:port" of a URL.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = defaultPort(u.Scheme)
	}
	return u.Scheme + "://" + net.JoinHostPort(canonicalHost(u.Hostname()), port)
}

func sameOrigin(a, b *url.URL) bool { return origin(a) == origin(b) }

// allowTransport refuses requests to foreign hosts before anything is sent.
type allowTransport struct {
	next    http.RoundTripper
	allowed allowList
}

func (t *allowTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.allowed.check(r.URL, ""); err != nil {
		closeBody(r)
		return nil, unsentError{err}
	}
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, explain(r, err)
	}
	// A redirect is judged by the request that it answers, see strayed.
	resp.Request = r
	return resp, nil
}

// closeBody keeps the RoundTripper's promise to close the body, on errors too.
func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}
