#!/usr/bin/env bash
# Every golden case, which Keras wrote, saved, loaded and saved again: the second file has the bytes
# of the first. So has its JSON. Every sixth case; KF_LONG_TESTS=1: all.
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "$0")/check.sh"

n=0 step=${KF_LONG_TESTS:+1}
for case in "$KF_SOURCE"/tests/conformance/cases/*.h5; do
    n=$((n + 1))
    [ $((n % ${step:-6})) -eq 0 ] || continue
    name=$(basename "$case" .h5)
    case $name in weights_only__*) continue ;; esac # no model in them
    it "$name is saved as it was loaded"
    exits 0 kfrun convert "$case" once.h5
    exits 0 kfrun convert once.h5 twice.h5
    holds cmp once.h5 twice.h5
    exits 0 kfrun convert once.h5 once.json
    exits 0 kfrun convert once.json twice.json
    holds cmp once.json twice.json
done

finish
