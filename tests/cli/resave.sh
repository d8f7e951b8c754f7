#!/usr/bin/env bash
# Every golden case, which Keras wrote, saved, loaded and saved again: the second file has the bytes
# of the first. So has its JSON, and what comes back from Keras 3's dialect. Every sixth case; KF_LONG_TESTS=1: all.
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
    it "$name is what it was after a turn through Keras 3's dialect"
    exits 0 kfrun convert once.h5 three.h5 --dialect 3
    exits 0 kfrun convert three.h5 back.json
    holds cmp once.json back.json
    kfrun check once.h5 | grep -q '^parameters 0$' || exits 0 compare_models once.h5 three.h5
done

finish
