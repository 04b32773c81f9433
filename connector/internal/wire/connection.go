package wire

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// Connection makes a connection.
func Connection(c connector.Connection) (*connectorv1.Connection, error) {
	answers, err1 := Answers("answers", c.Answers)
	secrets, err2 := Answers("secrets", c.Secrets)
	parameters, err3 := Answers("parameters", c.Parameters)
	addresses, err4 := list("addresses", c.Addresses, NetworkAddress)
	out := &connectorv1.Connection{Id: c.ID, Method: c.Method, Answers: answers, Secrets: secrets, Parameters: parameters, Addresses: addresses}
	var err5 error
	if !c.Limits.Empty() {
		out.Limits, err5 = Limits(c.Limits)
	}
	return out, within("connection", first(required("method", c.Method), err1, err2, err3, err4, within("limits", err5)))
}

// ConnectionFrom reads a connection.
func ConnectionFrom(c *connectorv1.Connection) (connector.Connection, error) {
	if c == nil {
		return connector.Connection{}, broken("connection", "is required")
	}
	answers, err1 := AnswersFrom("answers", c.Answers)
	secrets, err2 := AnswersFrom("secrets", c.Secrets)
	parameters, err3 := AnswersFrom("parameters", c.Parameters)
	addresses, err4 := list("addresses", c.Addresses, NetworkAddressFrom)
	limits, err5 := LimitsFrom(c.Limits)
	out := connector.Connection{
		ID: c.Id, Method: c.Method, Answers: answers, Secrets: secrets, Parameters: parameters, Addresses: addresses, Limits: limits,
	}
	return out, within("connection", first(required("method", c.Method), err1, err2, err3, err4, within("limits", err5)))
}

// NetworkAddress makes the address of a host.
func NetworkAddress(a connector.NetworkAddress) (*connectorv1.NetworkAddress, error) {
	return &connectorv1.NetworkAddress{Scheme: a.Scheme, Host: a.Host, Port: int32(a.Port), Purpose: a.Purpose}, checkAddress(a)
}

// NetworkAddressFrom reads the address of a host.
func NetworkAddressFrom(a *connectorv1.NetworkAddress) (connector.NetworkAddress, error) {
	out := connector.NetworkAddress{Scheme: a.GetScheme(), Host: a.GetHost(), Port: int(a.GetPort()), Purpose: a.GetPurpose()}
	return out, checkAddress(out)
}

// Addresses makes the answer to NetworkAddresses.
func Addresses(all []connector.NetworkAddress) (*connectorv1.NetworkAddressesResponse, error) {
	addresses, err := list("addresses", all, NetworkAddress)
	return &connectorv1.NetworkAddressesResponse{Addresses: addresses}, first(err, checkAddresses(all))
}

// AddressesFrom reads the answer to NetworkAddresses.
func AddressesFrom(r *connectorv1.NetworkAddressesResponse) ([]connector.NetworkAddress, error) {
	all, err := list("addresses", r.GetAddresses(), NetworkAddressFrom)
	return all, first(err, checkAddresses(all))
}

func checkAddresses(all []connector.NetworkAddress) error {
	return unique("addresses", "host", all, func(a connector.NetworkAddress) string {
		if a.Scheme == "" {
			a.Scheme = "https"
		}
		return fmt.Sprintf("%s://%s:%d", a.Scheme, a.Host, a.Port)
	})
}

func checkAddress(a connector.NetworkAddress) error {
	if a.Scheme != "" && a.Scheme != "https" && a.Scheme != "http" {
		return broken("scheme", "must be https or http")
	}
	if a.Port < 0 || a.Port > 65535 {
		return broken("port", "must be 0 to 65535")
	}
	if _, err := netip.ParseAddr(a.Host); err != nil && strings.ContainsAny(a.Host, "*:/@ []") {
		return broken("host", "must be a DNS name or an IP address, without port and wildcards")
	}
	return required("host", a.Host)
}

// Connected makes the answer to Connect.
func Connected(c connector.Connected) (*connectorv1.ConnectResponse, error) {
	parameters, err1 := Answers("parameters", c.Parameters)
	secrets, err2 := Answers("secrets", c.Secrets)
	addresses, err3 := list("addresses", c.Addresses, NetworkAddress)
	return &connectorv1.ConnectResponse{
		Account: c.Account, Parameters: parameters, Secrets: secrets, Addresses: addresses, Notices: c.Notices,
	}, first(err1, err2, err3)
}

// ConnectedFrom reads the answer to Connect.
func ConnectedFrom(c *connectorv1.ConnectResponse) (connector.Connected, error) {
	parameters, err1 := AnswersFrom("parameters", c.GetParameters())
	secrets, err2 := AnswersFrom("secrets", c.GetSecrets())
	addresses, err3 := list("addresses", c.GetAddresses(), NetworkAddressFrom)
	return connector.Connected{
		Account: c.GetAccount(), Parameters: parameters, Secrets: secrets, Addresses: addresses, Notices: c.GetNotices(),
	}, first(err1, err2, err3)
}

// Authorization makes what came back from the consent page; the zero value
// becomes none.
func Authorization(a connector.Authorization) (*connectorv1.Authorization, error) {
	if a.Code == "" && a.RedirectURI == "" && a.CodeVerifier == "" && len(a.Parameters) == 0 {
		return nil, nil
	}
	parameters, err := named("parameters", a.Parameters)
	return &connectorv1.Authorization{Code: a.Code, RedirectUri: a.RedirectURI, CodeVerifier: a.CodeVerifier, Parameters: parameters},
		within("authorization", first(err, checkAuthorization(a)))
}

// AuthorizationFrom reads what came back from the consent page.
func AuthorizationFrom(a *connectorv1.Authorization) (connector.Authorization, error) {
	if a == nil {
		return connector.Authorization{}, nil
	}
	parameters, err := namedFrom("parameters", a.Parameters)
	out := connector.Authorization{Code: a.Code, RedirectURI: a.RedirectUri, CodeVerifier: a.CodeVerifier, Parameters: parameters}
	return out, within("authorization", first(err, checkAuthorization(out)))
}

func checkAuthorization(a connector.Authorization) error {
	return first(required("code", a.Code), required("redirect_uri", a.RedirectURI))
}
