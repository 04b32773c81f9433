package zohosim

// VariantChoice is one entry of [VariantList].
type VariantChoice struct {
	// Key is the JSON key in [Variants].
	Key string `json:"key"`
	// Question is what Zoho leaves open.
	Question string `json:"question"`
	// Others are values, as JSON, that differ from the default and are worth trying.
	Others []string `json:"others"`
}

// VariantList lists what can be chosen, for programs that try everything. Every key of [Variants] is in it once.
func VariantList() []VariantChoice {
	on := []string{"true"}
	return []VariantChoice{
		{"status_case", "the letter case of STATUS in bulk write results", []string{`"lower"`, `"title"`}},
		{"skipped_status", "the STATUS of rows that were not written", []string{`"UNPROCESSED"`, `"IGNORED"`}},
		{"omit_skipped", "whether a result has a row for every row of the upload", on},
		{"shuffle_result", "whether results keep the order of the upload", on},
		{"echo_column_order", "which three columns a result repeats", on},
		{"skipped_record_id", "RECORD_ID of rows skipped as duplicates", on},
		{"relative_download_url", "whether the download URL of a bulk write result has a host", on},
		{"download_base", "the download host of bulk write results", []string{`"https://download-accl.zoho.com"`, `"https://download.zoho.com"`}},
		{"download_needs_org", "whether downloading a bulk write result needs X-CRM-ORG", on},
		{"upload_host", "the upload host", []string{`"content.zohoapis.com"`, `"upload.zoho.com"`, `"upload-accl.zoho.com"`}},
		{"default_dates", "the dates bulk write takes without a format", []string{`"us"`, `"iso"`}},
		{"refuse_offset_formats", "whether date-time formats may hold an offset", on},
		{"user_time_zone", "the zone of date-times without an offset", []string{`"Asia/Kolkata"`, `"America/St_Johns"`}},
		{"multi_select_separator", "what joins multi-select values in bulk read results", []string{`","`}},
		{"row_limit", "the most rows in a bulk write file", []string{"10000"}},
		{"child_rows", "the most rows in the file of a child module", []string{"200"}},
		{"open_jobs", "how many bulk jobs may be unfinished at once", []string{"1"}},
		{"daily_jobs", "how many bulk jobs may be created in 24 hours", []string{"2"}},
		{"result_days", "how long results of bulk write are kept", []string{"1"}},
		{"bulk_workflows", "whether bulk write fires automation", on},
		{"repeated_key", "what the second row of a key does in one file", []string{`"skip"`}},
		{"non_unique_find_by", "what find_by does on a field that is not unique", []string{`"insert"`}},
		{"find_by_id_only", "whether find_by takes other fields than id", on},
		{"file_used_once", "whether a file may be used in several jobs", on},
		{"mandatory_as_failed_job", "whether unmapped mandatory fields are refused at once or fail the job", on},
		{"mandatory_on_update", "whether update jobs need the mandatory fields mapped", on},
		{"failed_job", "what a failed bulk write job tells", []string{`"bare"`, `"result"`}},
		{"unknown_job_status", "the HTTP status for an unknown bulk write job", []string{"400"}},
		{"expired_status", "the HTTP status for a result that is gone", []string{"400", "410"}},
		{"spaced_in_progress", "the spelling of the state INPROGRESS", on},
		{"token_error_status", "the HTTP status of OAuth errors", []string{"400"}},
		{"omit_token_scope", "whether token answers name the scopes", on},
		{"bare_server_info", "the shape of serverinfo", on},
		{"throttle_message", "the message of a 429", []string{`"Rate limit exceeded."`}},
		{"retry_after", "whether a 429 carries Retry-After", []string{"1"}},
		{"omit_credits_header", "whether spent credits can be told from too many calls at once", on},
		{"coql_rows", "the most rows in a COQL answer", []string{"200"}},
		{"coql_fields", "the most fields in a COQL query", []string{"50"}},
		{"coql_reach", "how far COQL's offset reaches", []string{"10000"}},
		{"no_page_token", "whether bulk read gives page tokens", on},
		{"page_token_since", "the first version to give page tokens", []string{"7", "9"}},
		{"max_page", "the highest page of a bulk read", []string{"50"}},
		{"id_column", "the name of the id column in bulk read results", []string{`"id"`, `"ID"`}},
		{"id_column_last", "where the id column of bulk read results is", on},
		{"empty_result_file", "whether a bulk read without rows has a header", on},
		{"read_content_type", "the content type of bulk read results", []string{`"application/x-download"`, `"application/octet-stream"`}},
		{"upload_cost", "the credits of an upload", []string{"1"}},
		{"deleted_list_cost", "the credits of a page of the deleted list", []string{"1"}},
		{"delete_cost", "the credits of a delete call", []string{"10"}},
		{"paid_type", "the names of the editions", []string{`"zohoonestandard"`, `"Vertical Suite"`}},
		{"bulk_needs_paid", "which editions have bulk jobs", on},
		{"reject_unknown_picklist", "whether bulk write adds values to picklists", on},
		{"omit_id_field", "whether id is listed among the fields", on},
	}
}
