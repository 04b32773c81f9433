// Package config reads and writes the project file: connections and syncs as
// YAML, made to be kept in git.
//
//	version: 1
//	connections:
//	  crm:
//	    connector: zoho-crm
//	    method: self_client
//	    answers: {data_center: eu, client_id: 1000.ABC}
//	    secrets: {client_secret: env:ZOHO_CLIENT_SECRET, grant_code: file:grant.txt}
//	    limits:
//	      - {category: records_write, rates: [100/minute], concurrency: 3}
//	      - {pool: credits, capacity: 20000}
//	syncs:
//	  companies:
//	    connection: crm
//	    outbound:
//	      source: {table: companies}
//	      identifier: id
//	      strategy: Upsert
//	      answers: {module: Accounts}
//	      mappings:
//	        - {field: Account_Name, column: name}
//	        - {field: Website, sql: "'https://' || domain"}
//	      retry: {max_attempts: 10, backoff: 10m}
//	  accounts:
//	    connection: crm
//	    inbound:
//	      streams:
//	        - {name: Accounts, table: crm.accounts, mode: incremental, storage: merge}
//
// Secrets stand in the file as references, env:VARIABLE or file:PATH, and are
// never written to it. Errors name the line and the column.
package config
