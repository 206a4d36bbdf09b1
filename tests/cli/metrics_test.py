#!/usr/bin/env python3
"""`stats --format` and `metrics serve`, read with the tools of others: promtool, the parser of
Python's prometheus_client, curl."""
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cli_case import CliCase
from metrics_case import BUILD, Load, Serve, families, promtool, samples, wait_until

OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"
# As Prometheus 2 asks.
ACCEPT = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
          "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1")


def operations(found, layer="api"):
    return {dict(key[1:])["operation"]: value for key, value in found.items()
            if key[0] == "mneme_operations_total" and ("layer", layer) in key}


class Text(CliCase):
    def busy(self, url):
        """A store that was worked on, and is open."""
        load = Load(self, self.environment, url)
        self.environment["MNEME_STORE"] = str(url)
        wait_until(lambda: load.process.poll() is not None or os.path.exists(self.store))
        wait_until(lambda: "mneme_query_shape" in self.mneme("stats", "--format",
                                                             "openmetrics").out)
        return load, load.rest()

    def test_counts__are_what_the_program_did(self):
        load, counts = self.busy(self.store)
        found = samples(self.good("stats", "--format", "openmetrics").out)
        done = operations(found)
        for name in ("episode_start", "step_append", "episode_complete", "list"):
            self.assertEqual(done[name], counts[name], name)
        labels = (("gen_ai_operation_name", "create_memory"), ("layer", "api"),
                  ("operation", "episode_start"))
        duration = "mneme_operation_duration_seconds"
        self.assertEqual(found[duration + "_count", *labels], counts["episode_start"])
        self.assertEqual(found[duration + "_bucket", labels[0], labels[1], ("le", "+Inf"),
                               labels[2]], counts["episode_start"])
        self.assertGreater(found[duration + "_sum", *labels], 0)
        shape, = [key for key in found if key[0] == "mneme_query_shape_queries_total"]
        self.assertEqual(found[shape], counts["list"])
        error, = [value for key, value in found.items()
                  if key[0] == "mneme_operation_errors_total" and ("layer", "api") in key]
        self.assertEqual(error, counts["missed"])
        load.finish()

    def test_openmetrics__is_valid_and_as_the_older_text(self):
        load, _ = self.busy(self.store)
        text = self.good("stats", "--format", "openmetrics").out
        self.assertIn("\nmneme_processes 2\n", text)
        self.assertTrue(text.endswith("\n# EOF\n"))
        found = families(text)
        self.assertEqual(found["mneme_operations"].type, "counter")
        self.assertEqual(found["mneme_build"].type, "info")
        self.assertEqual(found["mneme_operation_duration_seconds"].unit, "seconds")
        self.assertEqual(found["mneme_store_file_bytes"].unit, "bytes")
        for family in found.values():
            self.assertTrue(family.name.startswith("mneme_"), family.name)
            self.assertTrue(family.documentation.endswith("."), family.name)
            names = {tuple(label for label in sample.labels if label != "le")
                     for sample in family.samples}
            self.assertEqual(len(names), 1, family.name)
        older = self.good("stats", "--format", "prometheus").out
        names = lambda text: {line.split(" ")[0] for line in text.splitlines() if line[0] != "#"}
        self.assertEqual(names(text), names(older))
        load.finish()

    def test_page__lists_every_family(self):
        page = (pathlib.Path(os.environ["MNEME_SOURCE_DIR"]) / "docs/prometheus.md").read_text()
        listed = set(re.findall(r"^\| `(mneme_\w+)` \|", page, re.MULTILINE))
        load, _ = self.busy(self.store)
        text = self.good("stats", "--format", "prometheus").out
        text += self.good("stats", "--format", "prometheus", "--each").out
        load.finish()
        found = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
        self.assertEqual(listed - found, set())
        # What is not in the table is a level.
        levels = (pathlib.Path(os.environ["MNEME_SOURCE_DIR"]) / "docs/metrics.md").read_text()
        for name in found - listed:
            level = name.removeprefix("mneme_").removesuffix("_total")
            bare = level.removesuffix("_bytes").removesuffix("_seconds")
            self.assertRegex(levels, rf"\n\| `({level}|{bare})`")
        config = self.directory / "prometheus.yml"
        config.write_text(re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1])
        contrib = pathlib.Path(os.environ["MNEME_SOURCE_DIR"]) / "contrib/prometheus"
        for rules in contrib.iterdir():
            shutil.copy(rules, self.directory)
        self.assertIn("SUCCESS", promtool("check", "config", config))

    def test_promtool__has_nothing_to_say(self):
        for url in (self.store, f"file:{self.directory}/memory.db"):
            load, _ = self.busy(url)
            for more in ((), ("--each",)):
                text = self.good("stats", "--format", "prometheus", *more).raw
                self.assertEqual(promtool("check", "metrics", text=text), "")
            self.assertIn(b'layer="sql"' if "file:" in str(url) else b'layer="kv"', text)
            load.finish()

    def test_labels__have_nothing_of_records(self):
        load, _ = self.busy(self.store)
        for more in ((), ("--each",)):
            text = self.good("stats", "--format", "openmetrics", *more).out
            self.assertIn("meta.", text)
            self.assertNotIn("canary", text)
            self.assertNotIn(str(self.directory), text)
        load.finish()

    def test_each__has_every_process_and_its_name(self):
        load, counts = self.busy(self.store)
        text = self.good("stats", "--format", "openmetrics", "--each").out
        pid = str(load.process.pid)
        self.assertIn(f'mneme_process_info{{pid="{pid}",command="metrics_load"}} 1\n', text)
        self.assertIn('command="mneme"', text)
        found = {key: value for key, value in samples(text).items() if ("pid", pid) in key}
        self.assertEqual(operations(found)["list"], counts["list"])
        load.finish()

    def test_store_that_nobody_has_open__is_told_of(self):
        self.start()
        text = self.good("stats", "--format", "openmetrics").out
        self.assertIn("\nmneme_processes 1\n", text)
        self.assertIn("\nmneme_store_records 1\n", text)

    def test_format__has_synonyms(self):
        self.good("init")
        plain, = self.good("--json", "stats").lines
        self.assertEqual(self.good("stats", "--format", "json").lines[0].keys(), plain.keys())
        self.assertEqual(self.good("stats", "--format", "text").out.split("\n")[0],
                         self.good("stats").out.split("\n")[0])
        self.bad(2, "text, json, openmetrics", "stats", "--format", "xml")
        self.bad(3, "no store", "--store", "none.mdb", "stats", "--format", "openmetrics")

    def test_example__has_the_figures_of_its_own_process(self):
        run = subprocess.run([f"{BUILD}/tests/registry", self.store], capture_output=True,
                             text=True, env=self.environment)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("\nmneme_operations|layer=api|operation=episode_start|"
                      "gen_ai_operation_name=create_memory = 1\n", run.stdout)
        self.assertNotIn("pid=", run.stdout)


class Served(CliCase):
    def setUp(self):
        super().setUp()
        self.good("init")

    def serve(self, *arguments, **options):
        return Serve(self, self.environment, *arguments, **options)

    def test_metrics__come_as_they_are_asked_for(self):
        serve = self.serve()
        self.assertRegex(serve.said, r"^serving http://127\.0\.0\.1:\d+/metrics\n$")
        for accept, kind in ((ACCEPT, OPEN), ("*/*", PLAIN), ("text/plain", PLAIN), ("", PLAIN),
                             ("application/openmetrics-text", OPEN),
                             ("Application/OpenMetrics-Text ; q=0.5 , text/plain;q=0.4", OPEN),
                             ("application/openmetrics-text;q=0.5,text/plain;q=0.9", PLAIN),
                             ("application/openmetrics-text;version=0.0.1", PLAIN),
                             ("application/openmetrics-text;q=0", PLAIN),
                             (";;,,=;q=x," * 100, PLAIN)):
            status, headers, text = serve.ask(Accept=accept)
            self.assertEqual((status, headers["Content-Type"]), (200, kind), accept)
            self.assertEqual(text.endswith("\n# EOF\n"), kind == OPEN)
            if kind == OPEN:
                self.assertIn("mneme_build", families(text))
            else:
                self.assertEqual(promtool("check", "metrics", text=text.encode()), "")
        self.assertEqual(serve.stop(), 0)

    def test_head__has_no_body(self):
        serve = self.serve()
        status, headers, text = serve.ask(method="HEAD")
        self.assertEqual((status, text), (200, ""))
        self.assertGreater(int(headers["Content-Length"]), 1000)

    def test_other_paths_and_methods__are_refused(self):
        serve = self.serve()
        status, headers, text = serve.ask("/")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn('href="/metrics"', text)
        for path in ("/metrics/", "/metric", "//metrics", "/../metrics", "/%2e%2e/etc/passwd"):
            self.assertEqual(serve.ask(path)[0], 404, path)
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
            status, headers, _ = serve.ask(method=method)
            self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"), method)
        self.assertEqual(serve.ask("/metrics?name=x")[0], 200)

    def test_host__must_be_ours(self):
        serve = self.serve("--allow-host", "metrics.internal", "--allow-host", "second")
        port = serve.address[1]
        for host in ("localhost", "LOCALHOST:1", "127.0.0.1", f"127.0.0.1:{port}", "[::1]:80",
                     "metrics.internal", "Metrics.Internal.:9464", "second"):
            self.assertEqual(serve.ask(Host=host)[0], 200, host)
        for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example",
                     "127.0.0.1.evil.example", "127.0.0.1@evil.example", "evil.example#localhost",
                     "localhost:80:evil.example", "localhost:evil", "xlocalhost", "127.0.0.2",
                     "", ":80", "[::1", "[::1]x", "[evil.example]", "0.0.0.0", "metrics", "."):
            status, _, text = serve.ask(Host=host)
            self.assertEqual(status, 403, host)
            self.assertIn("--allow-host", text)
            self.assertNotIn("mneme_", text)
        two = serve.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        self.assertRegex(two, b"^HTTP/1.1 4")
        self.assertRegex(serve.send(b"GET /metrics HTTP/1.1\r\n\r\n"), b"^HTTP/1.1 4")
        self.assertRegex(serve.send(b"GET /metrics HTTP/1.0\r\n\r\n"), b"^HTTP/1.1 403 ")

    def test_hostile_requests__end_nothing(self):
        serve = self.serve()
        host = b"Host: localhost\r\n"
        for request, answer in (
                (b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\n" + host + b"\r\n", b"HTTP/1.1 414 "),
                (b"GET /metrics HTTP/1.1\r\n" + host + b"X: " + b"a" * 40000 + b"\r\n\r\n",
                 b"HTTP/1.1 431 "),
                (b"GET /metrics HTTP/1.1\r\n" + host + b"X: a\r\n" * 10000 + b"\r\n",
                 b"HTTP/1.1 431 "),
                (b"POST /metrics HTTP/1.1\r\n" + host + b"Content-Length: 99999999999\r\n\r\nx",
                 b"HTTP/1.1 405 "),
                (b"GET http://evil.example/metrics HTTP/1.1\r\n" + host + b"\r\n",
                 b"HTTP/1.1 404 ")):
            self.assertTrue(serve.send(request).startswith(answer), request[:60])
        idle = [socket.create_connection(serve.address) for _ in range(40)]
        for connection in idle:
            connection.sendall(b"GET /met")
        self.assertEqual(serve.ask()[0], 200)
        for connection in idle:
            connection.close()
        self.assertEqual(serve.stop(), 0)

    def test_many_at_once__each_get_a_whole_picture(self):
        serve, answers = self.serve(), []
        ask = lambda: answers.extend(serve.ask(Accept=ACCEPT) for _ in range(10))
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(answers), 80)
        for status, _, text in answers:
            self.assertEqual(status, 200)
            families(text)

    def test_signals__end_it_well(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            serve = self.serve()
            serve.ask()
            self.assertEqual(serve.stop(number), 0)

    def test_store_that_is_gone__is_503_until_it_is_back(self):
        serve = self.serve()
        away = self.directory / "away.mdb"
        self.store.rename(away)
        status, _, text = serve.ask()
        self.assertEqual(status, 503)
        self.assertIn("no store", text)
        away.rename(self.store)
        self.assertTrue(wait_until(lambda: serve.ask()[0] == 200))
        # Another one in its place, which holds an episode.
        self.store.rename(away)
        self.assertEqual(serve.ask()[0], 503)
        self.start()
        wait_until(lambda: serve.ask()[0] == 200)
        self.assertIn("\nmneme_store_records 1\n", serve.ask()[2])
        broken = self.directory / "broken.mdb"
        broken.write_bytes(b"no store" * 1000)
        broken.rename(self.store)
        status, _, text = serve.ask()
        self.assertEqual(status, 503)
        self.assertIn(str(self.store), text)
        self.assertEqual(serve.ask("/")[0], 200)
        self.assertEqual(serve.stop(), 0)

    def test_place__is_checked(self):
        for place, why in (("0.0.0.0:0", "--allow-remote"), ("[::]:0", "--allow-remote"),
                           ("192.0.2.1:80", "--allow-remote"), ("127.0.0.1", "no place"),
                           ("9464", "no place"), ("example.org:80", "no place"),
                           ("::1:80", "no place"), ("127.0.0.1:65536", "no place"),
                           ("127.0.0.1:-1", "no place"), ("[127.0.0.1]:80", "no place"),
                           ("unix:", "path of a socket"),
                           ("unix:" + "x" * 200, "path of a socket")):
            self.bad(2, why, "metrics", "serve", "--listen", place)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            place = f"127.0.0.1:{taken.getsockname()[1]}"
            self.bad(4, "is taken", "metrics", "serve", "--listen", place)
        self.bad(3, "no store", "--store", "none.mdb", "metrics", "serve", "--listen",
                 "127.0.0.1:0")
        serve = self.serve("--allow-remote", listen="0.0.0.0:0")
        self.assertEqual(serve.ask(Host="localhost")[0], 200)
        self.assertEqual(serve.ask(Host="evil.example")[0], 403)

    def test_json__tells_where_it_serves(self):
        process = subprocess.Popen([os.environ["MNEME_BINARY"], "--json", "metrics", "serve",
                                    "--listen", "127.0.0.1:0"], env=self.environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertRegex(process.stdout.readline(), rb'^\{"listen":"http://127\.0\.0\.1:\d+"\}\n$')
        process.terminate()
        self.assertEqual(process.communicate(timeout=60), (b"", b""))
        self.assertEqual(process.returncode, 0)


class Unix(CliCase):
    def setUp(self):
        super().setUp()
        self.good("init")
        self.path = self.directory / "socket"

    def serve(self):
        return Serve(self, self.environment, listen=f"unix:{self.path}")

    def curl(self, url="http://localhost/metrics"):
        run = subprocess.run(["curl", "-sS", "--max-time", "60", "--unix-socket", self.path, url],
                             capture_output=True, text=True)
        return run.stdout

    def test_socket__is_its_owners_and_removed_at_the_end(self):
        serve = self.serve()
        self.assertIn(f"unix:{self.path}", serve.said)
        self.assertEqual(stat.S_IMODE(self.path.lstat().st_mode), 0o600)
        self.assertEqual(promtool("check", "metrics", text=self.curl().encode()), "")
        self.assertIn("mneme_build_info", self.curl("http://any.name/metrics"))
        self.bad(4, "is taken", "metrics", "serve", "--listen", f"unix:{self.path}")
        self.assertIn("mneme_build_info", self.curl())
        self.assertEqual(serve.stop(), 0)
        self.assertFalse(self.path.exists())

    def test_socket_of_the_dead__is_replaced_and_other_files_are_not(self):
        serve = self.serve()
        serve.end()
        self.assertTrue(self.path.exists())
        serve = self.serve()
        self.assertIn("mneme_build_info", self.curl())
        # Somebody else's by now, so it stays.
        self.path.unlink()
        self.path.write_text("a file")
        self.assertEqual(serve.stop(), 0)
        self.assertEqual(self.path.read_text(), "a file")
        self.bad(4, "is taken", "metrics", "serve", "--listen", f"unix:{self.path}")
        self.assertEqual(self.path.read_text(), "a file")


if __name__ == "__main__":
    unittest.main()
