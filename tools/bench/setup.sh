# shellcheck shell=bash
# Sourced by the scripts of this folder: packages of the peers, and the release build with them.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
# shellcheck source-path=SCRIPTDIR source=../setup.sh
. tools/setup.sh

peer_packages=(g++ libdnnl-dev libtbb-dev python3-torch libopenblas0-openmp)

# build_bench TARGET …: standard output is the benchmark's alone
build_bench() {
    need_packages "${build_packages[@]}" "${peer_packages[@]}" >&2
    # the tests of a fresh build would need another package
    local tests=-DKF_TESTS=OFF
    ! grep -qs KF_TESTS:BOOL=ON build/release/CMakeCache.txt || tests=-DKF_TESTS=ON
    build_preset release "$tests" -DKF_BENCH=ON -- "$@" >&2
}
