#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "$0")/check.sh"

it 'training prints a line per epoch into a pipe, and the last numbers'
exits 0 train_mlp --epochs 3 --save mlp.h5
prints '^Epoch 3/3'
prints ' - loss: [0-9.]+ - acc: [0-9.]+$'
prints '^loss [0-9]\.[0-9]{4}'
prints '^acc [0-9]\.[0-9]{4}$'
holds test "$(tr -dc '\r\b' <"$out" | wc -c)" -eq 0
complains_about_nothing

it '--verbose 0 prints the last numbers only'
exits 0 train_mlp --verbose 0
holds test "$(wc -l <"$out")" -eq 2

it '--verbose 1 draws a bar, also into a pipe'
exits 0 train_mlp --verbose 1
prints '64/64 \[={5,}'

if command -v script >/dev/null; then
    it 'a terminal gets a bar by default'
    export -f train_mlp
    export models
    # script runs the command in $SHELL, and only bash knows exported functions
    exits 0 env SHELL="$BASH" script -qec train_mlp /dev/null
    prints '64/64 \[={5,}'
fi

it 'a saved model is compiled: it evaluates and trains on without further options'
exits 0 kfrun evaluate mlp.h5 good.h5
prints '^loss [0-9]'
prints '^acc [0-9]'
exits 0 kfrun train mlp.h5 good.h5 --epochs 2 --save more.h5
prints '^acc '

it 'a saved model gives the numbers that validation gave'
exits 0 train_mlp --epochs 2 --validation-data good.h5 --save same.h5
loss=$(awk '$1 == "val_loss" { print $2 }' "$out")
exits 0 kfrun evaluate same.h5 good.h5
holds test -n "$loss"
prints "^loss $loss\$"

it 'validation data may be held back from the samples'
exits 0 train_mlp --validation-split 0.25
prints '^Train on 48 samples, validate on 16 samples'
prints '^val_loss '

it 'validation by split and by data exclude each other'
exits 2 train_mlp --validation-split 0.25 --validation-data good.h5
complains 'not both'

it 'groups are chosen by colon or by option'
exits 0 kfrun train mlp.h5 groups.h5 --group train --validation-data groups.h5:test
prints '^Train on 64 samples, validate on 32 samples'
exits 0 kfrun evaluate mlp.h5 groups.h5:test

it 'datasets of other names are mapped'
exits 0 kfrun evaluate mlp.h5 renamed.h5 --map x=vectors --map y=classes

it 'datasets that the model does not know may be of any length'
exits 0 kfrun evaluate mlp.h5 extra.h5 --map x=vectors

it 'a map without = is refused'
exits 2 kfrun evaluate mlp.h5 renamed.h5 --map x
complains "--map needs FIELD=DATASET; got 'x'"

it 'fields are scaled by a number or a fraction'
kfrun data import-idx image=images.idx label=labels.idx --output images.h5 || exit 1
exits 0 kfrun train "$models/conv.json" images.h5 --scale image=1/255 --epochs 8 --metrics acc \
    --loss sparse_categorical_crossentropy --optimizer 'adam(lr=0.02)' --save conv.h5
exits 0 kfrun evaluate conv.h5 images.h5 --scale image=0.00392156862745098
prints '^acc (0\.[89]|1)'

it 'a wrong factor is refused'
exits 2 kfrun evaluate conv.h5 images.h5 --scale image=1/x
complains "--scale needs FIELD=FACTOR.*'1/x'"
it 'a field that is not there cannot be scaled'
exits 2 kfrun evaluate conv.h5 images.h5 --scale nothing=2
complains 'nothing'

it 'two outputs take losses, weights and metrics by name'
exits 0 kfrun train "$models/two_outputs.json" two.h5 --epochs 2 --verbose 0 \
    --loss main=binary_crossentropy,aux=mse --loss-weights aux=0.2 --metrics main=accuracy
prints '^loss '
prints '^main_loss '
prints '^aux_loss '
prints '^main_acc '
holds test "$(grep -c acc "$out")" -eq 1

it 'an output that is not there is named'
exits 2 kfrun train "$models/two_outputs.json" two.h5 --loss mse,second=mse
complains "no output 'second'"

it 'a model that says nothing of training needs a loss'
exits 2 kfrun train "$models/mlp.json" good.h5
complains 'give --loss'

it 'another optimizer and shuffling by batch are taken'
exits 0 train_mlp --optimizer 'sgd(lr=0.1, momentum=0.9)' --shuffle batch --batch-size 10
exits 0 train_mlp --shuffle false

it 'more threads than CPUs are clamped with a warning'
exits 0 env -u KF_OVERSUBSCRIBE "$KF_BIN/kfrun" evaluate mlp.h5 good.h5 --threads 1000
complains '^kfrun: warning: --threads 1000: .* CPUs'

it 'an interrupt stops after the batch and still saves'
kfrun train mlp.h5 good.h5 --epochs 1000000 --save stopped.h5 >"$out" 2>"$err" &
training=$!
for _ in {1..600}; do # until it has begun
    grep -q 'Epoch 2' "$out" && break
    sleep 0.1
done
kill -INT "$training"
status=0
wait "$training" || status=$?
holds test "$status" -eq 130
complains 'stopped by a signal; saved what was trained so far to stopped.h5; --resume'
exits 0 kfrun evaluate stopped.h5 good.h5

finish
