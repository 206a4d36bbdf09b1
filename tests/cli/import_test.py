#!/usr/bin/env python3
"""Import and export: both ways, in part, with progress, interrupted."""
import json
import os
import select
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cli_case import BINARY, CliCase

TAU_BENCH = [{"task_id": 3, "trial": 0, "reward": 1.0, "info": {"task": {"user_id": "u"}}, "traj": [
    {"role": "system", "content": "Be kind."}, {"role": "user", "content": "Book a flight."},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "c1", "type": "function",
         "function": {"name": "search", "arguments": "{\"to\": \"JFK\"}"}}]},
    {"role": "tool", "tool_call_id": "c1", "name": "search", "content": "3 flights"}]}]


def episodes(count, first=0):
    """Lines of jsonl."""
    return "".join(json.dumps({"kind": "episode", "id": f"01890a5d-ac96-774b-bcce-{i:012x}",
                               "task": f"task {i} {i * 2654435761 % 2 ** 32:x}",
                               "start": "2026-01-01T00:00:00Z"}) + "\n"
                   for i in range(first, first + count))


class Import(CliCase):
    def counts(self, *arguments, **options):
        line, = self.good("--json", "import", *arguments, **options).lines
        return line["imported"], line["duplicates"], line["rejected"]

    def test_export__comes_back_byte_for_byte(self):
        number = self.start("a", "--tag", "t", "--meta", "k=v")
        self.good("episode", "step", number, "--tool", "x", "--params", '{"a": 1.0}')
        self.good("episode", "complete", self.start("b"), "--outcome", "success", "--reward", "1")
        self.good("pattern", "put", "--type", "context", "--name", "n")
        text = self.everything()
        path = self.directory / "all.jsonl"
        self.assertEqual(self.good("export", "--output", path).err,
                         f"wrote 3 records to {path}\n")
        self.assertEqual(path.read_bytes(), text)
        self.assertEqual(self.counts("--store", "copy.mdb", path), (3, 0, 0))
        self.assertEqual(self.good("--store", "copy.mdb", "export").raw, text)
        self.assertEqual(self.counts("--store", "copy.mdb", path), (0, 3, 0))

    def test_export__of_one_kind(self):
        self.start()
        self.good("pattern", "put", "--type", "context", "--name", "n")
        kinds = [line["kind"] for line in self.good("export", "--kind", "pattern").lines]
        self.assertEqual(kinds, ["pattern"])

    def test_export__replaces_a_file_only_when_told(self):
        self.start()
        path = self.directory / "out.jsonl"
        path.write_text("precious")
        self.bad(4, f"{path} exists; give another name, or --force", "export", "--output", path)
        self.assertEqual(path.read_text(), "precious")
        self.good("export", "--output", path, "--force")
        self.assertEqual(path.read_bytes(), self.everything())
        self.bad(3, "no/such", "export", "--output", "no/such/file")
        self.assertEqual(sorted(p.name for p in self.directory.glob("out*")), ["out.jsonl"])

    def test_standard_input__is_read_for_a_dash(self):
        self.assertEqual(self.counts("-", stdin=episodes(5)), (5, 0, 0))
        self.assertEqual(self.counts("--format", "jsonl", "-", stdin=episodes(7)), (2, 5, 0))
        self.bad(2, "'-' was given twice", "import", "-", "-")
        self.assertEqual(list(self.directory.glob("mneme-stdin-*")), [])

    def test_foreign_format__is_guessed_and_imported_once(self):
        path = self.directory / "runs.json"
        path.write_text(json.dumps(TAU_BENCH))
        self.assertEqual(self.counts(path), (1, 0, 0))
        self.assertEqual(self.counts("--format", "tau-bench", "--threads", "2", path), (0, 1, 0))
        episode, = self.good("--json", "query", "--outcome", "success").lines
        self.assertEqual(episode["steps"][0]["tool"], "search")
        page = self.good("episode", "show", episode["id"]).out
        for part in ("search", "3 flights", "Book a flight."):
            self.assertIn(part, page)

    def test_bad_records__are_reported_and_the_rest_goes_in(self):
        lines = episodes(3) + '{"kind":"episode","task":""}\n{"kind":"episode"\n' + episodes(2, 3)
        path = self.directory / "mixed.jsonl"
        path.write_text(lines)
        run = self.mneme("import", path)
        self.assertEqual(run.code, 9)
        said = run.err.splitlines()
        self.assertEqual(len([line for line in said if str(path) in line]), 2, run.err)
        self.assertIn("task", said[0])
        self.assertIn("5 imported, 0 there already, 2 rejected", run.err)
        run = self.mneme("--json", "import", "-", stdin=lines)
        self.assertEqual((run.code, run.lines),
                         (9, [{"imported": 0, "duplicates": 5, "rejected": 2}]))
        self.assertIn("standard input", run.err)
        self.assertNotIn("mneme-stdin-", run.err)

    def test_wrong_calls__are_named(self):
        self.bad(3, "missing.json", "import", "missing.json")
        self.bad(2, "--format takes one of jsonl, tau-bench, swe-agent, mcp-memory, do-memory, "
                 "sqlite", "import", "--format", "csv", "x")
        self.bad(2, "'import' needs FILE...", "import")
        (self.directory / "odd.bin").write_bytes(b"\x00\x01\x02")
        self.bad(2, "odd.bin", "import", "odd.bin")
        for number in ("0", "65", "many"):
            self.bad(2, "--threads takes a whole number from 1 to 64", "import", "--threads",
                     number, "x")

    def slow_import(self, *arguments, columns=80):
        """What a terminal shows of an import that takes longer than half a second."""
        process, terminal = self.start_on_terminal("import", *arguments, "-", columns=columns,
                                                   stdin=subprocess.PIPE)
        process.stdin.write(episodes(10).encode())
        process.stdin.flush()
        time.sleep(0.6)
        process.stdin.close()
        return self.finish_on_terminal(process, terminal)

    def test_progress__shows_on_a_terminal_and_goes_away(self):
        for columns in (40, 80, 120):
            text = self.slow_import(columns=columns)
            drawn = [part for part in text.split("\r\033[K") if "%" in part]
            self.assertGreater(len(drawn), 0, text)
            for part in drawn:
                self.assertLess(len(part.split("\n")[0]), columns)
            self.assertIn("records", drawn[-1])
            self.assertTrue(text.split("\r\033[K")[-1].endswith("\n"), text)
            self.assertIn("there already", text.split("\r\033[K")[-1])
        self.assertNotIn("%", self.slow_import("--quiet"))
        self.assertNotIn("\r", self.good("import", "-", stdin=episodes(3)).err)

    def test_interrupt__while_reading_standard_input_leaves_nothing(self):
        process = subprocess.Popen([BINARY, "import", "-"], stdin=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=self.environment)
        process.stdin.write(episodes(10).encode())
        process.stdin.flush()
        while not list(self.directory.glob("mneme-stdin-*")):
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
        self.assertEqual(process.returncode, 130, said)
        self.assertIn(b"interrupted", said)
        self.assertEqual(list(self.directory.glob("mneme-stdin-*")), [])
        self.assertFalse(self.store.exists())

    def interrupted_import(self, path):
        """Interrupt an import as soon as its progress shows; None if it was done before."""
        process, terminal = self.start_on_terminal("import", path)
        text = b""
        while b"%" not in text:
            select.select([terminal], [], [])
            try:
                text += os.read(terminal, 4096)
            except OSError:
                break
        process.send_signal(signal.SIGINT)
        text = text.decode() + self.finish_on_terminal(process, terminal)
        return text if process.returncode == 130 else None

    def test_interrupted_import__is_finished_by_running_it_again(self):
        path = self.directory / "many.jsonl"
        count, said = 20000, None
        while said is None:
            # On a faster machine it takes more records until there is something to interrupt.
            count *= 2
            path.write_text(episodes(count))
            self.store.unlink(missing_ok=True)
            said = self.interrupted_import(path)
        self.assertRegex(said, r"\[#*-*\] +\d+ %, [\d.]+ .?i?B of [\d.]+ MiB, [\d,]+ records/s")
        self.assertIn("running the same command again finishes the import", said)
        self.good("verify")
        imported, duplicates, rejected = self.counts(path)
        self.assertGreater(imported, 0)
        self.assertEqual((imported + duplicates, rejected), (count, 0))
        self.assertEqual(self.good("--json", "stats").lines[0]["kinds"]["episode"]["records"],
                         count)


if __name__ == "__main__":
    unittest.main()
