#!/bin/bash
# The one place that knows which Debian and Ubuntu packages Jarvis is built and tested with.
#
#   packages.sh list build|test|vm|coverage|asan|slurm...     print the names
#   packages.sh missing build|test|vm|coverage|asan|slurm...  print those that are not there (nothing: all is there)
#   packages.sh install build|test|vm|coverage|asan|slurm...  install what is missing; as root, or by sudo
#   packages.sh prefix                                        print the folder that has a Boost of our own in it, if there is one
#
# Boost: Jarvis needs 1.81 or later. Debian 12 has 1.81 beside its default 1.74, and the two -dev packages exclude each
# other. A machine that has the 1.74 ones keeps them: the 1.81 packages are then unpacked into build/boost, for this
# source tree alone, and `prefix` says so to the scripts that call CMake.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
boost_folder=$root/build/boost
oldest_boost=1.81

say() { printf '%s\n' "packages: $*" >&2; }
die() { say "$*"; exit 1; }

check_system() {
    if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
        return
    fi
    die "this is not Debian or Ubuntu (no apt-get); install what 'contrib/packages.sh list build' prints by hand," \
        "under the names of your distribution, and build with cmake --preset release"
}

# The version in the names of Boost's packages: 1.81 where it exists, else what the distribution has as its default.
boost_version() {
    local default
    if [[ -n $(apt-cache search --names-only '^libboost1\.81-dev$' 2>/dev/null) ]] || ! command -v apt-cache >/dev/null; then
        echo 1.81
        return
    fi
    default=$(apt-cache depends libboost-dev 2>/dev/null | sed -n 's/.*libboost\([0-9.]*\)-dev$/\1/p' | head -n 1)
    if [[ -n $default ]] && dpkg --compare-versions "$default" ge "$oldest_boost"; then
        echo "$default"
    else
        echo 1.81       # apt says that it does not know it, which is the right message
    fi
}

boost_packages() {
    local version
    version=$(boost_version)
    printf '%s\n' "libboost$version-dev" "libboost-json$version-dev" "libboost-test$version-dev"
}

build_packages() {
    printf '%s\n' g++ cmake ninja-build pkg-config ccache libhwloc-dev libcgroup-dev libtomlplusplus-dev libprotobuf-dev \
        protobuf-compiler libsqlite3-dev libspdlog-dev libfmt-dev libcli11-dev libssl-dev libmimalloc-dev libabsl-dev
    boost_packages
}
test_packages() { printf '%s\n' python3 libfaketime mandoc shellcheck git procps util-linux iproute2 nftables openssl; }
# tests/vm: the machine, and what it takes from this one: a static shell for its initramfs, modprobe, systemd.
vm_packages() { printf '%s\n' python3 qemu-system-x86 busybox-static kmod util-linux systemd; }
coverage_packages() { printf '%s\n' gcovr; }
asan_packages() { printf '%s\n' clang-19 libclang-rt-19-dev; }
# What tests/bench/slurm compares with.
slurm_packages() { printf '%s\n' slurmctld slurmd slurm-client munge libslurm-dev gcc; }

list() {
    local group
    for group in "$@"; do
        case $group in
            build | test | vm | coverage | asan | slurm) "${group}_packages" ;;
            *) die "unknown group '$group'; there are build, test, vm, coverage, asan and slurm" ;;
        esac
    done
}

installed() {
    # A virtual package such as pkg-config is there when something that provides it is.
    [[ $(dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | head -n 1) == installed ]] ||
        dpkg-query -W -f '${db:Status-Status} ${Provides}\n' 2>/dev/null | grep -Eq "^installed .*\b$1\b( |,|$)"
}

is_boost() { [[ $1 == libboost* ]]; }

missing() {
    local package
    while read -r package; do
        if is_boost "$package" && [[ -d $boost_folder/usr/include/boost ]]; then
            continue
        fi
        installed "$package" || echo "$package"
    done < <(list "$@")
}

as_root() {
    if [[ $(id -u) == 0 ]]; then
        "$@"
    else
        sudo "$@"
    fi
}

check_rights() {
    [[ $(id -u) == 0 ]] && return
    command -v sudo >/dev/null ||
        die "cannot install packages as $(id -un): run this as root first: apt-get install $*"
    # Without a terminal nobody can type a password.
    [[ -t 0 ]] || sudo -n true 2>/dev/null ||
        die "cannot install packages as $(id -un) without a password: run this as root first: apt-get install $*"
}

# True when an installed -dev package of another Boost version would have to go.
boost_conflict() {
    dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'libboost*-dev' 2>/dev/null |
        awk -v wanted="^libboost[a-z-]*$(boost_version | sed 's/\./\\./')-dev\$" \
            '$1 == "installed" && $2 ~ /[0-9]-dev$/ && $2 !~ wanted { found = 1 } END { exit !found }'
}

unpack_boost() {
    local version scratch
    version=$(boost_version)
    say "Boost of another version is installed and stays: unpacking Boost $version into $boost_folder"
    # Its shared libraries have their version in the name and may be installed beside any other.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        "libboost-json$version.0" "libboost-test$version.0" >&2
    scratch=$(mktemp -d)
    # shellcheck disable=SC2064    # the name is wanted as it is now
    trap "rm -rf '$scratch'" EXIT
    (
        cd "$scratch"
        apt-get download "libboost$version-dev" "libboost-json$version-dev" "libboost-test$version-dev" \
            "libboost-system$version-dev" "libboost-container$version-dev" \
            "libboost-json$version.0" "libboost-test$version.0" "libboost-system$version.0" "libboost-container$version.0" >&2
        rm -rf "$boost_folder.new"
        mkdir -p "$boost_folder.new"
        for archive in *.deb; do
            dpkg -x "$archive" "$boost_folder.new"
        done
    )
    rm -rf "$boost_folder"
    mv "$boost_folder.new" "$boost_folder"
}

install() {
    local packages
    mapfile -t packages < <(missing "$@")
    [[ ${#packages[@]} -gt 0 ]] || return 0
    check_rights "${packages[@]}"
    say "installing ${packages[*]}"
    as_root apt-get update -q >&2 || say "apt-get update failed; going on with the lists that are there"
    mapfile -t packages < <(missing "$@")       # the lists may tell another version of Boost
    if printf '%s\n' "${packages[@]}" | grep -q '^libboost' && boost_conflict; then
        unpack_boost
        mapfile -t packages < <(missing "$@")
        [[ ${#packages[@]} -gt 0 ]] || return 0
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}" </dev/null >&2 ||
        die "apt-get could not install: ${packages[*]}"
}

command=${1:-}
[[ -n $command ]] && shift
case $command in
    list) list "$@" ;;
    missing) check_system; missing "$@" ;;
    install) check_system; install "$@" ;;
    prefix) [[ ! -d $boost_folder/usr/include/boost ]] || echo "$boost_folder/usr" ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
