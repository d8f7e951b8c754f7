#!/usr/bin/env bash
# SIGINT and SIGTERM end what runs after a batch, with an exit code of its own.
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "$0")/check.sh"

train_mlp --save mlp.h5 --verbose 0 >/dev/null || exit 1

# Whether the process is kfrun by now and has a handler for SIGTERM, as Linux tells.
catches_signals() {
    local mask
    [ "$(cat "/proc/$1/comm" 2>/dev/null)" = kfrun ] || return 1
    mask=$(awk '$1 == "SigCgt:" { print substr($2, length($2) - 7) }' "/proc/$1/status" 2>/dev/null)
    [ $((0x${mask:-0} >> 14 & 1)) -eq 1 ]
}

# ends_by SIGNAL STATUS ARGUMENTS … of kfrun, which would run for minutes
ends_by() {
    local signal=$1 expected=$2 status=0
    shift 2
    kfrun "$@" >"$out" 2>"$err" </dev/null &
    local running=$!
    for _ in {1..600}; do
        catches_signals "$running" && break
        sleep 0.02
    done
    kill "-$signal" "$running"
    wait "$running" || status=$?
    [ "$status" -eq "$expected" ] || complain "SIG$signal gave exit code $status, not $expected"
}

it 'a stopped evaluation prints no numbers'
for how in 'INT 130' 'TERM 143'; do
    # shellcheck disable=SC2086
    ends_by $how evaluate mlp.h5 good.h5 --steps 100000000
    complains '^kfrun: stopped by a signal; nothing was printed$'
    prints_nothing
done
ends_by TERM 143 evaluate mlp.h5 good.h5 --steps 100000000 --json
prints_nothing

it 'a stopped prediction writes no file and keeps the old one'
exits 0 kfrun predict mlp.h5 good.h5 --output old.h5
cp old.h5 kept.h5
for how in 'INT 130' 'TERM 143'; do
    # shellcheck disable=SC2086
    ends_by $how predict mlp.h5 good.h5 --steps 100000000 --output old.h5
    complains '^kfrun: stopped by a signal; nothing was written$'
    holds cmp old.h5 kept.h5
    holds test -z "$(find . -name '.kf-*')"
done

it 'a signal as early as it is caught suspends training'
for _ in {1..5}; do
    ends_by TERM 143 train mlp.h5 good.h5 --epochs 100000000 --verbose 0 --save stopped.h5
    complains '^kfrun: stopped by a signal; saved what was trained so far to stopped.h5; --resume'
    prints_nothing
done
exits 0 kfrun check stopped.h5

finish
