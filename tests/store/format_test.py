#!/usr/bin/env python3
"""docs/format.md is true: stores are read with what it says, and compared with what mneme says."""
import datetime
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cli_case import BINARY, CliCase
from format_reader import Damaged, Page, Store, fields, stamps

SOURCE = pathlib.Path(os.environ["MNEME_SOURCE_DIR"])
PAGE = Page((SOURCE / "docs/format.md").read_text())
EPISODE = "01890a5d-ac96-774b-bcce-b302099a8057"
OTHERS = [
    {"kind": "episode", "id": EPISODE, "task": "long ago", "start": "1969-12-31T23:59:59.999999Z",
     "extra": {"trial": 0}, "reward": {"total": 0}, "metadata": {"x": "y" * 65},
     "end": "2026-11-21T08:00:00Z", "outcome": {"kind": "failure", "completed": ["", "two"]},
     "messages": [{"role": "user", "after_step": 2}], "steps": [
         {"number": 3, "time": "2026-11-21T08:00:00Z", "latency_ms": 0, "parameters": "not json"},
         {"number": 4, "time": "2026-11-21T07:00:00Z", "metadata": {"a": "b"}}]},
    {"kind": "pattern", "type": "tool_sequence", "name": "look first", "content": [1.0, "x"],
     "success_rate": 0.75, "occurrences": 300, "effectiveness": {"retrieved": 1, "success": 3,
                                                                 "reward_delta": -0.5},
     "context": {"language": "c", "complexity": "simple"}, "tags": ["a", "b"],
     "metadata": {"k" * 70: "v" * 70, "empty": ""}},
    {"kind": "heuristic", "condition": "if", "action": "then", "confidence": 0.5,
     "evidence": [EPISODE, EPISODE]},
    {"kind": "relation", "type": "caused", "from": EPISODE, "from_kind": "episode", "to": EPISODE,
     "to_kind": "pattern", "weight": 0.25},
    *({"kind": "embedding", "subject": EPISODE, "subject_kind": "episode", "model": "m",
       "stored_as": form, "values": [0.5, -1, 0.25]} for form in ("f32", "f16", "i8")),
    {"kind": "checkpoint", "episode": EPISODE, "step": 1, "note": "here", "state": {"n": 1}},
]


def time_text(time_us):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=time_us)
    return moment.isoformat() + "Z"


class Format(CliCase):
    def fill(self, compression="none"):
        """A store with something of everything."""
        self.environment["MNEME_COMPRESSION"] = compression
        generated = subprocess.run([BINARY, "bench", "generate", "80"], capture_output=True,
                                   check=True).stdout
        self.good("import", "-", "--format", "jsonl", stdin=generated)
        if compression == "dictionary":
            self.good("train")
            self.good("import", "-", "--format", "jsonl", stdin=subprocess.run(
                [BINARY, "bench", "generate", "20", "--seed", "7"], capture_output=True,
                check=True).stdout)
        self.good("import", "-", "--format", "jsonl",
                  stdin="".join(json.dumps(record) + "\n" for record in OTHERS))
        open_id = self.start("Not done yet", "--tag", "open")
        for tool in ("grep", "edit"):
            self.good("episode", "step", open_id, "--tool", tool, "--output", "x" * 5000)
        self.good("episode", "delete", self.start("to be deleted"))
        return self.read()

    def read(self):
        return Store(self.store, PAGE)

    def exported(self):
        """All records as mneme says they are; steps stand in their episodes."""
        return self.good("export").lines

    def as_json(self, table, message):
        """A decoded message with the values that JSON has for it."""
        out = {}
        for name, kind, _ in PAGE.tables[table].values():
            if name not in message:
                continue
            value = message[name]
            if kind.endswith("time"):
                value = time_text(value)
            elif kind in ("id", "step id"):
                value = str(uuid.UUID(bytes=value))
            elif kind == "ids":
                value = [str(uuid.UUID(bytes=one)) for one in value]
            elif kind == "text (a JSON object)":
                value = json.loads(value)
            elif kind in ("messages pair", "messages part"):
                value = {one.get("name", ""): one.get("value", "" if "pair" in kind else 0)
                         for one in value}
            elif kind.startswith("messages"):
                value = [self.as_json(kind.split()[1], one) for one in value]
            elif kind.startswith("message"):
                value = self.as_json(kind.split()[1], value)
            out[name] = value
        return out

    def assert_same(self, told, read, where):
        if isinstance(told, dict) and isinstance(read, str):
            read = json.loads(read)
        if isinstance(told, dict):
            told = {name: value for name, value in told.items() if value != 0 or name in read}
            self.assertEqual(set(told), set(read), where)
            for name in told:
                self.assert_same(told[name], read[name], f"{where}.{name}")
        elif isinstance(told, list):
            read = json.loads(read) if isinstance(read, str) else read
            self.assertEqual(len(told), len(read), where)
            for i, (one, other) in enumerate(zip(told, read)):
                self.assert_same(one, other, f"{where}[{i}]")
        elif isinstance(told, float) and isinstance(read, float):
            self.assertTrue(math.isclose(told, read, rel_tol=1e-6), (where, told, read))
        elif where.endswith(("time", "end", "start", "created")):
            self.assertEqual(datetime.datetime.fromisoformat(told[:-1]),
                             datetime.datetime.fromisoformat(read[:-1]), where)
        else:
            self.assertEqual(told, read, where)

    def check_record(self, store, told):
        kind = next(number for number, name in PAGE.kinds.items() if name == told["kind"])
        record = store.records[uuid.UUID(told["id"]).bytes + bytes([kind])]
        read = self.as_json(told["kind"], store.decode(record))
        self.assertEqual(told["version"], f"{record.clock:016x}-{record.device:016x}")
        header = {"kind": told["kind"], "id": told["id"], "version": told["version"]}
        time_name = next(name for name in ("start", "created", "time") if name in told)
        header[time_name] = time_text(record.time_us)
        if record.parent:
            header["episode"] = str(uuid.UUID(bytes=record.parent))
        if "stored_as" in told:
            header["stored_as"] = told["stored_as"]
        if "steps" in told and "steps" not in read:
            steps = sorted((r for r in store.records.values() if r.kind == 2 and
                            r.parent == record.id), key=lambda r: r.place)
            header["steps"] = [self.as_json("step", store.decode(step)) for step in steps]
        self.assert_same(told, {**read, **header}, told["kind"])

    def check_store(self, store):
        """Everything that the page says of a whole store."""
        exported = self.exported()
        for told in exported:
            self.check_record(store, told)
        for record in store.records.values():
            self.assertEqual(record.attributes, store.expected_attributes(record))
        live = [record for record in store.records.values() if not record.flags & 1]
        self.assertEqual(len([r for r in live if r.kind not in (2, 8)]),
                         len(exported))
        self.assertEqual(set(store.index()),
                         set().union(*(record.index_keys() for record in store.records.values())))
        self.assertEqual(list(store.index()), sorted(store.index()))
        self.assertEqual({int.from_bytes(key, "big"): (value[0], value[1:])
                          for key, value in store.tables["changes"]},
                         {record.change: (record.kind, record.id)
                          for record in store.records.values()})
        self.assertEqual(store.last_change, max(r.change for r in store.records.values()))
        for kind in range(10):
            mine = [record for record in live if record.kind == kind]
            dead = [r for r in store.records.values() if r.kind == kind and r.flags & 1]
            self.assertEqual(store.counts[kind],
                             [len(mine), len(dead), sum(len(r.packed) for r in mine),
                              sum(r.plain_size for r in mine)])

    def test_store__is_what_the_page_says(self):
        store = self.fill()
        self.check_store(store)
        self.assertEqual(store.format, 2)
        self.assertEqual({record.packed[0] for record in store.records.values() if record.packed},
                         {0})
        self.assertEqual({record.kind for record in store.records.values()}, {1, 2, 3, 4, 5, 6, 7})
        self.assertTrue(any(len(key) > 17 for key, _ in store.tables["records"]))
        self.assertTrue(any(record.flags & 1 for record in store.records.values()))

    def test_every_compression__is_what_the_page_says(self):
        for compression, byte in (("lz4", 1), ("gzip", 2), ("zstd", 3), ("dictionary", 4)):
            with self.subTest(compression=compression):
                store = self.fill(compression)
                self.check_store(store)
                self.assertIn(byte, {r.packed[0] for r in store.records.values() if r.packed})
                self.store.unlink()

    def test_marks__are_what_the_page_says(self):
        self.fill()
        remote = f"file:{self.directory}/remote.db"
        self.good("--remote", remote, "sync")
        store = self.read()
        self.assertEqual(store.shared, 1)
        state = store.sync_state()
        self.assertEqual(state["remote"], [remote])
        self.assertEqual(state["pushed"], [len([r for r in store.records.values()
                                                if not r.flags & 1])])
        self.assertEqual(state["phase"], [2])
        self.assertLess(abs(state["push_us"][0] / 1e6 - time.time()), 3600)
        clean, held = ({key for key, _ in store.tables[name]} for name in ("clean", "held"))
        self.assertEqual(clean, {key for key, r in store.records.items() if not r.flags & 1})
        self.assertEqual(held, set(store.records) - clean)
        self.assertEqual(store.tables["held"][0][1], b"deleted before it was shared")
        self.good("tag", "add", EPISODE, "new")
        store = self.read()
        key = uuid.UUID(EPISODE).bytes + b"\1"
        self.assertEqual([name for name, _ in store.tables["base"]], [key])
        self.assertNotIn(key, {name for name, _ in store.tables["clean"]})
        self.check_store(store)

    def test_merged_record__has_stamps_as_the_page_says(self):
        remote, here, there = f"file:{self.directory}/r.db", self.store, self.directory / "b.mdb"
        self.good("--remote", remote, "import", "-", "--format", "jsonl", stdin=PAGE.jsonl)
        for store in (here, there):
            self.good("--store", store, "--remote", remote, "sync")
        for store, tag in ((here, "a"), (there, "b")):
            self.good("--store", store, "tag", "add", EPISODE, tag)
        self.good("tag", "remove", EPISODE, "ci")
        for store in (here, there, here):
            self.good("--store", store, "--remote", remote, "sync")
        store = self.read()
        record = store.records[uuid.UUID(EPISODE).bytes + b"\1"]
        self.assertEqual(set(store.decode(record)["tags"]), {"a", "b"})
        [found] = [raw for number, raw in fields(store.plain(record)) if number == 60000]
        told, versions = stamps(found)
        self.assertIn((record.clock, record.device), versions)
        self.assertIn(11, told["lists"])
        self.assertEqual([key for key, *_ in told["lists"][11][2]], [b"ci"])
        self.check_store(store)

    def test_front__is_what_the_page_says(self):
        self.start()
        front = self.read().front
        self.assertEqual(int.from_bytes(front[16:20], sys.byteorder), 0xBEEFC0DE)
        self.assertEqual(int.from_bytes(front[20:24], sys.byteorder), 1)
        size = int.from_bytes(front[40:44], sys.byteorder)
        transactions = [int.from_bytes(front[at + 144:at + 152], sys.byteorder)
                        for at in (0, size)]
        self.assertEqual(abs(transactions[0] - transactions[1]), 1)

    def test_example__is_what_a_reader_finds_who_runs_it(self):
        (self.directory / "one.jsonl").write_text(PAGE.jsonl)
        self.good("import", "one.jsonl", environment={"MNEME_COMPRESSION": "none"})
        [(key, value)] = self.read().tables["records"]
        self.assertEqual(key, uuid.UUID(EPISODE).bytes + b"\1")
        self.assertEqual(value.hex(), PAGE.dump.hex())

    def test_damage__is_seen(self):
        self.start("a task that is easy to find")
        data = bytearray(self.store.read_bytes())
        at = data.rindex(b"easy to find")
        data[at] ^= 1
        self.store.write_bytes(data)
        with self.assertRaisesRegex(Damaged, "checksum of a record"):
            self.read()

    def test_fields__are_those_of_the_source(self):
        types = {"TEXT": "text", "JSON": "text (JSON as a rule)", "OBJECT": "text (a JSON object)",
                 "TEXTS": "texts", "ID": "id", "IDS": "ids", "TIME": "time", "UINT": "count",
                 "INT": "integer", "DOUBLE": "double", "VECTOR": "vector", "STEP_ID": "step id",
                 "STEP_NUMBER": "step number", "STEP_TIME": "step time", "ENUM": "enum ",
                 "MESSAGE": "message ", "LIST": "messages ", "KEYED": "messages "}
        found = set()
        for path in sorted((SOURCE / "src/model").glob("*.c")):
            for table, rows in re.findall(r"struct field (\w+)_fields\[\] = \{(.*?)\n\};",
                                          path.read_text(), re.S):
                found.add(table)
                rows = re.findall(r"(ROW_WITH|ROW|TEXTS)\((\d+), \"(\w+)\",\s*([A-Z_]*)([^\n]*"
                                  r"(?:\n {9,}[^\n]*)*)", rows)
                self.assertEqual([int(row[1]) for row in rows], list(PAGE.tables[table]), table)
                for macro, number, name, kind, rest in rows:
                    told = PAGE.tables[table][int(number)]
                    kind = types["TEXTS" if macro == "TEXTS" else kind]
                    kind = "in the header" if "IN_HEADER" in rest else kind
                    attribute = re.search(r'\.attribute = "([\w.]+)"', rest)
                    attribute = attribute.group(1) if attribute else ""
                    self.assertEqual(told[0], name, table)
                    self.assertTrue(told[1].startswith(kind), (table, told, kind))
                    self.assertEqual(told[2].replace("NAME", ""), attribute, (table, name))
        self.assertEqual(found, set(PAGE.tables))

    def test_state_of_sync__is_that_of_the_source(self):
        kinds = {"UINT": "count", "TIME": "time", "TEXT": "text"}
        text = (SOURCE / "src/sync/state.c").read_text()
        rows = [(int(number), name, kinds[kind]) for kind, number, name in
                re.findall(r"\b(UINT|TIME|TEXT)\((\d+), (\w+)\)", text)]
        self.assertGreater(len(rows), 20)
        self.assertEqual(rows, [(number, *row[:2]) for number, row in PAGE.sync.items()
                                if number < 40])
        self.assertEqual([int(number) for number in re.findall(r"FIELD_\w+ = (\d+)", text)],
                         [number for number in PAGE.sync if number >= 40])


if __name__ == "__main__":
    unittest.main()
