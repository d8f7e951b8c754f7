#!/usr/bin/env bash
# Bad input gets a clear message and its exit code, and nothing is lost.
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "$0")/check.sh"

train_mlp --save mlp.h5 --verbose 0 >/dev/null || exit 1
cp mlp.h5 kept.h5

it 'a model that is not there is an input/output error'
exits 4 kfrun summary nowhere.json
complains '^kfrun: cannot open nowhere.json: No such file'
exits 4 kfrun train nowhere.h5 good.h5
complains '^kfrun: .*nowhere.h5'

it 'text that is not JSON is a wrong model'
echo '{"class_name": "Model", ' >broken.json
exits 3 kfrun summary broken.json
complains '^kfrun: broken.json: '

it 'JSON that is not a model is a wrong model'
echo '[1, 2, 3]' >list.json
exits 3 kfrun summary list.json
complains '^kfrun: list.json: '

it 'bytes that are neither are a wrong model'
exits 3 kfrun summary images.idx
complains '^kfrun: images.idx is neither a Keras .h5 file nor JSON'

it 'an HDF5 file without a model is a wrong model'
exits 3 kfrun summary good.h5
complains '^kfrun: .*good.h5'

it 'an unknown layer is named'
sed 's/"class_name": "Dense"/"class_name": "Densse"/' "$models/mlp.json" >unknown.json
exits 3 kfrun summary unknown.json
complains '^kfrun: .*Densse'

it 'a wrong argument of a layer is named'
sed 's/"units": 8/"units": -8/' "$models/mlp.json" >negative.json
exits 3 kfrun summary negative.json
complains '^kfrun: .*dense_1.*units'

it 'a cyclic graph is refused'
sed 's/\["x", 0, 0, {}\]/["y", 0, 0, {}]/' "$models/mlp.json" >cyclic.json
exits 3 kfrun summary cyclic.json
complains '^kfrun: cyclic.json: '

it 'a layer that is connected to nothing known is refused'
sed 's/\["x", 0, 0, {}\]/["z", 0, 0, {}]/' "$models/mlp.json" >loose.json
exits 3 kfrun summary loose.json
complains '^kfrun: loose.json: .*z'

it 'an output that does not depend on an input of the model is refused'
sed 's/"input_layers": \[\["a", 0, 0\], \["b", 0, 0\]\]/"input_layers": [["a", 0, 0]]/' \
    "$models/two_outputs.json" >disconnected.json
exits 3 kfrun summary disconnected.json
complains '^kfrun: disconnected.json: '

it 'data without a field of the model say which is missing'
exits 3 kfrun evaluate mlp.h5 no_labels.h5
complains '^kfrun: .*\by\b'

it 'a dataset that the map names and the file lacks is named'
exits 3 kfrun evaluate mlp.h5 good.h5 --map x=nothing
complains '^kfrun: .*nothing'

it 'a group that is not there is named'
exits 3 kfrun evaluate mlp.h5 groups.h5:valid
complains '^kfrun: .*valid'

it 'a wrong shape names the input, what was expected and what came'
exits 3 kfrun train mlp.h5 wrong_shape.h5
complains '^kfrun: .*x.*\(4,\).*\(5,\)'

it 'a label out of range names row, value and range'
exits 3 kfrun train mlp.h5 wrong_label.h5 --save mlp.h5
complains '^kfrun: .*7.*row 13.*\[0, 3\)'
exits 3 kfrun evaluate mlp.h5 wrong_label.h5
complains '^kfrun: .*7.*row 13.*\[0, 3\)'

it 'unknown losses, metrics and optimizers are named'
exits 3 kfrun train "$models/mlp.json" good.h5 --loss guess
complains '^kfrun: .*guess'
exits 3 train_mlp --metrics luck
complains '^kfrun: .*luck'
exits 3 train_mlp --optimizer 'climb(lr=1)'
complains '^kfrun: .*climb'
exits 3 train_mlp --optimizer 'adam(speed=1)'
complains '^kfrun: .*speed'

it 'an unwritable path is found before training'
exits 4 train_mlp --save /proc/nowhere/out.h5
complains '^kfrun: cannot save to /proc/nowhere/out.h5: '
prints_nothing
mkdir folder
exits 4 train_mlp --save folder
complains '^kfrun: cannot save to folder: it is a folder'

it 'a loss that is no number ends with its own exit code and saves nothing'
exits 6 kfrun train "$models/two_outputs.json" two.h5 --loss mse --optimizer 'sgd(lr=1e30)' \
    --epochs 3 --save mlp.h5
complains '^kfrun: the loss of epoch [0-9] is -?(nan|inf)'
exits 0 cmp mlp.h5 kept.h5

# full_disk KILOBYTES COMMAND …
full_disk() { (ulimit -f "$1" && shift && "$@"); }
if [ -z "${TSAN_OPTIONS:-}" ]; then # the thread sanitizer itself needs large files
    it 'a full disk while saving is an input/output error'
    exits 4 full_disk 16 kfrun train "$models/wide.json" good.h5 --verbose 0 \
        --loss sparse_categorical_crossentropy --save mlp.h5
    complains '^kfrun: .*mlp.h5'

    it 'a full disk while importing is one too'
    exits 4 full_disk 1 kfrun data import-idx image=images.idx --output mlp.h5 --no-channel
    complains '^kfrun: '

    it 'the programs of these tests leave nothing on a full disk either'
    mkdir small
    exits 4 full_disk 1 make_data small
    holds test -z "$(ls -A small)"
fi

it 'and the old file is as it was, without any leftovers'
exits 0 cmp mlp.h5 kept.h5
holds test -z "$(find . -name '*mlp.h5?*')"

finish
