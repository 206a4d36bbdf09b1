#!/usr/bin/env python3
"""Stores behind a real server, and SQLite files: what all commands do, and what fails how."""
import json
import os
import pathlib
import socket
import sqlite3
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cli_case import CliCase
from port import Port
from sqld_case import Counter, Key, Server, SqldCase

CANARY = "canary-SECRET-canary"


class Commands:
    """What holds for every kind of store; self.other is the URL of a second, empty one."""

    def test_lives__from_init_to_export(self):
        self.assertIn("made a store at", self.good("init").err)
        self.assertIn("already", self.good("init").err)
        number = self.start("Book a flight", "--tag", "ci", "--meta", "k=v")
        self.good("episode", "step", number, "--tool", "search", "--output", "found")
        self.good("tag", "add", number, "late")
        self.good("episode", "complete", number, "--outcome", "success", "--reward", "1")
        self.good("pattern", "put", "--type", "context", "--name", "n")
        self.assertEqual(self.good("query", "--ids", "--meta", "k=v").out.split(), [number])
        shown, = self.good("--json", "episode", "show", number[:18]).lines
        self.assertEqual([step["tool"] for step in shown["steps"]], ["search"])
        self.assertEqual(shown["tags"], ["ci", "late"])
        self.assertEqual(self.good("train").err, "trained 0 dictionaries\n")
        self.assertIn("is sound: ", self.good("verify").out)
        stats, = self.good("--json", "stats").lines
        self.assertEqual({kind: of["records"] for kind, of in stats["kinds"].items()
                          if of["records"]}, {"episode": 1, "pattern": 1})
        self.assertGreater(stats["remote"]["requests"], 0)
        copy = self.directory / "all.jsonl"
        self.good("export", "--output", copy)
        self.good("--store", self.other, "import", copy)
        self.assertEqual(self.good("--store", self.other, "export").raw, copy.read_bytes())
        again = self.good("--json", "--store", self.other, "import", copy).lines[-1]
        self.assertEqual((again["imported"], again["duplicates"]), (0, 2))
        self.good("episode", "delete", number)
        self.bad(3, "", "episode", "show", number)

    def test_missing_tables__are_said_and_not_made(self):
        for command in (["query"], ["stats"], ["export"], ["train"], ["verify"]):
            self.bad(3, self.missing, "--store", self.other, *command)


class OverServer(Commands, CliCase):
    missing = "no tables of mneme"

    def setUp(self):
        super().setUp()
        self.server, second = Server(), Server()
        self.addCleanup(self.server.remove)
        self.addCleanup(second.remove)
        self.environment["MNEME_STORE"] = self.server.url
        self.other = second.url

    def test_many_records__are_imported_in_few_requests(self):
        path = self.directory / "many.jsonl"
        path.write_text("".join(json.dumps({"kind": "pattern", "type": "context", "name": f"n{i}"})
                                + "\n" for i in range(1500)))
        done, = self.good("--json", "--store", self.other, "import", path).lines
        self.assertEqual(done["imported"], 1500)
        self.assertEqual(self.good("--json", "--store", self.other, "import", path)
                         .lines[0]["duplicates"], 1500)

    def test_commands_with_one_answer__cost_few_requests(self):
        number = self.start()
        counter = Counter(self.server.port)
        self.addCleanup(counter.end)
        post = "POST /v3/pipeline"
        # The tables and the answer; and, beside it, one or two for the end of the change log.
        for command, most in ((["pattern", "list"], 4),
                              (["episode", "step", number, "--tool", "t"], 5),
                              (["episode", "start", "--task", "y"], 5)):
            counter.requests.clear()
            self.good("--store", counter.url, *command)
            self.assertEqual(set(counter.requests), {post})
            self.assertLessEqual(len(counter.requests), most, command)
        counter.requests.clear()
        self.good("--store", counter.url, "export")
        self.assertIn("GET /v3-protobuf", counter.requests)

    def test_stats_page__tells_of_the_server(self):
        self.start()
        page = self.good("stats").out
        self.assertRegex(page, r"\nServer    \d+ requests, 0 tried again, 0 failed\n")
        self.assertRegex(page, r"\nWire      [\d.]+ K?i?B up, [\d.]+ KiB down\n")
        self.assertRegex(page, r"\nPool      \d+ open, ")
        self.assertNotIn("Replica", page)
        self.assertLessEqual(max(map(len, page.splitlines())), 80)

    def test_backup__is_refused_with_the_way_out(self):
        self.start()
        self.bad(2, "export", "backup", "copy.db")
        self.assertFalse((self.directory / "copy.db").exists())

    def test_doctor__finds_nothing_wrong(self):
        checks = self.good("--json", "--store", self.other, "doctor").lines
        self.assertEqual({c["topic"]: c["verdict"] for c in checks[:-1]},
                         {"encryption": "ok", "token": "ok", "server": "ok", "latency": "ok",
                          "clock": "ok", "access": "ok", "pool": "ok", "tables": "warning"})
        self.assertEqual((checks[-1]["warnings"], checks[-1]["exists"]), (1, False))
        self.start()
        page = self.good("doctor").out
        self.assertEqual({line.split()[0] for line in page.splitlines()}, {"ok"})
        report = self.good("--json", "doctor", self.server.url).lines[-1]
        self.assertTrue(report["exists"] and report["reads"] and report["writes"])
        self.assertGreater(report["latency_us"], 0)

    def test_doctor__warns_of_a_replica_that_is_down(self):
        dead = Port()
        self.addCleanup(dead.give_back)
        run = self.good("--json", "doctor", environment={"MNEME_REMOTE_REPLICA_URL": dead.url})
        line, = [c for c in run.lines if c.get("topic") == "replica"]
        self.assertEqual(line["verdict"], "warning")

    def test_doctor__changes_nothing(self):
        self.start()
        before = self.everything()
        self.good("doctor")
        self.assertEqual(self.everything(), before)
        self.good("--store", self.other, "doctor")
        self.bad(3, "", "--store", self.other, "stats")

    def test_server_that_ends__is_exit_7_with_a_reason(self):
        server = Server()
        self.addCleanup(server.remove)
        self.start("x", "--store", server.url)
        server.stop()
        fast = {"MNEME_REMOTE_ATTEMPTS": "2", "MNEME_REMOTE_TIMEOUT_MS": "2000"}
        for command in (["query"], ["episode", "start", "--task", "y"], ["stats"], ["init"]):
            self.bad(7, "127.0.0.1", "--store", server.url, *command, environment=fast)
        run = self.mneme("--store", server.url, "doctor", environment=fast)
        self.assertEqual(run.code, 7, run.err)
        self.assertRegex(run.out, r"\nfailed   server: ")
        server.start()
        self.assertEqual(len(self.good("--store", server.url, "query", "--ids").out.split()), 1)

    def test_listener_that_never_answers__is_exit_7(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            self.bad(7, url, "--store", url, "query",
                     environment={"MNEME_REMOTE_TIMEOUT_MS": "500", "MNEME_REMOTE_STALL_MS": "200"})

    def test_wrong_urls__are_named(self):
        for url, code, said in (("http://192.0.2.1:1", 2, "http"),
                                ("postgres://host/x", 2, "postgres:"),
                                ("https://", 2, "names no host"),
                                ("https://host:99999", 2, "port")):
            self.bad(code, said, "--store", url, "query")


class OverFile(Commands, CliCase):
    missing = "no store at file:other.db; make one with `mneme init`"

    def setUp(self):
        super().setUp()
        self.environment["MNEME_STORE"] = "file:memory.db"
        self.other = "file:other.db"

    def test_backup__is_a_store(self):
        number = self.start()
        self.good("backup", "copy.db")
        self.good("--store", "file:copy.db", "episode", "show", number)
        self.good("verify", "file:copy.db")
        self.bad(4, "copy.db", "backup", "copy.db")

    def test_stats_page__tells_of_the_file(self):
        self.start()
        page = self.good("stats").out
        self.assertRegex(page, r"\nSQLite    \d+ transactions and reads, 0 of them run again\n")
        self.assertRegex(page, r"\nPrepared  \d+ statements made ready, \d+ found ready\n")
        self.assertNotIn("Server", page)

    def test_verify__finds_damage(self):
        for i in range(50):
            self.start(f"the task of which a page will be lost {i}")
        path = self.directory / "memory.db"
        content = bytearray(path.read_bytes())
        content[len(content) // 2:len(content) // 2 + 4096] = b"\xa5" * 4096
        path.write_bytes(content)
        run = self.mneme("verify")
        self.assertEqual(run.code, 5, run.err)

    def test_verify__finds_a_body_that_does_not_match(self):
        for i in range(5):
            self.start(f"task {i}")
        database = sqlite3.connect(self.directory / "memory.db")
        done = database.execute("UPDATE mneme_record SET checksum = checksum + 1 WHERE change = 3")
        self.assertEqual(done.rowcount, 1)
        database.commit()
        database.close()
        run = self.mneme("verify")
        self.assertEqual(run.code, 5, run.err)
        self.assertIn("memory.db is damaged in 1 place", run.err)
        self.assertEqual(len(self.mneme("--json", "verify").lines), 2)

    def test_doctor__tells_of_the_file_and_makes_none(self):
        run = self.mneme("doctor")
        self.assertEqual(run.code, 3)
        self.assertEqual(list(self.directory.iterdir()), [])
        self.start()
        self.assertRegex(self.good("doctor").out, r"^ok       store: memory.db is an SQLite file")
        (self.directory / "memory.db").chmod(0o644)
        self.assertRegex(self.good("doctor").out, r"\nwarning  privacy: ")

    def test_doctor__tells_of_mneme_files_and_of_foreign_ones(self):
        self.good("--store", "real.mdb", "init")
        checks = self.good("--json", "doctor", "real.mdb").lines
        self.assertEqual([c["topic"] for c in checks[:-1]], ["store", "size", "readers", "access"])
        (self.directory / "foreign").write_bytes(b"not a store" * 1000)
        run = self.mneme("doctor", "foreign")
        self.assertEqual(run.code, 5)
        self.assertIn("failed   store: foreign is not a mneme store", run.out)
        self.assertEqual(self.mneme("doctor", "memory.db").code, 3)


class Secrets(SqldCase):
    """A server that wants a token. No run of mneme may print any of the tokens."""

    @classmethod
    def setUpClass(cls):
        cls.keys = tempfile.TemporaryDirectory(prefix="mneme-keys-")
        cls.addClassCleanup(cls.keys.cleanup)
        cls.key = Key(pathlib.Path(cls.keys.name))
        cls.server_arguments = ("--auth-jwt-key-file", cls.key.public)
        super().setUpClass()
        cls.full = cls.key.token(a="rw")
        cls.reader = cls.key.token(a="ro")
        cls.expired = cls.key.token(a="rw", exp=int(time.time()) - 3600)

    def mneme(self, *arguments, **options):
        run = super().mneme(*arguments, **options)
        said = run.out + run.err
        for secret in (self.full, self.reader, self.expired, CANARY):
            self.assertNotIn(secret, said)
            self.assertNotIn(secret.split(".")[-1], said)
        return run

    def token_file(self, token, mode=0o600):
        path = self.directory / "token"
        path.unlink(missing_ok=True)
        path.write_text(token + "\n")
        path.chmod(mode)
        return path

    def test_token__comes_from_variables_or_a_file(self):
        for variable in ("MNEME_TOKEN", "TURSO_AUTH_TOKEN"):
            self.good("init", environment={variable: self.full})
        path = self.token_file(self.full)
        self.good("--token-file", path, "query")
        self.good("query", environment={"MNEME_TOKEN_FILE": str(path)})
        config = self.directory / ".config/mneme/config.ini"
        config.parent.mkdir(parents=True)
        config.write_text(f"[remote]\ntoken_file = {path}\n")
        self.good("query")
        self.good("config", "show")
        self.good("stats")
        # The option comes before the variable, the variable before the file.
        self.good("--token-file", path, "query", environment={"MNEME_TOKEN": CANARY})
        self.bad(8, "", "query", environment={"MNEME_TOKEN": CANARY})
        self.good("query", environment={"MNEME_TOKEN": self.full, "TURSO_AUTH_TOKEN": CANARY})

    def test_wrong_token__is_exit_8_with_the_reason(self):
        for token, said in (({}, "401"), ({"MNEME_TOKEN": CANARY}, ""),
                            ({"MNEME_TOKEN": self.expired}, ""),
                            ({"MNEME_BASIC": f"user:{CANARY}"}, "")):
            for command in (["query"], ["init"], ["stats"]):
                run = self.mneme(*command, environment=token)
                self.assertEqual(run.code, 8, run.err)
            run = self.mneme("doctor", environment=token)
            self.assertEqual(run.code, 8, run.err)
            self.assertIn("failed   server: ", run.out)
            self.assertEqual(self.mneme("--json", "doctor", environment=token).code, 8)

    def test_token_that_reads__writes_nothing(self):
        self.good("init", environment={"MNEME_TOKEN": self.full})
        only = {"MNEME_TOKEN": self.reader}
        self.good("query", environment=only)
        run = self.mneme("episode", "start", "--task", "x", environment=only)
        self.assertIn(run.code, (4, 8), run.err)
        page = self.good("doctor", environment=only).out
        self.assertIn("warning  access: only reading is allowed", page)

    def test_token_file__must_be_private(self):
        path = self.token_file(self.full, 0o644)
        self.bad(4, f"chmod 600 {path}", "--token-file", path, "query")
        path = self.token_file("two words of " + CANARY)
        self.bad(2, "something else than one token", "--token-file", path, "query")
        self.bad(3, "nowhere", "--token-file", "nowhere", "query")
        run = self.mneme("--token-file", path, "doctor")
        self.assertEqual(run.code, 2)
        self.assertIn("failed   settings: ", run.out)

    def test_url_with_a_secret__is_refused(self):
        for url in (f"https://user:{CANARY}@host", f"libsql://host?authToken={CANARY}"):
            for command in (["query"], ["init"], ["verify"], ["verify", url], ["doctor"],
                            ["doctor", url], ["config", "show"], ["stats"]):
                run = self.mneme("--store", url, *command)
                self.assertEqual(run.code, 0 if command[0] == "config" else 2, run.err)

    def test_local_store__takes_no_look_at_tokens(self):
        self.good("--store", "plain.mdb", "init", environment={"TURSO_AUTH_TOKEN": "two words"})


if __name__ == "__main__":
    unittest.main()
