#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "$0")/check.sh"

it 'data info lists names, types and shapes'
exits 0 kfrun data info good.h5
prints '^x +float32 +\(64, 4\)$'
prints '^y +int32 +\(64,\)$'

it 'data info lists one group'
exits 0 kfrun data info groups.h5:test
prints '^x +float32 +\(32, 4\)$'
exits 0 kfrun data info groups.h5 --group train
prints '^x +float32 +\(64, 4\)$'

it 'data info lists arrays of several lengths'
exits 0 kfrun data info groups.h5
prints '^test/x +float32 +\(32, 4\)$'
prints '^train/y +int32 +\(64,\)$'

it 'data info of a file that is not there is an input/output error'
exits 4 kfrun data info nowhere.h5
complains '^kfrun: .*nowhere.h5'

it 'data info of something else is wrong data'
exits 3 kfrun data info images.idx
complains '^kfrun: .*images.idx'

it 'idx files become datasets, images with a channel'
exits 0 kfrun data import-idx image=images.idx label=labels.idx --output images.h5
exits 0 kfrun data info images.h5
prints '^image +uint8 +\(64, 6, 6, 1\)$'
prints '^label +uint8 +\(64,\)$'

it 'images stay without a channel if asked'
exits 0 kfrun data import-idx image=images.idx --no-channel --output flat.h5
exits 0 kfrun data info flat.h5
prints '^image +uint8 +\(64, 6, 6\)$'

it 'gzip files are read as they are'
gzip -k images.idx labels.idx
exits 0 kfrun data import-idx train/image=images.idx.gz train/label=labels.idx.gz --output zipped.h5
exits 0 kfrun data info zipped.h5:train
prints '^image +uint8 +\(64, 6, 6, 1\)$'

it 'a cut idx file is refused, and no output appears'
exits 3 kfrun data import-idx image=cut.idx --output cut.h5
complains '^kfrun: .*cut.idx'
holds test ! -e cut.h5

it 'a missing idx file is an input/output error'
exits 4 kfrun data import-idx image=gone.idx --output gone.h5
complains '^kfrun: .*gone.idx'
holds test ! -e gone.h5

it 'an unwritable output is an input/output error'
exits 4 kfrun data import-idx image=images.idx --output /proc/nowhere/out.h5
complains '^kfrun: .*/proc/nowhere/out.h5'

it 'usage errors are explained'
exits 2 kfrun data import-idx image=images.idx
complains 'give --output'
exits 2 kfrun data import-idx images.idx --output o.h5
complains "expected NAME=FILE; got 'images.idx'"
exits 2 kfrun data export
complains "unknown command 'data export'"

finish
