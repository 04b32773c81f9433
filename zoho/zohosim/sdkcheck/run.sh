#!/bin/sh
# Lets strangers talk to zohosim: Zoho's official Node and Python SDKs, and requests made from Zoho's OpenAPI files.
#
#   run.sh [node] [python] [fuzz]     all three by default
#
# Everything is built and installed in a temporary folder; the simulator listens on loopback only. A toolchain or package
# that cannot be had is named in a line "skipped: ..." and is no failure; everything else that goes wrong is.
# ZOHO_OAS_DIR names the folder of the OpenAPI files, EXAMPLES how many requests schemathesis makes up per operation.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
export ZOHO_OAS_DIR EXAMPLES
: "${ZOHO_OAS_DIR:=$root/../shared/zoho-oas}" "${EXAMPLES:=25}"
tmp=$(mktemp -d)
pid=
stop() { # ends the simulator started last and waits for it
	[ -n "$pid" ] || return 0
	kill "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	pid=
}
trap 'stop; rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

have() { # have NAME TOOL: whether the tool is there
	command -v "$2" >/dev/null 2>&1 || { echo "skipped: $1: $2 is not installed"; return 1; }
}

install() { # install NAME COMMAND...: whether packages can be had; what went wrong goes to standard error
	name=$1
	shift
	"$@" >"$tmp/install.log" 2>&1 || { tail -n 5 "$tmp/install.log" >&2; echo "skipped: $name: packages cannot be installed ($1 failed)"; return 1; }
}

# check NAME [SIMULATOR OPTIONS...] -- COMMAND...: runs the command against a fresh simulator; the environment tells it
# READY, a file with the simulator's ready line, and SCRATCH, a folder. The simulator must survive it and log no panic.
check() {
	name=$1
	shift
	mkdir "$tmp/$name.scratch"
	mkfifo "$tmp/$name.ready"
	options=
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	# shellcheck disable=SC2086 # options hold no spaces
	"$tmp/zohosim" --listen 127.0.0.1:0 --json $options >"$tmp/$name.ready" 2>"$tmp/$name.log" &
	pid=$!
	read -r line <"$tmp/$name.ready" || { cat "$tmp/$name.log" >&2; echo "$name: zohosim did not start" >&2; return 1; }
	printf '%s\n' "$line" >"$tmp/$name.json"
	result=0
	READY="$tmp/$name.json" SCRATCH="$tmp/$name.scratch" "$@" || result=$?
	kill -0 "$pid" 2>/dev/null || { echo "$name: zohosim died" >&2; result=1; }
	stop
	if grep -q panic "$tmp/$name.log"; then
		cat "$tmp/$name.log" >&2
		result=1
	fi
	return "$result"
}

node_check() {
	have node node && have node npm || return 0
	mkdir "$tmp/node"
	cp "$here/node/package.json" "$here/node/check.mjs" "$tmp/node/"
	install node npm install --prefix "$tmp/node" --no-audit --no-fund --no-package-lock || return 0
	check node --job-polls 2 -- node "$tmp/node/check.mjs"
}

venv() { # venv NAME REQUIREMENTS: a virtual environment of these packages
	have "$1" python3 || return 1
	install "$1" python3 -m venv "$tmp/$1" || return 1
	install "$1" "$tmp/$1/bin/pip" install --quiet --requirement "$here/python/$2"
}

python_check() {
	venv python requirements.txt || return 0
	check python --job-polls 2 -- "$tmp/python/bin/python" "$here/python/check.py"
}

fuzz_check() {
	[ -d "$ZOHO_OAS_DIR" ] || { echo "skipped: fuzz: no OpenAPI files (set ZOHO_OAS_DIR)"; return 0; }
	venv fuzz requirements-fuzz.txt || return 0
	check fuzz --job-polls 1 --no-credit-limit --no-concurrency-limit --no-download-limit --no-token-throttle --generate Accounts=20 \
		-- "$tmp/fuzz/bin/python" "$here/python/fuzz.py"
}

have all go || exit 0
(cd "$root" && go build -o "$tmp/zohosim" ./zoho/cmd/zohosim)
failed=
for what in ${*:-node python fuzz}; do
	case $what in
	node | python | fuzz) "${what}_check" || failed="$failed $what" ;;
	*) echo "run.sh: unknown check $what; there are node, python and fuzz" >&2; exit 2 ;;
	esac
done
[ -z "$failed" ] || { echo "sdk-check failed:$failed" >&2; exit 1; }
