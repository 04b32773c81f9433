package zoho

import (
	"encoding/json"
	"strings"
)

// permissionNames reads the names of missing rights from an error's details:
// {"permissions":["Crm_Implied_Api_Access"]}.
func permissionNames(details []byte) string {
	var d struct {
		Permissions []string `json:"permissions"`
	}
	if len(details) == 0 || json.Unmarshal(details, &d) != nil {
		return ""
	}
	return strings.Join(d.Permissions, ", ")
}

// detailField reads the field an error's details name: {"api_name":"X"}.
func detailField(details []byte) string {
	var d struct {
		APIName string `json:"api_name"`
	}
	if len(details) == 0 || json.Unmarshal(details, &d) != nil {
		return ""
	}
	return d.APIName
}
