#!/usr/bin/env bash
# The rooms of kf stand on each other in one direction only. This is the table; a file may also
# include its own room and the public headers. And each foreign library enters through one file.
set -euo pipefail
source=${1:?usage: includes.sh SOURCE_TREE}
cd "$source"

# room: what it may include beside itself; a room inside of another is not that one's
table='
core/base:
scheduler:  core/base/
ops:        core/base/
io:         core/base/
core/graph: core/base/ ops/op.h ops/attributes.h scheduler/
core/layers: core/base/ core/graph/
core/model: core/base/ core/graph/ core/layers/layer.h io/
core/train: core/base/ core/graph/ core/model/ io/
core/include:
tools:
tools/bench: tools/command/ ops/op.h ops/attributes.h scheduler/
'
foreign='cblas hdf5 jansson zlib omp'

# Lines "room file include" of all #include "…", with paths from the root; kf.h and kf/… are as
# they are.
list_includes() {
    local room=$1
    find "$room" -name '*.[ch]' -exec grep -HoE '^ *# *include *"[^"]+"' {} + |
        sed -E 's/^([^:]+): *# *include *"([^"]+)"$/\1 \2/' |
        while read -r file included; do
            case $included in
                kf.h | kf/*) ;;
                */*) if [ ! -e "$included" ] || [[ $included == ../* ]]; then
                         included=$(realpath -m --relative-to=. "$(dirname "$file")/$included")
                     fi ;;
                *) included=$(dirname "$file")/$included ;;
            esac
            printf '%s %s %s\n' "$room" "$file" "$included"
        done
}

failures=0 checked=0
while IFS=: read -r room allowed; do
    [ -n "$room" ] || continue
    while read -r _ file included; do
        [[ $room == tools && $file == tools/bench/* ]] && continue
        checked=$((checked + 1))
        for may in kf.h kf/ "$room/" $allowed; do
            [[ $included == "$may" || ($may == */ && $included == "$may"*) ]] && continue 2
        done
        printf '%s may not include %s\n' "$file" "$included"
        failures=$((failures + 1))
    done < <(list_includes "$room")
done <<<"$table"

for library in $foreign; do
    files=$(grep -rlE "^ *# *include *<$library\.h>" core scheduler ops io tools --include='*.[ch]' || true)
    if [ "$(wc -w <<<"$files")" -gt 1 ]; then
        printf '<%s.h> enters through more than one file:\n%s\n' "$library" "$files"
        failures=$((failures + 1))
    fi
done

printf '%d includes checked, %d wrong\n' "$checked" "$failures"
[ "$failures" -eq 0 ] && [ "$checked" -gt 0 ]
