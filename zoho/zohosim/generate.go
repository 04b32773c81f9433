package zohosim

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Messy building blocks: commas, quotes, line breaks, several scripts, and blanks at the edges of what CSV survives.
var (
	genOrganisations = []string{"Acme, Inc.", `The "Blue" Door`, "Müller & Söhne GmbH", "株式会社日本商事", "شركة النور", "Ελληνική Ναυτιλία", "ООО Ромашка", "บริษัท สยาม",
		"Ångström AB", "தமிழ் நிறுவனம்", "O'Hara; Sons | Partners", "Line\nBreak Ltd", "Café Zoë", "北京大学出版社", "Łódź Sp. z o.o.", "Tab\tWorks", "मुंबई ट्रेडर्स", "Smith <Design> 100%", "N/A", "null", "0042", "Nbsp\u00a0Holding", "👩‍🚀 Space Co", "e\u0301tudes"}
	genFirst  = []string{"Zoë", "José", "Anna-Lena", "Nguyễn", "Олег", "美咲", "Mohammed", "Siân", "Ravi", "D'Arcy", "Ömer", "Chloé", "Jean-Luc", "Ναταλία"}
	genLast   = []string{"Smith", "O'Neill", "García Márquez", "van der Berg", "Þórsson", "Иванова", "山田", "العلي", "Nguyễn", "Müller", "de la Cruz", "Kowalski, Jr.", `"Mac" McDonald`}
	genCities = []string{"São Paulo", "Zürich", "München", "東京", "Kraków", "Saint-Étienne", "New York, NY", "القاهرة", "Αθήνα", "Chennai", "Reykjavík"}
	genNotes  = []string{"", "called; wants offer", "first line\nsecond line", `said "maybe, later"`, "prefers e-mail\r\nnot phone", "emoji 🚀 ok", "comma, semicolon; colon: pipe|", "  spaced  ", "=1+1", "-", "N/A", "00042", "line one\r\nline two\r\n", "\u200bzero width", "שלום, עולם", `\N`, "{\"json\": [1, 2]}"}
)

// Generate yields n made-up records for a module of the default organisation, or for any of its modules by the types
// of the fields: the same ones for the same seed. Values are realistic and messy (commas, quotes, line breaks, several
// scripts, leap days, now and then a text as long as the field takes, blanks), valid for their fields, and unique where
// the field is. Lookups and users stay blank: there is no organisation to point into. An unknown module yields nothing.
func Generate(module string, n int, seed uint64) iter.Seq[map[string]string] {
	for _, m := range defaultModules() {
		if m.APIName == module {
			return generate(m.Fields, n, seed, nil)
		}
	}
	return func(func(map[string]string) bool) {}
}

// Generate adds n generated records to a module of this simulator. Beyond what [Generate] says, lookups point to
// records that are there already, and owners and users are the organisation's.
func (s *Sim) Generate(module string, n int, seed uint64) error {
	s.store.mu.RLock()
	t := s.store.tables[module]
	var fields []Field
	refs := map[string][]string{}
	if t != nil {
		for _, f := range t.fields {
			if f.sys == sysNone || f.sys == sysOwner {
				fields = append(fields, *f)
			}
			if f.isLookup() && refs[f.Lookup] == nil {
				refs[f.Lookup] = s.store.tables[f.Lookup].someIDs()
			}
		}
	}
	s.store.mu.RUnlock()
	for i := range s.org.users {
		refs[""] = append(refs[""], itoa(s.org.users[i].id))
	}
	if t == nil {
		return fmt.Errorf("zohosim: module %s does not exist", module)
	}
	for values := range generate(fields, n, seed, refs) {
		if _, err := s.Insert(module, values); err != nil {
			return err
		}
	}
	return nil
}

// someIDs are ids of live records, at most a thousand, spread over all.
func (t *table) someIDs() []string {
	const most = 1000
	if t == nil {
		return nil
	}
	var ids []string
	step := len(t.recs)/most + 1
	for i := 0; i < len(t.recs); i += step {
		if r := t.recs[i]; !r.deleted {
			ids = append(ids, itoa(r.id))
		}
	}
	return ids
}

// generate makes records; refs are ids by module, those of users under "".
func generate(fields []Field, n int, seed uint64, refs map[string][]string) iter.Seq[map[string]string] {
	own := make([]Field, len(fields))
	copy(own, fields)
	for i := range own {
		own[i].normalise()
	}
	return func(yield func(map[string]string) bool) {
		g := &generator{rng: rand.New(rand.NewPCG(seed, 17)), pick: rand.New(rand.NewPCG(seed, 18)), seed: seed, refs: refs}
		for i := range n {
			g.row = i
			values := make(map[string]string, len(own))
			for j := range own {
				if v := g.value(&own[j]); v != "" {
					values[own[j].APIName] = v
				}
			}
			if !yield(values) {
				return
			}
		}
	}
}

type generator struct {
	rng  *rand.Rand
	pick *rand.Rand // of references, so that other values are the same without them
	seed uint64
	row  int
	refs map[string][]string
}

func (g *generator) of(list []string) string { return list[g.rng.IntN(len(list))] }

func (g *generator) value(f *Field) string {
	if f.isLookup() || f.isUser() {
		return g.reference(f)
	}
	if !f.bulkWritable() {
		return ""
	}
	if f.Unique {
		return g.unique(f)
	}
	if !f.mandatory() && g.rng.IntN(6) == 0 {
		return ""
	}
	switch f.DataType {
	case "picklist":
		return g.choice(f)
	case "multiselectpicklist":
		a, b := g.choice(f), g.choice(f)
		if a == b {
			return a
		}
		return a + ";" + b
	case "boolean":
		return strconv.FormatBool(g.rng.IntN(2) == 0)
	case "integer":
		return strconv.Itoa(g.rng.IntN(100_000))
	case "bigint":
		return strconv.FormatInt(g.rng.Int64N(1e18), 10)
	case "double", "currency":
		return fmt.Sprintf("%d.%02d", g.rng.IntN(10_000_000), g.rng.IntN(100))
	case "percent":
		return strconv.Itoa(g.rng.IntN(101))
	case "date":
		if g.rng.IntN(100) == 0 {
			return "2024-02-29"
		}
		return g.moment().Format(time.DateOnly)
	case "datetime":
		return g.moment().Format(time.RFC3339)
	case "email":
		return fmt.Sprintf("info%d@example.org", g.rng.IntN(1_000_000))
	case "phone":
		return fmt.Sprintf("+%d (0)%d-%04d", 1+g.rng.IntN(90), g.rng.IntN(1000), g.rng.IntN(10_000))
	case "website":
		return fmt.Sprintf("https://www.example.org/p/%d?a=1&b=%%20", g.rng.IntN(1_000_000))
	case "textarea":
		if g.rng.IntN(500) == 0 {
			return clip(strings.Repeat("long text 📜 ", f.Length/12+1), f.Length)
		}
		return g.of(genNotes)
	}
	return clip(g.text(f.APIName), f.Length)
}

func (g *generator) reference(f *Field) string {
	module := f.Lookup
	if f.isUser() {
		module = ""
	}
	ids := g.refs[module]
	if len(ids) == 0 || !f.mandatory() && g.pick.IntN(6) == 0 {
		return ""
	}
	return ids[g.pick.IntN(len(ids))]
}

// unique values carry seed and row, so that different seeds do not clash.
func (g *generator) unique(f *Field) string {
	n := g.seed*1_000_000_007%900_000_000*1_000_000 + uint64(g.row)
	switch f.DataType {
	case "email":
		return fmt.Sprintf("person.%d@example.com", n)
	case "bigint", "integer":
		return strconv.FormatUint(n, 10)
	}
	return clip(fmt.Sprintf("K%016d", n), f.Length)
}

func (g *generator) choice(f *Field) string {
	if len(f.Picklist) == 0 {
		return ""
	}
	return g.of(f.Picklist)
}

func (g *generator) moment() time.Time {
	return time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(g.rng.Int64N(10*365*24*3600)) * time.Second)
}

func (g *generator) text(name string) string {
	switch {
	case strings.Contains(name, "First"):
		return g.of(genFirst)
	case strings.Contains(name, "Last"):
		return g.of(genLast)
	case strings.Contains(name, "City"), strings.Contains(name, "State"), strings.Contains(name, "Country"):
		return g.of(genCities)
	case strings.Contains(name, "Zip"), strings.Contains(name, "Code"):
		return fmt.Sprintf("%05d", g.rng.IntN(100_000))
	case strings.Contains(name, "Street"):
		return fmt.Sprintf("%d, %s", 1+g.rng.IntN(400), g.of(genCities))
	}
	return g.of(genOrganisations) + " " + strconv.Itoa(g.row)
}

func clip(s string, length int) string {
	if r := []rune(s); len(r) > length {
		return strings.TrimSpace(string(r[:length]))
	}
	return s
}
