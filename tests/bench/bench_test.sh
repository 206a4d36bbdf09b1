#!/bin/sh
# bench_test.sh - every bench runs, in its smallest form, and prints what docs/bench.md promises:
# JSON lines of exactly nine members, a table that fits in 100 columns, nothing left behind. What
# the figures say is no matter here.
set -eu

work=$(mktemp -d "${TMPDIR:-/tmp}/mneme-bench-test-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/stores"

bench() {
    "$MNEME_BINARY" bench "$@"
}

fail() {
    echo "bench_test: $*" >&2
    exit 1
}

# The lines of one bench: each an object with the promised members, of the promised types.
check_json() {
    python3 - "$1" "$2" <<'END'
import json, math, sys

members = ["bench", "case", "value", "unit", "reference", "reference_value", "ratio", "goal",
           "holds"]
name, path = sys.argv[1:]
rows = [json.loads(line) for line in open(path, encoding="utf-8")]
assert rows, "no rows"
for row in rows:
    assert list(row) == members, row
    assert row["bench"] == name and row["case"] and row["unit"], row
    assert math.isfinite(row["value"]) and row["value"] >= 0, row
    assert (row["goal"] is None) == (row["holds"] is None), row
    if row["reference"] is None:
        assert row["reference_value"] is row["ratio"] is None, row
    elif row["reference_value"] > 0:
        assert math.isclose(row["ratio"], row["value"] / row["reference_value"]), row
    if row["goal"] is not None:
        sign, bound, *unit = row["goal"].split()
        assert unit in ([], [row["unit"]]), row
        figure = row["value"] if unit else row["ratio"]
        met = {">=": figure >= float(bound), "<=": figure <= float(bound)}
        assert row["holds"] is met[sign], row
assert len({(row["case"], row["reference"]) for row in rows}) == len(rows), "a case twice"
END
}

for name in store codec import cache remote sync metrics targets; do
    rows=$work/rows-$name
    bench "$name" --json --quick --rounds 1 --dir "$work/stores" >"$rows" 2>"$work/errors" ||
        fail "$name failed: $(cat "$work/errors")"
    check_json "$name" "$rows" || fail "$name: see above"
    [ -z "$(ls "$work/stores")" ] || fail "$name leaves files behind"
done

# Whether a row of that name, but for digits before it, is in the file $rows.
expect_row() {
    grep -q "\"case\":\"[0-9,]* *$1\"" "$rows" || fail "no row \"$1\""
}

# The rows of a server at both distances, and those of bytes and of an SQLite file.
rows=$work/rows-remote
for distance in "0 ms" "40 ms"; do
    for row in "episodes batched" "100 episodes a call" "point read, JSON" "point read, protobuf" \
        "single read, JSON" "single read, protobuf" \
        "uncached get" "uncached list of 20" \
        "64 threads read" "64 threads: longest wait" "64 threads put"; do
        expect_row "$row, $distance"
    done
done
for row in "episodes, JSON" "episodes, protobuf" "the dictionary, once a handle"; do
    expect_row "$row"
done
for row in "two reads: prepare" "two reads: all" "mixed load: hits"; do
    expect_row "SQLite file, $row"
done

# Those of sync: calls with each state of the remote, and the rest at both distances.
rows=$work/rows-sync
for call in "put" "get" "cached get"; do
    for state in "reachable" "40 ms away" "stalled" "down"; do
        expect_row "$call p50, $state"
        expect_row "$call p99, $state"
    done
done
for distance in "0 ms" "40 ms"; do
    for row in "episodes pushed" "episodes pulled" "a write seen elsewhere" \
        "seen elsewhere, p99"; do
        expect_row "$row, $distance"
    done
done
expect_row "one more step, pushed"

# Every target of the plan has its rows; those of calls at each place.
rows=$work/rows-targets
for place in "embedded" "0 ms" "40 ms"; do
    for row in "episodes batched" "patterns batched" "bulk insert: episodes" \
        "bulk insert: patterns" "p99: put" "p99: append step" "p99: complete" "p99: tag" \
        "p99: get, uncached" "p99: get, cached" "p99: get open episode" "p99: list, uncached" \
        "p99: list, cached" "p99: stats" "p99: delete" "p99: batch of 100"; do
        expect_row "$row, $place"
    done
done
for row in "episodes on the wire, JSON" "episode from the cache" "episode past the cache" \
    "episode that the cache has not" "reads of the hot tenth" "all look-ups" \
    "caches when all was read" "evictions in the second hour" "reads at work, 40 ms away, p50" \
    "reads at work, 40 ms away, p95" "reads at work, 40 ms away, p99" "statements found prepared" \
    "a preparation, p99" "queued until its commit" "mneme_flush of one queued write"; do
    expect_row "$row"
done

# When the group commit commits is no matter of speed: at the hundredth operation, and not before
# its time is up.
python3 - "$rows" <<'END' || fail "targets: commits come at other operations, or too early"
import json, sys

values = {row["case"]: row["value"] for row in map(json.loads, open(sys.argv[1], encoding="utf-8"))}
assert values["commit at operation, earliest"] == values["commit at operation, latest"] == 100
assert values["queued until its commit, least"] >= 100
assert values["commits when mneme_flush is done"] == 1
END

# Without real data, made-up episodes stand in, and the table says so.
MNEME_DATA_DIR=$work bench codec --quick --rounds 1 --dir "$work/stores" >"$work/table"
grep -q '^data: .*GENERATED' "$work/table" || fail "the table hides that its data is generated"
awk 'length($0) > 100 { exit 1 }' "$work/table" || fail "a line of the table is over 100 columns"

# So does the bench of the cache where there are no traces, whose rows it leaves out.
MNEME_DATA_DIR=$work bench cache --quick --rounds 1 --dir "$work/stores" >"$work/table"
grep -q 'LEFT OUT: .*OLTP' "$work/table" || fail "the table hides that there are no traces"
! grep -q '^OLTP' "$work/table" || fail "rows of a trace that is not there"

# A trace of the user's: of seven requests LRU hits one in a cache of two, the best policy three.
printf '1\n2\n3\n1\n2\n3\n3\n' >"$work/requests"
bench cache --trace "$work/requests" --capacity 2 --json >"$work/rows"
check_json cache "$work/rows" || fail "--trace: see above"
python3 - "$work/rows" <<'END' || fail "--trace: other hit rates than those counted by hand"
import json, sys

best, lru = [json.loads(line)["reference_value"] for line in open(sys.argv[1], encoding="utf-8")]
assert round(best * 7 / 100, 6) == 3 and round(lru * 7 / 100, 6) == 1, (best, lru)
END
bench cache --trace "$work/requests" >"$work/table"
grep -q '^trace: 7 requests for 3 keys' "$work/table" || fail "--trace does not say what it read"

# Generated episodes are always the same, and can be imported.
bench generate 50 >"$work/one.jsonl"
bench generate 50 >"$work/two.jsonl"
bench generate 50 --seed 2 >"$work/other.jsonl"
cmp -s "$work/one.jsonl" "$work/two.jsonl" || fail "generate gives other episodes the second time"
! cmp -s "$work/one.jsonl" "$work/other.jsonl" || fail "a seed makes no difference"
[ "$(wc -l <"$work/one.jsonl")" -eq 50 ] || fail "generate 50 gives another number of lines"
"$MNEME_BINARY" --store "$work/memory.mdb" import "$work/one.jsonl" >"$work/out" 2>&1 ||
    fail "generated episodes cannot be imported: $(cat "$work/out")"

# What cannot be understood is a usage error, exit code 2, with a sentence that names it.
refuse() {
    word=$1
    shift
    code=0
    bench "$@" >"$work/out" 2>"$work/errors" || code=$?
    [ "$code" -eq 2 ] || fail "bench $*: exit code $code"
    grep -q -- "$word" "$work/errors" || fail "bench $*: the message does not name $word"
}
refuse stroe stroe
refuse --fast store --fast
refuse --rounds store --rounds 0
refuse --rounds store --rounds many
refuse --dir store --dir
refuse generate generate
refuse extra store extra
refuse --trace cache --trace
refuse --trace store --trace "$work/requests"
refuse --capacity cache --trace "$work/requests" --capacity 0
refuse --capacity cache --capacity 5
refuse --url remote --url
refuse --url store --url http://127.0.0.1:1
refuse --url remote --url "$work/memory.mdb"
: >"$work/empty"
refuse "$work/empty" cache --trace "$work/empty"
