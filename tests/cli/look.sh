#!/usr/bin/env bash
# kfrun check looks over models, weights and data.
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "$0")/check.sh"

train_mlp --save mlp.h5 --verbose 0 --optimizer adam >/dev/null || exit 1

it 'a model is described'
exits 0 kfrun check mlp.h5
prints '^model mlp$'
prints '^input x float32 \(None, 4\)$'
prints '^output y float32 \(None, 3\)$'
prints '^parameters 67$'
prints '^compiled yes$'
complains_about_nothing
exits 0 kfrun check "$models/two_outputs.json"
prints '^input b float32 \(None, 2\)$'
prints '^compiled no$'

it 'a model is described for machines'
exits 0 kfrun check mlp.h5 --json
prints '^\{"kind": "model", "name": "mlp", "layers": 3, "inputs": \[\{"name": "x", "dtype": "float32", "shape": \[null, 4\]\}\], "outputs": \[\{"name": "y", "dtype": "float32", "shape": \[null, 3\]\}\], "parameters": 67, "trainable": 67, "compiled": true\}$'

it 'weights alone are described'
exits 0 kfrun convert mlp.h5 weights.h5 --weights-only
exits 0 kfrun check weights.h5
prints '^weights of 3 layers, 4 arrays, Keras 2.2.4, tensorflow$'
prints '^dense_1/dense_1/kernel:0 +float32 +\(4, 8\) +in one piece, 128 bytes$'
complains_about_nothing
exits 0 kfrun check weights.h5 --json
prints '^\{"kind": "weights", "layers": 3, "weights": 4, "datasets": \[\{"name": "dense_1/dense_1/bias:0", '

it 'data are described: types, shapes, how they are stored'
exits 0 kfrun check good.h5
prints '^x +float32 +\(64, 4\) +chunks \([0-9]+, 4\), [0-9]+ bytes$'
prints '^y +int32 +\(64,\) +chunks'
complains_about_nothing
exits 0 kfrun check good.h5 --json
prints '^\{"kind": "data", "datasets": \[\{"name": "x", "dtype": "float32", "shape": \[64, 4\], "chunks": \[[0-9]+, 4\], "filters": "", "stored_bytes": [0-9]+, "rows_not_finite": 0, "is_data": true\}, '

it 'rows that are no numbers are named'
exits 3 kfrun check not_numbers.h5
prints '^y +int32'
complains '^kfrun: x: 2 of 64 rows hold numbers that are not finite: 5, 9$'
exits 3 kfrun check not_numbers.h5 --json
prints '"rows_not_finite": 2'

it 'arrays that do not belong together are pointed out, and a group is looked at alone'
exits 0 kfrun check groups.h5
complains "^kfrun: not one set of data: .*'test/x' has 32 rows but 'train/x' has 64"
exits 0 kfrun check groups.h5:test
prints '^x +float32 +\(32, 4\)'
complains_about_nothing
exits 3 kfrun check groups.h5:valid
complains "^kfrun: groups.h5: there is no '/valid' in the file"
prints_nothing

it 'a file that is none of these, or is not there, is refused'
exits 3 kfrun check images.idx
complains '^kfrun: images.idx is neither a Keras .h5 file nor JSON'
exits 4 kfrun check nowhere.h5
complains '^kfrun: cannot open nowhere.h5: '
head -c 3000 mlp.h5 >cut.h5
exits 3 kfrun check cut.h5
complains '^kfrun: .*cut.h5'
prints_nothing

if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    it 'what kf does not read is named with the reason, what is no data is passed over'
    /usr/bin/python3 - <<'END'
import h5py, numpy
f = h5py.File('others.h5', 'w')
f['x'] = numpy.ones((10, 2), 'f4')
f['names'] = ['a', 'b']
f['one'] = 3.0
f.create_dataset('zipped', data=numpy.ones((10, 2)), compression='lzf')
f['link'] = h5py.SoftLink('/x')
f['a"b'] = numpy.ones(10)
f.close()
f = h5py.File('mlp.h5', 'r+')
f['model_weights/y/y/kernel:0'][0, 0] = numpy.inf
f.close()
END
    exits 3 kfrun check others.h5
    prints '^x +float32'
    prints '^names +no data, passed over$'
    prints '^one +float64 .*; no data, passed over$'
    prints '^link +refused$'
    complains "'/link' is a soft link, which is not followed"
    complains "'/zipped' is stored through filter 32000 \\(lzf\\)"
    exits 3 kfrun check others.h5 --json
    holds /usr/bin/python3 -m json.tool "$out" /dev/null

    it 'a weight that is no number is named'
    exits 3 kfrun check mlp.h5
    complains '^kfrun: y/kernel:0: number 0 is inf'
    prints_nothing
fi

it 'data info is for machines, too'
exits 0 kfrun data info good.h5 --json
prints '^\[\{"name": "x", "dtype": "float32", "shape": \[64, 4\]\}, \{"name": "y", "dtype": "int32", "shape": \[64\]\}\]$'
exits 4 kfrun data info nowhere.h5 --json
prints_nothing

finish
