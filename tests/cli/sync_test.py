#!/usr/bin/env python3
"""The commands of sync and conflicts, against a real server: two stores are two machines."""
import json
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cli_case import BINARY, CliCase
from port import Port
from sqld_case import Server


class Sync(CliCase):
    def setUp(self):
        super().setUp()
        self.server = Server()
        self.addCleanup(self.server.remove)
        self.environment["MNEME_REMOTE"] = self.server.url
        self.a, self.b = self.directory / "a.mdb", self.directory / "b.mdb"

    def on(self, store, *arguments, **options):
        return self.good("--store", store, *arguments, **options)

    def status(self, store):
        return self.on(store, "--json", "sync", "status").lines[0]

    def put(self, store, description, *arguments):
        return self.on(store, "pattern", "put", "--type", "context", "--name", "n",
                       "--description", description, *arguments).out.strip()

    def description(self, store, number):
        return self.on(store, "--json", "pattern", "show", number).lines[0]["description"]

    def both(self, *stores):
        for store in stores * 2:
            self.on(store, "sync")

    def conflict(self):
        """Make one; (id of the pattern, of the conflict). b's edit has won."""
        number = self.put(self.a, "at first")
        self.both(self.a, self.b)
        self.put(self.a, "by a", "--id", number)
        self.put(self.b, "by b", "--id", number)
        self.both(self.a, self.b)
        conflict, = self.on(self.a, "conflicts", "list", "--ids").out.split()
        return number, conflict

    def test_sync__brings_two_stores_together(self):
        number = self.put(self.a, "from a")
        run = self.on(self.a, "sync")
        self.assertRegex(run.err, r"^1 pushed, 0 pulled, 0 merged, in ")
        self.assertEqual(run.out, "")
        self.assertEqual(self.on(self.b, "--json", "sync").lines,
                         [{"pushed": 0, "pulled": 1, "merged": 0, "superseded": 0, "held": 0,
                           "collected": 0, "freed": 0, "by_other": False}])
        self.assertEqual(self.description(self.b, number), "from a")
        self.assertEqual(self.on(self.a, "export").raw, self.on(self.b, "export").raw)
        self.on(self.b, "pattern", "delete", number)
        self.both(self.b, self.a)
        self.bad(3, "", "--store", self.a, "pattern", "show", number)
        self.assertEqual(self.on(self.a, "--json", "sync", "collect").lines[0]["collected"], 0)

    def test_remote__comes_from_option_variable_or_file(self):
        del self.environment["MNEME_REMOTE"]
        self.put(self.a, "one")
        self.bad(2, "--remote URL", "--store", self.a, "sync")
        self.bad(2, "--remote URL", "--store", self.a, "sync", "--watch")
        self.assertIn("1 pushed", self.on(self.a, "--remote", self.server.url, "sync").err)
        config = self.directory / ".config/mneme/config.ini"
        config.parent.mkdir(parents=True)
        config.write_text(f"[sync]\nurl = {self.server.url}\nname = laptop\n")
        self.on(self.b, "sync")
        self.assertIn("laptop", [peer["name"] for peer in self.status(self.b)["peers"]])
        # A remote of the settings is none of a store that cannot have one.
        self.on("mem:", "query")
        self.on(f"file:{self.directory}/s.db", "init")
        self.bad(2, "plain path", "--store", "mem:", "--remote", self.server.url, "query")
        self.bad(2, "plain path", "--store", self.server.url, "--remote", "file:r.db", "sync")
        self.bad(2, "no remote", "--store", self.a, "--remote", self.b, "sync")
        run = self.bad(2, "", "--store", self.a, "--remote", "https://me:hunter2@host", "sync")
        self.assertNotIn("hunter2", run.err)

    def test_status__is_a_page_and_an_object(self):
        self.on(self.a, "init")
        self.assertIn("has not been synced", self.on(self.a, "sync", "status").out)
        self.assertFalse(self.status(self.a)["shared"])
        self.assertNotIn("sync", self.on(self.a, "--json", "stats").lines[0])
        self.put(self.a, "one")
        self.on(self.a, "sync")
        self.put(self.a, "two")
        page = self.on(self.a, "sync", "status").out
        self.assertIn(f"Remote    {self.server.url}, in step\n", page)
        self.assertRegex(page, r"\nPending   1 record, \d+ B; the oldest was written .* ago\n")
        self.assertRegex(page, r"\nPush      .* ago \(")
        self.assertRegex(page, r"\nWire      .* up, .* down; ")
        self.assertIn("this machine", page)
        self.assertNotIn("Error", page)
        self.assertNotIn("Clock", page)
        status = self.status(self.a)
        self.assertEqual((status["pending"], status["pushed"], status["phase"]),
                         (1, 1, "in step"))
        stats, = self.on(self.a, "--json", "stats").lines
        self.assertEqual(stats["sync"]["pending"], 1)
        self.assertIn("Sync      ", self.on(self.a, "stats").out)

    def test_dead_remote__is_exit_7_and_status_says_why(self):
        port = Port()
        self.addCleanup(port.give_back)
        dead = port.url
        number = self.put(self.a, "one")
        self.bad(7, "127.0.0.1", "--store", self.a, "--remote", dead, "sync")
        self.assertEqual(self.description(self.a, number), "one")
        page = self.on(self.a, "sync", "status").out
        self.assertRegex(page, r"\nError     .*127\.0\.0\.1.* ago\)\n")
        status = self.status(self.a)
        self.assertEqual((status["error"], status["pending"]), ("MNEME_UNAVAILABLE", 1))
        self.assertIn("1 pushed", self.on(self.a, "sync").err)
        self.assertNotIn("error", self.status(self.a))

    def test_conflict__is_listed_shown_and_dropped(self):
        number, conflict = self.conflict()
        self.assertIn("Conflicts 1 to look at", self.on(self.a, "sync", "status").out)
        page = self.on(self.a, "conflicts", "list").out
        self.assertIn(number, page)
        self.assertIn("edited elsewhere", page)
        page = self.on(self.a, "conflicts", "show", conflict).out
        self.assertIn(f"Record       pattern {number}", page)
        self.assertIn("by a", page)
        shown, = self.on(self.a, "--json", "conflicts", "show", conflict).lines
        self.assertEqual((shown["kind"], shown["subject"]), ("superseded", number))
        self.assertIn(conflict, self.on(self.a, "query", "--kind", "superseded", "--ids").out)
        self.assertIn(conflict, self.on(self.a, "export", "--kind", "superseded").out)
        self.assertIn("dropped 1 edit", self.on(self.a, "conflicts", "resolve", conflict).err)
        self.bad(3, "", "--store", self.a, "conflicts", "resolve", conflict)
        self.both(self.a, self.b)
        self.assertEqual(self.on(self.b, "conflicts", "list", "--ids").out, "")
        self.assertEqual(self.description(self.b, number), "by b")

    def test_conflict__is_restored(self):
        number, conflict = self.conflict()
        run = self.on(self.b, "--json", "conflicts", "resolve", "--restore", conflict)
        self.assertEqual(run.lines, [{"id": conflict, "restored": True}])
        self.both(self.b, self.a)
        for store in (self.a, self.b):
            self.assertEqual(self.description(store, number), "by a")
            self.assertEqual(self.on(store, "conflicts", "list", "--ids").out, "")

    def test_export__brings_conflicts_into_another_store(self):
        _, conflict = self.conflict()
        lines = self.on(self.a, "export").raw
        other = self.directory / "other.mdb"
        del self.environment["MNEME_REMOTE"]
        self.on(other, "import", "--format", "jsonl", "-", stdin=lines)
        self.assertEqual(self.on(other, "conflicts", "list", "--ids").out.split(), [conflict])
        self.assertEqual(self.on(other, "export").raw, lines)

    def test_local_only__stays(self):
        self.put(self.a, "mine", "--local-only")
        self.on(self.a, "episode", "start", "--task", "mine", "--local-only")
        line = json.dumps({"kind": "pattern", "type": "context", "name": "imported"})
        self.on(self.a, "import", "--local-only", "--format", "jsonl", "-", stdin=line)
        self.on(self.a, "pattern", "put", "--local-only", "--file", "-", stdin=line)
        shared = self.put(self.a, "shared")
        self.both(self.a, self.b)
        self.assertEqual(self.on(self.b, "query", "--ids").out, "")
        self.assertEqual(self.on(self.b, "pattern", "list", "--ids").out.split(), [shared])

    def test_only__shares_what_it_names(self):
        only = {"MNEME_SYNC_ONLY": "tag=work,tag = team, kind=pattern"}
        for tag in ("work", "home", "team"):
            self.put(self.a, tag, "--tag", tag)
        self.on(self.a, "episode", "start", "--task", "x", "--tag", "work")
        self.on(self.a, "sync", environment=only)
        self.on(self.b, "sync")
        self.assertEqual(len(self.on(self.b, "pattern", "list", "--ids").out.split()), 2)
        self.assertEqual(self.on(self.b, "query", "--ids").out, "")
        self.assertIn("Held      2 records stay here", self.on(self.a, "sync", "status").out)
        self.bad(2, "colour", "--store", self.a, "sync", environment={"MNEME_SYNC_ONLY": "colour"})
        # With another filter they go out.
        self.on(self.a, "sync", "retry")
        self.on(self.b, "sync")
        self.assertEqual(len(self.on(self.b, "pattern", "list", "--ids").out.split()), 3)

    def test_watch__goes_on_until_it_is_told(self):
        self.on(self.a, "init")
        watch = subprocess.Popen([BINARY, "--store", self.a, "sync", "--watch"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, cwd=self.directory, env=self.environment)
        try:
            number = self.put(self.a, "while it watches")
            deadline = time.monotonic() + 60
            while self.status(self.a)["pushed"] == 0 and time.monotonic() < deadline:
                time.sleep(0.05)
            # Who syncs by hand meanwhile finds the work done.
            self.assertIn("all is in step", self.on(self.a, "sync").err)
            self.bad(4, "", "--store", self.a, "sync", "retry", "--wait-ms", "0")
        finally:
            watch.send_signal(signal.SIGTERM)
            out, said = watch.communicate(timeout=60)
        self.assertEqual((watch.returncode, out), (0, b""), said)
        self.assertIn(b"keeping the store in step with ", said)
        self.on(self.b, "sync")
        self.assertEqual(self.description(self.b, number), "while it watches")


if __name__ == "__main__":
    unittest.main()
