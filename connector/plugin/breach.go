package plugin

import (
	"errors"
	"strings"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
)

// hostBroke says that what the host sent, or was about to, breaks the contract.
func hostBroke(what string, err error) error { return refused(connector.ClassConfig, what, err) }

// connectorBroke says that what the connector sent, or was about to, breaks the
// contract.
func connectorBroke(what string, err error) error {
	return refused(connector.ClassInternal, what, err)
}

func refused(class connector.Class, what string, err error) error {
	var own *connector.Error
	if errors.As(err, &own) { // says it better
		return own
	}
	return wire.Refuse(class, what, err)
}

// hostBreach is a breach that no single message shows.
func hostBreach(format string, args ...any) *connector.Error {
	return connector.Errorf(connector.ClassConfig, "CONTRACT", format, args...)
}

// connectorBreach is likewise one of the connector.
func connectorBreach(format string, args ...any) *connector.Error {
	return connector.Errorf(connector.ClassInternal, "CONTRACT", format, args...)
}

func unimplemented() *connector.Error {
	return connector.Errorf(connector.ClassConfig, codeUnimplemented, "the connector does not have this capability; its manifest says which it has")
}

// undelivered is the error of a message that gRPC refused to send.
func undelivered(err error) error {
	e, _ := fromStatus(err)
	if strings.Contains(e.Message, "UTF-8") { // gRPC's words; they name no content
		return connector.Errorf(connector.ClassInternal, "NOT_UTF8", "a text that was to be sent is not UTF-8; convert it where it is read")
	}
	return e
}
