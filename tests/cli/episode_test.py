#!/usr/bin/env python3
"""Episodes from start to delete, finding them again, and the other kinds of records."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cli_case import CliCase

ID = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$"


class Life(CliCase):
    def test_start__prints_the_id_alone(self):
        self.assertRegex(self.start(), ID)
        line, = self.good("--json", "episode", "start", "--task", "x").lines
        self.assertEqual(list(line), ["id"])
        self.assertRegex(line["id"], ID)

    def test_start__keeps_everything_it_is_given(self):
        number = "01890a5d-ac96-774b-bcce-b302099a8057"
        self.start("Überprüfe\n\"alles\" \\ 日本", "--type", "testing", "--domain", "web",
                   "--language", "c", "--framework", "none", "--complexity", "simple",
                   "--tag", "a", "--tag", "b", "--meta", "k=v=w", "--meta", "e=",
                   "--time", "2026-01-02T03:04:05Z", "--id", number)
        episode, = self.good("episode", "show", number, "--json").lines
        self.assertEqual(episode["task"], "Überprüfe\n\"alles\" \\ 日本")
        self.assertEqual(episode["task_type"], "testing")
        self.assertEqual(episode["context"], {"domain": "web", "language": "c",
                                              "framework": "none", "complexity": "simple"})
        self.assertEqual(episode["tags"], ["a", "b"])
        self.assertEqual(episode["metadata"], {"k": "v=w", "e": ""})
        self.assertEqual(episode["start"], "2026-01-02T03:04:05Z")

    def test_start__of_an_id_that_exists_conflicts(self):
        number = self.start()
        self.bad(4, number, "episode", "start", "--task", "x", "--id", number)

    def test_steps__are_numbered_and_shown_whole(self):
        number = self.start()
        first, = self.good("--json", "episode", "step", number, "--tool", "grep", "--params",
                           '{"p": 1.50}', "--output", "-", "--latency-ms", "12", "--tokens", "0",
                           "--meta", "host=a", stdin="line 1\nline 2\n").lines
        second = self.good("episode", "step", number, "--action", "wait", "--timeout").out
        self.good("episode", "step", number, "--tool", "fetch", "--error", "refused")
        self.assertEqual((list(first), first["number"]), (["id", "number"], 1))
        steps = self.good("--json", "episode", "show", number).lines[0]["steps"]
        self.assertEqual([s["number"] for s in steps], [1, 2, 3])
        self.assertEqual(steps[0]["output"], "line 1\nline 2\n")
        self.assertEqual((steps[0]["latency_ms"], steps[0]["tokens"]), (12, 0))
        self.assertEqual([s["result"] for s in steps], ["success", "timeout", "error"])
        self.assertEqual(steps[1]["id"], second.strip())
        raw = self.good("--json", "episode", "show", number).out
        self.assertIn('"parameters":{"p": 1.50}', raw)

    def test_steps__number_themselves_in_every_durability(self):
        number = self.start()
        for expected, mode in enumerate(("sync", "batch", "relaxed"), 1):
            line, = self.good("--json", "episode", "step", number, "--tool", "t",
                              environment={"MNEME_DURABILITY": mode}).lines
            self.assertEqual(line["number"], expected)

    def test_complete__seals_with_all_it_is_told(self):
        number = self.start()
        pattern = self.good("pattern", "put", "--type", "context", "--name", "n").out.strip()
        self.good("episode", "complete", number, "--outcome", "partial_success", "--verdict", "v",
                  "--reason", "r", "--reward", "-0.5", "--reward-part", "speed=1e2", "--done", "d",
                  "--failed", "f", "--artifact", "a", "--worked", "w", "--improve", "i",
                  "--insight", "n", "--applied", f"{pattern}=helped")
        episode, = self.good("--json", "episode", "show", number).lines
        self.assertEqual(episode["outcome"]["kind"], "partial_success")
        self.assertEqual(episode["reward"], {"total": -0.5, "parts": {"speed": 100}})
        for value in ("v", "r", "d", "f", "a", "w", "i", "n", pattern, "helped"):
            self.assertIn(json.dumps(value), json.dumps(episode))
        self.bad(4, "completed", "episode", "step", number, "--tool", "t")
        self.bad(4, "completed", "episode", "complete", number, "--outcome", "success")

    def test_show__prints_a_page_for_people(self):
        number = self.start("Book a flight", "--tag", "travel", "--meta", "user=42")
        self.good("episode", "step", number, "--tool", "search", "--output",
                  "\n".join(f"row {i}" for i in range(50)))
        self.good("episode", "complete", number, "--outcome", "failure", "--reason", "no seats")
        text = self.good("episode", "show", number).out
        for part in (number, "Book a flight", "failure", "no seats", "travel", "user = 42",
                     "search", "row 0"):
            self.assertIn(part, text)
        self.assertNotIn("row 40", text)

    def test_delete__takes_all_or_none(self):
        a, b = self.start(), self.start()
        missing = "01890a5d-ac96-774b-bcce-b302099a8057"
        self.bad(3, missing, "episode", "delete", a, missing)
        self.good("episode", "show", a)
        self.assertEqual(self.good("--json", "episode", "delete", a, b).lines,
                         [{"id": a, "deleted": True}, {"id": b, "deleted": True}])
        self.bad(3, a, "episode", "show", a)
        self.assertEqual(self.good("episode", "list", "--ids").out, "")


class Ids(CliCase):
    def test_prefix__finds_the_only_record_that_begins_so(self):
        a = self.start("a", "--id", "01890a5d-ac96-774b-bcce-b302099a8057")
        b = self.start("b", "--id", "01890a5d-ac96-774c-bcce-b302099a8057")
        for text in (a, a.upper(), a.replace("-", ""), a[:18], a[:-1], "01890a5dac96774b"):
            self.assertEqual(self.good("--json", "episode", "show", text).lines[0]["id"], a)
        run = self.bad(4, "give more digits", "episode", "show", "01890a5d-ac96-774")
        self.assertIn(a, run.err)
        self.assertIn(b, run.err)
        self.bad(4, "several episodes begin with '01890a5d'", "episode", "show", "01890a5d")
        self.bad(3, "no episode has an id that begins with", "episode", "show", "01890a5e")
        self.bad(3, "no pattern has an id that begins with", "pattern", "show", a[:18])

    def test_bad_id__is_named_with_what_is_expected(self):
        self.start()
        for text in ("", "0189", "0189-0a5", "../../x", "01890a5d-ac96-774b-bcce-b302099a80570",
                     "zz890a5d", "0x890a5d1", "01890a5d ", "%2e%2e%2e%2e", "٠١٢٣٤٥٦٧"):
            self.bad(2, "is not an id; expected one like", "episode", "show", text)


class Query(CliCase):
    def setUp(self):
        super().setUp()
        for day in range(1, 10):
            self.start(f"task {day}", "--time", f"2026-01-0{day}T00:00:00Z", "--type",
                       "debugging" if day % 2 else "testing", "--tag", f"t{day % 3}", "--meta",
                       f"day={day}", "--domain", "web")

    def tasks(self, *arguments):
        return [line["task"][5:] for line in self.good("--json", "query", *arguments).lines
                if "task" in line]

    def test_conditions__must_all_hold(self):
        self.assertEqual(self.tasks("--type", "testing", "--tag", "t1"), ["4"])
        self.assertEqual(self.tasks("--meta", "day=7"), ["7"])
        self.assertEqual(self.tasks("--outcome", "success"), [])
        self.assertEqual(self.tasks("--outcome", "open", "--domain", "web", "--limit", "2"),
                         ["9", "8"])
        self.assertEqual(self.tasks("--since", "2026-01-03", "--until",
                                    "2026-01-05T02:00:00+02:00"), ["4", "3"])

    def test_order__comes_before_limit(self):
        self.assertEqual(self.tasks("--order", "oldest", "--limit", "2"), ["1", "2"])
        self.assertEqual(self.tasks("--limit", "2"), ["9", "8"])

    def test_pages__list_each_record_once(self):
        seen, after = [], []
        while True:
            lines = self.good("--json", "query", "--limit", "4", *after).lines
            seen += [line["task"][5:] for line in lines if "task" in line]
            if "next" not in lines[-1]:
                break
            self.assertEqual(list(lines[-1]), ["next"])
            after = ["--after", lines[-1]["next"]]
        self.assertEqual(seen, list("987654321"))

    def test_plain_page__says_how_to_go_on(self):
        run = self.good("episode", "list", "--limit", "4")
        self.assertEqual(len(run.out.splitlines()), 5)
        cursor = run.err.split("--after ")[1].strip()
        rest = self.good("episode", "list", "--limit", "9", "--after", cursor)
        self.assertEqual(len(rest.out.splitlines()), 6)
        self.assertEqual(rest.err, "")

    def test_ids__are_printed_alone(self):
        plain = self.good("query", "--ids", "--tag", "t0").out.split()
        self.assertEqual([{"id": i} for i in plain],
                         self.good("--json", "query", "--ids", "--tag", "t0").lines)
        self.assertEqual(len(plain), 3)

    def test_steps__are_listed_by_their_episode(self):
        number = self.start("with steps")
        self.good("episode", "step", number, "--tool", "a")
        self.good("episode", "step", number, "--tool", "b")
        lines = self.good("--json", "query", "--kind", "step", "--parent", number[:18]).lines
        self.assertEqual([line["tool"] for line in lines], ["a", "b"])
        self.good("episode", "complete", number, "--outcome", "success")
        self.assertIn("`mneme episode show ID`", self.good("query", "--kind", "step").err)

    def test_nothing_found__is_no_error(self):
        run = self.good("query", "--tag", "none")
        self.assertEqual((run.out, run.err), ("", "no episode matches\n"))
        self.assertEqual(self.good("-q", "query", "--tag", "none").err, "")


class Records(CliCase):
    def test_pattern__goes_in_by_options_and_by_file(self):
        number = self.good("pattern", "put", "--type", "error_recovery", "--name", "retry",
                           "--content", '["a", 1.0]', "--success-rate", "0.75", "--occurrences",
                           "4", "--tag", "http", "--meta", "k=v", "--language", "c").out.strip()
        raw = self.good("--json", "pattern", "show", number).raw
        self.assertIn(b'["a", 1.0]', raw)
        self.assertEqual(self.good("pattern", "put", "--file", "-", stdin=raw).out.strip(), number)
        self.good("pattern", "delete", number)
        path = self.directory / "patterns.jsonl"
        path.write_bytes(raw + b"\n  \n" + raw.replace(number.encode(), number[:-1].encode() +
                                                       (b"f" if number[-1] != "f" else b"0")))
        self.assertEqual(len(self.good("pattern", "put", "--file", path).out.split()), 2)
        self.assertIn("retry", self.good("pattern", "list", "--type", "error_recovery").out)
        self.assertIn("75 %", self.good("pattern", "show", number).out)

    def test_file__goes_in_whole_or_not_at_all(self):
        good, unknown = '{"type":"context","name":"a"}\n', '{"type":"context","name":"b","x":1}\n'
        self.bad(2, "standard input, line 2: pattern: x: unknown member", "pattern", "put",
                 "--file", "-", stdin=good + unknown)
        self.bad(2, "line 1: this is a record of kind relation, not pattern", "pattern", "put",
                 "--file", "-", stdin='{"kind":"relation","type":"x","from":'
                 '"01890a5d-ac96-774b-bcce-b302099a8057","from_kind":"episode","to":'
                 '"01890a5d-ac96-774b-bcce-b302099a8057","to_kind":"episode"}')
        self.bad(2, "holds no record", "pattern", "put", "--file", "-", stdin="\n \n")
        self.bad(3, "no-such-file", "pattern", "put", "--file", "no-such-file")
        self.bad(2, "exclude each other", "pattern", "put", "--file", "-", "--name", "x")
        self.assertFalse(self.store.exists())

    def test_heuristic_and_relation__can_be_put_shown_listed_deleted(self):
        episode = self.start()
        rule = self.good("heuristic", "put", "--condition", "tests are flaky", "--action", "twice",
                         "--confidence", "0.9", "--evidence", episode[:18]).out.strip()
        link = self.good("relation", "put", "--type", "caused_by", "--from", rule[:18],
                         "--from-kind", "heuristic", "--to", episode, "--weight", "0.25")
        link = link.out.strip()
        shown, = self.good("--json", "heuristic", "show", rule).lines
        self.assertEqual((shown["evidence"], shown["confidence"]), ([episode], 0.9))
        shown, = self.good("--json", "relation", "show", link).lines
        self.assertEqual((shown["from"], shown["to"], shown["weight"]), (rule, episode, 0.25))
        self.assertIn("90 %", self.good("heuristic", "show", rule).out)
        self.assertIn(f"heuristic {rule}", self.good("relation", "show", link).out)
        self.assertIn("tests are flaky", self.good("heuristic", "list").out)
        self.assertEqual(self.good("relation", "list", "--to", episode, "--ids").out.strip(), link)
        for kind, number in (("heuristic", rule), ("relation", link)):
            self.good(kind, "delete", number[:18])
            self.bad(3, number, kind, "show", number)

    def test_put__names_what_is_missing_or_wrong(self):
        self.bad(2, "needs --type, or --file", "pattern", "put", "--name", "x")
        self.bad(2, "needs --action, or --file", "heuristic", "put", "--condition", "x")
        self.bad(2, "confidence", "heuristic", "put", "--condition", "x", "--action", "y",
                 "--confidence", "2")
        self.bad(2, "--confidence takes a decimal number", "heuristic", "put", "--condition", "x",
                 "--action", "y", "--confidence", "nan")

    def test_tags__are_added_listed_and_removed(self):
        number = self.start("x", "--tag", "old")
        self.good("tag", "add", number, "new")
        self.good("tag", "add", number, "new")
        self.assertEqual(self.good("tag", "list", number[:18]).out, "old\nnew\n")
        self.assertEqual(self.good("query", "--tag", "new", "--ids").out.strip(), number)
        self.assertEqual(self.good("--json", "tag", "remove", number, "old").lines,
                         [{"id": number, "tag": "old"}])
        self.good("tag", "remove", number, "old")
        self.assertEqual(self.good("--json", "tag", "list", number).lines,
                         [{"id": number, "tag": "new"}])
        pattern = self.good("pattern", "put", "--type", "context", "--name", "n").out.strip()
        self.good("tag", "add", "--kind", "pattern", pattern, "p")
        self.assertEqual(self.good("tag", "list", "--kind", "pattern", pattern).out, "p\n")
        self.bad(3, "no episode has an id", "tag", "add", "01890a5d", "x")


if __name__ == "__main__":
    unittest.main()
