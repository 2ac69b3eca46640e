#!/usr/bin/env bash
# Runs all tests, with the race detector and on real servers. Arguments go to go
# test; the default is the whole module.
#
# Where scripts/test-deps.sh could bring everything, a missing server is a failure.
# Where it could not, tests that need it are skipped with a reason, except in the
# build (CI or HOTCOLD_CI is set).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A hung test ends here and shows where it hangs.
readonly limit=25m

race=(-race)
# Each process with the race detector sleeps a second at its end to hear of late
# races, and tests start thousands.
export GORACE="atexit_sleep_ms=20 ${GORACE:-}"
if scripts/test-deps.sh; then
	export HOTCOLD_CI=1
elif [[ -n ${CI:-}${HOTCOLD_CI:-} ]]; then
	echo "test: the build needs all of the above" >&2
	exit 1
elif ! command -v gcc cc clang >/dev/null 2>&1; then
	echo "test: without a C compiler there is no race detector" >&2
	race=()
fi
# Tests run in many folders, so a relative folder would mean many.
[[ -z ${HOTCOLD_CACHE:-} ]] || HOTCOLD_CACHE=$(realpath "$HOTCOLD_CACHE")
if [[ $# -eq 0 ]]; then
	# What takes longest begins first, so that at the end no processor waits for it.
	set -- ./e2e ./lease/sqlstore ./internal/balancer/pathtest ./internal/demo ./...
fi
# Never from the cache: some tests build the program by themselves.
exec go test -count=1 "${race[@]}" -timeout "$limit" "$@"
