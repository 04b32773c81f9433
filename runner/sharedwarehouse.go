package runner

import (
	"context"
	"sync"
)

// sharedWarehouse is a warehouse that the pieces of work under way share: an
// embedded one can be open once at a time only.
type sharedWarehouse struct {
	open func(context.Context) (Warehouse, error)

	mu    sync.Mutex // held while opening and closing: nobody gets one that is half open
	one   Warehouse
	users int
}

// acquire opens the warehouse, or joins those who have it open. The caller
// closes what it gets; the last one to do so closes the warehouse.
func (s *sharedWarehouse) acquire(ctx context.Context) (Warehouse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		one, err := s.open(ctx)
		if err != nil {
			return nil, err
		}
		s.one = one
	}
	s.users++
	return &warehouseShare{Warehouse: s.one, owner: s}, nil
}

func (s *sharedWarehouse) leave() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users > 0 {
		return nil
	}
	one := s.one
	s.one = nil
	return one.Close()
}

// warehouseShare is one user's hold on a shared warehouse.
type warehouseShare struct {
	Warehouse
	owner *sharedWarehouse
	once  sync.Once
	err   error
}

// Close ends this user's hold.
func (s *warehouseShare) Close() error {
	s.once.Do(func() { s.err = s.owner.leave() })
	return s.err
}
