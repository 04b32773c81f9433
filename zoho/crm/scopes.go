package crm

import (
	"slices"
	"strings"
)

// Use is something a connection wants to do; [ScopesFor] turns uses into OAuth scopes.
type Use int

// The uses.
const (
	UseOrganization  Use = iota + 1 // read the organisation: id for uploads, edition for limits
	UseMetadata                     // list modules and fields
	UseLayouts                      // read layouts, for fields mandatory only in a layout
	UseUsers                        // read the current user, for the time zone
	UseBulkWrite                    // upload files, create bulk write jobs
	UseBulkRead                     // create bulk read jobs
	UseRecordsRead                  // get, list and deleted-list
	UseRecordsWrite                 // insert, update, upsert
	UseRecordsDelete                // delete by id
	UseMassDelete                   // mass delete
	UseCOQL                         // query
	UseCount                        // record counts
)

type right int

const (
	noRight right = iota
	rightRead
	rightWrite
	rightDelete
	rightAll
)

// useScopes: https://www.zoho.com/crm/developer/docs/api/v8/scopes.html and the scope line of each call's page.
var useScopes = map[Use]struct {
	scopes []string
	module right
}{
	UseOrganization:  {[]string{"ZohoCRM.org.READ"}, noRight},
	UseMetadata:      {[]string{"ZohoCRM.settings.modules.READ", "ZohoCRM.settings.fields.READ"}, noRight},
	UseLayouts:       {[]string{"ZohoCRM.settings.layouts.READ"}, noRight},
	UseUsers:         {[]string{"ZohoCRM.users.READ"}, noRight},
	UseBulkWrite:     {[]string{"ZohoFiles.files.ALL", "ZohoCRM.bulk.CREATE"}, rightAll},
	UseBulkRead:      {[]string{"ZohoCRM.bulk.READ"}, rightRead},
	UseRecordsRead:   {nil, rightRead},
	UseRecordsWrite:  {nil, rightWrite},
	UseRecordsDelete: {nil, rightDelete},
	UseMassDelete:    {[]string{"ZohoCRM.mass_delete.DELETE"}, noRight},
	UseCOQL:          {[]string{"ZohoCRM.coql.READ"}, rightRead},
	UseCount:         {[]string{"ZohoSearch.securesearch.READ", "ZohoCRM.settings.layouts.READ"}, rightRead},
}

// standardGroups are the module names scopes know; every other module belongs to the group "custom".
var standardGroups = []string{
	"leads", "accounts", "contacts", "deals", "campaigns", "tasks", "cases", "events", "calls", "solutions", "products",
	"vendors", "pricebooks", "quotes", "salesorders", "purchaseorders", "invoices", "notes", "activities",
}

// ScopesFor returns the smallest sorted set of scopes for the uses. With modules (API names) it asks for those only;
// without, for ZohoCRM.modules.READ where records are only read and for ZohoCRM.modules.ALL otherwise. Bulk reading and writing together ask for
// ZohoCRM.bulk.ALL.
func ScopesFor(uses []Use, modules ...string) []string {
	var out []string
	needed := map[right]bool{}
	for _, u := range uses {
		entry := useScopes[u]
		out = append(out, entry.scopes...)
		if entry.module != noRight {
			needed[entry.module] = true
		}
	}
	if slices.Contains(out, "ZohoCRM.bulk.CREATE") && slices.Contains(out, "ZohoCRM.bulk.READ") {
		out = slices.DeleteFunc(out, func(s string) bool { return strings.HasPrefix(s, "ZohoCRM.bulk.") })
		out = append(out, "ZohoCRM.bulk.ALL")
	}
	out = append(out, moduleScopes(needed, modules)...)
	slices.Sort(out)
	return slices.Compact(out)
}

func moduleScopes(needed map[right]bool, modules []string) []string {
	if len(needed) == 0 {
		return nil
	}
	if len(modules) == 0 {
		if len(needed) == 1 && needed[rightRead] {
			return []string{"ZohoCRM.modules.READ"}
		}
		return []string{"ZohoCRM.modules.ALL"}
	}
	rights := []string{"ALL"}
	if !needed[rightAll] {
		rights = nil
		for _, r := range []struct {
			right right
			name  string
		}{{rightRead, "READ"}, {rightWrite, "WRITE"}, {rightDelete, "DELETE"}} {
			if needed[r.right] {
				rights = append(rights, r.name)
			}
		}
	}
	var out []string
	for _, m := range modules {
		group := strings.ReplaceAll(strings.ToLower(m), "_", "")
		if !slices.Contains(standardGroups, group) {
			group = "custom"
		}
		for _, r := range rights {
			out = append(out, "ZohoCRM.modules."+group+"."+r)
		}
	}
	return out
}
