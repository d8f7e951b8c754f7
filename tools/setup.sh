# shellcheck shell=bash
# Sourced by tools/demo and tools/test: Debian packages, and the release build.

say() { printf '== %s\n' "$*"; }

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# What building kf takes.
build_packages=(gcc libc6-dev cmake ninja-build pkg-config libopenblas-dev libhdf5-dev
                libjansson-dev zlib1g-dev)

package_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Prints those of the packages that are not installed. pkgconf is what pkg-config has become.
packages_missing() {
    local package
    for package in "$@"; do
        if [ "$package" = pkg-config ] && package_installed pkgconf; then continue; fi
        package_installed "$package" || printf '%s ' "$package"
    done
}

# Installs what is missing, and does not touch apt if nothing is.
need_packages() {
    local missing become=() unknown=() package
    command -v dpkg-query >/dev/null ||
        fail "this is not a Debian system; it needs what Debian calls: $*"
    read -ra missing <<<"$(packages_missing "$@")"
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            fail "neither root nor sudo; ask for these packages to be installed: ${missing[*]}"
        become=(sudo)
    fi
    say "installing Debian packages: ${missing[*]}"
    "${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q update </dev/null ||
        printf '%s: apt-get update failed; trying with the lists at hand\n' "${0##*/}" >&2
    for package in "${missing[@]}"; do
        [ -n "$(apt-cache madison "$package" 2>/dev/null)" ] || unknown+=("$package")
    done
    [ ${#unknown[@]} -eq 0 ] ||
        fail "no package source of this machine (/etc/apt) has: ${unknown[*]}"
    "${become[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y --no-install-recommends install "${missing[@]}" </dev/null || true
    read -ra missing <<<"$(packages_missing "${missing[@]}")"
    [ ${#missing[@]} -eq 0 ] || fail "these packages could not be installed: ${missing[*]}"
}

# build_preset PRESET [option of cmake …] [-- target …]: in build/PRESET, quiet unless it fails.
build_preset() {
    local preset=$1 options=() targets=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1"); shift; done
    [ $# -eq 0 ] || shift
    [ $# -eq 0 ] || targets=(--target "$@")
    say "building $preset"
    mkdir -p "build/$preset"
    if ! cmake --preset "$preset" "${options[@]}" >"build/$preset/configure.log" 2>&1; then
        cat "build/$preset/configure.log" >&2
        fail "configuring $preset failed"
    fi
    cmake --build "build/$preset" "${targets[@]}"
}
