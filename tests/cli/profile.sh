#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "$0")/check.sh"

inception=$KF_SOURCE/tools/examples/inception.json

it 'the table has a row per node with its columns, and the totals'
exits 0 kfprof "$models/mlp.json" --random --steps 3
prints '^node +direction +calls +total +mean +share +GFLOP/s +worker'
prints '^dense_1 +forward +[0-9]+ '
prints '^dense_1 +backward +[0-9]+ '
prints '^dense_1 +update +[0-9]+ '
prints '^steps +3, by [0-9]+ worker'
for total in 'work per step' 'span per step' 'achieved parallelism' 'planned peak'; do
    prints "^$total +[0-9]"
done
complains_about_nothing

it 'shares add up to the whole'
exits 0 kfprof "$models/mlp.json" --random --steps 3 --top 0
holds awk '/%/ && $1 != "node" { for (i = 1; i <= NF; i++) if ($i ~ /^[0-9.]+%$/) sum += $i }
    END { exit !(sum > 98 && sum < 102) }' "$out"

it 'inference has no backward and no update'
exits 0 kfprof "$models/mlp.json" --random --inference
prints '^dense_1 +forward '
holds test "$(grep -cE 'backward|update' "$out")" -eq 0

it 'data of a file drive the steps'
exits 0 kfprof "$models/mlp.json" good.h5 --batch-size 16 --steps 2
prints '^steps +2,'

it '--top shows the largest only'
exits 0 kfprof "$models/mlp.json" --random --top 2
prints '^… and [0-9]+ more'

it '--memory lists what the step takes, and the marked pile adds up to the arena'
exits 0 kfprof "$inception" --random --batch-size 8 --steps 1 --memory --top 3
prints '^arena +[0-9.]+ MiB$'
prints '^  step after step +[0-9]'
for total in 'scratch of [0-9]+ workers?' weights "optimizer's state" batch; do
    prints "^$total +[0-9]"
done
prints '^ +size +from +to +node +direction +op +shape +last read by$'
prints '^\* .* MiB +[0-9]+ +[0-9]+ +tower_'
holds awk '
    function mebibytes(size, unit) { return unit == "MiB" ? size : size / 1024 }
    $1 == "arena" { arena = mebibytes($2, $3) }
    $1 == "*" { pile += mebibytes($2, $3); lines++ }
    END { exit !(lines > 1 && pile > 0.99 * arena && pile < 1.01 * arena) }' "$out"
complains_about_nothing

it 'DATA and --random exclude each other, and one is needed'
exits 2 kfprof "$models/mlp.json"
complains '^kfprof: give either DATA or --random'
exits 2 kfprof "$models/mlp.json" good.h5 --random

it 'a trace that cannot be written is an input/output error'
exits 4 kfprof "$models/mlp.json" --random --trace /proc/nowhere/trace.json
complains '^kfprof: cannot write /proc/nowhere/trace.json'

export KF_OVERSUBSCRIBE=1

it 'the trace holds events of Chrome with names, times and workers'
exits 0 kfprof "$inception" --random --batch-size 8 --steps 5 --threads 2 --trace trace.json
holds grep -q '"traceEvents":\[' trace.json
holds grep -qE '^\{"ph":"X","pid":1,"tid":[0-9]+,"ts":[0-9.]+,"dur":[0-9.]+,"name":"tower_1_3x3","cat":"forward"' trace.json
if command -v jq >/dev/null; then
    holds jq -e '.traceEvents | length > 100' trace.json >/dev/null
fi

it 'two towers of the Inception block overlap in time on two workers'
# every pair of events of different towers on different workers: does one start inside the other?
overlap() {
    tr ',{}' '   ' <"$1" | awk '
        function field(key,   i) {
            for (i = 1; i <= NF; i++)
                if (index($i, "\"" key "\":") == 1) return substr($i, length(key) + 4)
            return ""
        }
        /"ph":"X"/ {
            name = field("name"); gsub(/"/, "", name)
            if (name !~ /^tower_[123]/) next
            n++
            tower[n] = substr(name, 7, 1); worker[n] = field("tid")
            start[n] = field("ts") + 0; end[n] = start[n] + field("dur")
        }
        END {
            for (i = 1; i <= n; i++)
                for (j = i + 1; j <= n; j++)
                    if (tower[i] != tower[j] && worker[i] != worker[j] &&
                        start[i] < end[j] && start[j] < end[i]) exit 0
            exit 1
        }'
}
holds overlap trace.json

it 'one worker cannot overlap with itself: the test above can fail'
exits 0 kfprof "$inception" --random --batch-size 8 --steps 2 --threads 1 --trace alone.json
if overlap alone.json; then complain 'an overlap on one worker'; fi

it '--simulate tells what other numbers of workers would make of the step'
exits 0 kfprof "$inception" --random --batch-size 8 --steps 3 --threads 1 --simulate 1,2,128
prints '^workers +step +speed-up +efficiency +bound +of bound$'
prints '^1 .* 1\.00 '
prints '^2 '
prints '^128 '
prints '^what 128 workers would wait for$'
# replayed on as many workers as were measured, the step takes as long as its work
replayed() {
    awk '/^work per step/ { work = $4 } $1 == 1 { step = $2 }
         END { exit !(step >= work * 0.99 && step <= work * 1.2) }' "$1"
}
holds replayed "$out"
exits 2 kfprof "$models/mlp.json" --random --simulate 1,x
complains "--simulate: .*got 'x'"
exits 2 kfprof "$models/mlp.json" --random --simulate 0
exits 2 kfprof "$models/mlp.json" --random --simulate '1;2'

finish
