#!/usr/bin/env bash
# The benchmarks, a moment each and without their peers: do they run, and do they say what they
# measured? The numbers themselves are no test.
# shellcheck source-path=SCRIPTDIR source=check.sh
. "$(dirname "$0")/check.sh"

# A peer that answers as torch_cases.py does, or one that cannot.
cat >peer <<'EOF'
#!/bin/sh
echo 'ready import_mb=12.5'
while read -r question seconds; do
    case $question in train) echo 'ms=8' ;; infer) echo 'ms=2' ;; esac
done
EOF
printf '#!/bin/sh\necho "no such library" >&2\nexit 1\n' >broken
chmod +x peer broken
quick=(--rounds 1 --seconds 0)

it 'a model is measured: a row with its times, memory and part of the peak'
exits 0 bench-models "${quick[@]}" --no-peer a32
prints '^kf [0-9.]+, SIMD [a-z0-9]+, BLAS .*, [0-9]+ workers$'
prints '^[0-9]+ threads: [0-9]+ GFLOP/s of multiply-adds$'
prints '^\| a32 +\| +[0-9.]+ ±0 % \| +- \| +- \| +[0-9.]+ ±0 % \| +- \| +- \| +[0-9]+ \|'
complains_about_nothing

it 'a peer stands beside it, with the ratio of the medians'
exits 0 bench-models --rounds 2 --seconds 0 --peer ./peer a32
prints '^\| a32 .* 8\.00 ±0 % \| .* 2\.00 ±0 % \| .* \([0-9]+\) \|'

it 'JSON has one object for each case and every member'
exits 0 bench-models "${quick[@]}" --peer ./peer --json a32 a128
prints '^\[$'
prints '^\{"case": "a32", .*\},$'
prints '^\{"case": "a128", .*\}$'
prints '^\]$'
for member in train_ms train_peer_ms train_ratio infer_ms infer_peer_ms infer_ratio rss_mb \
    peer_rss_mb planned_peak_mb percent_of_peak train_spread_percent; do
    prints "\"$member\": [0-9.e+-]+"
done
complains '^kf [0-9.]+, SIMD '

it 'without a peer its members are null'
exits 0 bench-models "${quick[@]}" --no-peer --json a32
prints '"train_peer_ms": null, "train_ratio": null'

it 'a peer that does not start is named, and kf is measured all the same'
exits 3 bench-models "${quick[@]}" --peer ./broken a32
prints '^\| a32 +\| +[0-9.]+ ±0 %'
complains '^no such library$'
complains "^bench-models: case a32: PyTorch's program has failed$"

it 'a case that there is not is wrong usage, and so is no word about the peer'
exits 2 bench-models --no-peer a33
complains "^bench-models: no case 'a33'"
exits 2 bench-models a32
complains '^bench-models: give --peer FILE or --no-peer'

it 'the start of a program is timed'
exits 0 bench-models --no-peer start
prints '^start: load an MLP, predict a batch, exit: [0-9.]+ ms ±[0-9]+ %$'

it 'every op is measured over its examples'
exits 0 bench-ops --seconds 0 --no-peer softmax softmax_gradient
prints '^\| softmax +\| large +\| +[0-9.]+ \| +- \| +- \| +[0-9.]+ \| +[0-9]+ % \| +[0-9.]+ \| +[0-9]+ % \|$'
prints '^\| softmax_gradient +\|'

it 'the shapes of the models are measured, too'
exits 0 bench-ops --seconds 0 --no-peer --reference --json lstm lstm_gradient
prints '^\{"op": "lstm", "shape": "512-32 and products, 100 steps, batch 32", "ms": [0-9.e+-]+, "peer_ms": null'
prints '^\{"op": "lstm_gradient", '

it 'an op that there is not is wrong usage'
exits 2 bench-ops --no-peer softmaxx
complains "^bench-ops: there is no op 'softmaxx'$"

it 'convolutions go every way, and what the choice loses is said'
exits 0 bench-ops --ways --seconds 0 '3x3 1-32 @28'
prints '^\| conv_data_gradient +\| 3x3 1-32 @28, batch 32 +\|( +[0-9.]+ \|){5} +[0-9.]+ % \|$'
prints '^the choice loses [0-9.]+ % in the mean, [0-9.]+ % at worst$'
exits 2 bench-ops --ways '3x3 1-32'
complains "^bench-ops: there is no convolution '3x3 1-32'$"

it "kf's executors are measured"
exits 0 bench-scheduler --seconds 0 --no-peer shapes waste
prints '^\| +\| +\| +kf steal \| +kf omp \| +kf serial \| +reach \| +missed \|$'
prints '^\| chain 4096 +\| ns/step +\| +[0-9.]+ \| +[0-9.]+ \| +[0-9.]+ \| +4\.5 \| +[0-9.]* \|$'
prints '^\| recording a step '

it 'a run on the work-stealing executor allocates nothing'
exits 0 bench-scheduler --seconds 0 --no-peer waste
prints '^\| allocations in a run +\| +\| +(0\.0|-) \|'

it 'virtual workers stand beside real ones, and what is off is said'
exits 0 bench-simulate --rounds 1 --steps 2 --within 1e6 a32
prints '^\| a32 +\| +1 \| +[0-9.]+ \| +[0-9.]+ \| +[-+][0-9.]+ \| +[0-9.]+ \| +[-+][0-9.]+ \|$'
exits 3 bench-simulate --rounds 1 --steps 2 --within 0 a32
complains '^bench-simulate: a32 on 1 worker: the replay is off by -?[0-9.]+ %$'
exits 2 bench-simulate a33
complains "^bench-simulate: no case 'a33'$"

it 'a group that there is not is wrong usage'
exits 2 bench-scheduler --no-peer shape
complains "^bench-scheduler: there is no group 'shape'$"

finish
