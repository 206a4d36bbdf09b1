#!/usr/bin/env python3
"""Logging: its options, its lines in both formats, and that neither the log nor anything else that
is printed ever holds a secret, or what a record says where no record was asked for."""
import base64
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cli_case import BINARY, CliCase
from port import Port
from sqld_case import Counter, Key, Server, SqldCase

LAYERS = {"base", "os", "codec", "metrics", "net", "cache", "store", "model", "exchange", "sync",
          "api"}
LEVELS = {"error", "warn", "info", "debug", "trace"}
FIELD = re.compile(r'([A-Za-z_][\w.]*)=("(?:[^"\\\x00-\x1f]|\\.)*"|[^\s"=\\]+)(?: |$)')
HEAD = ["ts", "level", "layer", "msg", "pid", "tid"]


def read_logfmt(line):
    """The fields of a line; None: it is no line of logfmt."""
    fields, at = {}, 0
    while at < len(line):
        match = FIELD.match(line, at)
        if not match or match[1] in fields:
            return None
        fields[match[1]] = json.loads(match[2]) if match[2][0] == '"' else match[2]
        at = match.end()
    return fields


def read_line(line):
    """A line of the log as its fields; None: it is none, but a message for people."""
    if line.startswith("{"):
        return json.loads(line)
    return read_logfmt(line) if line.startswith("ts=") else None


class LogCase(CliCase):
    def events(self, run):
        """The lines of the log on standard error, each of them checked."""
        events = [event for event in map(read_line, run.err.splitlines()) if event]
        for event in events:
            self.assertEqual(list(event)[:6], HEAD, event)
            self.assertRegex(event["ts"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
            self.assertIn(event["level"], LEVELS)
            self.assertIn(event["layer"], LAYERS)
        return events


class Options(LogCase):
    def test_log__is_off_by_itself(self):
        run = self.good("init")
        self.assertEqual(run.err, f"made a store at {self.store}\n")

    def test_log__comes_from_option_variable_or_file(self):
        self.start()
        config = self.directory / ".config/mneme/config.ini"
        config.parent.mkdir(parents=True)
        config.write_text("[log]\nlevel = api=info\nformat = json\n")
        messages = lambda *a, **o: [e["msg"] for e in self.events(self.good(*a, **o))]
        self.assertEqual(messages("stats"), ["store opened", "store closed"])
        self.assertEqual(self.good("stats").err[0], "{")
        logfmt = {"MNEME_LOG": "api=debug", "MNEME_LOG_FORMAT": "logfmt"}
        self.assertIn("call ended", messages("stats", environment=logfmt))
        self.assertEqual(self.good("stats", environment=logfmt).err[:3], "ts=")
        self.assertEqual(messages("--log", "off", "stats", environment=logfmt), [])
        self.assertEqual(messages("stats", "--log", "store=debug"), ["file opened"])
        self.assertIn("option --log", self.good("--log", "off", "config", "show", "--origin").out)

    def test_wrong_spec__is_exit_2_and_names_what_is_allowed(self):
        for spec, said in (("loud", '"loud" is no level'), ("nett=info", "there are base, os, "),
                           ("info,net=", '"" is no level')):
            self.bad(2, said, "--log", spec, "stats")
            self.bad(2, "environment MNEME_LOG", "stats", environment={"MNEME_LOG": spec})
        self.bad(2, "logfmt, json", "stats", environment={"MNEME_LOG_FORMAT": "xml"})
        self.good("help", environment={"MNEME_LOG": "loud"})
        self.good("version", environment={"MNEME_LOG": "loud"})

    def test_lines_of_one_call__have_its_number(self):
        server = Server()
        self.addCleanup(server.remove)
        self.good("--store", server.url, "init")
        run = self.good("--store", server.url, "--log", "api=debug,net=debug", "query")
        events = self.events(run)
        asked, = (e["op"] for e in events if e.get("code.function.name") == "mneme_list")
        requests = [e for e in events if e["msg"] == "request ended" and e["op"] == asked]
        self.assertTrue(requests)
        self.assertEqual({e["http.response.status_code"] for e in requests}, {"200"})
        self.assertEqual({e["url.path"] for e in requests}, {"/v3/pipeline"})

    def test_request_id__goes_along_only_while_net_is_logged(self):
        server = Server()
        self.addCleanup(server.remove)
        counter = Counter(server.port)
        self.addCleanup(counter.end)
        self.good("--store", counter.url, "init")
        run = self.good("--store", counter.url, "--log", "net=debug", "query")
        told = {f'{e["op"]}.{e["req"]}' for e in self.events(run) if e["msg"] == "request ended"}
        self.assertTrue(told)
        self.assertEqual(told, {i for i in counter.request_ids if i})
        counter.request_ids.clear()
        self.good("--store", counter.url, "--log", "info", "query")
        self.assertEqual(set(counter.request_ids), {None})


# What else is printed for those who operate a store: it is searched like the log.
OUTPUTS = [["stats"], ["--json", "stats"], ["config", "show", "--origin"], ["doctor"],
           ["--json", "doctor"], ["sync", "status"], ["--json", "sync", "status"], ["verify"],
           ["stats", "--each"], ["stats", "queries"], ["--json", "stats", "queries"],
           ["stats", "--format", "openmetrics"], ["stats", "--format", "prometheus", "--each"],
           ["stats", "slow"], ["top"]]

# Commands on whose standard output a record may be seen; slow operations with what they asked for.
SHOWING = {"show", "list", "query", "export", "slow"}

SECRET = "canary-SECRET-"
CONTENT = "canary-content-"


class Canaries(LogCase, SqldCase):
    """Runs everything with all levels on, and looks for canaries in all that is printed."""

    log_format = "logfmt"

    @classmethod
    def setUpClass(cls):
        cls.keys = tempfile.TemporaryDirectory(prefix="mneme-keys-")
        cls.addClassCleanup(cls.keys.cleanup)
        cls.key = Key(pathlib.Path(cls.keys.name))
        cls.server_arguments = ("--auth-jwt-key-file", cls.key.public)
        super().setUpClass()
        cls.token = cls.key.token(a="rw", n=SECRET)
        cls.expired = cls.key.token(a="rw", exp=int(time.time()) - 3600)
        basic = base64.b64encode(f"{SECRET}user:{SECRET}word".encode()).decode()
        cls.secrets = {SECRET, basic, *cls.token.split(".")[1:], *cls.expired.split(".")[1:]}

    def setUp(self):
        super().setUp()
        self.seen = set()
        self.made = 0
        self.environment.update(MNEME_LOG="trace", MNEME_LOG_FORMAT=self.log_format,
                                MNEME_REMOTE_ATTEMPTS="2", MNEME_REMOTE_TIMEOUT_MS="2000",
                                MNEME_SLOW_MS="1")

    def dead_url(self):
        port = Port()
        self.addCleanup(port.give_back)
        return port.url

    def content(self):
        """Something for a record to say, found again wherever it shows."""
        self.made += 1
        return f"{CONTENT}{self.made} with \u00fc and \"quotes\""

    def search(self, arguments, run):
        for secret in self.secrets:
            self.assertNotIn(secret, run.out + run.err, arguments)
        self.assertNotIn(CONTENT, run.err, arguments)
        if not SHOWING & set(map(str, arguments)):
            self.assertNotIn(CONTENT, run.out, arguments)

    def mneme(self, *arguments, **options):
        run = super().mneme(*arguments, **options)
        self.search(arguments, run)
        events = self.events(run)
        self.seen |= {event["layer"] for event in events}
        self.assertEqual({line[0] for line in run.err.splitlines() if read_line(line)},
                         {"{" if self.log_format == "json" else "t"} if events else set())
        return run

    def write_all_kinds(self):
        """Records of many kinds, with canaries in all their texts; the id of an episode."""
        c = self.content
        number = self.start(c(), "--type", c(), "--domain", c(), "--language", c(), "--tag", c(),
                            "--meta", f"key={c()}")
        params = json.dumps({"path": c()})
        self.good("episode", "step", number, "--tool", c(), "--action", c(), "--params", params,
                  "--output", c())
        self.good("episode", "step", number, "--tool", c(), "--error", c())
        self.good("tag", "add", number, c())
        self.good("episode", "complete", number, "--outcome", "success", "--reward", "1",
                  "--insight", c(), "--worked", c(), "--improve", c(), "--verdict", c(),
                  "--reason", c(), "--done", c(), "--failed", c(), "--artifact", c())
        self.good("pattern", "put", "--type", "context", "--name", c(), "--description", c())
        self.good("heuristic", "put", "--condition", c(), "--action", c(), "--confidence", "0.5")
        return number

    def hold(self):
        """Serve the metrics of the store, so that what others do is seen for as long as it runs."""
        serve = subprocess.Popen([BINARY, "metrics", "serve", "--listen", "127.0.0.1:0"],
                                 cwd=self.directory, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                 env=self.environment)
        said = ""
        while "serving " not in said:
            line = serve.stderr.readline()
            self.assertTrue(line, said)
            said += line
        return serve, said

    def let_go(self, serve, said):
        """What it exposed is full of what was done, and of no secret, and of no content."""
        url = re.search(r"serving (http://\S+)", said)[1]
        with urllib.request.urlopen(url, timeout=30) as answer:
            exposed = answer.read().decode()
        serve.send_signal(signal.SIGTERM)
        said += serve.communicate(timeout=60)[1]
        self.assertEqual(serve.returncode, 0, said)
        self.assertIn('operation="episode_start"', exposed)
        for canary in (*self.secrets, CONTENT):
            self.assertNotIn(canary, exposed)
            self.assertNotIn(canary, said)

    def work(self, *arguments, **options):
        """Use a store in every way."""
        self.good("init")
        holder = self.hold()
        number = self.write_all_kinds()
        for command in (["query"], ["query", "--meta", f"key={self.content()}"],
                        ["pattern", "list"], ["episode", "show", number],
                        ["--json", "episode", "show", number],
                        ["train"], ["export", "--force", "--output", self.directory / "all.jsonl"],
                        ["import", self.directory / "all.jsonl"]):
            self.good(*command)
        bad = self.directory / "bad.jsonl"
        bad.write_text(json.dumps({"kind": "episode", "task": self.content(), "steps": 7}) + "\n"
                       + '{"kind":"episode","task":"' + self.content()[:30] + "\n")
        self.assertNotEqual(self.mneme("import", "--format", "jsonl", bad).code, 0)
        for command in OUTPUTS:
            self.mneme(*command)
        self.good("episode", "delete", number)
        self.assertEqual(self.mneme("episode", "show", number).code, 3)
        self.let_go(*holder)

    def test_files(self):
        for store in (self.directory / "a.mdb", "file:b.db"):
            self.environment["MNEME_STORE"] = str(store)
            self.work()
        self.good("backup", "copy.db")
        self.assertLessEqual({"store", "cache", "exchange", "codec", "api", "os"}, self.seen)

    def test_server_with_a_token(self):
        token_file = self.directory / "token"
        token_file.write_text(self.token + "\n")
        token_file.chmod(0o600)
        for way in ({"MNEME_TOKEN": self.token}, {"MNEME_TOKEN_FILE": str(token_file)}):
            self.environment.update(way)
            self.work()
            del self.environment[next(iter(way))]
        self.assertLessEqual({"net", "store", "api"}, self.seen)

    def test_sync(self):
        self.environment.update(MNEME_REMOTE=self.server.url, MNEME_TOKEN=self.token)
        a, b = self.directory / "a.mdb", self.directory / "b.mdb"
        on = lambda store, *rest: self.good("--store", store, *rest)
        put = lambda store, *rest: on(store, "pattern", "put", "--type", "context", "--name",
                                      self.content(), "--description", self.content(), *rest)
        number = put(a).out.strip()
        put(a, "--local-only")
        for store in (a, b, a):
            on(store, "sync")
        for store in (a, b):
            put(store, "--id", number)
        for store in (a, b, a):
            on(store, "sync")
        conflict, = on(a, "conflicts", "list", "--ids").out.split()
        on(a, "conflicts", "show", conflict)
        for command in OUTPUTS:
            self.mneme("--store", a, *command)
        watch = subprocess.Popen([BINARY, "--store", a, "sync", "--watch"], cwd=self.directory,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, env=self.environment)
        put(a)
        time.sleep(1)
        watch.send_signal(signal.SIGTERM)
        said = watch.communicate(timeout=60)[1].decode()
        for secret in (*self.secrets, CONTENT):
            self.assertNotIn(secret, said)
        self.assertIn("request ended", said)
        # A remote that refuses us, and one that is not there.
        self.assertEqual(self.mneme("--store", a, "sync",
                                    environment={"MNEME_TOKEN": self.expired}).code, 8)
        dead = {"MNEME_REMOTE": self.dead_url()}
        self.assertEqual(self.mneme("--store", b, "sync", environment=dead).code, 7)
        self.assertLessEqual({"net", "store", "sync", "api"}, self.seen)

    def test_refused_secrets(self):
        for way in ({"MNEME_TOKEN": SECRET + "token"}, {"MNEME_TOKEN": self.expired},
                    {"MNEME_BASIC": f"{SECRET}user:{SECRET}word"}):
            for command in (["query"], ["init"], ["doctor"], ["stats"],
                            ["episode", "start", "--task", self.content()]):
                run = self.mneme(*command, environment=way)
                self.assertEqual(run.code, 8, run.err)
                if command == ["query"]:
                    self.assertTrue(any(e.get("http.response.status_code") in ("401", 401)
                                        for e in self.events(run)))
        bad_file = self.directory / "token"
        bad_file.write_text(f"two {SECRET}words")
        for mode in (0o600, 0o644):
            bad_file.chmod(mode)
            self.assertNotEqual(self.mneme("--token-file", bad_file, "query").code, 0)

    def test_secrets_in_urls(self):
        for url in (f"https://{SECRET}user:{SECRET}word@host", f"libsql://host?auth={SECRET}x",
                    f"http://127.0.0.1:1/{SECRET}?q={SECRET}"):
            for command in (["query"], ["init"], ["doctor"], ["stats"], ["verify"]):
                self.assertNotEqual(self.mneme("--store", url, *command).code, 0)
            self.mneme("query", environment={"MNEME_REMOTE_REPLICA_URL": url,
                                             "MNEME_TOKEN": self.token})
            self.mneme("--store", self.directory / "a.mdb", "--remote", url, "sync")

    def test_dead_server(self):
        url = self.dead_url()
        for command in (["query"], ["episode", "start", "--task", self.content()], ["doctor"]):
            run = self.mneme("--store", url, *command, environment={"MNEME_TOKEN": self.token})
            self.assertEqual(run.code, 7)
            self.assertIn("request is sent again", {e["msg"] for e in self.events(run)})

    def test_broken_files(self):
        for name, url in (("a.mdb", "a.mdb"), ("b.db", "file:b.db")):
            self.environment["MNEME_STORE"] = url
            for _ in range(20):
                self.write_all_kinds()
            path = self.directory / name
            whole = path.read_bytes()
            middle = len(whole) // 2 & ~4095
            for broken in (whole[:len(whole) // 3], whole[:middle] + b"\xa5" * 4096 +
                           whole[middle + 4096:], b"no store", whole[:4096] * 3):
                for extra in self.directory.glob(name + "-*"):
                    extra.unlink()
                path.write_bytes(broken)
                for command in (["verify"], ["query"], ["export"], ["stats"], ["doctor"]):
                    self.mneme(*command)


class CanariesInJson(Canaries):
    log_format = "json"


if __name__ == "__main__":
    unittest.main()
