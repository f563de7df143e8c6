#!/bin/bash
# Which lines and branches the tests reach: builds the preset "coverage", runs its tests, and prints a table with gcovr.
#
#   tests/coverage.sh [--only REGEX] [--no-build] [--no-tests]
#   --only REGEX    of the short tests without benchmarks and campaigns, those whose names match
#   --no-build      the preset is built
#   --no-tests      count what earlier runs have left behind
#
# The exit code is 1 if a test fails, or the pure cores (lib/base, model, sched, cluster, node) are below 95 % of lines or 85 % of branches, or
# everything below 85 % of lines. Branches that only an exception takes do not count. A daemon that is killed leaves no counts behind.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
folder=$root/build/coverage
only=()
build=true
tests=true
while [[ $# -gt 0 ]]; do
    case $1 in
        --only) only=(-R "${2:?--only needs a regular expression}"); shift 2 ;;
        --no-build) build=false; shift ;;
        --no-tests) tests=false; shift ;;
        -h | --help) sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
        *) echo "tests/coverage.sh: unknown argument '$1' (see --help)" >&2; exit 2 ;;
    esac
done

command -v gcovr >/dev/null || { echo "tests/coverage.sh: there is no gcovr (contrib/packages.sh install coverage)" >&2; exit 1; }
status=0
if $build; then
    prefix=$(contrib/packages.sh prefix)
    cmake --preset coverage ${prefix:+"-DCMAKE_PREFIX_PATH=$prefix"}
    cmake --build --preset coverage
fi
if $tests; then
    find "$folder" -name '*.gcda' -delete
    ctest --test-dir "$folder" --output-on-failure -j "$(nproc)" -L '^short$' -E '^(bench_|node_load|chaos|sim_mutations|fuzz|install|system_quickstart|vm_)' \
        "${only[@]}" </dev/null || status=1
fi

# Threads count without locks, so a count may be lost, and a sum that is made from others be below 0: gcovr is to pass over it.
counts=$folder/counts.json
gcovr --root "$root" --object-directory "$folder" "$folder"/{lib,daemons,commands,plugins,tests} -j "$(nproc)" \
    --filter 'lib/' --filter 'daemons/' --filter 'commands/' --filter 'plugins/' --gcov-ignore-parse-errors \
    --exclude-throw-branches --exclude-unreachable-branches --json "$counts"

# table NAME FILTER [GCOVR OPTION]...: a line of the table. The output goes to a file: gcovr removes what it is to write first, also /dev/null.
table() {
    local name=$1 filter=$2 text code=0
    shift 2
    text=$(gcovr --root "$root" -a "$counts" --filter "$filter" --print-summary --output "$folder/summary.txt" "$@" 2>&1) || code=$?
    printf '%-18s %s\n' "$name" "$(sed -n 's/^\(lines\|branches\): \([0-9.]*%\).*/\1 \2/p' <<<"$text" | paste -sd ' ')"
    if ((code != 0)); then status=1; fi
}
echo
for core in base model sched cluster node; do
    table "lib/$core" "lib/$core/"
done
table "the pure cores" 'lib/(base|model|sched|cluster|node)/' --fail-under-line 95 --fail-under-branch 85
for part in lib/config lib/journal lib/wire lib/client lib/daemon lib/pki lib/plugin daemons commands plugins; do
    table "$part" "$part/"
done
table "everything" '.*' --fail-under-line 85
exit "$status"
