#!/bin/sh
# The main job, visibly: 12,000 companies from a warehouse to a simulated Zoho
# CRM and back. Usage: demo.sh FOLDER, with sluice, sluice-connector-zoho and
# zohosim on the PATH. The folder is made anew and left ready to explore.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
rm -rf .sluice zohosim.json zohosim.log grant-code
began=$(date +%s)

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }
# The value of a key in the simulator's line of JSON.
sim() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" zohosim.json; }

say "A Zoho CRM to play with"
zohosim --listen 127.0.0.1:0 --ready-file zohosim.json --json >zohosim.log 2>&1 &
simulator=$!
trap 'kill $simulator 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM
until [ -s zohosim.json ]; do
	kill -0 $simulator 2>/dev/null || { cat zohosim.log; exit 1; }
	sleep 0.1
done
printf 'simulated organisation at %s; its page: %s/_sim/\n' "$(sim base_url)" "$(sim base_url)"

say "Install the connector and connect"
run sluice connectors add sluice-connector-zoho
umask 077
sim client_secret >client-secret
sim grant_code >grant-code
run sluice connections create crm --connector zoho-crm --method self_client \
	--answer data_center=US --answer "client_id=$(sim client_id)" --answer "endpoint_url=$(sim base_url)" \
	--secret client_secret=@client-secret --secret grant_code=@grant-code

say "12,000 companies in the warehouse, in eight scripts"
sluice query -- "$(cat "$here/customers.sql")" >/dev/null
run sluice query "select customer_id, name, city, revenue from customers order by customer_id limit 5"

say "Outbound: upsert them into Zoho's Accounts by their key"
run sluice syncs create customers --connection crm --source-table customers --identifier customer_id \
	--strategy Upsert --set module=Accounts --set unique_field=External_Key \
	--map External_Key=customer_id --map Account_Name=name --map Website=website --map Phone=phone \
	--map Industry=industry --map Billing_City=city --map Employees=employees \
	--map Annual_Revenue=revenue --map Description=note
run sluice syncs plan customers
run sluice syncs run customers

say "Change 250 of them: only those move"
run sluice query "update customers set city = 'Reykjavík' where customer_id between 'C000101' and 'C000350'"
run sluice syncs run customers

say "Inbound: Zoho's Accounts as a typed table"
sleep 1 # a read ends where the second it starts in begins: let that pass the last change
run sluice syncs create accounts --connection crm --stream Accounts --table Accounts=crm.accounts
run sluice syncs run accounts
run sluice query "select column_name, data_type from information_schema.columns where table_schema = 'crm' and column_name in ('Account_Name', 'Employees', 'Annual_Revenue', 'Is_Key_Account', 'Markets', 'Modified_Time')"
run sluice query "select Account_Name, Billing_City, Employees, Annual_Revenue from crm.accounts where Billing_City = 'Reykjavík' order by External_Key limit 5"
run sluice query "select count(*) as same_as_the_source from customers c join crm.accounts a on a.External_Key = c.customer_id and a.Account_Name = c.name and a.Billing_City is not distinct from c.city and a.Employees = c.employees and a.Annual_Revenue is not distinct from c.revenue and coalesce(a.Description, '') = coalesce(c.note, '')"

say "What happened"
run sluice runs list
printf '\nThe demo took %s seconds. Go on exploring:\n\n' "$(($(date +%s) - began))"
cat <<END
  cd $1 && export PATH="\$PWD/../bin:\$PATH"
  sluice runs list
  sluice runs records RUN
  sluice query "select status, count(*) from sluice.outcomes group by all"
  sluice syncs show customers
END
