#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "$0")/check.sh"

train_mlp --save mlp.h5 --verbose 0 >/dev/null || exit 1

it 'predict writes one dataset per output, a row per sample'
exits 0 kfrun predict "$models/two_outputs.json" two.h5 --output two_out.h5
prints_nothing
exits 0 kfrun data info two_out.h5
prints '^main +float32 +\(64, 1\)$'
prints '^aux +float32 +\(64, 2\)$'

it 'predict needs no labels'
exits 0 kfrun predict mlp.h5 no_labels.h5 --output y.h5
exits 0 kfrun data info y.h5
prints '^y +float32 +\(64, 3\)$'

it 'the batch size does not change how many rows come out'
exits 0 kfrun predict mlp.h5 no_labels.h5 --output y.h5 --batch-size 7
exits 0 kfrun data info y.h5
prints '^y +float32 +\(64, 3\)$'

it 'weights may come from a file of their own'
exits 0 kfrun predict "$models/mlp.json" no_labels.h5 --weights mlp.h5 --output w.h5
exits 0 kfrun predict mlp.h5 no_labels.h5 --output m.h5
exits 0 cmp w.h5 m.h5

it 'weights are loaded by name, and what stays as it was is named'
sed 's/"y"/"z"/g' "$models/mlp.json" >other.json
exits 0 kfrun convert other.json z.h5 --weights mlp.h5 --by-name
complains '^kfrun: warning: the file has no weights for, which keep theirs: z$'
complains "^kfrun: warning: the model has no layers for the file's weights of: y\$"
sed 's/"units": 8/"units": 9/' "$models/mlp.json" >wider.json
exits 3 kfrun convert wider.json wider.h5 --weights mlp.h5 --by-name
complains 'Layer #0 \(named "dense_1"\), weight dense_1/kernel:0 has shape \(4, 9\)'
exits 0 kfrun convert wider.json wider.h5 --weights mlp.h5 --by-name --skip-mismatch
complains 'Skipping loading of weights for layer dense_1 due to mismatch in shape \(dense_1/kernel:0: \(4, 9\) vs \(4, 8\)\)'
exits 2 kfrun convert wider.json wider.h5 --weights mlp.h5 --skip-mismatch
complains '--skip-mismatch needs --by-name'
exits 2 kfrun convert wider.json wider.h5 --by-name
complains 'need --weights'

it 'predict without --output is a wrong usage'
exits 2 kfrun predict mlp.h5 good.h5
complains 'give --output'

it 'a failed prediction leaves no file and keeps the old one'
cp m.h5 old.h5
exits 3 kfrun predict mlp.h5 wrong_shape.h5 --output old.h5
exits 0 cmp m.h5 old.h5
exits 3 kfrun predict mlp.h5 wrong_shape.h5 --output new.h5
holds test ! -e new.h5

it 'summary prints the table of layers'
exits 0 kfrun summary mlp.h5
prints 'dense_1 \(Dense\) +\(None, 8\) +40'
prints 'Total params: 67'
exits 0 kfrun summary "$models/two_outputs.json"
prints 'concatenate_1'

it 'summary --json prints an architecture that can be read again'
exits 0 kfrun summary --json mlp.h5
cp "$out" again.json
exits 0 kfrun summary again.json
prints 'Total params: 67'

finish
