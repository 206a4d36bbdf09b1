#!/usr/bin/env python3
"""MIGRATION.md: its commands are run as they stand, on files that the other programs wrote."""
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cli_case import BINARY, CliCase

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/exchange/data"


def sections():
    """The shell blocks of each section, by the words of its heading."""
    parts = re.split(r"^## (.*)$", (ROOT / "MIGRATION.md").read_text(), flags=re.M)[1:]
    return {title: re.findall(r"^```sh\n(.*?)^```$", text, flags=re.M | re.S)
            for title, text in zip(parts[::2], parts[1::2])}


class Migration(CliCase):
    def setUp(self):
        super().setUp()
        (self.directory / "bin").mkdir()
        (self.directory / "bin/mneme").symlink_to(BINARY)
        self.environment["PATH"] = f"{self.directory}/bin:{self.environment['PATH']}"

    def shell(self, block):
        """The lines that the commands of a block print."""
        done = subprocess.run(["sh", "-ec", block], cwd=self.directory, env=self.environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f"{block}\n{done.stderr}")
        return done.stdout.splitlines()

    def move(self, load, check, undo, expected):
        """Import, compare the pairs of counts, undo; twice, for it must work again."""
        for _ in range(2):
            self.shell(load)
            counts = [int(line) for line in self.shell(check)]
            self.assertEqual(counts[::2], counts[1::2], check)
            self.assertEqual(counts[::2], expected)
            before = self.everything()
            self.shell(load)
            self.assertEqual(self.everything(), before)
            self.shell(undo)
            self.assertEqual(self.everything(), b"")

    def test_mcp_memory__moves_and_goes_back(self):
        for name in "mcp-memory-2025.4.jsonl", "mcp-memory-2026.8.jsonl":
            shutil.copy(DATA / name, self.directory / "memory.jsonl")
            load, check, undo = sections()["From the MCP memory server"]
            self.move(load, check, undo, [4, 4])

    def test_do_memory__moves_and_goes_back(self):
        shutil.copy(DATA / "do-memory-0.1.40.db", self.directory / "memory.db")
        load, _, check, undo = sections()["From do-memory"]
        self.move(load, check, undo, [4, 4, 0, 2])

    def test_do_memory__moves_from_a_backup(self):
        shutil.copy(DATA / "do-memory-0.1.40.json", self.directory / "backup.json")
        _, load, _, undo = sections()["From do-memory"]
        self.move(load, "echo 4; mneme query --ids | wc -l", undo, [4])

    def test_database_and_backup__have_the_same_episodes(self):
        for name in "do-memory-0.1.40.db", "do-memory-0.1.40.json", "do-memory-0.1.40.jsonl":
            self.good("import", DATA / name)
        self.assertEqual(len(self.good("query", "--ids").out.splitlines()), 4)

    def test_any_table__moves_and_goes_back(self):
        with sqlite3.connect(self.directory / "notes.db") as notes:
            notes.execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, title TEXT, body TEXT,"
                          " created_at INTEGER, labels TEXT)")
            notes.executemany("INSERT INTO notes VALUES(?, ?, ?, ?, ?)", [
                (1, "first", "two\nlines and a \"quote\"", 1700000000, '["a","b"]'),
                (2, "Grüße", None, 1700000001, "[]")])
        notes.close()
        load, check, undo = sections()["From any other SQLite table"]
        self.move(load, check, undo, [2])
        self.shell(load)
        second, first = self.good("query", "--json").lines
        self.assertEqual(first["outcome"]["verdict"], "two\nlines and a \"quote\"")
        self.assertEqual((first["start"], first["tags"], first["metadata"]["note"]),
                         ("2023-11-14T22:13:20Z", ["a", "b"], "1"))
        self.assertEqual(second["task"], "Grüße")

    def test_standard_input__may_be_a_database(self):
        with open(DATA / "do-memory-0.1.40.db", "rb") as file:
            run = self.mneme("--json", "import", "-", stdin=file.read())
        self.assertEqual((run.code, run.lines),
                         (0, [{"imported": 10, "duplicates": 0, "rejected": 0}]))
        self.assertEqual(sorted(p.name for p in self.directory.iterdir()
                                if not p.name.startswith("memory.mdb")), ["bin"])


if __name__ == "__main__":
    unittest.main()
