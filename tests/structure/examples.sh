#!/usr/bin/env bash
# The C examples in README.md and in the public headers compile without a warning; those that are
# whole programs run and succeed. An example is what stands between ```c and ```; in a header,
# behind the comment's " * ". One without main is taken as the body of a function that has a graph
# `g`.
#   examples.sh SOURCE_TREE LIBRARY_FOLDER COMPILER [FLAG …]
set -euo pipefail
source=$1 libraries=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The examples of a file, as $work/PREFIX_1.body …
extract() {
    sed -E 's/^ \* ?//' "$1" | awk -v prefix="$work/$2" '
        /^```c$/ { inside = 1; file = prefix "_" ++n ".body"; next }
        /^```$/ { inside = 0 }
        inside { print > file }'
}

extract "$source/README.md" README
for header in "$source"/core/include/kf.h "$source"/core/include/kf/*.h; do
    extract "$header" "$(basename "$header" .h)"
done

count=0 failures=0
for body in "$work"/*.body; do
    [ -e "$body" ] || break
    count=$((count + 1))
    name=$(basename "$body" .body)
    program=${body%.body}
    if grep -q '\bmain *(' "$body"; then
        cp "$body" "$program.c"
    else
        printf '#include <kf.h>\nint main(void) {\nkf_graph *g = kf_graph_new();\n' >"$program.c"
        printf 'if (g == NULL) return 1;\n{\n' >>"$program.c"
        cat "$body" >>"$program.c"
        printf '}\nkf_graph_free(g);\nreturn 0;\n}\n' >>"$program.c"
    fi
    if ! "$@" -std=c11 -Wall -Wextra -pedantic -Werror -Wno-unused-variable \
        -Wno-unused-but-set-variable -I"$source/core/include" "$program.c" -o "$program" \
        -L"$libraries" -Wl,-rpath,"$libraries" -lkf; then
        printf 'FAILED: %s does not compile\n' "$name"
        failures=$((failures + 1))
    elif grep -q '\bmain *(' "$body" && ! (cd "$work" && "$program"); then
        printf 'FAILED: %s does not run\n' "$name"
        failures=$((failures + 1))
    fi
done
printf '%d examples, %d failed\n' "$count" "$failures"
[ "$failures" -eq 0 ] && [ "$count" -gt 0 ]
