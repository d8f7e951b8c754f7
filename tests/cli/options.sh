#!/usr/bin/env bash
# What training, evaluating and predicting take: every option does what it says.
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "$0")/check.sh"

two_outputs() {
    kfrun train "$models/two_outputs.json" two.h5 --verbose 0 --seed 3 \
        --loss main=binary_crossentropy,aux=mse "$@"
}

# differ COMMAND … : a weight or number that counts changes the loss
plain=$(train_mlp --verbose 0 --shuffle false | grep '^loss')
differs() {
    exits 0 "$@" --verbose 0 --shuffle false
    holds test "$plain" != "$(grep '^loss' "$out")"
}
equals() {
    exits 0 "$@" --verbose 0 --shuffle false
    holds test "$plain" = "$(grep '^loss' "$out")"
}

it 'weights of classes are typed or read from a JSON file'
differs train_mlp --class-weight 0:1,1:2.5,2:0.5
typed=$(cat "$out")
echo '{"0": 1, "1": 2.5, "2": 0.5}' >classes.json
exits 0 train_mlp --class-weight classes.json --verbose 0 --shuffle false
holds test "$typed" = "$(cat "$out")"
exits 0 train_mlp --class-weight '{0: 1, 1: 2.5, 2: 0.5}' --verbose 0 --shuffle false
holds test "$typed" = "$(cat "$out")"
equals train_mlp --class-weight 0:1,1:1,2:1

it 'weights of classes may be for one output'
exits 0 two_outputs --class-weight main=0:1,1:3
by_output=$(cat "$out")
echo '{"main": {"0": 1, "1": 3}}' >by_output.json
exits 0 two_outputs --class-weight by_output.json
holds test "$by_output" = "$(cat "$out")"

it 'wrong weights of classes are explained'
exits 2 train_mlp --class-weight 0:1,one:2
complains "^kfrun: --class-weight: 'one' is no number of a class"
exits 2 train_mlp --class-weight 0=1
complains '^kfrun: --class-weight: expected'
exits 2 train_mlp --class-weight '{0: 1'
complains "^kfrun: --class-weight: expected ',' or '}'"
exits 4 train_mlp --class-weight nowhere.json
complains '^kfrun: cannot open nowhere.json'
echo '{"0": }' >broken.json
exits 3 train_mlp --class-weight broken.json
complains '^kfrun: --class-weight: expected a weight'
exits 3 train_mlp --class-weight 0:1,1:2
complains 'class'

it 'a dataset of sample weights weighs'
differs kfrun train "$models/mlp.json" weighted.h5 --seed 3 --metrics accuracy \
    --loss sparse_categorical_crossentropy
exits 0 kfrun train "$models/mlp.json" weighted.h5 --seed 3 --verbose 0 --metrics accuracy \
    --weighted-metrics accuracy --loss sparse_categorical_crossentropy
prints '^weighted_acc '
prints '^acc '

it 'timesteps have weights of their own if that is asked for'
kfrun data import-idx image=images.idx --output rows_of_images.h5 --no-channel || exit 1
exits 0 kfrun predict "$models/steps_data.json" rows_of_images.h5 --scale image=1/255 \
    --output steps.h5
steps() {
    kfrun train "$models/steps.json" steps.h5 --loss mse --seed 3 --verbose 0 "$@"
}
exits 0 steps --sample-weight-mode temporal --save steps_trained.h5
for_all=$(cat "$out")
exits 0 steps --sample-weight-mode y=temporal
holds test "$for_all" = "$(cat "$out")"
exits 0 kfrun evaluate steps_trained.h5 steps.h5
prints '^loss [0-9]'
exits 3 steps
complains '^kfrun: y: Found a sample_weight array with shape \(64, 6\)'
exits 2 steps --sample-weight-mode weekly
complains '^kfrun: sample_weight_mode should be None or "temporal". Found: weekly'
exits 2 steps --sample-weight-mode z=temporal
complains "^kfrun: the model has no output 'z'"

it 'losses have weights by name or in order'
exits 0 two_outputs --loss-weights 1,0.25
in_order=$(cat "$out")
exits 0 two_outputs --loss-weights aux=0.25
holds test "$in_order" = "$(cat "$out")"
exits 2 two_outputs --loss-weights 1,2,3
complains "the model has 2 outputs; '3' is one too many"

it 'steps take all samples as one batch, as Keras does'
exits 0 train_mlp --steps-per-epoch 3 --json --verbose 0
prints '^\{"epochs": 1'
exits 2 train_mlp --steps-per-epoch 3 --batch-size 8
complains '`batch_size` must be None'
exits 2 train_mlp --validation-steps 3
complains 'Can only use `validation_steps`'

it 'the first epoch may be a later one'
exits 0 train_mlp --initial-epoch 2 --epochs 3
prints '^Epoch 3/3'
holds test "$(grep -c '^Epoch' "$out")" -eq 1

it 'reading ahead changes nothing'
for queue in '--data-workers -1' '--data-workers 3 --max-queue-size 1' '--threads 1'; do
    # shellcheck disable=SC2086
    equals train_mlp $queue
done

it 'every way of shuffling is taken'
for how in true batch false window; do
    exits 0 train_mlp --shuffle "$how" --shuffle-window 16 --verbose 0
done

it 'optimizers take their options as text, by any of their names'
for optimizer in 'sgd(lr=0.1, momentum=0.9, nesterov=True, decay=1e-3)' 'SGD(0.1, clipnorm=1)' \
    'rmsprop(rho=0.8)' 'adagrad' 'adadelta(rho=0.9)' 'Adam(beta_1=0.8, amsgrad=True)' 'adamax' \
    'nadam(schedule_decay=0.01, clipvalue=0.5)'; do
    exits 0 train_mlp --optimizer "$optimizer" --verbose 0
    prints '^loss [0-9]'
done

it 'a batch that cannot have its memory is out of memory'
exits 5 train_mlp --memory-limit 0.001
complains '^kfrun: .*memory'

it 'a loss that is no number stops at once if asked to'
exits 6 kfrun train "$models/two_outputs.json" two.h5 --loss mse --optimizer 'sgd(lr=1e30)' \
    --epochs 50 --terminate-on-nan
holds test "$(grep -c '^Epoch' "$out")" -le 2

it 'fields are prepared, the same for evaluate and predict'
kfrun data import-idx image=images.idx label=labels.idx --output images.h5 || exit 1
prepared=(--prepare 'image=standardise(mean=127, deviation=255)' --prepare 'label=one_hot(3)')
exits 0 kfrun train "$models/conv.json" images.h5 "${prepared[@]}" --epochs 8 --metrics acc \
    --loss categorical_crossentropy --optimizer 'adam(lr=0.02)' --save conv.h5 --verbose 0
exits 0 kfrun evaluate conv.h5 images.h5 "${prepared[@]}"
prints '^acc (0\.[89]|1)'
exits 0 kfrun predict conv.h5 images.h5 "${prepared[@]}" --output predicted.h5
exits 0 kfrun data info predicted.h5
prints 'float32 +\(64, 3\)'

it 'exact convolutions round otherwise than fast ones'
deep() {
    env -u KF_CONV "$KF_BIN/kfrun" "$1" "$2" images.h5 --scale image=1/255 --rows 0:16 \
        --loss sparse_categorical_crossentropy "${@:3}"
}
exits 0 deep train "$models/deep.json" --seed 3 --verbose 0 --save fast.h5
exits 0 deep train "$models/deep.json" --seed 3 --verbose 0 --save exact.h5 --exact-convolution
exits 1 cmp fast.h5 exact.h5
exits 0 deep evaluate exact.h5 --exact-convolution
prints '^loss [0-9]'
exits 2 kfrun evaluate exact.h5 images.h5 --exact-convolution
complains '^kfrun: options of training replace all that the file says; give --loss'

it 'images turned and moved at random are the same for any number of threads'
augment() {
    kfrun train "$models/conv.json" images.h5 --scale image=1/255 --epochs 3 --verbose 0 --seed 5 \
        --prepare 'image=augment(flip=True, shift=1, seed=7)' \
        --loss sparse_categorical_crossentropy "$@"
}
exits 0 augment --threads 1 --data-workers -1 --save one.h5
exits 0 augment --threads 2 --data-workers 3 --save many.h5
holds cmp one.h5 many.h5
exits 0 augment --epochs 2 --checkpoint cut.h5
exits 0 augment --checkpoint cut.h5 --resume --save parts.h5
exits 0 compare_models one.h5 parts.h5
exits 0 kfrun train "$models/conv.json" images.h5 --scale image=1/255 --epochs 3 --verbose 0 \
    --seed 5 --loss sparse_categorical_crossentropy --save plain.h5
holds test "$(compare_models one.h5 plain.h5 >/dev/null 2>&1; echo $?)" -ne 0

it 'wrong preparations are explained'
exits 2 kfrun evaluate conv.h5 images.h5 --prepare 'image=blur(3)'
complains "^kfrun: --prepare: image: unknown preparation 'blur'"
exits 2 kfrun evaluate conv.h5 images.h5 --prepare 'image=pad(length=0)'
complains '^kfrun: --prepare: image: pad: length must be an integer of at least 1; got 0'
exits 2 kfrun evaluate conv.h5 images.h5 --prepare 'picture=one_hot(3)'
complains "there is no field 'picture' to prepare"
exits 2 kfrun evaluate conv.h5 images.h5 --prepare one_hot
complains "--prepare needs FIELD=HOW; got 'one_hot'"
exits 3 kfrun train "$models/mlp.json" wrong_label.h5 --prepare 'y=one_hot(3)' \
    --loss categorical_crossentropy
complains '^kfrun: .*y: 7 in row 13 is no class below 3'

it 'a part of the rows is taken'
exits 0 kfrun predict conv.h5 images.h5 --scale image=1/255 --rows 10:14 --output rows.h5
exits 0 kfrun data info rows.h5
prints '\(4, 3\)'
exits 0 train_mlp --rows 32: --verbose 2
prints '^Epoch 1/1'
for rows in 5 a:b 9:3 -1:4; do
    exits 2 train_mlp --rows "$rows"
    complains "--rows needs START:END; got '$rows'"
done
exits 2 train_mlp --rows 0:1000
complains 'rows 0 to 1000 were asked for, but there are 64'

it 'evaluation can be read by machines'
exits 0 train_mlp --save mlp.h5 --verbose 0
exits 0 kfrun evaluate mlp.h5 good.h5 --json
prints '^\{"loss": [0-9.]+, "acc": [0-9.]+\}$'
exits 0 kfrun evaluate mlp.h5 good.h5 --batch-size 7 --data-workers -1
prints '^loss '

it 'each epoch says who waited for whom'
exits 0 train_mlp --epochs 2 --data-times
complains '^kfrun: epoch 2: training waited [0-9.]+ s for data, .*the bottleneck is (data|training)$'
exits 0 train_mlp --epochs 2 --json --verbose 0
prints '"data_wait_seconds": \[[0-9.]+, [0-9.]+\], "data_idle_seconds": \[.*"bottleneck": \["(data|training)", "'

finish
