#!/usr/bin/env bash
# Real Keras's numbers on real data: a model that Keras trained on Fashion-MNIST, in a folder of
# files from elsewhere (KF_INTEROP), evaluated on Debian's dataset-fashion-mnist. Skipped without.
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "$0")/check.sh"

model=${KF_INTEROP:-nowhere}/fashion_mlp.h5
idx=${KF_FASHION_MNIST:-/usr/share/datasets/fashion-mnist}
for file in "$model" "$idx/t10k-images-idx3-ubyte.gz" "$idx/t10k-labels-idx1-ubyte.gz"; do
    [ -f "$file" ] || { echo "no $file: skipped"; exit 77; }
done

it 'the file is a compiled model with one input and one output'
exits 0 kfrun check "$model"
prints '^compiled yes$'
input=$(awk '$1 == "input" { print $2 }' "$out")
output=$(awk '$1 == "output" { print $2 }' "$out")

it 'it has the accuracy and the loss that Keras computed'
exits 0 kfrun data import-idx --no-channel --output fashion.h5 \
    image="$idx/t10k-images-idx3-ubyte.gz" label="$idx/t10k-labels-idx1-ubyte.gz"
exits 0 kfrun evaluate "$model" fashion.h5 --map "$input=image" --map "$output=label" \
    --scale "$input=1/255"
prints '^loss 0\.3448$'
prints '^acc 0\.8767$'

finish
