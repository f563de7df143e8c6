#!/bin/bash
# Builds the fuzz targets (preset `asan`) and runs each on its seeds, then for some seconds of its own.
#
#   tests/fuzz/run.sh [SECONDS [TARGET...]]     60 seconds, all targets
#
# What is found is left in build/fuzz/findings/<target>; `build/asan/fuzz/fuzz_<target> FILE` repeats it, and a small
# case of it belongs into tests/fuzz/seeds/<target> together with the fix. Exit code 77: there is no clang++-19.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:-60}
shift || true
targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
    for file in tests/fuzz/fuzz_*.cpp; do
        file=${file##*/fuzz_}
        targets+=("${file%.cpp}")
    done
fi
command -v clang++-19 >/dev/null || { echo "skipped: there is no clang++-19 (contrib/packages.sh install asan)"; exit 77; }

build() {
    local prefix
    # A folder that is configured configures itself again when it has to.
    if [[ ! -f build/asan/build.ninja ]]; then
        prefix=$(contrib/packages.sh prefix)
        cmake --preset asan ${prefix:+"-DCMAKE_PREFIX_PATH=$prefix"} >/dev/null
    fi
    cmake --build --preset asan --target "${targets[@]/#/fuzz_}"
}

mkdir -p build/fuzz
(
    flock 9 # another run of this may be under way
    build
) 9>build/fuzz/run.lock

# Undefined behaviour stops the target, too; by default it is only told.
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}

status=0
for target in "${targets[@]}"; do
    echo "== $target, $seconds s"
    findings=build/fuzz/findings/$target corpus=build/fuzz/corpus/$target seeds=tests/fuzz/seeds/$target
    [[ -n $(ls -A "$seeds" 2>/dev/null) ]] || { echo "FAILED: $target has no seeds"; status=1; continue; }
    mkdir -p "$findings" "$corpus"
    build/asan/fuzz/fuzz_"$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$findings/" "$corpus" "$seeds" || { echo "FAILED: $target"; status=1; }
done
exit "$status"
