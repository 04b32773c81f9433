package connectortest_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/conformance"
	"github.com/sluiceio/sluice/connector/connectortest"
	"github.com/sluiceio/sluice/connector/plugin"
)

// quickly is for a clock that runs.
var quickly = conformance.Options{
	Pace: 20 * time.Millisecond, Stop: 2 * time.Second, Deadline: time.Second, Prompt: 2 * time.Second, Patience: 20 * time.Second, BatchRows: 2,
}

func TestTheReferenceObeysEveryLawOverGRPC(t *testing.T) {
	t.Parallel()
	subject := connectortest.Subject(connectortest.NewApp(), "")
	direct := subject.Open
	subject.Open = func(ctx context.Context) (connector.Connector, func(), error) {
		c, _, err := direct(ctx)
		if err != nil {
			return nil, nil, err
		}
		process, err := plugin.InProcess(c)
		if err != nil {
			return nil, nil, err
		}
		return process, func() { _ = process.Close() }, nil
	}
	connectortest.Run(t, connectortest.Harness{Subject: subject, Options: quickly})
}

// asConnector makes the test binary a connector.
const asConnector = "SLUICE_TEST_AS_CONNECTOR"

func TestMain(m *testing.M) {
	if os.Getenv(asConnector) != "" {
		os.Exit(plugin.Main(connectortest.NewReference(connectortest.NewApp(), "")))
	}
	os.Exit(m.Run())
}
