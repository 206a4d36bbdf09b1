#!/bin/sh
# soak_test.sh - a short `mneme bench soak`: everything goes wrong for some seconds, nothing is
# lost, nothing is left behind, and the rows say so.
set -eu

work=$(mktemp -d "${TMPDIR:-/tmp}/mneme-soak-test-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/stores"

fail() {
    echo "soak_test: $*" >&2
    exit 1
}

"$MNEME_BINARY" bench soak --quick --json --seed 4 --dir "$work/stores" >"$work/rows" \
    2>"$work/errors" || fail "$(cat "$work/errors")"
[ -z "$(ls "$work/stores")" ] || fail "it leaves files behind"
python3 - "$work/rows" <<'END' || fail "see above"
import json, sys

rows = {}
for line in open(sys.argv[1], encoding="utf-8"):
    row = json.loads(line)
    assert row["bench"] == "soak", row
    rows.setdefault(row["case"], row["value"])
for kind in "kill", "restart", "full", "server down", "cut":
    assert rows["happened: " + kind] >= 1, kind
for call in "put", "step", "queued", "get":
    assert rows[call] > 0 and rows[call + ": p99"] <= rows[call + ": longest"], call
assert any(case.endswith(", server") for case in rows) or rows["server not to be reached"], rows
assert rows["writes acknowledged"] > 20 and rows["checked"] > 20, rows
assert rows["wrong"] == 0, rows
END

# The same seed gives the same course of events, and another seed another one.
course() {
    "$MNEME_BINARY" bench soak --minutes 0.02 --processes 2 --threads 1 --seed "$1" \
        --dir "$work/stores" 2>"$work/errors" | sed -n '3,/^--/p' | grep -v '^--' ||
        fail "$(cat "$work/errors")"
}
course 1 >"$work/one"
course 1 >"$work/two"
course 2 >"$work/other"
[ -s "$work/one" ] || fail "no course of events is printed"
cmp -s "$work/one" "$work/two" || fail "a seed gives two courses of events"
! cmp -s "$work/one" "$work/other" || fail "two seeds give one course of events"

refuse() {
    word=$1
    shift
    code=0
    "$MNEME_BINARY" bench "$@" >"$work/out" 2>"$work/errors" || code=$?
    [ "$code" -eq 2 ] || fail "bench $*: exit code $code"
    grep -q -- "$word" "$work/errors" || fail "bench $*: the message does not name $word"
}
refuse --minutes soak --minutes 0
refuse --minutes soak --minutes soon
refuse --minutes store --minutes 1
refuse --processes soak --processes 1
refuse --threads soak --threads 17
