#!/bin/sh
# Holds that shellcheck finds nothing in the tree's shell scripts. (Exit code 77: no shellcheck.)
set -eu
cd "$(dirname "$0")/.."
command -v shellcheck >/dev/null || { echo "skipped: shellcheck is not installed"; exit 77; }
find .ci contrib tests etc -type f \( -name '*.sh' -o -path .ci/run \) -print0 | sort -z | xargs -0 shellcheck -x
echo "shell scripts are clean"
