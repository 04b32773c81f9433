package zohosim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Sim is one simulated Zoho CRM organisation together with its accounts server. It is an [http.Handler]; all methods
// may be called from many goroutines. Close it to stop its jobs and remove its files.
type Sim struct {
	conf   atomic.Pointer[Config]
	skew   atomic.Int64 // nanoseconds added to the clock
	org    *organisation
	store  *store
	auth   *auth
	ledger ledger
	gauge  gauge
	downs  pace
	jobs   jobBook
	files  fileBook
	faults faultBook
	log    requestLog
	routes []route
	admin  http.Handler

	rngMu sync.Mutex
	rng   *rand.Rand

	dir     string
	closing context.Context
	cancel  context.CancelFunc
	work    sync.WaitGroup
	srvMu   sync.Mutex
	servers []*http.Server
	confMu  sync.Mutex
}

// New makes a simulator holding the default organisation without records. It fails when the configuration
// contradicts itself or its directory cannot be made.
func New(c Config) (*Sim, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("zohosim configuration: %w", err)
	}
	dir, err := os.MkdirTemp(c.Dir, "zohosim-")
	if err != nil {
		return nil, fmt.Errorf("zohosim directory: %w", err)
	}
	s := &Sim{store: newStore(), dir: dir, rng: rand.New(rand.NewPCG(c.Seed, c.Seed))}
	s.conf.Store(&c)
	s.closing, s.cancel = context.WithCancel(context.Background())
	s.org = newOrganisation(s.store, &c)
	s.auth = newAuth(&c)
	s.jobs.byID, s.files.byID = map[string]*job{}, map[string]*upload{}
	s.log.init(c.RequestLogSize)
	s.routes = routes()
	s.admin = s.adminHandler()
	for _, m := range defaultModules() {
		if err := s.store.addModule(m); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	return s, nil
}

// Start serves the simulator on a free loopback port and returns its base URL, without a trailing slash.
func (s *Sim) Start() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("zohosim: %w", err)
	}
	return s.Serve(l), nil
}

// Serve serves the simulator on l until Close and returns its base URL at once.
func (s *Sim) Serve(l net.Listener) string {
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 30 * time.Second}
	s.srvMu.Lock()
	s.servers = append(s.servers, srv)
	s.srvMu.Unlock()
	s.work.Go(func() {
		// ErrServerClosed is the only way out: Close closes the server, and a broken listener needs no other care.
		_ = srv.Serve(l)
	})
	return "http://" + l.Addr().String()
}

// Shutdown lets calls in flight finish until ctx ends, then closes the simulator.
func (s *Sim) Shutdown(ctx context.Context) error {
	s.srvMu.Lock()
	servers := s.servers
	s.srvMu.Unlock()
	var errs []error
	for _, srv := range servers {
		errs = append(errs, srv.Shutdown(ctx))
	}
	return errors.Join(append(errs, s.Close())...)
}

// Close drops all connections, stops jobs and removes uploads and results. A second Close does nothing.
func (s *Sim) Close() error {
	s.srvMu.Lock()
	s.cancel()
	servers := s.servers
	s.servers = nil
	s.srvMu.Unlock()
	var errs []error
	for _, srv := range servers {
		errs = append(errs, srv.Close())
	}
	s.work.Wait()
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// Now is the simulator's time: the configured clock plus what AdvanceClock added.
func (s *Sim) Now() time.Time {
	return s.conf.Load().Clock().Add(time.Duration(s.skew.Load()))
}

// AdvanceClock moves the simulator's time forward (or, negative, back) from now on: tokens expire, credits come back,
// jobs finish and results vanish accordingly.
func (s *Sim) AdvanceClock(d time.Duration) {
	s.skew.Add(int64(d))
}

// Configure changes settings of a running simulator. Settings that only matter at birth (credentials, directory,
// time zone, users, log size) are kept.
func (s *Sim) Configure(change func(*Config)) error {
	s.confMu.Lock()
	defer s.confMu.Unlock()
	old := s.conf.Load()
	next := *old
	change(&next)
	next.TimeZone, next.Users, next.Dir, next.RequestLogSize, next.Seed = old.TimeZone, old.Users, old.Dir, old.RequestLogSize, old.Seed
	next.ClientID, next.ClientSecret, next.RefreshToken = old.ClientID, old.ClientSecret, old.RefreshToken
	next, err := next.withDefaults()
	if err != nil {
		return fmt.Errorf("zohosim configuration: %w", err)
	}
	s.conf.Store(&next)
	s.org.setZone(&next)
	return nil
}

// Config is a copy of the settings in force, defaults filled in.
func (s *Sim) Config() Config { return *s.conf.Load() }

// chance draws from the seeded random source.
func (s *Sim) chance() float64 {
	s.rngMu.Lock()
	defer s.rngMu.Unlock()
	return s.rng.Float64()
}

// spawn runs f in a goroutine that Close waits for; after Close it does nothing.
func (s *Sim) spawn(f func()) {
	s.srvMu.Lock()
	defer s.srvMu.Unlock()
	if s.closing.Err() == nil {
		s.work.Go(f)
	}
}
