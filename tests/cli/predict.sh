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
