package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// The environment of a process that plays the far end of a pipe.
const (
	childRole   = "SLUICE_BENCH_CHILD"  // which far end
	childSocket = "SLUICE_BENCH_SOCKET" // where it listens
	childPair   = "SLUICE_BENCH_PAIR"   // certificate and key of both ends; "" for none
)

// child is a process of this program that plays a far end.
type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout io.ReadCloser
	socket string
	report *os.File
	dir    string
}

// spent is what a far end says of itself when it ends.
type spent struct {
	CPU  time.Duration
	Peak int64
}

// startChild starts a far end. It has stdin and stdout, a socket to listen on,
// and a file of its own to say at the end what it took.
func startChild(ctx context.Context, role, pair string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sluice-bench-child-")
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self), socket: filepath.Join(dir, "s"), dir: dir}
	c.cmd.Env = append(os.Environ(), childRole+"="+role, childSocket+"="+c.socket, childPair+"="+pair)
	c.cmd.Stderr = os.Stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if c.stdout, err = c.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	report, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.report, c.cmd.ExtraFiles = report, []*os.File{theirs}
	err = c.cmd.Start()
	_ = theirs.Close() // the child has it
	return c, err
}

// end closes the child's stdin, which ends it, and returns what it took.
func (c *child) end() (spent, error) {
	_ = c.stdin.Close()
	var s spent
	err := json.NewDecoder(c.report).Decode(&s)
	_ = c.report.Close()
	if werr := c.cmd.Wait(); werr != nil {
		err = fmt.Errorf("the far end %s failed: %w", c.cmd.Env[len(c.cmd.Env)-3], werr)
	}
	return s, cmpErr(err, os.RemoveAll(c.dir))
}

func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// playChild is the main function of a far end.
func playChild(role string) error {
	var before time.Duration
	ready := func() { before = ownCPU() } // what it took to get ready does not count
	var err error
	if role == rawRole {
		err = rawFarEnd(ready)
	} else {
		err = peerFarEnd(role, ready)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.NewFile(3, "report")).Encode(spent{CPU: ownCPU() - before, Peak: ownPeak()})
}

// newPair makes a certificate that both ends of a pipe show and want to see, on
// the curve that go-plugin uses.
func newPair() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		return "", err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: now.Add(-time.Minute), NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), nil
}

// mutual is TLS in which both ends show the pair.
func mutual(pair string) (*tls.Config, error) {
	cert, err := tls.X509KeyPair([]byte(pair), []byte(pair))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(pair))
	return &tls.Config{
		Certificates: []tls.Certificate{cert}, RootCAs: pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
		ServerName: "localhost", MinVersion: tls.VersionTLS12,
	}, nil
}
