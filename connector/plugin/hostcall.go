package plugin

import (
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
)

// hostCall is a call of one direction, seen from the host: it sends from any
// goroutine and receives in one.
type hostCall[Request, Response any] struct {
	*hostEnd
	call grpc.BidiStreamingClient[Request, Response]

	sending sync.Mutex
}

func (c *hostCall[Request, Response]) send(m *Request) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	return c.call.Send(m)
}

// receive handles what the connector says until handle says that it is done, and
// waits for the end of the call.
func (c *hostCall[Request, Response]) receive(handle func(*Response) (done bool, err error)) error {
	for {
		m, err := c.recv()
		if err != nil {
			return c.lost(err)
		}
		done, err := handle(m)
		if err != nil {
			c.cancel(err)
			return err
		}
		if done {
			break
		}
	}
	switch _, err := c.recv(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return c.lost(err)
	}
	return connectorBreach("the connector went on after done")
}

// recv waits for a message under the watchdog's eyes.
func (c *hostCall[Request, Response]) recv() (*Response, error) {
	c.dog.wait()
	defer c.dog.heard()
	return c.call.Recv()
}
