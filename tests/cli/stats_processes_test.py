#!/usr/bin/env python3
"""What `stats` tells of other processes: their tables, slow operations, forms of queries."""
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from cli_case import BINARY, CliCase


class StatsProcesses(CliCase):
    def setUp(self):
        super().setUp()
        self.good("init")
        self.good("episode", "start", "--task", "one", "--type", "debugging")

    def watch(self, **environment):
        """A process that keeps the store open, and is busy now and then: it syncs with a file."""
        watch = subprocess.Popen(
            [BINARY, "--remote", f"file:{self.directory}/remote.db", "sync", "--watch"],
            env={**self.environment, "MNEME_SYNC_POLL_MAX_MS": "250", "MNEME_SLOW_MS": "1",
                 **environment},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.directory)
        self.addCleanup(watch.wait)
        self.addCleanup(watch.kill)
        return watch

    def told(self):
        stats, = self.good("--json", "stats").lines
        return stats

    def until(self, holds):
        deadline = time.monotonic() + 60
        while not holds(stats := self.told()):
            self.assertLess(time.monotonic(), deadline, stats)
            time.sleep(0.05)
        return stats

    def count(self, process, layer, name):
        return sum(operation["life"]["count"] for operation in process["operations"]
                   if (operation["layer"], operation["name"]) == (layer, name))

    def shared(self):
        """The directory of this store's processes; it is gone when there are none."""
        info = self.store.stat()
        return pathlib.Path(f"/dev/shm/mneme-{os.geteuid()}/{info.st_dev:x}-{info.st_ino:x}")

    def test_page__tells_of_a_process_that_has_it_open(self):
        self.assertIn("\nNo process has it open", self.good("stats").out)
        watch = self.watch()
        stats = self.until(lambda s: s["processes"] and
                           self.count(s["total"], "sync", "step") > 0)
        process, = stats["processes"]
        self.assertEqual((process["pid"], process["command"]), (watch.pid, "mneme"))
        self.assertEqual(self.count(process, "api", "stats"), 0)  # ours are in no figure
        page = self.good("stats", "--window", "minute", "--each",
                         environment={"COLUMNS": "80"}).out
        self.assertRegex(page, rf"\n +{watch.pid} .* mneme\n")
        self.assertRegex(page, r"\nOPERATION .* P50 .* P99\.9 +MAX\n")
        self.assertRegex(page, r"\nkv apply +\d")
        self.assertIn(f"\nProcess {watch.pid}, mneme\n", page)
        tables = page[page.index("\nPROCESS"):]
        self.assertLessEqual(max(map(len, tables.splitlines())), 80)
        watch.send_signal(signal.SIGTERM)
        self.assertEqual(watch.wait(60), 0)
        self.assertEqual(self.told()["processes"], [])
        self.assertFalse(self.shared().exists())

    def test_processes__that_were_killed_leave_nothing(self):
        watch = self.watch()
        self.until(lambda s: s["processes"])
        watch.kill()
        watch.wait()
        self.assertTrue(self.shared().exists())
        self.assertEqual(self.told()["processes"], [])
        self.assertFalse(self.shared().exists())

    def test_total__has_commands_that_ended_meanwhile(self):
        self.watch()
        self.until(lambda s: s["processes"])
        for _ in range(3):
            self.good("query", "--type", "debugging")
        stats = self.told()
        self.assertEqual((stats["ended"], self.count(stats["total"], "api", "list")), (3, 3))
        self.assertRegex(self.good("stats", "queries").out,
                         r"(?m)^ +3 .* episode where type newest$")
        form, = (q for q in self.good("--json", "stats", "queries").lines[0]["queries"]
                 if q["count"] == 3)
        self.assertEqual(form["form"], "episode where type newest")
        self.assertIn("and 3 that closed it", self.good("stats").out)

    def test_metrics_off__is_not_seen(self):
        self.watch(MNEME_METRICS="off")
        seen = self.watch()
        stats = self.until(lambda s: s["processes"])
        self.assertEqual([process["pid"] for process in stats["processes"]], [seen.pid])

    def test_slow__names_what_took_long(self):
        self.assertEqual(self.good("stats", "slow").out, "")
        self.watch()
        self.until(lambda s: self.count(s["total"], "sync", "exchange") > 0)
        slow = self.good("--json", "stats", "slow").lines
        self.assertTrue(slow)
        for operation in slow:
            self.assertGreaterEqual(operation["duration_ns"], 1000000)
            self.assertEqual(operation["status"], "MNEME_OK")
        self.assertEqual(slow, sorted(slow, key=lambda o: o["at"], reverse=True))
        self.assertEqual(len(self.good("--json", "stats", "slow", "--limit", "1").lines), 1)
        self.assertRegex(self.good("stats", "slow").out, r"^ENDED \(UTC\) +OPERATION +TOOK")


if __name__ == "__main__":
    unittest.main()
