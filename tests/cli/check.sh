# shellcheck shell=bash
# Sourced by the scripts of this folder. Each test is a sentence, a command with the exit code it
# must have, and patterns that its two outputs must match. From CTest: KF_BIN (kfrun, kfprof),
# KF_HELPERS (make_data, compare_models), KF_SOURCE (the source tree).
set -u
: "${KF_BIN:?}" "${KF_HELPERS:?}" "${KF_SOURCE:?}"
PATH=$KF_BIN:$KF_HELPERS:$PATH
models=$KF_SOURCE/tests/cli/models
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
out=$work/.out err=$work/.err
sentence='' failures=0

it() { sentence=$1; }

complain() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n        %s\n' "$sentence" "$1"
    sed 's/^/        stdout: /' "$out" | tail -n 12
    sed 's/^/        stderr: /' "$err" | tail -n 12
}

# exits STATUS COMMAND …
exits() {
    local expected=$1 status=0
    shift
    "$@" >"$out" 2>"$err" </dev/null || status=$?
    [ "$status" -eq "$expected" ] || complain "'$*' gave exit code $status, not $expected"
}

prints() { grep -qE -- "$1" "$out" || complain "standard output has nothing like: $1"; }
prints_nothing() { [ ! -s "$out" ] || complain "standard output is not empty"; }
complains() { grep -qE -- "$1" "$err" || complain "standard error has nothing like: $1"; }
complains_about_nothing() { [ ! -s "$err" ] || complain "standard error is not empty"; }
holds() { "$@" || complain "not so: $*"; }

finish() {
    [ "$failures" -eq 0 ] || { printf '%d failed\n' "$failures"; exit 1; }
    exit 0
}

make_data "$work" || { echo 'make_data failed'; exit 1; }

# The same short training everywhere: train_mlp [more options]
train_mlp() {
    kfrun train "$models/mlp.json" good.h5 --loss sparse_categorical_crossentropy \
        --metrics accuracy --seed 3 "$@"
}
