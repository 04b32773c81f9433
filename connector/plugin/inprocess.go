package plugin

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/sluiceio/sluice/connector"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// InProcess serves a connector over memory and returns it as a host sees it:
// the same messages and the same checks as over a pipe, without a process. The
// caller closes it.
func InProcess(c connector.Connector) (*Process, error) {
	listener := bufconn.Listen(1 << 20)
	impl := newServer(c)
	server := grpc.NewServer(append(newGuard().options(), grpc.WaitForHandlers(true))...)
	pb.RegisterConnectorServiceServer(server, impl)
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // ends with Stop
	conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		server.Stop()
		serving.Wait()
		return nil, err
	}
	return &Process{client: pb.NewConnectorServiceClient(conn), close: func() error {
		err := conn.Close()
		stopped := make(chan struct{})
		go func() { server.Stop(); close(stopped) }()
		timer := time.NewTimer(closePatience)
		defer timer.Stop()
		select {
		case <-stopped:
			serving.Wait()
		case <-timer.C:
			err = errors.Join(err, connector.Errorf(connector.ClassInternal, "CLOSE_IGNORED",
				"the connector goes on with a call that was cancelled %v ago", closePatience))
		}
		return errors.Join(err, impl.sessions.close())
	}}, nil
}
