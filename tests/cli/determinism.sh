#!/usr/bin/env bash
# Same seed, same data: the same bits, on 1, 2 and 8 workers, in every run and by every executor.
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "$0")/check.sh"

export KF_OVERSUBSCRIBE=1
kfrun data import-idx image=images.idx label=labels.idx --output images.h5 || exit 1

# train_conv NAME [options]: NAME.h5 and NAME.log, which is the output without its times
train_conv() {
    local name=$1
    shift
    kfrun train "$models/conv.json" images.h5 --scale image=1/255 --epochs 3 --batch-size 24 \
        --loss sparse_categorical_crossentropy --metrics accuracy --optimizer adam --seed 5 \
        --validation-split 0.2 --save "$name.h5" "$@" >"$name.out" || return
    sed -E 's/[0-9]+(s|ms|us)(\/step)?//g' "$name.out" >"$name.log"
}

it 'one worker trains'
exits 0 train_conv one --threads 1

for threads in 2 8; do
    it "$threads workers give the bits of one"
    exits 0 train_conv many --threads "$threads"
    exits 0 compare_models one.h5 many.h5
    exits 0 cmp one.log many.log
done

it 'a second run gives the bits of the first'
exits 0 train_conv many --threads 2
exits 0 compare_models one.h5 many.h5

for executor in serial omp; do
    it "the $executor executor gives the same bits"
    exits 0 env KF_EXECUTOR=$executor bash -c "$(declare -f train_conv); models=$models; train_conv many --threads 2"
    exits 0 compare_models one.h5 many.h5
done

it 'another seed gives other weights: the comparison can fail'
exits 0 train_conv many --seed 6
exits 1 compare_models one.h5 many.h5
complains 'differs'

it 'predictions do not depend on the workers either'
exits 0 kfrun predict one.h5 images.h5 --scale image=1/255 --output p1.h5 --threads 1
exits 0 kfrun predict one.h5 images.h5 --scale image=1/255 --output p8.h5 --threads 8
exits 0 cmp p1.h5 p8.h5

finish
