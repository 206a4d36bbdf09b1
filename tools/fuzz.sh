#!/bin/sh
# fuzz.sh SECONDS - runs each target of the fuzz preset for so long, starting from its corpus. New
# inputs go to build/fuzz/corpus/, crashes to build/fuzz/crashes/; fails when there was one.
set -eu

cd "$(dirname "$0")/.."
found=0
for target in build/fuzz/fuzz/*_fuzz; do
    name=$(basename "$target" _fuzz)
    mkdir -p "build/fuzz/corpus/$name" build/fuzz/crashes
    echo "== $name"
    "$target" -max_total_time="$1" -max_len=65536 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="build/fuzz/crashes/$name-" \
        "build/fuzz/corpus/$name" "fuzz/corpus/$name" || found=1
done
exit $found
