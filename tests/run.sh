#!/bin/bash
# Installs test packages, builds, and runs everything through ctest. Exit code: that of ctest.
#
#   tests/run.sh [options]
#   --full          also the long tests, the daemons' tests under asan and tsan, a debug build, and coverage (hours)
#   --preset P      only this preset: release, debug, asan or tsan
#   --no-install    do not look after packages
#   --no-vm         leave out the tests in virtual machines
#   --only REGEX    only the tests whose names match (those of a sanitizer's build are called asan.NAME or tsan.NAME)
#   --help          this text
#
# The short tier builds release and runs all its short tests, builds asan and runs its unit tests and simulations, and fuzzes each
# target of that build for 10 seconds. Times of the stages are printed as they end; ctest's summary comes last.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
full=false
preset=
install=true
vm=true
only=
usage() { sed -n '2,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
while [[ $# -gt 0 ]]; do
    case $1 in
        --full) full=true; shift ;;
        --preset) preset=${2:?--preset needs a name}; shift 2 ;;
        --no-install) install=false; shift ;;
        --no-vm) vm=false; shift ;;
        --only) only=${2:?--only needs a regular expression}; shift 2 ;;
        -h | --help) usage; exit 0 ;;
        *) echo "tests/run.sh: unknown argument '$1' (see --help)" >&2; exit 2 ;;
    esac
done
case $preset in '' | release | debug | asan | tsan) ;; *) echo "tests/run.sh: there is no preset '$preset'" >&2; exit 2 ;; esac

stage_name=''
stage_start=0
times=()
end_stage() {
    [[ -n $stage_name ]] || return 0
    times+=("$(printf '%6d s  %s' $((SECONDS - stage_start)) "$stage_name")")
    echo "-- ${times[-1]}"
    stage_name=
}
stage() {
    end_stage
    stage_name=$1
    stage_start=$SECONDS
    echo
    echo "== $1"
}

if $install; then
    stage "packages"
    groups=(build test asan)
    if $vm; then groups+=(vm); fi
    if $full; then groups+=(coverage); fi
    contrib/packages.sh install "${groups[@]}"
fi
prefix=$(contrib/packages.sh prefix)
if [[ -z $preset || $preset == asan ]] && ! command -v clang++-19 >/dev/null; then
    echo "tests/run.sh: asan is built by clang++-19, and there is none (contrib/packages.sh install asan)" >&2
    exit 1
fi

# build PRESET TARGET...
build() {
    local name=$1
    shift
    stage "configure $name"
    cmake --preset "$name" -DBUILD_TESTING=ON ${prefix:+"-DCMAKE_PREFIX_PATH=$prefix"}
    stage "build $name"
    cmake --build --preset "$name" --target "$@"
}

# Which tests of which build: the arguments of tests/collect.py.
collect=()
if [[ -n $preset ]]; then
    case $preset in release | debug) build "$preset" all mutants ;; *) build "$preset" all ;; esac
    collect=("$preset" "" .)
else
    build release all mutants
    collect=(release "" .)
    if $full; then
        build debug all     # each file alone
        build asan all
        build tsan all
        # Under sanitizers: all that runs code of ours, and none of the checks that only read the tree.
        collect+=(asan asan. '^(unit|abi|sim|cli|system)(_|$)' tsan tsan. '^(unit|sim|system)(_|$)')
    else
        # Ninja knows all of a folder's targets by the folder's name.
        build asan tests/unit/all tests/abi/all tests/sim/all tests/fuzz/all
        collect+=(asan asan. '^(unit|abi|sim)(_|$)')
    fi
fi
if $full; then tier=(); else tier=(-L '^short$'); fi

if $vm; then
    stage "kernel of the virtual machines"
    # Their tests fail, and say so, when it is not there; all others run.
    tests/vm/run --prepare || true
else
    export JARVIS_NO_VM=1
fi

stage "tests"
# Leaks of libraries that keep their tables are no finding of ours; everything else stops the program at once.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1:suppressions=$root/tests/tsan.supp}
tests/collect.py build/all-tests "${collect[@]}"
set +e
# The summary is held back, so that it comes last.
ctest --test-dir build/all-tests --output-on-failure --no-tests=error -j "$((2 * $(nproc)))" "${tier[@]}" ${only:+-R "$only"} </dev/null 2>&1 |
    tee build/all-tests/output.log | sed -u '/tests passed\|No tests were found/,$d'
status=${PIPESTATUS[0]}
if $full && [[ -z $preset && -z $only ]]; then
    stage "coverage"
    tests/coverage.sh || status=1
fi
set -e
end_stage
echo
echo "Times of the stages:"
printf '%s\n' "${times[@]}" "$(printf '%6d s  all' "$SECONDS")"
echo
sed -n '/tests passed\|No tests were found/,$p' build/all-tests/output.log
exit "$status"
