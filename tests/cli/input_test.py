#!/usr/bin/env python3
"""Bad input: an error that names the thing, exit code 2, 3 or 4, and an unchanged store."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cli_case import CliCase


class BadInput(CliCase):
    def setUp(self):
        super().setUp()
        self.number = self.start()
        self.before = self.everything()

    def refused(self, said, *arguments, code=2, **options):
        self.bad(code, said, *arguments, **options)
        self.assertEqual(self.everything(), self.before, arguments)

    def test_times(self):
        for text in ("", "yesterday", "2026-13-01", "2026-02-30", "2026-01-01T25:00:00Z", "7",
                     "-7d", "7y", "1e3s", "2026-01-01T00:00:00", "2026-01-01T00:00:00+99:00",
                     "99999999999999999999d", "10000-01-01", " 7d"):
            self.refused("--since: ", "query", "--since", text)
            self.refused("--time: ", "episode", "start", "--task", "x", "--time", text)

    def test_tags(self):
        for tag, said in (("", "tag"), (b"\xff", "UTF-8"), ("x" * 1025, "tag")):
            self.refused(said, "episode", "start", "--task", "x", *self.raw("--tag", tag))
            self.refused(said, "tag", "add", self.number, *self.raw(tag))
        self.refused("tag", "episode", "start", "--task", "x", "--tag", "a", "--tag", "a")

    @staticmethod
    def raw(*arguments):
        """Arguments of which some are bytes, as Python hands them to a program unchanged."""
        return [os.fsdecode(a) if isinstance(a, bytes) else a for a in arguments]

    def test_metadata(self):
        for text in ("", "=", "=value", "name"):
            self.refused("--meta takes NAME=VALUE", "query", "--meta", text)
            self.refused("--meta takes NAME=VALUE", "episode", "start", "--task", "x", "--meta",
                         text)
        self.refused("metadata", "episode", "start", "--task", "x", "--meta", "a=1", "--meta",
                     "a=2")
        self.refused("metadata", "episode", "start", "--task", "x", "--meta", "n" * 1025 + "=v")
        self.refused("UTF-8", "episode", "start", "--task", "x", *self.raw("--meta", b"a=\xc0\x80"))

    def test_texts(self):
        self.refused("task", "episode", "start", "--task", "")
        for text in (b"\xff", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"a\xc3"):
            self.refused("task: not valid UTF-8", "episode", "start", *self.raw("--task", text))
        self.refused("16 MiB", "episode", "start", "--task", "-", stdin=b"x" * ((16 << 20) + 1))

    def test_numbers(self):
        for text in ("", "0", "-1", "10001", "1.5", "1e3", "0x10", " 5", "5 ", "ten",
                     "9223372036854775808", "٣"):
            self.refused("--limit takes a whole number from 1 to 10000", "query", "--limit", text)
        for text in ("", "nan", "inf", "1e999", "0x1p3", "1,5", "one", "--1"):
            self.refused("--reward takes a decimal number", "episode", "complete", self.number,
                         "--outcome", "success", "--reward", text)
        self.refused("--reward-part NAME takes a decimal", "episode", "complete", self.number,
                     "--outcome", "success", "--reward", "1", "--reward-part", "speed=fast")
        self.refused("needs --reward", "episode", "complete", self.number, "--outcome", "success",
                     "--reward-part", "speed=1")

    def test_choices(self):
        self.refused("--outcome takes one of", "episode", "complete", self.number, "--outcome",
                     "open")
        self.refused("--kind takes one of", "query", "--kind", "dictionary")
        self.refused("--order takes one of", "query", "--order", "best")
        self.refused("--applied ID takes one of", "episode", "complete", self.number, "--outcome",
                     "success", "--applied", "01890a5d=much")
        self.refused("one result", "episode", "step", self.number, "--output", "a", "--timeout")

    def test_ids(self):
        missing = "01890a5d-ac96-774b-bcce-b302099a8057"
        self.refused(missing, "episode", "show", missing, code=3)
        self.refused(missing, "episode", "step", missing, "--tool", "t", code=3)
        self.refused(missing, "tag", "add", missing, "x", code=3)
        self.refused("not an id", "episode", "start", "--task", "x", "--id", "mine")
        self.refused("not an id", "episode", "delete", self.number, "x")
        self.refused(self.number, "episode", "start", "--task", "x", "--id", self.number, code=4)

    def test_query(self):
        self.refused("cursor", "query", "--after", "xyz")
        self.refused("no attribute", "query", "--kind", "pattern", "--outcome", "success")
        self.refused("not an id", "query", "--kind", "step", "--parent", "x")

    def test_json(self):
        fields = '"type":"context","name":"n"'
        for text, said in (
                ("{" + fields, "line 1"), ("[]", "line 1"), ("null", "line 1"),
                ("{" + fields + ',"nmae":1}', "nmae"),
                ("{" + fields + ',"type":"context"}', "twice"),
                ("{" + fields + ',"success_rate":"high"}', "success_rate"),
                ("{" + fields + ',"success_rate":2}', "success_rate"),
                ("{" + fields + ',"success_rate":1e999}', "line 1"),
                ("{" + fields + ',"occurrences":-1}', "occurrences"),
                ("{" + fields + ',"tags":["a","a"]}', "tags"),
                ("{" + fields + ',"id":"mine"}', "id"),
                ("{" + fields + ',"created":"soon"}', "created"),
                ("{" + fields + ',}', "line 1"), ("{" + fields + "} x", "line 1"),
                ("\ufeff{" + fields + "}", "line 1"), ("{" + fields + ',"description":"\\ud800"}',
                                                       "line 1"),
                ("{" + fields + ',"description":"a\tb"}', "line 1"),
                ("{" + fields + ',"content":' + "[" * 100 + "]" * 100 + "}", "64"),
                ("{" + fields + ',"content":' + "[" * 100000 + "}", "64"),
                (b'{"type":"context","name":"\xff"}', "UTF-8"),
                ("{" + fields + ',"description":"' + "x" * ((16 << 20) + 1) + '"}', "description")):
            with self.subTest(text=text[:60]):
                self.refused(said, "pattern", "put", "--file", "-", stdin=text)


if __name__ == "__main__":
    unittest.main()
