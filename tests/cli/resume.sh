#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "$0")/check.sh"

# The same run everywhere: long enough to be killed in the middle. With in_place=exec a background job is
# kfrun itself, so that signals reach it.
long_run() {
    ${in_place:-} kfrun train "$models/mlp.json" good.h5 --loss sparse_categorical_crossentropy \
        --optimizer 'rmsprop(lr=0.001, decay=0.001)' --metrics accuracy --seed 3 --verbose 0 \
        --epochs 60 --batch-size 4 --validation-split 0.25 --reduce-lr 'patience=2, factor=0.9' \
        "$@"
}

it 'an unbroken run'
exits 0 long_run --save whole.h5 --csv whole.csv
final=$(cat "$out")

it 'a run that is killed 20 times and goes on ends with the same bytes'
for turn in $(seq 20); do
    in_place=exec long_run --save parts.h5 --csv parts.csv --checkpoint run.h5 --checkpoint-batches 7 \
        --resume >"$out" 2>"$err" &
    training=$!
    sleep "0.0$((RANDOM % 10))$((RANDOM % 10))"
    kill -KILL "$training" 2>/dev/null
    wait "$training" 2>/dev/null
done
rm -f parts.h5
exits 0 long_run --save parts.h5 --csv parts.csv --checkpoint run.h5 --checkpoint-batches 7 --resume
holds cmp whole.h5 parts.h5
holds cmp whole.csv parts.csv
holds test "$final" = "$(cat "$out")"
holds test -z "$(find . -name '.kf-*')"

it 'SIGTERM finishes the batch, saves, says where, and exits with 143'
in_place=exec long_run --epochs 100000 --checkpoint term.h5 >"$out" 2>"$err" &
training=$!
for _ in $(seq 100); do
    [ -e term.h5 ] && break
    sleep 0.1
done
kill -TERM "$training"
status=0
wait "$training" || status=$?
holds test "$status" -eq 143
complains 'stopped by a signal; saved what was trained so far to term.h5; --resume goes on'
exits 0 kfrun check term.h5
prints '^compiled yes'

it 'callbacks are options'
exits 0 long_run --epochs 5 --early-stopping 'monitor=loss, min_delta=100, patience=1' --json
prints '^\{"epochs": 2, "history": \{'
exits 0 long_run --epochs 2 --tensorboard board --callback 'terminate_on_nan()' \
    --callback "model_checkpoint(filepath='e{epoch}.h5')"
holds test -s e2.h5
holds test -n "$(ls board/events.out.tfevents.*)"
exits 2 long_run --early-stopping 'patience=some'
complains 'patience must be an integer'
exits 2 long_run --checkpoint-batches 3
complains 'needs --checkpoint'

it 'a model is converted and checked'
exits 0 kfrun convert whole.h5 three.h5 --dialect 3
exits 0 kfrun evaluate three.h5 good.h5
prints '^loss '
exits 0 kfrun convert whole.h5 plain.json
exits 0 kfrun summary plain.json
cp plain.json kept.json
exits 4 kfrun convert whole.h5 /proc/nowhere/plain.json
complains '^kfrun: cannot write /proc/nowhere/plain.json: '
if [ -z "${TSAN_OPTIONS:-}" ]; then # the thread sanitizer itself needs large files
    exits 4 bash -c 'ulimit -f 0; kfrun convert whole.h5 plain.json'
    holds cmp plain.json kept.json
    holds test "$(find . -name 'plain.json?*')" = ''
fi
exits 0 kfrun convert whole.h5 bare.h5 --no-optimizer
exits 0 kfrun check bare.h5
prints '^compiled no'

it 'a run goes on from a file in the dialect of Keras 3 as from one of 2.2'
again() {
    kfrun train "$1" good.h5 --seed 3 --verbose 0 --epochs "$2" --batch-size 4 --save "$3" \
        --validation-split 0.25 --reduce-lr 'patience=2, factor=0.9' "${@:4}"
}
exits 0 again "$models/mlp.json" 2 two.h5 --optimizer 'adam(clipnorm=1)' \
    --loss sparse_categorical_crossentropy
exits 0 kfrun convert two.h5 two_of_three.h5 --dialect 3
for from in two.h5 two_of_three.h5; do
    exits 0 again $from 4 "four_from_$from" --resume
done
holds cmp four_from_two.h5 four_from_two_of_three.h5

finish
