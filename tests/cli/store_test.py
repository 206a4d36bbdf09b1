#!/usr/bin/env python3
"""The store as a whole: making, missing, refusing, checking and copying it."""
import os
import shutil
import stat
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import cli_case
from cli_case import CliCase, NOBODY

SOME_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


class Store(CliCase):
    def snapshot(self):
        """Every file below the directory with its content, lock files aside."""
        return {path: path.read_bytes() if path.is_file() else None
                for path in self.directory.rglob("*") if not path.name.endswith("-lock")}

    def test_init__makes_a_private_store_once(self):
        path = self.directory / "new" / "memory.mdb"
        run = self.good("--store", path, "init")
        self.assertEqual((run.out, run.err), ("", f"made a store at {path}\n"))
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(path.parent.stat().st_mode), 0o700)
        self.start("x", "--store", path)
        self.assertIn("already", self.good("--store", path, "init").err)
        self.assertEqual(self.good("--json", "--store", path, "init").lines,
                         [{"store": str(path), "created": False}])
        self.assertEqual(len(self.good("--store", path, "query", "--ids").out.split()), 1)

    def test_missing_store__is_said_by_reading_commands_and_not_made(self):
        for arguments in (["query"], ["stats"], ["episode", "show", SOME_ID], ["episode", "list"],
                          ["pattern", "list"], ["export"], ["verify"], ["backup", "copy.mdb"],
                          ["tag", "list", SOME_ID], ["train"], ["episode", "delete", SOME_ID],
                          ["episode", "step", SOME_ID, "--tool", "t"],
                          ["episode", "complete", SOME_ID, "--outcome", "success"],
                          ["tag", "add", SOME_ID, "t"]):
            self.bad(3, f"no store at {self.store}; make one with `mneme init`, or point --store",
                     *arguments)
        self.assertEqual(self.snapshot(), {})

    def test_writing_commands__make_the_store(self):
        for i, arguments in enumerate((["episode", "start", "--task", "x"],
                                       ["pattern", "put", "--type", "context", "--name", "n"],
                                       ["import", "--format", "jsonl", "-"])):
            path = self.directory / f"{i}.mdb"
            self.good("--store", path, *arguments)
            self.assertTrue(path.exists())

    def test_wrong_places__are_named_and_left_alone(self):
        (self.directory / "folder").mkdir()
        (self.directory / "foreign").write_bytes(b"not a store at all" * 1000)
        (self.directory / "empty").write_bytes(b"")
        self.good("--store", "real.mdb", "init")
        (self.directory / "link").symlink_to("real.mdb")
        (self.directory / "dangling").symlink_to("nowhere.mdb")
        os.mkfifo(self.directory / "pipe")
        before = sorted(self.directory.iterdir())
        for path, code, said in (("folder", 2, "is a directory"), ("link", 2, "symbolic link"),
                                 ("dangling", 2, "symbolic link"), ("pipe", 2, "pipe"),
                                 ("foreign", 5, "is not a mneme store"),
                                 ("http://host/db", 2, "http:"),
                                 ("/proc/x.mdb", (1, 3, 4), "/proc"),
                                 ("foreign/below.mdb", (2, 3, 4), "foreign")):
            for arguments in (["query"], ["episode", "start", "--task", "x"], ["init"]):
                with self.subTest(path=path, arguments=arguments):
                    run = self.mneme("--store", path, *arguments)
                    self.assertIn(run.code, code if isinstance(code, tuple) else (code,), run.err)
                    self.assertIn(said, run.err)
                    self.assertEqual(run.out, "")
        self.assertEqual(sorted(self.directory.iterdir()), before)
        self.assertEqual((self.directory / "foreign").read_bytes(), b"not a store at all" * 1000)

    def unprivileged(self):
        """Options that run mneme as a user whom permission bits bind, root included."""
        if os.getuid() != 0:
            return {}
        binary = self.directory / "mneme"
        shutil.copy(cli_case.BINARY, binary)
        self.directory.chmod(0o755)
        self.addCleanup(setattr, cli_case, "BINARY", cli_case.BINARY)
        cli_case.BINARY = str(binary)
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []}

    def test_store_without_permission__is_refused_and_unchanged(self):
        self.start()
        as_nobody = self.unprivileged()
        before = self.store.read_bytes()
        locked = self.directory / "locked"
        locked.mkdir(mode=0o500)
        if as_nobody:
            os.chown(locked, NOBODY, NOBODY)
        else:
            self.store.chmod(0)
        self.bad(4, str(self.store), "query", **as_nobody)
        self.bad(4, str(self.store), "episode", "start", "--task", "x", **as_nobody)
        self.bad(4, "locked", "--store", locked / "new.mdb", "episode", "start", "--task", "x",
                 **as_nobody)
        self.store.chmod(0o600)
        locked.chmod(0o700)
        self.assertEqual(self.store.read_bytes(), before)
        self.assertEqual(list(locked.iterdir()), [])

    def test_stats__count_by_kind(self):
        self.start()
        self.good("episode", "step", self.start(), "--tool", "t")
        self.good("pattern", "put", "--type", "context", "--name", "n")
        stats, = self.good("--json", "stats").lines
        self.assertEqual(stats["store"], str(self.store))
        self.assertEqual({kind: of["records"] for kind, of in stats["kinds"].items()
                          if of["records"]}, {"episode": 2, "step": 1, "pattern": 1})
        self.assertGreaterEqual(stats["file_bytes"], stats["used_bytes"])
        self.assertRegex(self.good("stats").out, r"\nall +4 ")

    def test_verify__finds_a_sound_store_sound(self):
        self.start()
        self.assertIn("is sound: 1 record checked", self.good("verify").out)
        report, = self.good("--json", "verify", self.store).lines
        self.assertEqual((report["records"], report["findings"]), (1, 0))
        self.bad(3, "no store at nothing.mdb", "verify", "nothing.mdb")
        self.bad(5, "not a mneme store", "verify", cli_case.__file__)

    def test_verify__names_damage_and_never_dies(self):
        for i in range(20):
            self.start(f"the task of which a letter will change {i:04}")
        content = self.store.read_bytes()
        damaged = content.replace(b"will change 0007", b"will chAnge 0007")
        self.assertNotEqual(damaged, content)
        self.store.write_bytes(damaged)
        run = self.mneme("verify")
        self.assertEqual(run.code, 5, run.err)
        self.assertNotEqual(run.out, "")
        self.assertTrue(run.err.startswith("mneme: "))
        lines = self.mneme("--json", "verify").lines
        self.assertGreater(lines[-1]["findings"], 0)
        self.assertEqual(list(lines[0]), ["finding"])
        self.store.write_bytes(content[:len(content) // 2])
        self.assertEqual(self.mneme("verify").code, 5)
        self.assertEqual(self.mneme("query").code, 5)

    def test_backup__is_a_store_and_replaces_nothing(self):
        number = self.start()
        self.assertIn("copied the store to copy.mdb", self.good("backup", "copy.mdb").err)
        self.good("--store", "copy.mdb", "episode", "show", number)
        self.good("verify", "copy.mdb")
        before = (self.directory / "copy.mdb").read_bytes()
        self.bad(4, "copy.mdb exists", "backup", "copy.mdb")
        self.assertEqual((self.directory / "copy.mdb").read_bytes(), before)
        report, = self.good("--json", "backup", "second.mdb").lines
        self.assertEqual(report["path"], "second.mdb")
        self.assertEqual(report["bytes"], (self.directory / "second.mdb").stat().st_size)

    def test_train__says_how_many_dictionaries(self):
        self.start()
        self.assertEqual(self.good("train").err, "trained 0 dictionaries\n")
        self.assertEqual(self.good("--json", "train").lines, [{"trained": 0}])


if __name__ == "__main__":
    unittest.main()
