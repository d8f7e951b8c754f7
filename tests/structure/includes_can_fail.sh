#!/usr/bin/env bash
# A tree with one include against the direction, one in the right direction, and one library that
# enters twice: includes.sh must find the two that are wrong.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{core/{base,graph,layers,model,train,include},scheduler,ops,io,tools/bench}
cd "$tree"
touch core/graph/graph.h core/base/shape.h
echo '#include "core/graph/graph.h"' >ops/relu.c
echo '#include "core/base/shape.h"' >core/graph/graph.c
printf '#include <zlib.h>\n#include "kf.h"\n' | tee io/idx.c >io/gzip.c
if bash "$here/includes.sh" "$tree" >found; then
    echo 'the wrong includes were not found'
    exit 1
fi
grep -q '^ops/relu.c may not include core/graph/graph.h$' found
grep -q '^<zlib.h> enters through more than one file' found
grep -q '^4 includes checked, 2 wrong$' found || { cat found; exit 1; }
