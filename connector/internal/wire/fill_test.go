package wire

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// filler fills values of the vocabulary so that they obey the contract. The same
// seed gives the same values.
type filler struct {
	*rand.Rand
	names int
}

func newFiller(seed uint64) *filler { return &filler{Rand: rand.New(rand.NewPCG(seed, 7))} }

// words are the values of the vocabulary's closed sets.
var words = map[reflect.Type][]string{
	reflect.TypeFor[connector.Kind]():            keys(kinds.number),
	reflect.TypeFor[connector.FieldKind]():       keys(fieldKinds.number),
	reflect.TypeFor[connector.Class]():           keys(classes.number),
	reflect.TypeFor[connector.Feature]():         keys(features.number),
	reflect.TypeFor[connector.TimestampFormat](): keys(timestampFormats.number),
	reflect.TypeFor[connector.DateFormat]():      keys(dateFormats.number),
	reflect.TypeFor[connector.OAuthGrant]():      keys(grants.number),
	reflect.TypeFor[connector.Direction]():       keys(directions.number),
	reflect.TypeFor[connector.TicketState]():     keys(ticketStates.number),
	reflect.TypeFor[connector.ReadMode]():        keys(readModes.number),
	reflect.TypeFor[connector.StopMode]():        keys(stopModes.number),
	reflect.TypeFor[connector.Waiting]():         append(keys(waits.number), ""),
	reflect.TypeFor[connector.Status](): {
		"SUCCEEDED", "REJECTED", "RETRY", "DELAYED", "INVALID", "IN_DOUBT",
	},
}

func keys[W ~string, N any](m map[W]N) []string {
	var out []string
	for w := range m {
		out = append(out, string(w))
	}
	// Maps have no order, and a seed must mean one value.
	for i := range out {
		for j := i + 1; j < len(out); j++ {
			if out[j] < out[i] {
				out[i], out[j] = out[j], out[i]
			}
		}
	}
	return out
}

// text is a name nobody else has, with what is difficult in it.
func (f *filler) text() string {
	f.names++
	tricky := []string{"a", "ü", "名", "\"", ",", "\n", "\x00", "😀", " "}
	return fmt.Sprintf("%s%d%s", tricky[f.IntN(len(tricky))], f.names, tricky[f.IntN(len(tricky))])
}

func (f *filler) json() string { return fmt.Sprintf(`{"n":%d,"id":9007199254740993}`, f.IntN(1000)) }

// fill sets everything that v points to, then makes it obey the rules.
func fill[V any](f *filler) V {
	var v V
	f.value(reflect.ValueOf(&v).Elem(), "")
	return v
}

func (f *filler) value(v reflect.Value, field string) {
	t := v.Type()
	if w := words[t]; w != nil {
		v.SetString(w[f.IntN(len(w))])
		return
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(1+f.Int64N(4e9), f.Int64N(1e9)).UTC()))
		return
	case t == reflect.TypeFor[time.Duration]():
		v.SetInt(1 + f.Int64N(1e15))
		return
	case t == reflect.TypeFor[error]():
		return
	}
	switch t.Kind() {
	case reflect.String:
		v.SetString(f.text())
		switch field {
		case "State", "Handle", "Detail", "Schema":
			v.SetString(f.json())
		}
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Int, reflect.Int64, reflect.Int32:
		v.SetInt(1 + f.Int64N(1000))
	case reflect.Uint8, reflect.Uint32:
		v.SetUint(f.Uint64N(256))
	case reflect.Float64:
		v.SetFloat(f.NormFloat64())
	case reflect.Pointer:
		if f.IntN(3) > 0 {
			v.Set(reflect.New(t.Elem()))
			f.value(v.Elem(), field)
		}
	case reflect.Slice:
		for range 1 + f.IntN(3) {
			e := reflect.New(t.Elem()).Elem()
			f.value(e, field)
			v.Set(reflect.Append(v, e))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(t))
		for range f.IntN(4) {
			k, e := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
			f.value(k, "")
			f.value(e, "")
			v.SetMapIndex(k, e)
		}
	case reflect.Struct:
		for i := range t.NumField() {
			f.value(v.Field(i), t.Field(i).Name)
		}
		f.obey(v.Addr().Interface())
	}
}

// obey makes a filled struct obey the rules that hold between its fields.
func (f *filler) obey(v any) {
	switch v := v.(type) {
	case *connector.Manifest:
		v.ID, v.Version = "zoho-crm", "1.20.3-rc.1"
		v.DocumentationURL = "https://example.com/" + fmt.Sprint(f.IntN(9))
	case *connector.Icon:
		v.MediaType = "image/png"
	case *connector.NetworkAddress:
		v.Scheme = []string{"", "http", "https"}[f.IntN(3)]
		v.Host = []string{"api%d.example.com", "10.0.0.%d", "fd00::%d"}[f.IntN(3)]
		v.Host = fmt.Sprintf(v.Host, f.IntN(250))
	case *connector.Validation:
		v.Pattern, v.MaxLength = `^[a-z]+$`, v.MinLength+f.IntN(9)
		if v.Min != nil && v.Max != nil && *v.Min > *v.Max {
			v.Min, v.Max = v.Max, v.Min
		}
	case *connector.Field:
		v.DependsOn = nil
		choice := v.Kind == connector.FieldRadio || v.Kind == connector.FieldDropdown || v.Kind == connector.FieldSlider
		v.Multiple = v.Multiple && v.Kind == connector.FieldDropdown
		if f.IntN(2) == 0 || !choice {
			v.Options = nil
		}
		if len(v.Options) > 0 || !choice {
			v.OptionSource = ""
		}
	case *connector.Form:
		for i := 1; i < len(v.Fields); i++ {
			v.Fields[i].DependsOn = []connector.Condition{{Field: v.Fields[i-1].Name, Values: []string{"x"}}}
		}
	case *connector.Mapper:
		if v.Fields == nil {
			v.Template = &connector.TemplateMapper{Label: f.text(), MaxLength: f.IntN(100)}
		} else {
			v.Template = nil
		}
	case *connector.ConnectionMethod:
		v.Form.Mapper = nil
	case *connector.OptionsRequest:
		if v.Direction == connector.DirectionInbound {
			v.Strategy = ""
		}
	default:
		f.obeySync(v)
	}
}

func (f *filler) obeySync(v any) {
	switch v := v.(type) {
	case *connector.Matcher:
		v.PathPattern = `/crm/v[2-8]/.*`
	case *connector.Limits:
		for i := range v.Limits {
			if c := v.Limits[i].Cost; c != nil {
				c.Pool = v.Pools[f.IntN(len(v.Pools))].Name
			}
		}
	case *connector.PathCost:
		if f.IntN(3) == 0 {
			v.Pool, v.Units = "", 0
		}
	case *connector.Type:
		v.Scale = min(v.Scale, v.Precision)
	case *connector.Ticket:
		at := int64(0)
		for i := range v.Seqs {
			at += 1 + f.Int64N(9)
			v.Seqs[i] = connector.SeqRange{First: at, Last: at + f.Int64N(9)}
			at = v.Seqs[i].Last
		}
	case *connector.OutboundSync:
		for i := range v.Tickets {
			v.Tickets[i].State = connector.TicketSubmitted
		}
	case *connector.Error:
		v.Cause = nil
	case *connector.RowOutcome:
		if v.Error == nil && v.Status != connector.StatusSucceeded {
			v.Error = &connector.Error{Class: connector.ClassRejected, Message: f.text()}
		}
	case *connector.Outcomes:
		for i := range v.Exceptions {
			v.Exceptions[i].Row = i
		}
		for len(v.Seqs) < len(v.Exceptions) {
			v.Seqs = append(v.Seqs, f.Int64N(1e12))
		}
		v.AppIdentifiers = nil
		for range v.Seqs {
			v.AppIdentifiers = append(v.AppIdentifiers, f.text())
		}
	case *connector.Tombstones:
		v.DeletedAt = v.DeletedAt[:0]
		for i := range v.AppIdentifiers {
			v.DeletedAt = append(v.DeletedAt, []time.Time{{}, time.Unix(int64(1+i), 5).UTC()}[f.IntN(2)])
		}
	case *connector.Grant:
		if v.RetryAt = (time.Time{}); !v.Unlimited && f.IntN(2) == 0 {
			v.Units, v.RetryAt, v.ExpiresAt = 0, v.ExpiresAt, time.Time{}
		}
	}
}

// batch makes a batch for either direction.
func (f *filler) batch(outbound bool) *connector.RecordBatch {
	b := &connector.RecordBatch{Schema: &connector.Schema{ID: f.text()}, Rows: 1 + f.IntN(20)}
	if outbound {
		b.Action, b.Ticket = connector.ActionUpdate, strings.Repeat("t", f.IntN(2))
	} else {
		b.Stream = f.text()
	}
	for row := range b.Rows {
		if outbound {
			b.Seqs, b.Identifiers = append(b.Seqs, int64(row)), append(b.Identifiers, f.text())
		}
		b.AppIdentifiers = append(b.AppIdentifiers, f.text())
	}
	for range 1 + f.IntN(4) {
		b.Schema.Columns = append(b.Schema.Columns, connector.Column{Name: f.text(), Type: connector.Type{Kind: connector.KindString}})
		var v connector.Values
		for row := range b.Rows {
			text := ""
			switch f.IntN(3) {
			case 0:
				v.Nulls = append(v.Nulls, uint32(row))
			case 1:
				text = f.text()
			}
			v.Texts = append(v.Texts, text)
		}
		b.Columns = append(b.Columns, v)
	}
	return b
}
