#!/bin/bash
# Builds the fuzz targets with clang-19 (preset `fuzz`) and runs each on its seeds, then for some seconds of its own.
#
#   tests/fuzz/run.sh [SECONDS [TARGET...]]     60 seconds, all targets
#
# What is found is left in build/fuzz/findings/<target>; `build/fuzz/fuzz/fuzz_<target> FILE` repeats it, and a small
# case of it belongs into tests/fuzz/seeds/<target> together with the fix. Exit code 77: there is no clang++-19.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:-60}
shift || true
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || targets=(arrays frames config directives hostlist requests units)
command -v clang++-19 >/dev/null || { echo "skipped: there is no clang++-19 (contrib/packages.sh install fuzz)"; exit 77; }

prefix=$(contrib/packages.sh prefix)
cmake --preset fuzz ${prefix:+"-DCMAKE_PREFIX_PATH=$prefix"} >/dev/null
cmake --build --preset fuzz --target "${targets[@]/#/fuzz_}"

status=0
for target in "${targets[@]}"; do
    echo "== $target, $seconds s"
    findings=build/fuzz/findings/$target corpus=build/fuzz/corpus/$target
    mkdir -p "$findings" "$corpus"
    build/fuzz/fuzz/fuzz_"$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="$findings/" "$corpus" tests/fuzz/seeds/"$target" || { echo "FAILED: $target"; status=1; }
done
exit "$status"
