package zohosim

import (
	"regexp"
	"strings"
)

// route is one endpoint: its method and path pattern, what it demands and costs, and its handler.
type route struct {
	name   string // method and pattern, the key of request counters
	method string
	segs   []string
	open   bool // no token needed
	free   bool // not an API call: neither credits nor concurrency
	needs  func(*call) []need
	cost   func(*call) int
	heavy  func(*call) bool
	handle func(*call) reply
}

func on(pattern string, needs func(*call) []need, handle func(*call) reply) route {
	method, path, _ := strings.Cut(pattern, " ")
	return route{name: pattern, method: method, segs: strings.Split(path[1:], "/"), needs: needs, handle: handle}
}

// opened makes a route that needs no token and no credits: the accounts server's.
func opened(pattern string, handle func(*call) reply) route {
	r := on(pattern, nil, handle)
	r.open, r.free = true, true
	return r
}

func (r route) costing(cost func(*call) int) route {
	r.cost = cost
	return r
}

func (r route) weighing(heavy func(*call) bool) route {
	r.heavy = heavy
	return r
}

func credits(n int) func(*call) int { return func(*call) int { return n } }

func deleteCost(c *call) int { return c.conf.Variants.DeleteCost }

func always(*call) bool { return true }

// routes lists every endpoint; the first match wins, so fixed segments come before placeholders.
func routes() []route {
	return []route{
		opened("GET /oauth/v2/auth", authorizePage),
		opened("POST /oauth/v2/auth", authorizeDecision),
		opened("POST /oauth/v2/token", tokenEndpoint),
		opened("POST /oauth/v2/token/revoke", revokeToken),
		opened("POST /oauth/v2/revoke/token", revokeTokenNew),
		opened("GET /oauth/serverinfo", serverInfo),

		on("GET /crm/{v}/org", scope("org", "READ"), getOrg),
		on("GET /crm/{v}/users", scope("users", "READ"), getUsers),
		on("GET /crm/{v}/users/{id}", scope("users", "READ"), getUser),
		on("GET /crm/{v}/settings/modules", scope("settings.modules", "READ"), getModules),
		on("GET /crm/{v}/settings/modules/{module}", scope("settings.modules", "READ"), getModule),
		on("GET /crm/{v}/settings/fields", scope("settings.fields", "READ"), getFields),
		on("GET /crm/{v}/settings/fields/{id}", scope("settings.fields", "READ"), getField),
		on("GET /crm/{v}/settings/layouts", scope("settings.layouts", "READ"), getLayouts),

		on("POST /crm/{v}/upload", uploadNeeds, uploadFile).costing(func(c *call) int { return c.conf.Variants.UploadCost }),
		on("POST /crm/bulk/{v}/write", scope("bulk", "CREATE"), createBulkWrite).costing(credits(500)),
		on("GET /crm/bulk/{v}/write/{id}", scope("bulk", "CREATE", "READ"), getBulkWrite),
		on("GET /{v}/crm/{org}/bulk-write/{id}/{file}", scope("bulk", "CREATE", "READ"), downloadBulkWrite),
		on("POST /crm/bulk/{v}/read", scope("bulk", "READ"), createBulkRead).costing(credits(50)),
		on("GET /crm/bulk/{v}/read/{id}", scope("bulk", "READ"), getBulkRead),
		on("GET /crm/bulk/{v}/read/{id}/result", scope("bulk", "READ"), downloadBulkRead),

		on("POST /crm/{v}/coql", coqlNeeds, runCOQL).costing(coqlCost).weighing(always),
		on("GET /crm/{v}/{module}/deleted", moduleScope("READ"), getDeleted).costing(func(c *call) int { return c.conf.Variants.DeletedListCost }),
		on("GET /crm/{v}/{module}/actions/count", moduleScope("READ"), getCount).costing(credits(50)),
		on("POST /crm/{v}/{module}/actions/mass_delete", massDeleteNeeds, massDelete).costing(massDeleteCost),
		on("POST /crm/{v}/{module}/upsert", moduleScope("CREATE", "WRITE"), upsertRecords).costing(recordsCost).weighing(recordsHeavy),
		on("GET /crm/{v}/{module}", moduleScope("READ"), listRecords).costing(listCost).weighing(listHeavy),
		on("POST /crm/{v}/{module}", moduleScope("CREATE"), insertRecords).costing(recordsCost).weighing(recordsHeavy),
		on("PUT /crm/{v}/{module}", moduleScope("UPDATE"), updateRecords).costing(recordsCost).weighing(recordsHeavy),
		on("DELETE /crm/{v}/{module}", moduleScope("DELETE"), deleteRecords).costing(deleteCost),
		on("GET /crm/{v}/{module}/{id}", moduleScope("READ"), getRecord),
		on("PUT /crm/{v}/{module}/{id}", moduleScope("UPDATE"), updateRecord),
		on("DELETE /crm/{v}/{module}/{id}", moduleScope("DELETE"), deleteRecord).costing(deleteCost),
	}
}

// versions are the path segments Zoho answers concurrently.
var versions = regexp.MustCompile(`^v[2-8](\.\d+)?$`)

// match finds the route of a normalised path; known tells that the path exists with another method.
func match(routes []route, method, path string) (found *route, params map[string]string, known bool) {
	segs := strings.Split(strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/"), "/")
	for i := range routes {
		p, ok := routes[i].fits(segs)
		if !ok {
			continue
		}
		if routes[i].method == method {
			return &routes[i], p, true
		}
		known = true
	}
	return nil, nil, known
}

func (r *route) fits(segs []string) (map[string]string, bool) {
	if len(segs) != len(r.segs) {
		return nil, false
	}
	var params map[string]string
	for i, want := range r.segs {
		switch {
		case want[0] != '{':
			if want != segs[i] {
				return nil, false
			}
		case want == "{v}" && !versions.MatchString(segs[i]), segs[i] == "",
			want == "{module}" && (segs[i] == "bulk" || segs[i] == "settings"):
			return nil, false
		default:
			if params == nil {
				params = make(map[string]string, 3)
			}
			params[want[1:len(want)-1]] = segs[i]
		}
	}
	return params, true
}

// collapse removes doubled slashes, which an official SDK produces.
func collapse(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}
