package connectortest

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// session is a Reference bound to a connection.
type session struct {
	*Reference
	connection connector.Connection
	connected  atomic.Bool
}

var (
	_ connector.Session         = (*session)(nil)
	_ connector.Outbound        = (*session)(nil)
	_ connector.Inbound         = (*session)(nil)
	_ connector.OptionLister    = (*session)(nil)
	_ connector.RecordValidator = (*session)(nil)
	_ connector.CostEstimator   = (*session)(nil)
)

// Connect logs in.
func (s *session) Connect(context.Context, connector.Authorization) (connector.Connected, error) {
	s.connected.Store(true)
	token := s.connection.Secrets.Get("token")
	if token != goodToken {
		class := connector.ClassAuth
		if s.broken("L-205") {
			class = connector.ClassTransient
		}
		return connector.Connected{}, connector.Errorf(class, "TOKEN_EXPIRED", "the guest book does not accept the token")
	}
	if s.broken("L-204") && s.connection.Parameters.Get("book") != "" {
		return connector.Connected{}, connector.Errorf(connector.ClassTransient, "TWICE", "the guest book was opened before")
	}
	got := connector.Connected{Account: "The book in the hall", Parameters: connector.Answers{"book": {"hall"}}}
	if s.broken("L-208") {
		got.Parameters["token"] = []string{token}
	}
	return got, nil
}

// Limits is what the app allows.
func (s *session) Limits(ctx context.Context) (connector.Limits, error) {
	all := connector.Limits{
		Limits: []connector.Limit{{
			Category: "write", Matchers: []connector.Matcher{{Methods: []string{"POST"}, PathPattern: "/guests"}},
			Rates: []connector.Rate{{Count: 10, Per: time.Second}}, MaxConcurrency: 3, Cost: &connector.Cost{Pool: "ink", Units: 1, Items: 10},
		}, {Category: "rest", Matchers: []connector.Matcher{{}}}},
		Pools: []connector.Pool{{Name: "ink", Capacity: 1000, Window: time.Hour}},
	}
	first := &all.Limits[0]
	switch s.breaks {
	case "L-209":
		if s.heal() {
			return all, connector.Errorf(connector.ClassInternal, "CLOSED", "the session was closed with another one")
		}
	case "L-210":
		return all, s.alone(ctx)
	case "L-401":
		return all, connector.Errorf(connector.ClassTransient, "AWAY", "the guest book is away")
	case "L-402":
		all.Limits[1].Category = "write"
	case "L-403":
		first.Matchers[0].Methods = []string{"post"}
	case "L-404":
		first.Rates[0].Count = 0
	case "L-405":
		first.MaxConcurrency = -1
	case "L-406":
		first.Cost.Pool = "pencil"
	case "L-407":
		all.Pools[0].Window = 0
	case lawEnds:
		<-ctx.Done()
		return all, context.Cause(ctx)
	}
	return all, nil
}

const lawEnds = "L-902"

// alone fails when another caller is there.
func (s *session) alone(ctx context.Context) error {
	if s.app.count(&s.app.calling) > 1 {
		return connector.Errorf(connector.ClassInternal, "BUSY", "somebody else is asking")
	}
	err := sleep(ctx, 10*time.Millisecond)
	s.app.mu.Lock()
	s.app.calling = 0
	s.app.mu.Unlock()
	return err
}

func (s *session) heal() bool {
	s.app.mu.Lock()
	defer s.app.mu.Unlock()
	was := s.app.poisoned
	s.app.poisoned = false
	return was
}

// Close releases nothing.
func (s *session) Close() error {
	if !s.connected.Load() {
		s.app.mu.Lock()
		s.app.poisoned = true
		s.app.mu.Unlock()
	}
	return nil
}

// OutboundForm asks for the book.
func (s *session) OutboundForm(context.Context, connector.FormRequest) (connector.Form, error) {
	return connector.Form{
		Fields: []connector.Field{{Name: "book", Kind: connector.FieldDropdown, Label: "Book", OptionSource: "books", Required: true}},
		Mapper: &connector.Mapper{Fields: &connector.FieldMapper{OptionSource: "fields", Label: "Guest fields"}},
	}, nil
}

// InboundForm has one field of several kinds.
func (s *session) InboundForm(context.Context, connector.FormRequest) (connector.Form, error) {
	form := connector.Form{Fields: []connector.Field{
		{Name: "about", Kind: connector.FieldInformation, Help: "What is read."},
		{Name: "order", Kind: connector.FieldRadio, Label: "Order", Options: []connector.Option{{Value: "old"}, {Value: "new"}}, Default: []string{"old"}},
		{Name: "year", Kind: connector.FieldNumber, Label: "Since", DependsOn: []connector.Condition{{Field: "order", Values: []string{"old"}}}, Validation: connector.Validation{Pattern: `\d{4}`}},
	}}
	order := &form.Fields[1]
	switch s.breaks {
	case "L-104":
		return form, connector.Errorf(connector.ClassInternal, "NO_FORM", "there is no form today")
	case "L-105":
		form.Fields[2].Name = "order"
	case "L-106":
		form.Fields[2].Kind = "telepathy"
	case "L-107":
		order.Label = ""
	case "L-108":
		order.DependsOn = []connector.Condition{{Field: "year"}}
	case "L-109":
		order.OptionSource = "books"
	case "L-110":
		order.Options = append(order.Options, connector.Option{Value: "new"})
	case "L-111":
		form.Fields[2].Validation.Pattern = "("
	case "L-112":
		order.Default = []string{"middle"}
	case "L-114":
		form.Mapper = &connector.Mapper{Fields: &connector.FieldMapper{OptionSource: "fields"}}
	}
	return form, nil
}

// pageSize is the number of options on a page.
const pageSize = 200

// Options lists books, or fields of a guest.
func (s *session) Options(_ context.Context, request connector.OptionsRequest) (connector.OptionsPage, error) {
	var all []connector.Option
	switch request.Source {
	case "books":
		if s.broken("L-301") {
			return connector.OptionsPage{}, connector.Errorf(connector.ClassTransient, "AWAY", "the guest book is away")
		}
		for _, name := range []string{"hall", "garden", "attic", "cellar", "kitchen", "stairs", "tower"} {
			all = append(all, connector.Option{Value: name, Label: "The " + name})
		}
	case "fields":
		all = []connector.Option{{Value: "name", Label: "Name", Required: true}, {Value: "member", Label: "Member"}}
	default:
		if s.broken("L-305") {
			return connector.OptionsPage{}, nil
		}
		return connector.OptionsPage{}, connector.Errorf(connector.ClassConfig, "NO_SOURCE", "there is no option source %q", request.Source)
	}
	if s.broken("L-302") {
		all = append(all, all[0])
	}
	return s.page(s.search(all, request.Search), request)
}

func (s *session) search(all []connector.Option, text string) []connector.Option {
	var found []connector.Option
	for _, o := range all {
		hit := strings.Contains(strings.ToLower(o.Value+"\n"+o.Label), strings.ToLower(text))
		if s.broken("L-304") {
			hit = strings.Contains(o.Value+"\n"+o.Label, text)
		}
		if hit {
			found = append(found, o)
		}
	}
	return found
}

func (s *session) page(all []connector.Option, request connector.OptionsRequest) (connector.OptionsPage, error) {
	from, size := 0, pageSize
	if request.PageToken != "" {
		if _, err := fmt.Sscanf(request.PageToken, "from %d", &from); err != nil {
			return connector.OptionsPage{}, connector.Errorf(connector.ClassConfig, "PAGE", "the page token is not one of ours")
		}
	}
	if request.PageSize > 0 {
		size = request.PageSize
		if s.broken("L-303") {
			all = all[:len(all)-1]
		}
	}
	to := min(from+size, len(all))
	page := connector.OptionsPage{Options: all[min(from, to):to]}
	if to < len(all) {
		page.NextPageToken = fmt.Sprint("from ", to)
	}
	return page, nil
}

// ValidateRecords finds guests without a name.
func (s *session) ValidateRecords(_ context.Context, _ connector.OutboundSync, b *connector.RecordBatch) ([]connector.RowOutcome, error) {
	var found []connector.RowOutcome
	for row, name := range b.Columns[0].Texts {
		if name == "" || s.broken("L-523") && row == 0 {
			found = append(found, connector.RowOutcome{Row: row, Status: connector.StatusInvalid, Error: nameless()})
		}
	}
	return found, nil
}

func nameless() *connector.Error {
	return connector.Errorf(connector.ClassRejected, "NAME_MISSING", "a guest needs a name")
}
