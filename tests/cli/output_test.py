#!/usr/bin/env python3
"""Where output goes and what it looks like: terminals, pipes, full disks, closed streams."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cli_case import BINARY, CliCase


class Streams(CliCase):
    def test_full_disk__is_an_error_of_every_command_that_prints(self):
        number = self.start()
        for arguments in (["help"], ["version"], ["query"], ["--json", "query"], ["export"],
                          ["episode", "show", number], ["stats"], ["config", "show"],
                          ["completion", "bash"], ["episode", "start", "--task", "x"]):
            with self.subTest(arguments=arguments), open("/dev/full", "wb") as full:
                run = self.mneme(*arguments, stdout=full)
                self.assertEqual(run.code, 6, run.err)
                self.assertEqual(run.err, "mneme: cannot write to standard output: "
                                          "No space left on device\n")

    def test_reader_that_goes_away__ends_the_program_quietly(self):
        self.start("x" * 100000)
        for arguments in (["query", "--json"], ["export"], ["help"]):
            ours, theirs = os.pipe()
            os.close(ours)
            run = self.mneme(*arguments, stdout=theirs)
            os.close(theirs)
            self.assertEqual((run.code, run.err), (141, ""))
        self.good("verify")

    def without_stream(self, number, *arguments):
        """Run with standard stream 0, 1 or 2 closed."""
        program = f'exec "$@" {number}{"<" if number == 0 else ">"}&-'
        return subprocess.run(["sh", "-c", program, "sh", BINARY, *arguments],
                              env=self.environment, cwd=self.directory, capture_output=True)

    def test_closed_streams__never_let_text_into_the_store(self):
        self.start()
        for stream, code in ((0, 0), (1, 1), (2, 0)):
            done = self.without_stream(stream, "episode", "start", "--task", "in the open")
            self.assertEqual(done.returncode, code, done.stderr)
            if stream == 1:
                self.assertIn(b"cannot write to standard output", done.stderr)
        done = self.without_stream(2, "episode", "show", "no id")
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        done = self.without_stream(0, "episode", "start", "--task", "-")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"cannot read standard input", done.stderr)
        self.good("verify")
        self.assertEqual(len(self.good("query", "--ids").out.split()), 4)

    def test_quiet__leaves_only_errors(self):
        self.assertEqual(self.good("-q", "init").err, "")
        number = self.start()
        self.assertEqual(
            self.good("-q", "episode", "complete", number, "--outcome", "success").err, "")
        self.bad(2, "is not an id", "-q", "episode", "show", "x")


class Terminal(CliCase):
    HEADINGS = ["ID", "TIME", "TYPE", "OUTCOME", "TASK"]

    def setUp(self):
        super().setUp()
        self.numbers = [
            self.start("Fix the login test that fails every Tuesday, but only before ten o'clock",
                       "--type", "code_generation"),
            self.start("日本語のテキストはとても長いので切られるはずです。もっと長くしてみましょう"),
        ]
        self.good("episode", "complete", self.numbers[0], "--outcome", "partial_success")

    @staticmethod
    def columns(line):
        """How many columns the line takes (wide characters take two)."""
        return sum(2 if ord(c) >= 0x2E80 else 1 for c in line)

    def test_table__fits_the_terminal(self):
        for width in (60, 80, 100, 132):
            code, text = self.on_terminal("query", "--no-color", columns=width)
            lines = text.splitlines()
            self.assertEqual(code, 0)
            self.assertEqual(lines[0].split(), self.HEADINGS)
            self.assertEqual(len(lines), 3)
            self.assertLessEqual(max(map(self.columns, lines)), max(width, 66))
            self.assertIn("…", text)
        self.assertEqual(self.good("query").out.splitlines()[0].split(), self.HEADINGS)

    def test_short_ids_of_a_table__can_be_given_back(self):
        _, text = self.on_terminal("query", "--no-color")
        short = [line.split()[0] for line in text.splitlines()[1:]]
        self.assertEqual([self.good("episode", "show", "--json", s).lines[0]["id"]
                          for s in short], self.numbers[::-1])
        for number in self.numbers:
            self.assertIn(number, self.good("query").out)

    def test_pages__fit_the_terminal(self):
        for arguments in (["help"], ["query", "--help"], ["episode", "show", self.numbers[1]],
                          ["stats"], []):
            _, text = self.on_terminal(*arguments, "--no-color")
            self.assertLessEqual(max(map(self.columns, text.splitlines())), 80, arguments)

    def test_color__is_for_terminals_that_want_it(self):
        escape = "\033["
        self.assertIn(escape, self.on_terminal("query")[1])
        self.assertNotIn(escape, self.good("query").out)
        self.assertNotIn(escape, self.on_terminal("query", "--no-color")[1])
        self.assertNotIn(escape, self.on_terminal("query", environment={"NO_COLOR": "1"})[1])
        self.assertNotIn(escape, self.on_terminal("query", environment={"TERM": "dumb"})[1])
        self.assertNotIn(escape, self.on_terminal("query", "--json")[1])

    def test_stored_text__cannot_steer_the_terminal(self):
        task = "a\033[2Jb\rc\x07d\u202ee\u009bf\x7f"
        number = self.start(task)
        for arguments in (["query"], ["episode", "show", number]):
            _, text = self.on_terminal(*arguments, "--no-color")
            self.assertIn("a?[2Jb", text)
            for character in "\033\r\x07\u202e\u009b\x7f":
                self.assertNotIn(character, text.replace("\r\n", "\n"))
        self.assertEqual(self.good("--json", "episode", "show", number).lines[0]["task"], task)
        _, text = self.on_terminal("--no-color", "episode", "show", "\033[2J")
        self.assertNotIn("\033", text)


if __name__ == "__main__":
    unittest.main()
