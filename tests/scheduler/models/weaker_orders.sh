#!/usr/bin/env bash
# Each memory order that the README's argument leans on, made weaker one at a time: its model must
# fail then. weaker_orders.sh SOURCE COMPILER RELACY
set -u
source=$1 compiler=$2 relacy=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
interleavings=200000
failures=0

# try MODEL FILE FROM TO: FROM (a basic regular expression) occurs in FILE, and TO for it is noticed.
try() {
    local model=$1 file=$2 from=$3 to=$4
    rm -rf "$work/scheduler"
    cp -r "$source/scheduler" "$work"
    sed -i "s/$from/$to/" "$work/scheduler/$file"
    if cmp -s "$source/scheduler/$file" "$work/scheduler/$file"; then
        echo "FAILED: $file has no '$from'"
    elif ! "$compiler" -std=c++17 -O1 -w -I "$source/tests/scheduler/models" -I "$work" \
        -I "$source" -I "$source/core/include" -I "$relacy" \
        "$source/tests/scheduler/models/$model.cpp" -o "$work/model"; then
        echo "FAILED: $file with '$to' does not compile"
    elif "$work/model" $interleavings >"$work/log" 2>&1; then
        echo "FAILED: $model does not notice '$to' in $file"
    else
        echo "noticed: $file: $to"
        return
    fi
    failures=$((failures + 1))
}

r=memory_order_relaxed
try ready_set ready_set.c '~bit, memory_order_acq_rel) & bit' "~bit, $r) \\& bit"
try ready_set ready_set.c 'words\[word\], mask, memory_order_seq_cst' "words[word], mask, $r"
try ready_set ready_set.c 'if (first_word(set, group, memory_order_seq_cst, &bits) < 0) return true;' 'return true;'
try loop loop.c '(uint32_t)n_chunks, memory_order_release' "(uint32_t)n_chunks, $r"
try loop node.h 'claims, 1, memory_order_acquire' "claims, 1, $r"
try loop node.h 'n_done, memory_order_acq_rel' "n_done, $r"
try loop node.h 'waiting, 1, memory_order_acq_rel' "waiting, 1, $r"
try loop node.h 'waiting, memory_order_acquire' "waiting, $r"
try run gate.h 'KFI_GATE_OPEN, memory_order_release' "KFI_GATE_OPEN, $r"
try run gate.h '1, memory_order_acquire) & KFI_GATE_OPEN' "1, $r) \\& KFI_GATE_OPEN"
try run gate.h '1, memory_order_release' "1, $r"
try run gate.h 'memory_order_acquire) != 0' "$r) != 0"
try run park.c 'parked, bit, memory_order_seq_cst' "parked, bit, memory_order_acq_rel"
try run park.c 'searching, ~bit, memory_order_seq_cst' "searching, ~bit, memory_order_acq_rel"
try run park.h 'searching, memory_order_seq_cst' "searching, $r"
try run park.c 'parked, memory_order_seq_cst) & seats' "parked, $r) \\& seats"
try run park.c '^        wake_sleeper(asleep);' ''
try run ready_set.h 'top, memory_order_seq_cst' "top, $r"
[ $failures -eq 0 ]
