package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// rawRole is the far end of a socket without a protocol.
const rawRole = "raw"

// raw sends as many bytes as the contract's messages have through a socket of
// the same kind to another process, and back as many as their outcomes have. Both
// ends do nothing but read and write.
type raw struct {
	pair            string // "" for a socket in the clear
	messages        int
	message, answer int // bytes
}

func (r raw) do(ctx context.Context) (c cost, err error) {
	far, err := startChild(ctx, rawRole, r.pair)
	if err != nil {
		return cost{}, err
	}
	conn, err := r.dial(ctx, far.socket)
	if err != nil {
		return cost{}, err
	}
	head := []byte{byte(r.message), byte(r.message >> 8), byte(r.message >> 16), byte(r.answer), byte(r.answer >> 8), byte(r.answer >> 16)}
	if _, err := conn.Write(head); err != nil {
		return cost{}, err
	}
	c, err = timed(func() error {
		answered := make(chan error, 1)
		go func() {
			_, err := io.CopyN(io.Discard, conn, int64(r.messages)*int64(r.answer))
			answered <- err
		}()
		message := make([]byte, r.message)
		for range r.messages {
			if _, err := conn.Write(message); err != nil {
				return err
			}
		}
		return <-answered
	})
	_ = conn.Close() // ends the far end, which would say so if it had failed
	s, endErr := far.end()
	c.CPU += s.CPU
	return c, errors.Join(err, endErr)
}

func (r raw) dial(ctx context.Context, socket string) (net.Conn, error) {
	conn, err := dialChild(ctx, socket)
	if err != nil || r.pair == "" {
		return conn, err
	}
	config, err := mutual(r.pair)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, config)
	return secure, secure.HandshakeContext(ctx)
}

// dialChild dials until the far end listens.
func dialChild(ctx context.Context, socket string) (net.Conn, error) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			return conn, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		}
	}
}

func rawFarEnd(ready func()) error {
	listener, err := net.Listen("unix", os.Getenv(childSocket))
	if err != nil {
		return err
	}
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	if pair := os.Getenv(childPair); pair != "" {
		config, err := mutual(pair)
		if err != nil {
			return err
		}
		conn = tls.Server(conn, config)
	}
	head := make([]byte, 6)
	if _, err := io.ReadFull(conn, head); err != nil {
		return err
	}
	ready()
	message := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	answer := make([]byte, int(head[3])|int(head[4])<<8|int(head[5])<<16)
	for {
		if _, err := io.ReadFull(conn, message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if _, err := conn.Write(answer); err != nil {
			return err
		}
	}
}
