#!/usr/bin/env python3
"""A real Prometheus scrapes three busy stores: one that is synced with a server, one that lies on
a server, and an SQLite file. Its answers are held against what the programs say they did, and every
expression of the dashboard, the alerts and the rules in contrib/ is asked of it."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cli_case import BINARY
from metrics_case import Load, Program, Serve, promtool, wait_until
from port import Port
from sqld_case import Server

CONTRIB = pathlib.Path(os.environ["MNEME_SOURCE_DIR"]) / "contrib"
DASHBOARD = json.loads((CONTRIB / "grafana/mneme.json").read_text())

# The panels that have nothing to show while all is well, and why.
EMPTY = {"Failed share": "nothing failed but look-ups of what is not there"}


class Prometheus(Program):
    """One with a directory and a port of its own, that scrapes every second."""

    def __init__(self, case, targets):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="mneme-prometheus-"))
        case.addClassCleanup(shutil.rmtree, self.directory)
        self.port = Port()
        case.addClassCleanup(self.port.give_back)
        configs = [{"targets": [target], "labels": {"instance": name}}
                   for name, target in targets.items()]
        config = self.directory / "prometheus.yml"
        # JSON is YAML.
        config.write_text(json.dumps({
            "global": dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"),
                                    "1s"),
            "rule_files": [str(CONTRIB / "prometheus" / name)
                           for name in ("alerts.yml", "opentelemetry.yml")],
            "scrape_configs": [{"job_name": "mneme", "static_configs": configs}]}))
        promtool("check", "config", config)
        log = open(self.directory / "log", "wb")
        case.addClassCleanup(log.close)
        super().__init__(case, "prometheus", f"--config.file={config}", "--log.level=warn",
                         f"--storage.tsdb.path={self.directory}/data",
                         f"--web.listen-address=127.0.0.1:{self.port.number}",
                         cwd=self.directory, stdout=log, stderr=log)

    def get(self, path, **parameters):
        url = f"{self.port.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)["data"]

    def query(self, expression, **at):
        """[(labels, value)]"""
        return [(one["metric"], float(one["value"][1]))
                for one in self.get("query", query=expression, **at)["result"]]

    def scalar(self, expression):
        found = self.query(expression)
        return found[0][1] if len(found) == 1 else None


def expressions():
    """Every expression of the dashboard, as Grafana would send it: (panel, expression)."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], (target["expr"].replace("$__rate_interval", "20s")
                                   .replace("$instance", ".*"))


class Scraped(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="mneme-scraped-"))
        cls.addClassCleanup(shutil.rmtree, directory)
        server, remote = Server(), Server()
        for each in (server, remote):
            cls.addClassCleanup(each.remove)
        cls.environment = {"PATH": os.environ["PATH"], "HOME": str(directory)}
        stores = {"synced": [directory / "memory.mdb", remote.url], "server": [server.url],
                  "sqlite": [f"file:{directory}/memory.db"]}
        cls.loads = {name: Load(cls, cls.environment, *arguments)
                     for name, arguments in stores.items()}
        cls.serves = {}
        for name, (url, *_) in stores.items():
            opens = lambda: subprocess.run([BINARY, "--store", str(url), "stats"],
                                           env=cls.environment,
                                           capture_output=True).returncode == 0
            wait_until(opens)
            cls.serves[name] = Serve(cls, {**cls.environment, "MNEME_STORE": str(url)})
        targets = {name: "{}:{}".format(*serve.address) for name, serve in cls.serves.items()}
        cls.prometheus = Prometheus(cls, targets)
        cls.wait_for('min(count_over_time(up{job="mneme"}[5m])) >= 8')
        cls.wait_for('min(count_over_time(mneme_cache_hits_total{instance="synced"}[5m])) >= 4')
        cls.moment = time.time()
        cls.counts = {name: load.rest() for name, load in cls.loads.items()}

    @classmethod
    def wait_for(cls, expression, seconds=120):
        if not wait_until(lambda: cls.prometheus.query(expression), seconds):
            raise AssertionError(f"{expression} never came true: "
                                 f"{(cls.prometheus.directory / 'log').read_text()}"
                                 f"{cls.prometheus.get('targets')}")

    def test_targets__are_up_and_scraped_as_openmetrics(self):
        for target in self.prometheus.get("targets")["activeTargets"]:
            self.assertEqual((target["health"], target["lastError"]), ("up", ""))
        # Units come with OpenMetrics only.
        units = {entry["metric"]: entry["unit"]
                 for entry in self.prometheus.get("targets/metadata")}
        self.assertEqual(units["mneme_store_file_bytes"], "bytes")
        self.assertEqual(units["mneme_operation_duration_seconds"], "seconds")

    def test_values__are_what_the_programs_did(self):
        for name, counts in self.counts.items():
            for operation in ("episode_start", "step_append", "episode_complete", "list"):
                wanted = counts[operation]
                labels = f'{{instance="{name}",layer="api",operation="{operation}"}}'
                for family in (f"mneme_operations_total{labels}",
                               f"mneme_operation_duration_seconds_count{labels}"):
                    is_there = lambda: self.prometheus.scalar(family) == wanted
                    self.assertTrue(wait_until(is_there),
                                    f"{family}: {self.prometheus.query(family)}, not {wanted}")
            missed = (f'mneme_operation_errors_total{{instance="{name}",layer="api",'
                      'error_type="MNEME_NOT_FOUND"}')
            self.assertEqual(self.prometheus.scalar(missed), counts["missed"])
        # Of other stores it would have to be counted row by row.
        self.wait_for('mneme_store_records{instance="synced"} == '
                      f'{self.counts["synced"]["episode_start"]}')

    def test_outbox__empties_and_what_went_out_is_counted(self):
        self.wait_for('mneme_outbox_records{instance="synced"} == 0')
        pushed = self.prometheus.scalar('mneme_sync_pushed_total{instance="synced"}')
        self.assertGreaterEqual(pushed, self.counts["synced"]["episode_start"])

    def test_histograms__are_cumulative_and_end_with_their_count(self):
        bucket = 'mneme_operation_duration_seconds_bucket{instance="synced",operation="list"}'
        self.wait_for(f'max({bucket}) == {self.counts["synced"]["list"]}')
        rows = sorted((float(labels["le"]), value) for labels, value
                      in self.prometheus.query(bucket))
        self.assertEqual(len(rows), 26)
        self.assertEqual([value for _, value in rows], sorted(value for _, value in rows))
        self.assertEqual(rows[0][0], 1e-6)
        self.assertEqual(rows[-2][0], 100)
        self.assertEqual(rows[-1][1], self.counts["synced"]["list"])

    def test_dashboard__has_data_in_every_panel(self):
        for title, expression in expressions():
            with self.subTest(panel=title, expression=expression):
                found = self.prometheus.query(expression, time=self.moment)
                if title in EMPTY:
                    self.assertEqual(found, [], EMPTY[title])
                    continue
                # What did not happen has no ratio, which is a NaN, and no line on the panel.
                self.assertTrue(any(value == value for _, value in found), found)

    def test_dashboard__is_whole(self):
        boxes, ids = set(), [panel["id"] for panel in DASHBOARD["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        for panel in DASHBOARD["panels"]:
            box = panel["gridPos"]
            self.assertLessEqual(box["x"] + box["w"], 24)
            cells = {(x, y) for x in range(box["x"], box["x"] + box["w"])
                     for y in range(box["y"], box["y"] + box["h"])}
            self.assertFalse(cells & boxes, panel["title"])
            boxes |= cells
            if panel["type"] == "row":
                continue
            self.assertTrue(panel["description"].endswith("."), panel["title"])
            for target in panel["targets"]:
                # A legend can only name labels that the sums keep.
                kept = re.search(r"by \(([^)]*)\)", target["expr"])
                for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                    self.assertIn(label, kept[1].split(", "), target["expr"])

    def test_rules__are_sound_and_quiet_while_all_is_well(self):
        for name in ("alerts.yml", "opentelemetry.yml"):
            self.assertIn("SUCCESS", promtool("check", "rules", CONTRIB / "prometheus" / name))
        self.wait_for('gen_ai_client_operation_duration_seconds_count{gen_ai_operation_name='
                      '"create_memory",gen_ai_provider_name="mneme"} > 0')
        self.wait_for('db_client_operation_duration_seconds_count{db_operation_name="apply"} > 0')
        self.wait_for('db_client_connection_count{db_client_connection_state="idle"}')
        self.wait_for("histogram_quantile(0.9, rate("
                      "gen_ai_client_operation_duration_seconds_bucket[5m])) > 0")
        groups = self.prometheus.get("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        self.assertEqual(len(groups), 2)
        for rule in rules:
            self.assertEqual((rule["health"], rule.get("lastError", "")), ("ok", ""), rule["name"])
            self.assertNotEqual(rule.get("state"), "firing", rule["name"])

    def test_contents__are_in_no_series(self):
        for name, serve in self.serves.items():
            text = serve.ask()[2]
            self.assertEqual(promtool("check", "metrics", text=text.encode()), "", name)
            self.assertNotIn("canary", text)


if __name__ == "__main__":
    unittest.main()
