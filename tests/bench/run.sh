#!/bin/sh
# Builds release and measures: run.sh [a b c d e f g h i j k | all] [--quick] [--json FILE] [--folder DIR] [--peer slurm]; see bench.py.
# "run.sh nodes" measures what many nodes cost the controller instead: see nodes.py.
set -eu
cd "$(dirname "$0")/../.."
program=bench
case ${1-} in
    nodes) program=$1; shift ;;
esac
case " $* " in
    *" slurm "*) contrib/packages.sh install slurm ;;
esac
contrib/packages.sh install build
prefix=$(contrib/packages.sh prefix)
cmake --preset release ${prefix:+"-DCMAKE_PREFIX_PATH=$prefix"} >/dev/null
cmake --build --preset release --target daemons/all commands/all plugins/all tests/bench/all
JARVIS_BUILD_DIR=$PWD/build/release
JARVIS_SOURCE_DIR=$PWD
export JARVIS_BUILD_DIR JARVIS_SOURCE_DIR
exec python3 "tests/bench/$program.py" "$@"
