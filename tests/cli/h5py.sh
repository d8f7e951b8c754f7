#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "$0")/check.sh"

/usr/bin/python3 -c 'import h5py' 2>/dev/null || exit 77 # Debian's python3-h5py is not there

reads() { exits 0 /usr/bin/python3 "$KF_SOURCE/tests/cli/read_with_h5py.py" "$@"; }

it 'h5py reads every golden case that kf saves, as Keras lays files out'
n=0
for case in "$KF_SOURCE"/tests/conformance/cases/*.h5; do
    n=$((n + 1))
    [ $((n % 8)) -eq 0 ] || continue
    case $case in */weights_only__*) continue ;; esac # no model in them
    exits 0 kfrun convert "$case" "saved-$n.h5"
done
reads saved-*.h5
rm -f saved-*.h5

it 'h5py reads weights alone'
exits 0 kfrun convert "$KF_SOURCE/tests/conformance/cases/class_weight__v_binary_crossentropy.h5" weights.h5 --weights-only
reads weights.h5

finish
