#!/usr/bin/env python3
"""Settings: where they come from, which wins, and what is wrong with a file."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cli_case import CliCase

NAMES = ["store.url", "store.durability", "store.compression", "store.compression_level",
         "store.batch_operations", "store.batch_interval_ms", "cache.enabled",
         "cache.fill_by_writes", "cache.access_weight", "cache.recency_weight",
         *(f"cache.{cache}{which}" for cache in ("episodes", "patterns", "queries")
           for which in ("", "_bytes", "_entries", "_ttl_s", "_ttl_min_s", "_ttl_max_s")),
         *(f"remote.{key}" for key in (
             "token", "token_file", "basic", "replica_url", "namespace", "encoding", "streams",
             "allow_plain_http", "ca_file", "pool_min", "pool_max", "pool_idle_ms", "pool_age_ms",
             "acquire_ms", "connect_ms", "timeout_ms", "stall_ms", "attempts", "breaker_failures",
             "breaker_open_ms", "refresh_ms")),
         *(f"sqlite.{key}" for key in ("connections", "statements", "busy_ms")),
         *(f"sync.{key}" for key in ("url", "name", "only", "poll_ms", "poll_max_ms", "push_max",
                                     "gather_ms", "keep_days", "lease_ms")),
         "log.level", "log.format", "metrics.enabled", "metrics.slow_ms", "output.color"]
REMOTE_VALUES = {"token_file": "/t", "replica_url": "https://replica", "namespace": "n",
                 "encoding": "json", "streams": "off", "allow_plain_http": "on",
                 "ca_file": "/ca", "pool_min": "1",
                 "pool_max": "2", "pool_idle_ms": "3", "pool_age_ms": "4", "acquire_ms": "5",
                 "connect_ms": "6", "timeout_ms": "7", "stall_ms": "8", "attempts": "9",
                 "breaker_failures": "10", "breaker_open_ms": "11", "refresh_ms": "12"}
SQLITE_VALUES = {"connections": "13", "statements": "14", "busy_ms": "15"}
SYNC_VALUES = {"url": "file:remote.db", "name": "here", "only": "domain=web, tag=work",
               "poll_ms": "16", "poll_max_ms": "17", "push_max": "18", "gather_ms": "19",
               "keep_days": "20", "lease_ms": "2100"}
CACHE_VALUES = {"enabled": "off", "fill_by_writes": "off", "access_weight": "0.25",
                "recency_weight": "1",
                **{f"{cache}{which}": value for cache in ("episodes", "patterns", "queries")
                   for which, value in (("", "off"), ("_bytes", "5 MiB"), ("_entries", "6"),
                                        ("_ttl_s", "8"), ("_ttl_min_s", "7"),
                                        ("_ttl_max_s", "9"))}}


class Config(CliCase):
    def setUp(self):
        super().setUp()
        del self.environment["MNEME_STORE"]
        self.user = self.directory / ".config/mneme/config.ini"
        self.machine = self.directory / "xdg/mneme/config.ini"

    def write(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def settings(self, *arguments, **environment):
        lines = self.good(*arguments, "--json", "config", "show", environment=environment).lines
        self.assertEqual([line["name"] for line in lines], NAMES)
        return {line["name"]: (line["value"], line["origin"]) for line in lines}

    def test_defaults__follow_xdg(self):
        settings = self.settings()
        home = f"{self.directory}/.local/share/mneme/memory.mdb"
        self.assertEqual(settings["store.url"], (home, "default"))
        self.assertEqual({origin for _, origin in settings.values()}, {"default"})
        data = self.settings(XDG_DATA_HOME=f"{self.directory}/data")
        self.assertEqual(data["store.url"][0], f"{self.directory}/data/mneme/memory.mdb")
        self.assertEqual(self.settings(XDG_DATA_HOME="relative")["store.url"][0], home)

    def test_precedence__is_option_environment_user_machine_default(self):
        expected = lambda *arguments, **environment: self.settings(
            *arguments, **environment)["store.url"]
        self.write(self.machine, "[store]\nurl = /m\ndurability = batch\n")
        self.assertEqual(expected(), ("/m", f"file {self.machine}:2"))
        self.write(self.user, "# mine\n\n[store]\nurl = /u\n")
        self.assertEqual(expected(), ("/u", f"file {self.user}:4"))
        self.assertEqual(self.settings()["store.durability"],
                         ("batch", f"file {self.machine}:3"))
        self.assertEqual(expected(MNEME_STORE="/e"), ("/e", "environment MNEME_STORE"))
        self.assertEqual(expected(MNEME_STORE=""), ("/u", f"file {self.user}:4"))
        self.assertEqual(expected("--store", "/o", MNEME_STORE="/e"), ("/o", "option --store"))
        moved = self.directory / "moved"
        self.write(moved / "mneme/config.ini", "[store]\nurl=/c\n")
        self.assertEqual(expected(XDG_CONFIG_HOME=str(moved))[0], "/c")
        self.assertEqual(expected(XDG_CONFIG_HOME="moved")[0], "/u")

    def test_every_setting__can_come_from_environment_and_file(self):
        values = {"url": "/x.mdb", "durability": "relaxed", "compression": "lz4",
                  "compression_level": "9", "batch_operations": "7", "batch_interval_ms": "8"}
        lines = lambda of: "".join(f"{k} = {v}\n" for k, v in of.items())
        self.write(self.user, "[store]\n" + lines(values) + "[cache]\n" + lines(CACHE_VALUES) +
                   "[remote]\n" + lines(REMOTE_VALUES) + "[sqlite]\n" + lines(SQLITE_VALUES) +
                   "[sync]\n" + lines(SYNC_VALUES) +
                   "[log]\nlevel = error, net=off\nformat = json\n"
                   "[metrics]\nenabled = off\nslow_ms = 250\n[output]\ncolor = never\n")
        from_file = {name: value for name, (value, _) in self.settings().items()}
        self.user.unlink()
        variables = {"MNEME_" + ("STORE" if k == "url" else k.upper()): v
                     for k, v in values.items()}
        variables |= {"MNEME_CACHE" + ("" if k == "enabled" else "_" + k.upper()): v
                      for k, v in CACHE_VALUES.items()}
        variables |= {"MNEME_TOKEN_FILE" if k == "token_file" else "MNEME_REMOTE_" + k.upper(): v
                      for k, v in REMOTE_VALUES.items()}
        variables |= {"MNEME_SQLITE_" + k.upper(): v for k, v in SQLITE_VALUES.items()}
        variables |= {"MNEME_REMOTE" if k == "url" else "MNEME_SYNC_" + k.upper(): v
                      for k, v in SYNC_VALUES.items()}
        variables |= {"MNEME_LOG": "error, net=off", "MNEME_LOG_FORMAT": "json",
                      "MNEME_METRICS": "off", "MNEME_SLOW_MS": "250"}
        from_environment = {n: v for n, (v, _) in self.settings(NO_COLOR="1",
                                                                **variables).items()}
        self.assertEqual(from_file, from_environment)
        remote = {"token": "", "token_file": "", "basic": "", **REMOTE_VALUES}
        self.assertEqual(list(from_file.values()),
                         [*values.values(), *CACHE_VALUES.values(), *remote.values(),
                          *SQLITE_VALUES.values(), *SYNC_VALUES.values(), "error, net=off",
                          "json", "off", "250", "never"])

    def test_plain_page__shows_origins_when_asked(self):
        self.assertIn("default", self.good("config", "show", "--origin").out)
        self.assertNotIn("default", self.good("config", "show").out)

    def test_settings__are_used(self):
        self.write(self.user, f"[store]\nurl = {self.directory}/mine.mdb\ncompression = none\n")
        self.start()
        self.assertTrue((self.directory / "mine.mdb").exists())
        for mode in ("sync", "batch", "relaxed"):
            self.good("episode", "start", "--task", mode, environment={"MNEME_DURABILITY": mode})
        self.assertEqual(len(self.good("query", "--ids").out.split()), 4)

    def test_bad_file__is_an_error_with_file_and_line(self):
        for line, said, text in (
                (1, "stands before any section", "url = x\n"),
                (2, "[cache] has no setting 'size'", "[cache]\nsize = 1\n"),
                (2, "patterns_entries takes a whole number from 1 to 100000000",
                 "[cache]\npatterns_entries = 0\n"),
                (2, "queries takes one of on, off, not 'no'", "[cache]\nqueries = no\n"),
                (2, "no section [net]; there are [store], [cache], [remote], [sqlite], [sync]",
                 "[net]\nurl = x\n"),
                (3, "[store] has no setting 'urls'", "[store]\n\nurls = x\n"),
                (2, "takes one of sync, batch, relaxed, not 'often'",
                 "[store]\ndurability = often\n"),
                (2, "takes a whole number from 0 to 19", "[store]\ncompression_level = 20\n"),
                (2, "takes a path", "[store]\nurl =\n"),
                (3, "stands on line 2 already", "[store]\nurl = a\nurl = b\n"),
                (3, "stands on line 2 already", "[store]\nurl = a\n  b\n"),
                (2, "expected [section]", "[store]\nurl\n"),
                (1, "expected [section]", "[store\n"),
                (2, "NUL", b"[store]\nurl = a\0b\n"),
                (2, "longer than", "[store]\nurl = " + "x" * 300 + "\n")):
            with self.subTest(text=text):
                self.write(self.user, text)
                run = self.bad(2, said, "query")
                self.assertIn(f"{self.user}:{line}: ", run.err)
                self.good("help")

    def test_unreadable_file__is_an_error(self):
        self.user.mkdir(parents=True)
        self.bad(1, str(self.user), "query")

    def test_bad_environment__names_the_variable(self):
        self.bad(2, "MNEME_DURABILITY takes one of", "query",
                 environment={"MNEME_DURABILITY": "never"})
        self.bad(2, "MNEME_BATCH_OPERATIONS takes a whole number from 1", "query",
                 environment={"MNEME_BATCH_OPERATIONS": "0"})

    def test_sizes__take_binary_units(self):
        variable = "MNEME_CACHE_EPISODES_BYTES"
        for text in ("65536", "64k", "64 K", "64KiB", "64  kib", "65536 B", "1 TiB", "1023G", "2m"):
            self.assertEqual(self.settings(**{variable: text})["cache.episodes_bytes"],
                             (text, f"environment {variable}"))
        for text in ("0", "65535", "63 KiB", "1025 GiB", "2 TiB", "64 KB", "64 ", "MiB",
                     "-1 MiB", "+1 MiB", "1.5 MiB", "0x10000000", "64Ki", "64 KiBs",
                     "9223372036854775808", "9007199254740993 T", "1" * 40):
            run = self.bad(2, f"{variable} takes a size from 64 KiB to 1 TiB, such as 32 MiB, not "
                           f"'{text}'", "query", environment={variable: text})
            self.assertEqual(run.err.count("\n"), 1)

    def test_weights__are_from_0_to_1_and_not_both_0(self):
        for text in ("-0.1", "1.01", "nan", "half", "1e9"):
            self.bad(2, "MNEME_CACHE_ACCESS_WEIGHT takes a decimal number from 0 to 1", "query",
                     environment={"MNEME_CACHE_ACCESS_WEIGHT": text})
        self.settings(MNEME_CACHE_ACCESS_WEIGHT="0", MNEME_CACHE_RECENCY_WEIGHT="1")
        self.bad(2, "cache.access_weight and cache.recency_weight are both 0", "query",
                 environment={"MNEME_CACHE_ACCESS_WEIGHT": "0",
                              "MNEME_CACHE_RECENCY_WEIGHT": "0.0"})

    def test_times_to_live__must_be_in_order(self):
        self.write(self.user, "[cache]\nqueries_ttl_s = 30\n")
        run = self.bad(2, "cache.queries_ttl_min_s, 60 (default), must not be more than "
                       "cache.queries_ttl_s, 30 (file ", "query")
        self.assertIn(f"(file {self.user}:2)", run.err)
        self.good("help")
        self.settings(MNEME_CACHE_QUERIES_TTL_MIN_S="30")
        self.bad(2, "cache.patterns_ttl_s, 3601 (environment MNEME_CACHE_PATTERNS_TTL_S), must "
                 "not be more than cache.patterns_ttl_max_s, 3600 (default)", "query",
                 environment={"MNEME_CACHE_QUERIES_TTL_MIN_S": "1",
                              "MNEME_CACHE_PATTERNS_TTL_S": "3601"})

    def test_no_cache__is_an_option_of_every_command(self):
        self.write(self.user, "[cache]\nenabled = on\n")
        self.assertEqual(self.settings()["cache.enabled"], ("on", f"file {self.user}:2"))
        self.assertEqual(self.settings("--no-cache", MNEME_CACHE="on")["cache.enabled"],
                         ("off", "option --no-cache"))
        self.good("--no-cache", "query", "--store", "mem:")

    def test_secrets__come_from_the_environment_and_are_not_shown(self):
        canary = "canary-SECRET"
        for variables, origin in (
                ({"MNEME_TOKEN": canary}, "environment MNEME_TOKEN"),
                ({"TURSO_AUTH_TOKEN": canary}, "environment TURSO_AUTH_TOKEN"),
                ({"TURSO_AUTH_TOKEN": canary, "MNEME_TOKEN": canary}, "environment MNEME_TOKEN")):
            self.assertEqual(self.settings(**variables)["remote.token"], ("***", origin))
            self.assertNotIn("SECRET", self.good("config", "show", environment=variables).out)
        self.assertEqual(self.settings(MNEME_BASIC=f"user:{canary}")["remote.basic"][0], "***")
        for key in ("token", "basic"):
            self.write(self.user, f"[remote]\n{key} = {canary}\n")
            run = self.bad(2, "is a secret", "config", "show")
            self.assertIn(f"{self.user}:2: ", run.err)
            self.assertIn("token_file = PATH", run.err)
            self.assertNotIn("SECRET", run.err)

    def test_urls_with_secrets__are_cut(self):
        for url in ("https://user:canary-SECRET@host/x", "libsql://host?authToken=SECRET"):
            settings = self.settings(MNEME_STORE=url, MNEME_REMOTE_REPLICA_URL=url)
            scheme = url.split(":")[0]
            self.assertEqual(settings["store.url"][0], f"{scheme}://***")
            self.assertEqual(settings["remote.replica_url"][0], f"{scheme}://***")

    def test_pool__must_not_have_more_than_it_may(self):
        self.bad(2, "remote.pool_min, 9 (environment MNEME_REMOTE_POOL_MIN), must not be more than "
                 "remote.pool_max, 8 (default)", "query",
                 environment={"MNEME_REMOTE_POOL_MIN": "9"})

    def test_no_home__says_what_to_do(self):
        del self.environment["HOME"]
        self.bad(3, "name one with --store PATH", "query")
        self.good("config", "show")


if __name__ == "__main__":
    unittest.main()
