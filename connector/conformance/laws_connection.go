package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/sluiceio/sluice/connector"
)

var connectionLaws = []Law{
	{"L-201", AreaConnection, "NetworkAddresses answers to a connection without secrets, the same at every call.", stableAddresses},
	{"L-202", AreaConnection, "An address is a host name or an IP address, without scheme, port, path or wildcard.", goodHosts},
	{"L-203", AreaConnection, "No address is repeated.", noAddressTwice},
	{"L-204", AreaConnection, "A connection that the app accepts connects, any number of times.", connects},
	{"L-205", AreaConnection, "A login that the app refuses is an AUTH error.", refuses},
	{"L-206", AreaConnection, "An unknown connection method is a CONFIG error.", unknownMethod},
	{"L-207", AreaConnection, "A required answer that is missing is a CONFIG error that names the field.", missingAnswers},
	{"L-208", AreaConnection, "What Connect returns in clear holds no secret.", nothingInClear},
	{"L-209", AreaConnection, "Closing a session leaves other sessions alone.", independentSessions},
	{"L-210", AreaConnection, "A session answers several callers at once as it answers one.", concurrentCalls},
}

// addressesOf asks for the addresses without secrets.
func (x *exam) addressesOf() ([]connector.NetworkAddress, error) {
	given, err := x.given()
	if err != nil {
		return nil, err
	}
	c, err := x.shared()
	if err != nil {
		return nil, skip("the connector could not be opened")
	}
	given.Secrets = nil
	return ask(x, "NetworkAddresses", x.options.Patience, func(ctx context.Context) ([]connector.NetworkAddress, error) {
		return c.NetworkAddresses(ctx, given)
	})
}

func stableAddresses(x *exam) error {
	first, err := x.addressesOf()
	if err != nil {
		return x.trouble("NetworkAddresses", err)
	}
	second, err := x.addressesOf()
	if err != nil {
		return x.trouble("NetworkAddresses", err)
	}
	if !reflect.DeepEqual(first, second) {
		return breach("two calls of NetworkAddresses gave different answers")
	}
	return nil
}

func goodHosts(x *exam) error {
	addresses, err := x.addressesOf()
	if err != nil {
		return see("L-201", err)
	}
	for _, a := range append(addresses, x.connect.value.Addresses...) {
		bare := a.Host
		if strings.Count(bare, ":") > 1 { // IPv6
			bare = strings.ReplaceAll(bare, ":", "")
		}
		if bare == "" || strings.ContainsAny(bare, "*/:?#@ ") {
			return breach("the host is %q", a.Host)
		}
		if a.Scheme != "" && a.Scheme != "https" && a.Scheme != "http" || a.Port < 0 || a.Port > 65535 {
			return breach("the address of %s has the scheme %q and the port %d", a.Host, a.Scheme, a.Port)
		}
	}
	return nil
}

func noAddressTwice(x *exam) error {
	addresses, err := x.addressesOf()
	if err != nil {
		return see("L-201", err)
	}
	return unique("addresses", addresses, func(a connector.NetworkAddress) string {
		return fmt.Sprintf("%s %s %d", a.Scheme, a.Host, a.Port)
	})
}

func connects(x *exam) error {
	if _, err := x.given(); err != nil {
		return err
	}
	got, err := x.connected()
	if err != nil {
		return x.trouble("Connect", err)
	}
	x.say("Connect, the account", got.Account)
	again, err := x.connection()
	if err != nil {
		return err
	}
	if _, err := x.login(again); err != nil {
		return x.trouble("a second Connect", err)
	}
	return nil
}

// wants says how an error of a call falls short of a class.
func wants(x *exam, class connector.Class, what string, err error) error {
	if err == nil {
		return breach("%s is accepted", what)
	}
	if t := x.trouble(what, err); isSkip(t) {
		return t
	}
	if got := connector.ClassOf(err); got != class {
		return breach("%s is an error of class %s, not %s: %v", what, got, class, err)
	}
	return nil
}

func isSkip(err error) bool {
	_, ok := errors.AsType[*skipError](err)
	return ok
}

func refuses(x *exam) error {
	if x.subject.Refused == nil {
		return skip("no connection was given that the app refuses")
	}
	_, err := x.login(*x.subject.Refused)
	return wants(x, connector.ClassAuth, "a login that the app refuses", err)
}

// noSuch is a name that no connector has.
const noSuch = "sluice-conformance-no-such-name"

func unknownMethod(x *exam) error {
	c, err := x.given()
	if err != nil {
		return err
	}
	c.Method = noSuch
	_, err = x.login(c)
	return wants(x, connector.ClassConfig, "an unknown connection method", err)
}

func missingAnswers(x *exam) error {
	given, err := x.given()
	if err != nil {
		return err
	}
	form, err := x.connectionForm()
	if err != nil {
		return err
	}
	tried := 0
	for _, m := range form.Methods {
		if m.Name != given.Method {
			continue
		}
		for _, f := range m.Form.Fields {
			without, ok := withoutAnswer(given, f)
			if !ok {
				continue
			}
			tried++
			_, err := x.login(without)
			what := "a connection without " + f.Name
			if err := wants(x, connector.ClassConfig, what, err); err != nil {
				return err
			}
			if !slices.ContainsFunc(connector.AsError(err).Fields, func(v connector.FieldViolation) bool { return v.Field == f.Name }) {
				return breach("the error of %s does not name the field: %v", what, err)
			}
		}
	}
	if tried == 0 {
		return skip("the method %s has no required field without a default", given.Method)
	}
	return nil
}

// withoutAnswer takes a required answer away; false when the field can do
// without one.
func withoutAnswer(c connector.Connection, f connector.Field) (connector.Connection, bool) {
	if !f.Required || len(f.Default) > 0 || len(f.DependsOn) > 0 {
		return c, false
	}
	c.Answers, c.Secrets = maps.Clone(c.Answers), maps.Clone(c.Secrets)
	_, answered := c.Answers[f.Name]
	_, secret := c.Secrets[f.Name]
	delete(c.Answers, f.Name)
	delete(c.Secrets, f.Name)
	return c, answered || secret
}

func nothingInClear(x *exam) error {
	got, err := x.connected()
	if err != nil {
		return see("L-204", err)
	}
	texts := append([]string{got.Account}, got.Notices...)
	for _, values := range got.Parameters {
		texts = append(texts, values...)
	}
	for _, t := range texts {
		for _, s := range x.secrets() {
			if strings.Contains(t, s) {
				return breach("the account, the parameters or the notices hold a secret")
			}
		}
	}
	return nil
}

func independentSessions(x *exam) error {
	kept, err := x.bound()
	if err != nil {
		return err
	}
	connection, err := x.connection()
	if err != nil {
		return err
	}
	other, err := x.opens(x.base.value, connection)
	if err != nil {
		return x.trouble("Open", err)
	}
	if _, err := ask(x, "Close", x.options.Prompt, func(context.Context) (struct{}, error) { return struct{}{}, other.Close() }); err != nil {
		return x.trouble("Close", err)
	}
	if _, err := ask(x, "Limits", x.options.Patience, kept.Limits); err != nil {
		if _, first := x.allowed(); first != nil {
			return first
		}
		return x.trouble("Limits, after another session was closed,", err)
	}
	return nil
}

// callers is how many callers a session is given at once.
const callers = 8

func concurrentCalls(x *exam) error {
	want, err := x.allowed()
	if err != nil {
		return err
	}
	s, err := x.bound()
	if err != nil {
		return err
	}
	// The answers stay in a value of this call, in case it is given up.
	all, err := ask(x, "concurrent calls", x.options.Patience, func(ctx context.Context) ([]connector.Limits, error) {
		got, errs := make([]connector.Limits, callers), make([]error, callers)
		var calling sync.WaitGroup
		for i := range callers {
			calling.Go(func() {
				defer caught("Limits", &errs[i])
				got[i], errs[i] = s.Limits(ctx)
			})
		}
		calling.Wait()
		return got, errors.Join(errs...)
	})
	if err != nil {
		return x.trouble("one of several calls of Limits at once", err)
	}
	for _, got := range all {
		if !reflect.DeepEqual(got.Limits, want.Limits) {
			return breach("several calls of Limits at once gave different answers")
		}
	}
	return nil
}
