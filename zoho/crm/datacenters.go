package crm

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// DataCenter names one of Zoho's separate installations. An account lives in exactly one.
type DataCenter string

// The data centers.
const (
	US DataCenter = "US"
	EU DataCenter = "EU"
	IN DataCenter = "IN"
	AU DataCenter = "AU"
	CN DataCenter = "CN"
	JP DataCenter = "JP"
	CA DataCenter = "CA"
	SA DataCenter = "SA"
	UK DataCenter = "UK"
	AE DataCenter = "AE"
)

// Environment is the kind of organisation inside a data center. A token belongs to one environment, chosen when
// consenting.
type Environment string

// The environments.
const (
	Production Environment = "production"
	Sandbox    Environment = "sandbox"
	Developer  Environment = "developer"
)

// Endpoints are the base URLs of one data center and environment, without a trailing slash.
type Endpoints struct {
	Accounts  string   // OAuth
	API       string   // everything under /crm/
	Upload    string   // the upload of bulk write files
	Downloads []string // hosts (not URLs) that have been seen in download_url of bulk write jobs
}

// center is one row of the table. Zoho uses the same accounts and upload hosts for all environments; only the first
// label of the API host changes.
type center struct {
	dc       DataCenter
	location string // as the redirect after consent spells it
	accounts string // host
	api      string // domain; www., sandbox. or developer. goes before it
	upload   string // host, as Zoho's SDKs have it
	zoho     string // domain of the upload and download hosts newer pages name
}

// centers: the first eight rows are those of Zoho's SDKs and of
// https://www.zoho.com/crm/developer/docs/api/v8/multi-dc.html. UK and AE are attested for accounts and production API
// only; their other hosts follow the pattern and may be overridden by WithAPIBase and WithUploadBase.
var centers = []center{
	{US, "us", "accounts.zoho.com", "zohoapis.com", "content.zohoapis.com", "zoho.com"},
	{EU, "eu", "accounts.zoho.eu", "zohoapis.eu", "content.zohoapis.eu", "zoho.eu"},
	{IN, "in", "accounts.zoho.in", "zohoapis.in", "content.zohoapis.in", "zoho.in"},
	{AU, "au", "accounts.zoho.com.au", "zohoapis.com.au", "content.zohoapis.com.au", "zoho.com.au"},
	{CN, "cn", "accounts.zoho.com.cn", "zohoapis.com.cn", "content.zohoapis.com.cn", "zoho.com.cn"},
	{JP, "jp", "accounts.zoho.jp", "zohoapis.jp", "content.zohoapis.jp", "zoho.jp"},
	{CA, "ca", "accounts.zohocloud.ca", "zohoapis.ca", "upload.zohocloud.ca", "zohocloud.ca"},
	{SA, "sa", "accounts.zoho.sa", "zohoapis.sa", "files.zoho.sa", "zoho.sa"},
	{UK, "uk", "accounts.zoho.uk", "zohoapis.uk", "content.zohoapis.uk", "zoho.uk"},
	{AE, "ae", "accounts.zoho.ae", "zohoapis.ae", "content.zohoapis.ae", "zoho.ae"},
}

// DataCenters returns all data centers of the table.
func DataCenters() []DataCenter {
	out := make([]DataCenter, len(centers))
	for i, c := range centers {
		out[i] = c.dc
	}
	return out
}

func centerOf(dc DataCenter) (center, error) {
	for _, c := range centers {
		if strings.EqualFold(string(c.dc), string(dc)) {
			return c, nil
		}
	}
	return center{}, fmt.Errorf("zoho crm: unknown data center %q; one of %v", string(dc), DataCenters())
}

func (c center) apiHost(env Environment) (string, error) {
	switch Environment(strings.ToLower(string(env))) {
	case Production, "":
		return "www." + c.api, nil
	case Sandbox:
		return "sandbox." + c.api, nil
	case Developer:
		return "developer." + c.api, nil
	}
	return "", fmt.Errorf("zoho crm: unknown environment %q; one of production, sandbox, developer", string(env))
}

// EndpointsOf returns the endpoints of a data center and environment. An empty environment is production.
func EndpointsOf(dc DataCenter, env Environment) (Endpoints, error) {
	c, err := centerOf(dc)
	if err != nil {
		return Endpoints{}, err
	}
	api, err := c.apiHost(env)
	if err != nil {
		return Endpoints{}, err
	}
	return Endpoints{
		Accounts:  "https://" + c.accounts,
		API:       "https://" + api,
		Upload:    "https://" + c.upload,
		Downloads: []string{"download-accl." + c.zoho, "download." + c.zoho},
	}, nil
}

// Hosts returns every host a connection to the data center and environment may need, sorted: accounts, API, the upload
// hosts of both generations (content.* of the SDKs; upload.* and upload-accl.* of the v8 pages) and the download hosts.
// It is empty for an unknown data center or environment.
func Hosts(dc DataCenter, env Environment) []string {
	c, err := centerOf(dc)
	if err != nil {
		return nil
	}
	api, err := c.apiHost(env)
	if err != nil {
		return nil
	}
	hosts := []string{
		c.accounts, api, c.upload, "content." + c.api,
		"upload." + c.zoho, "upload-accl." + c.zoho, "download." + c.zoho, "download-accl." + c.zoho,
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// DataCenterOf finds the data center an accounts or API base URL belongs to, and for an API base the environment. It
// serves two checks: that the accounts-server of a redirect is Zoho's before a client secret is sent there, and that an
// api_domain is a CRM host (accounts of other products report hosts such as api.zoho.eu).
func DataCenterOf(base string) (DataCenter, Environment, bool) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.User != nil || (u.Port() != "" && u.Port() != "443") {
		return "", "", false
	}
	host := strings.ToLower(u.Hostname())
	for _, c := range centers {
		if host == c.accounts {
			return c.dc, Production, true
		}
		for _, env := range []Environment{Production, Sandbox, Developer} {
			if api, _ := c.apiHost(env); host == api {
				return c.dc, env, true
			}
		}
	}
	return "", "", false
}

// DataCenterByLocation finds the data center by the location the redirect after consent carries (us, eu, in...).
func DataCenterByLocation(location string) (DataCenter, bool) {
	for _, c := range centers {
		if strings.EqualFold(c.location, location) {
			return c.dc, true
		}
	}
	return "", false
}
