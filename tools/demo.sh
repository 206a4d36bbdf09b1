#!/bin/sh
# demo.sh - the main job of mneme, shown with the program that `make` built: record, import, query,
# show. Each command is printed before it runs. The store stays in build/demo/ to play with.
set -eu

cd "$(dirname "$0")/.."
store=build/demo/memory.mdb
data=${MNEME_DATA_DIR:-../shared/data}/tau-bench-airline.json

# Print a command as one would type it, then run it.
run() {
    printf '\n$'
    for word; do
        case $word in
        *[!A-Za-z0-9_./:=-]*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    "$@"
}

say() {
    printf '\n# %s\n' "$1"
}

rm -rf build/demo
mkdir -p build/demo
PATH=$PWD/build/release:$PATH
MNEME_STORE=$store
export PATH MNEME_STORE
printf '$ export PATH=$PWD/build/release:$PATH MNEME_STORE=%s\n' "$store"

say "A new store: one file."
run mneme init

say "An agent records what it does, step by step, and how it ended."
run mneme episode start --task "Fix the login timeout" --type debugging --domain web \
    --language python --tag urgent --meta project=shop | tee build/demo/output
id=$(grep -Eo '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' build/demo/output)
rm build/demo/output
run mneme episode step "$id" --tool grep --action search --latency-ms 12 \
    --params '{"pattern":"timeout","path":"auth/"}' --output "auth/session.py:41: timeout=3"
run mneme episode step "$id" --tool editor --action replace --latency-ms 180 \
    --params '{"file":"auth/session.py","line":41}' --output "timeout=30"
run mneme episode complete "$id" --outcome success --reward 1 \
    --insight "The session timeout was in seconds, not minutes."

say "And what it learned from that."
run mneme pattern put --type tool_sequence --name search-then-edit \
    --content '{"tools":["grep","editor"]}'

if [ -f "$data" ]; then
    say "200 real trajectories of an airline agent come in from a file."
    run mneme import --format tau-bench "$data"
else
    say "No $data here, so 200 generated episodes stand in for real ones."
    printf '\n$ mneme bench generate 200 > build/demo/episodes.jsonl\n'
    mneme bench generate 200 >build/demo/episodes.jsonl
    run mneme import --format jsonl build/demo/episodes.jsonl
fi

say "Query by time: the last hour, newest first."
run mneme query --since 1h --limit 5

say "Query by metadata."
run mneme query --meta project=shop

say "Query by type."
run mneme query --type debugging --limit 5

say "One episode, with its steps."
run mneme episode show "$id"

say "What the store holds."
run mneme stats

say "All of it is one file: $PWD/$store"
run ls -lh build/demo
