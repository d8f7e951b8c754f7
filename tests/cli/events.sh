#!/usr/bin/env bash
# Event files as another program reads them: every checksum, every field.
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "$0")/check.sh"

/usr/bin/python3 -c '' 2>/dev/null || exit 77

reads() { exits 0 /usr/bin/python3 "$KF_SOURCE/tests/cli/read_events.py" "$@"; }

it 'an event file has the scalars of the history, epoch by epoch'
exits 0 train_mlp --epochs 3 --verbose 0 --validation-split 0.25 --tensorboard board
cp "$out" last
reads board/events.out.tfevents.*
holds test "$(wc -l <"$out")" -eq 12
while read -r name value; do prints "^2 $name $value\$"; done <last
prints '^0 val_acc 0\.'

it 'and of batches by the samples that were seen'
exits 0 train_mlp --epochs 2 --verbose 0 --batch-size 16 \
    --callback "tensorboard(log_dir='by_batch', update_freq='batch')"
reads by_batch/events.out.tfevents.*
for seen in 16 32 48 64 80 96 112 128; do prints "^$seen loss [0-9.]+\$"; done
exits 0 train_mlp --epochs 2 --verbose 0 --batch-size 16 \
    --callback "tensorboard(log_dir='by_samples', update_freq=32)"
reads by_samples/events.out.tfevents.*
prints '^32 loss'
holds test "$(grep -c '^16 loss' "$out")" -eq 0

finish
