package zohosim

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

// GET /crm/{v}/org. Documented in docs/v7/get-org-data.html; all keys of its sample are sent. zgid, not id, is the
// value of the upload header X-CRM-ORG. Gap: nothing of it can be changed through the API.

// organisation is what belongs to the account as a whole.
type organisation struct {
	id, zgid string
	loc      *time.Location
	created  time.Time
	users    []user
	roleID   int64
	profile  int64
	touched  atomic.Int64                  // Unix second of the last metadata change by a test
	user     atomic.Pointer[time.Location] // the connected user's zone
}

type user struct {
	id          int64
	first, last string
	email       string
}

func (u *user) name() string { return u.first + " " + u.last }

var firstNames = []string{"Pat", "Ana", "Kofi", "Mei", "Lars", "Priya", "Omar", "Chloé", "Jürgen", "Yuki"}

var lastNames = []string{"Doe", "García", "Mensah", "Lin", "Åkesson", "Iyer", "Haddad", "Dubois", "Müller", "Sato"}

func newOrganisation(s *store, c *Config) *organisation {
	loc, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		loc = time.UTC // validated before
	}
	o := &organisation{id: "5700000000000020005", zgid: "808000144", loc: loc, created: c.Clock().AddDate(-1, 0, 0), roleID: s.newID(), profile: s.newID()}
	for i := range c.Users {
		u := user{id: s.newID(), first: firstNames[i%10], last: lastNames[(i+i/10)%10]}
		u.email = fmt.Sprintf("user%d@example.com", i+1)
		o.users = append(o.users, u)
	}
	o.setZone(c)
	return o
}

// setZone makes the user's zone that of the settings: the organisation's unless a variant names another.
func (o *organisation) setZone(c *Config) {
	loc := o.loc
	if c.Variants.UserTimeZone != "" {
		if other, err := time.LoadLocation(c.Variants.UserTimeZone); err == nil { // validated before
			loc = other
		}
	}
	o.user.Store(loc)
}

// zone is the connected user's.
func (o *organisation) zone() *time.Location { return o.user.Load() }

func (o *organisation) stamp(unix int64) string {
	return time.Unix(unix, 0).In(o.zone()).Format("2006-01-02T15:04:05-07:00")
}

// userByID finds a user's index.
func (o *organisation) userByID(id int64) (int16, bool) {
	for i := range o.users {
		if o.users[i].id == id {
			return int16(i), true
		}
	}
	return 0, false
}

func (o *organisation) userByEmail(email string) (int16, bool) {
	for i := range o.users {
		if o.users[i].email == email {
			return int16(i), true
		}
	}
	return 0, false
}

// OrgID is the organisation's zgid, the value of the header X-CRM-ORG.
func (s *Sim) OrgID() string { return s.org.zgid }

type orgAnswer struct {
	Org []orgWire `json:"org"`
}

type orgWire struct {
	ID             string      `json:"id"`
	ZGID           string      `json:"zgid"`
	CompanyName    string      `json:"company_name"`
	Type           string      `json:"type"`
	DomainName     string      `json:"domain_name"`
	TimeZone       string      `json:"time_zone"`
	CountryCode    string      `json:"country_code"`
	Currency       string      `json:"currency"`
	ISOCode        string      `json:"iso_code"`
	CurrencySymbol string      `json:"currency_symbol"`
	CurrencyLocale string      `json:"currency_locale"`
	MCStatus       bool        `json:"mc_status"`
	PrimaryEmail   string      `json:"primary_email"`
	PrimaryZUID    string      `json:"primary_zuid"`
	CreatedTime    string      `json:"created_time"`
	Hierarchy      typeWire    `json:"hierarchy_preferences"`
	Translation    bool        `json:"translation_enabled"`
	GApps          bool        `json:"gapps_enabled"`
	LiteUsers      bool        `json:"lite_users_enabled"`
	Privacy        bool        `json:"privacy_settings"`
	HIPAA          bool        `json:"hipaa_compliance_enabled"`
	Deletable      bool        `json:"deletable_org_account"`
	EmployeeCount  string      `json:"employee_count"`
	ZiaPortal      string      `json:"zia_portal_id"`
	License        licenseWire `json:"license_details"`
	PhotoID        *string     `json:"photo_id"`
	Alias          *string     `json:"alias"`
	Description    *string     `json:"description"`
	Street         *string     `json:"street"`
	City           *string     `json:"city"`
	State          *string     `json:"state"`
	Zip            *string     `json:"zip"`
	Country        *string     `json:"country"`
	Phone          *string     `json:"phone"`
	Mobile         *string     `json:"mobile"`
	Fax            *string     `json:"fax"`
	Website        *string     `json:"website"`
}

type typeWire struct {
	Type string `json:"type"`
}

type licenseWire struct {
	Paid        bool    `json:"paid"`
	PaidType    string  `json:"paid_type"`
	Users       int     `json:"users_license_purchased"`
	PortalUsers int     `json:"portal_users_license_purchased"`
	PaidExpiry  *string `json:"paid_expiry"`
	TrialType   *string `json:"trial_type"`
	TrialExpiry *string `json:"trial_expiry"`
}

func getOrg(c *call) reply {
	o, conf := c.sim.org, c.conf
	w := orgWire{ID: o.id, ZGID: o.zgid, CompanyName: "Acme Simulated", Type: "production", DomainName: "org" + o.zgid, TimeZone: conf.TimeZone,
		CountryCode: "US", Currency: "US Dollar - USD", ISOCode: "USD", CurrencySymbol: "$", CurrencyLocale: "USD",
		PrimaryEmail: o.users[0].email, PrimaryZUID: "808000918", CreatedTime: o.stamp(o.created.Unix()), Hierarchy: typeWire{"Role_Hierarchy"},
		EmployeeCount: strconv.Itoa(conf.Users), ZiaPortal: "814000734"}
	w.License = licenseWire{Paid: conf.Edition != "free", PaidType: defaulted(conf.Variants.PaidType, editions[conf.Edition].paidType), Users: conf.Users}
	if w.License.Paid {
		expiry := o.stamp(o.created.AddDate(3, 0, 0).Unix())
		w.License.PaidExpiry = &expiry
	}
	return ok(orgAnswer{[]orgWire{w}})
}
