#!/usr/bin/env python3
"""What settings make of the caches, as `stats` shows it."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cli_case import CliCase

FIELDS = ["on", "entries", "entries_max", "bytes", "bytes_max", "hits", "negative_hits", "misses",
          "joins", "minute_hits", "minute_lookups", "hour_hits", "hour_lookups", "admissions",
          "rejections", "evictions_by_bytes", "evictions_by_entries", "expirations",
          "invalidations_by_change", "invalidations_by_flood", "invalidations_by_replace"]
MIB = 1 << 20


class Cache(CliCase):
    def setUp(self):
        super().setUp()
        self.start()

    def caches(self, *arguments, **environment):
        stats, = self.good("--json", "stats", *arguments, environment=environment).lines
        return stats["caches"]

    def limits(self, *arguments, **environment):
        return {name: (of["on"], of["bytes_max"], of["entries_max"])
                for name, of in self.caches(*arguments, **environment).items()}

    def test_json__has_every_figure_of_each_cache(self):
        caches = self.caches()
        self.assertEqual(list(caches), ["episodes", "patterns", "queries"])
        for name, of in caches.items():
            self.assertEqual(list(of), FIELDS, name)

    def test_defaults__are_those_that_config_shows(self):
        self.assertEqual(self.limits(), {"episodes": (True, 32 * MIB, 10000),
                                         "patterns": (True, 24 * MIB, 10000),
                                         "queries": (True, 8 * MIB, 1000)})
        shown = {line["name"]: line["value"]
                 for line in self.good("--json", "config", "show").lines}
        for name, (_, size, entries) in self.limits().items():
            self.assertEqual(shown[f"cache.{name}_bytes"], f"{size // MIB} MiB")
            self.assertEqual(shown[f"cache.{name}_entries"], str(entries))

    def test_limits__are_those_of_the_settings(self):
        path = self.directory / ".config/mneme/config.ini"
        path.parent.mkdir(parents=True)
        path.write_text("[cache]\npatterns_bytes = 2 MiB\nqueries_entries = 64\n")
        limits = self.limits(MNEME_CACHE_EPISODES_BYTES="64K", MNEME_CACHE_EPISODES_ENTRIES="16")
        self.assertEqual(limits, {"episodes": (True, 65536, 16),
                                  "patterns": (True, 2 * MIB, 10000),
                                  "queries": (True, 8 * MIB, 64)})

    def test_off__is_one_cache_or_all(self):
        off = (False, 0, 0)
        for name in ("episodes", "patterns", "queries"):
            limits = self.limits(**{f"MNEME_CACHE_{name.upper()}": "off"})
            self.assertEqual([of for of, value in limits.items() if value == off], [name])
        for limits in (self.limits("--no-cache"), self.limits(MNEME_CACHE="off")):
            self.assertEqual(set(limits.values()), {off})

    def test_commands__give_the_same_with_and_without_caches(self):
        number = self.start("Fix it", "--meta", "k=v")
        for arguments in (["query"], ["query", "--meta", "k=v"], ["episode", "show", number],
                          ["export"], ["pattern", "list"]):
            self.assertEqual(self.good("--json", *arguments).out,
                             self.good("--json", "--no-cache", *arguments).out)

    def test_page__has_a_column_for_each_cache(self):
        lines = self.good("stats").out.splitlines()
        at = lines.index("CACHE                  EPISODES  PATTERNS  QUERIES")
        self.assertEqual(lines[at - 1], "")
        self.assertEqual(lines[at + 2].split(), ["entries", "at", "most", "10,000", "10,000",
                                                 "1,000"])
        self.assertEqual({len(line) for line in lines[at:]}, {len(lines[at])})
        self.assertRegex(self.good("--no-cache", "stats").out, r"\n\nCaches    off\n$")


if __name__ == "__main__":
    unittest.main()
