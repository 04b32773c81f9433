#!/bin/sh
# Runs the example hosts against the Zoho connector and the simulator, and sluice
# against the connector written in Python.
#
#   check.sh [python] [typescript] [java] [csv]     all four by default
#
# Each host launches the connector with TLS, launches it without, and dials one
# that is served with TLS and a token; each time it writes 3,000 records, reads
# them back, stops, goes on and cancels, and fails if a record is unaccounted for.
# Libraries come from the registries of each language and stay in ignored folders.
# What cannot be run is named in a line "skipped: ..." and is no failure; everything
# else that goes wrong is. BIN names the folder with the built Go programs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
: "${BIN:=$root/bin}"
tmp=$(mktemp -d)
pids=
stop() { # ends the programs started in the background and waits for them
	for pid in $pids; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	pids=
}
trap 'stop; rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
for program in sluice sluice-connector-zoho zohosim; do
	ln -s "$BIN/$program" "$tmp/$program"
done

have() { # have NAME TOOL [TEST...]: whether the tool is there, and new enough by a test
	name=$1 tool=$2
	shift 2
	command -v "$tool" >/dev/null 2>&1 || { echo "skipped: $name: $tool is not installed"; return 1; }
	[ $# = 0 ] || "$@" >/dev/null 2>&1 || { echo "skipped: $name: this $tool is too old"; return 1; }
}

install() { # install NAME COMMAND...: whether packages can be had; what went wrong goes to standard error
	name=$1
	shift
	"$@" >"$tmp/install.log" 2>&1 || { tail -n 5 "$tmp/install.log" >&2; echo "skipped: $name: packages cannot be installed ($1 failed)"; return 1; }
}

wait_for() { # wait_for FILE PATTERN PID: until a line of the file, which the process writes, has the pattern
	until grep -q "$2" "$1" 2>/dev/null; do
		kill -0 "$3" 2>/dev/null || { cat "$1" >&2; return 1; }
		sleep 0.1
	done
}

# run NAME WAY COMMAND...: has a host do its job with a new simulator, reaching the connector in one of three ways.
run() {
	name=$1 way=$2 log=$tmp/$1.$2
	shift 2
	"$tmp/zohosim" --listen 127.0.0.1:0 --json --job-polls 3 --ready-file "$log.json" >/dev/null 2>"$log.sim" &
	pids="$pids $!"
	wait_for "$log.json" base_url $!
	reach="--launch $tmp/sluice-connector-zoho"
	case $way in
	plaintext) reach="$reach --plaintext" ;;
	standalone)
		"$tmp/sluice-connector-zoho" serve --listen 127.0.0.1:0 --tls-cert "$tmp/cert.pem" --tls-key "$tmp/key.pem" --token-file "$tmp/token" 2>"$log.serve" &
		pids="$pids $!"
		wait_for "$log.serve" 'listening on' $!
		port=$(sed -n 's/^listening on .*:\([0-9]*\)$/\1/p' "$log.serve")
		reach="--dial localhost:$port --ca $tmp/cert.pem --token-file $tmp/token"
		;;
	esac
	echo "== $name, $way"
	status=0
	# shellcheck disable=SC2086 # the words hold no spaces
	"$@" --simulator "$log.json" $reach >"$log.out" 2>"$log.err" || status=$?
	stop
	cat "$log.out"
	[ "$status" = 0 ] && [ "$(tail -n 1 "$log.out")" = ok ] || { tail -n 40 "$log.err" >&2; echo "$name, $way: exit code $status" >&2; return 1; }
	for process in /proc/[0-9]*; do
		case $(readlink "$process/exe" 2>/dev/null) in "$BIN/sluice-connector-zoho")
			grep -qs "$tmp" "$process/cmdline" && { echo "$name, $way: the connector was left running" >&2; return 1; } ;;
		esac
	done
	return 0
}

ways() { # ways NAME COMMAND...: the three ways
	host=$1
	shift
	for how in tls plaintext standalone; do
		run "$host" "$how" "$@"
	done
}

python_check() {
	have python python3 python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || return 0
	cd "$here/python"
	install python python3 -m venv venv && install python venv/bin/pip install --quiet --requirement requirements.txt || return 0
	mkdir -p gen
	venv/bin/python -m grpc_tools.protoc -I "$root/proto" --python_out=gen --grpc_python_out=gen "$root"/proto/sluice/connector/v1/*.proto
	PYTHONPATH=gen ways python venv/bin/python job.py
}

typescript_check() {
	have typescript npm && have typescript node node -e 'process.exit(Number(process.versions.node.split(".")[0] < 20))' || return 0
	cd "$here/typescript"
	install typescript npm install --ignore-scripts --no-audit --no-fund --no-package-lock || return 0
	npm run --silent build
	ways typescript node dist/job.js
}

java_check() {
	have java mvn && have java javac sh -c 'test "$(javac -version 2>&1 | sed "s/javac \([0-9]*\).*/\1/")" -ge 17' || return 0
	cd "$here/java"
	if ! mvn --quiet --batch-mode --no-transfer-progress process-classes >"$tmp/mvn.log" 2>&1; then
		tail -n 20 "$tmp/mvn.log" >&2
		grep -q 'COMPILATION ERROR' "$tmp/mvn.log" && return 1
		echo "skipped: java: packages cannot be installed (mvn failed)"
		return 0
	fi
	ways java java -cp 'target/classes:target/lib/*' example.Job
}

csv_check() {
	have csv python3 python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || return 0
	connector=$here/../csv-python/sluice-connector-csv
	install csv "$here/../csv-python/install.sh" || return 0
	mkdir "$tmp/csv" "$tmp/csv/files"
	cd "$tmp/csv"
	PATH=$tmp:$PATH
	echo "== csv, to files and back"
	sluice connectors add "$connector"
	sluice connections create files --connector csv --method folder --answer folder=files
	# A text with all that CSV has to quote; a null, an empty text, and the text that stands for null.
	sluice query "create table people as select i::varchar as id, 'Person \"' || i || '\", ' || chr(10) || 'Ångström' as name,
		case i % 3 when 0 then null when 1 then '' else '\\N' end as note from range(1, 5001) t(i)" >/dev/null
	sluice syncs create people --connection files --source-table people --identifier id \
		--strategy Mirror --set file=people --set columns=name,note --map name=name --map note=note
	sluice syncs run people 2>/dev/null | tee out && grep -q 'records 5000: 5000 SUCCEEDED' out
	sluice query "delete from people where id::int % 100 = 0" >/dev/null
	sluice query "update people set note = 'new' where id = '7'" >/dev/null
	sluice syncs run people 2>/dev/null | tee out && grep -q 'records 51: 51 SUCCEEDED' out
	sluice syncs create back --connection files --stream people --set checkpoint_rows=500 --table people=files.people
	sluice syncs run back 2>/dev/null | tee out && grep -q '4950 rows' out
	sluice query "select count(*) as rows_equal from people p join files.people f on p.id = f.id
		where p.name is not distinct from f.name and p.note is not distinct from f.note" | tee out && grep -q '^4950$' out
	printf 'id,name,note\n1,Ada,\\N\n2,"B, ""b""",\n3,C,x\n4,D,\\\\N\n5,E,z\n' >files/guests.csv
	echo "== csv, sluice verify"
	sluice verify "$connector" --config "$here/../csv-python/verify.yaml" >out || { grep -A1 broken out; return 1; }
	tail -n 1 out
}

printf '%s\n' "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" >"$tmp/token"
(cd "$tmp" && go run "$(go env GOROOT)/src/crypto/tls/generate_cert.go" -ca -ecdsa-curve P256 -host localhost,127.0.0.1 2>/dev/null)
if "$tmp/sluice-connector-zoho" serve --listen 0.0.0.0:0 2>"$tmp/refused"; then
	echo "the connector serves other machines in the clear" >&2
	exit 1
fi
cat "$tmp/refused"
failed=
for what in ${*:-python typescript java csv}; do
	case $what in
	python | typescript | java | csv)
		set +e # a subshell before || would not end at its first error
		(
			set -e
			trap stop EXIT
			trap 'exit 130' INT TERM
			"${what}_check"
		)
		[ $? = 0 ] || failed="$failed $what"
		set -e
		;;
	*) echo "check.sh: unknown check $what; there are python, typescript, java and csv" >&2; exit 2 ;;
	esac
done
[ -z "$failed" ] || { echo "hosts-check failed:$failed" >&2; exit 1; }
