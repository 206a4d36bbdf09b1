#!/usr/bin/env python3
"""`mneme top` on a terminal: what it shows at each size, its keys, and how it gives it back."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cli_case import BINARY, CliCase
from screen import Screen

PATIENCE_S = 60
SIZES = ((80, 24), (60, 20), (200, 60))


class Terminal:
    """A run of mneme that has a terminal of its own, which it controls."""

    def __init__(self, case, *arguments, columns=80, rows=24, environment=None, binary=BINARY):
        self.ours, self.theirs = pty.openpty()
        self.screen = Screen(columns, rows)
        self.frames = 0
        self.set_size(columns, rows)
        self.before = termios.tcgetattr(self.theirs)
        self.process = subprocess.Popen(
            [binary, *map(str, arguments)], stdin=self.theirs, stdout=self.theirs,
            stderr=self.theirs, cwd=case.directory, start_new_session=True,
            env={**case.environment, "LC_ALL": "C.UTF-8", **(environment or {})},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        case.addCleanup(self.remove)

    def set_size(self, columns, rows):
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns, rows):
        self.screen.resize(columns, rows)
        self.set_size(columns, rows)

    def press(self, keys):
        os.write(self.ours, keys.encode())

    def read(self, seconds):
        """Take what comes within that time, at once if there is something."""
        if not select.select([self.ours], [], [], seconds)[0]:
            return
        block = os.read(self.ours, 65536)
        self.frames += block.count(b"\x1b[1;1H")
        self.screen.feed(block)

    def until(self, condition, what):
        """Read until the condition holds; `what` names it, should it never."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"never: {what}\n{self.screen.text}")
            self.read(0.1)

    def until_shown(self, pattern):
        self.until(lambda: re.search(pattern, self.screen.text), pattern)

    def end(self):
        """Wait for the end of the run, and take the rest; the exit code."""
        self.until(lambda: self.process.poll() is not None, "the end of the run")
        while select.select([self.ours], [], [], 0)[0]:
            self.screen.feed(os.read(self.ours, 65536))
        return self.process.returncode

    def remove(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


class TopCase(CliCase):
    def setUp(self):
        super().setUp()
        self.good("init")

    def top(self, *arguments, **options):
        return Terminal(self, "top", "--interval", "0.2", *arguments, **options)

    def put(self, *arguments):
        return self.good("pattern", "put", "--type", "context", "--name", "n", "--description",
                         "d", *arguments).out.strip()

    def busy(self, binary=BINARY):
        """Another process that has the store open, and syncs it, until it is removed."""
        process = subprocess.Popen([binary, "--remote", f"file:{self.directory}/remote.db", "sync",
                                    "--watch"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, cwd=self.directory,
                                   env=self.environment)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def assert_given_back(self, terminal):
        self.assertEqual(termios.tcgetattr(terminal.theirs), terminal.before)
        self.assertGreaterEqual(terminal.screen.entered, 1)
        self.assertFalse(terminal.screen.alternate)
        self.assertTrue(terminal.screen.cursor_shown)


class Shows(TopCase):
    def test_sizes__show_all_parts_within_the_screen(self):
        self.put()
        busy = self.busy()
        for columns, rows in SIZES:
            with self.subTest(columns=columns, rows=rows):
                terminal = self.top(columns=columns, rows=rows)
                self.put()
                terminal.until_shown(rf"{busy.pid} mneme ")
                terminal.until_shown(r"\napi put ")
                terminal.until_shown("nothing waits to go out")
                terminal.until_shown(r"\n1 process, up \d+ \w+  \S+ calls/s  \d+ records?")
                lines = terminal.screen.lines
                self.assertRegex(lines[0], r"^mneme top  \S.* \d\d:\d\d:\d\d$")
                self.assertTrue(lines[-1].startswith("q quit  space pause  w now"), lines[-1])
                for title in ("OPERATION", "\nSYNC", "PID PROCESS"):
                    self.assertIn(title, terminal.screen.text)
                terminal.press("q")
                self.assertEqual(terminal.end(), 0)

    def test_more_rows__show_more_operations(self):
        def shown(rows):
            terminal.resize(80, rows)
            terminal.until(lambda: terminal.screen.lines[-1].startswith("q quit"), "the foot")
            return len(re.findall(r"^(?:api|kv|queue|cache) ", terminal.screen.text, re.M))
        terminal = self.top()
        terminal.until_shown("OPERATION")
        self.put()
        self.good("pattern", "list")
        terminal.until_shown("api list")
        self.assertGreater(shown(50), shown(12))

    def test_small_terminal__says_what_it_needs(self):
        terminal = self.top(columns=40, rows=8)
        terminal.until_shown("too small: needs 56x12, has 40x8")
        terminal.resize(80, 24)
        terminal.until_shown("OPERATION")

    def test_resize__draws_anew_in_the_new_size(self):
        terminal = self.top()
        terminal.until_shown("OPERATION")
        terminal.resize(120, 40)
        terminal.until(lambda: terminal.screen.lines[39].startswith("q quit") and
                       re.search(r"\d\d$", terminal.screen.lines[0][:120]) and
                       len(terminal.screen.lines[0]) > 100, "the foot in row 40")

    def test_colours__are_left_out_when_they_are_not_wanted(self):
        for arguments, environment, colored in (((), {}, True), ((), {"NO_COLOR": "1"}, False),
                                                (("--no-color",), {}, False)):
            with self.subTest(arguments=arguments, environment=environment):
                terminal = self.top(*arguments, environment=environment)
                terminal.until(lambda: terminal.frames > 2, "three frames")
                terminal.press("q")
                terminal.end()
                self.assertEqual(terminal.screen.styles > 0, colored)

    def test_locale_without_utf_8__shows_ascii_only(self):
        self.store = self.directory / "gedächtnis-記憶.mdb"
        self.environment["MNEME_STORE"] = str(self.store)
        self.good("init")
        self.put()
        terminal = self.top(environment={"LC_ALL": "C"})
        terminal.until_shown("CACHE|OPERATION")
        self.assertTrue(terminal.screen.text.isascii(), terminal.screen.text)
        self.assertIn("ged?chtnis-????.mdb", terminal.screen.text)
        terminal = self.top()
        terminal.until_shown("gedächtnis")

    def test_names__cannot_send_sequences(self):
        evil = self.directory / "\x1b[31mred\x1b]0;t\x07.mdb"
        self.environment["MNEME_STORE"] = str(evil)
        self.good("init")
        link = self.directory / "\x1b[2Jx"
        os.symlink(BINARY, link)
        busy = self.busy(str(link))
        terminal = self.top()
        terminal.until_shown(rf"{busy.pid} \?\[2Jx")
        terminal.until_shown(r"\?\[31mred\?\]0;t\?\.mdb")


class Figures(TopCase):
    def row(self, terminal, name):
        """The cells of an operation's line: rate, and errors; None: it is not there."""
        for line in terminal.screen.lines:
            if line.startswith(name + " "):
                cells = line[len(name):].split()
                return float(cells[0].replace(",", "")), int(cells[-1].replace(',', ''))
        return None

    def test_rates__add_up_to_what_was_done(self):
        terminal = Terminal(self, "top", "--interval", "1")
        terminal.until(lambda: terminal.frames >= 3, "the first whole interval")
        for _ in range(6):
            self.put()
        frames, done, quiet = terminal.frames, 0, 0
        while quiet < 2:
            terminal.until(lambda: terminal.frames > frames, "the next frame")
            frames = terminal.frames
            rate, errors = self.row(terminal, "api put") or (0, 0)
            done += rate
            quiet = quiet + 1 if rate == 0 and done > 0 else 0
            self.assertEqual(errors, 0)
        self.assertLessEqual(done, 6.5)
        self.assertGreaterEqual(done, 3)

    def test_errors__are_counted(self):
        terminal = self.top()
        terminal.until_shown("OPERATION")
        for _ in range(3):
            self.bad(3, "01890a5d", "pattern", "show", "01890a5d-ac96-774b-bcce-b302099a8057")
        terminal.until(lambda: (self.row(terminal, "api acquire") or (0, 0))[1] == 3,
                       "three errors of acquire")

    def test_window__is_changed_by_a_key(self):
        terminal = self.top()
        terminal.until_shown("OPERATION")
        self.put()
        terminal.press("w")
        terminal.until_shown("OPERATION +min/s")
        terminal.until(lambda: (self.row(terminal, "api put") or (0, 0))[0] > 0, "a rate")
        terminal.press("w")
        terminal.until_shown("OPERATION +hour/s.*err/h")
        terminal.press("w")
        terminal.until_shown("OPERATION +now/s")

    def test_pause__holds_the_figures(self):
        terminal = self.top()
        terminal.until_shown("0 records")
        terminal.press(" ")
        terminal.until_shown("PAUSED")
        self.put()
        terminal.press("?")
        terminal.until_shown("hold the picture")
        terminal.press("\x1b[A?")
        terminal.until_shown("OPERATION")
        self.assertIn(" 0 records", terminal.screen.text)
        terminal.press(" ")
        terminal.until_shown(" 1 record ")

    def test_idle_store__shows_zeros_and_stays_as_it_was(self):
        self.put()
        before = self.store.read_bytes()
        terminal = self.top(columns=100)
        terminal.until(lambda: terminal.frames > 5, "some frames")
        self.assertIn("no other process", terminal.screen.lines[1])
        self.assertIn("0 calls/s", terminal.screen.lines[1])
        self.assertIn("1 record ", terminal.screen.lines[1])
        self.assertIn("nothing was done yet", terminal.screen.text)
        terminal.press("q")
        terminal.end()
        self.assertEqual(self.store.read_bytes(), before)

    def test_store_that_goes__is_told_and_looked_for(self):
        self.put()
        terminal = self.top()
        terminal.until_shown("1 record ")
        away = self.directory / "away"
        os.rename(self.store, away)
        terminal.until_shown("no store at .*memory")
        os.rename(away, self.store)
        terminal.until_shown("1 record ")
        os.rename(self.store, away)
        terminal.until_shown("no store at .*memory")
        self.good("init")
        terminal.until_shown("0 records")
        terminal.press("q")
        self.assertEqual(terminal.end(), 0)


class Ends(TopCase):
    def test_every_way_out__gives_the_terminal_back(self):
        for name, leave, code in (
                ("q", lambda t: t.press("q"), 0),
                ("Ctrl-C", lambda t: t.press("\x03"), 128 + signal.SIGINT),
                ("SIGTERM", lambda t: t.process.terminate(), 128 + signal.SIGTERM),
                ("SIGHUP", lambda t: t.process.send_signal(signal.SIGHUP), 128 + signal.SIGHUP)):
            with self.subTest(way=name):
                terminal = self.top()
                terminal.until_shown("OPERATION")
                self.assertTrue(terminal.screen.alternate)
                self.assertFalse(terminal.screen.cursor_shown)
                self.assertNotEqual(termios.tcgetattr(terminal.theirs), terminal.before)
                leave(terminal)
                self.assertEqual(terminal.end(), code)
                self.assert_given_back(terminal)

    def test_stop__gives_it_back_until_it_goes_on(self):
        terminal = self.top()
        terminal.until_shown("OPERATION")
        terminal.press("\x1a")
        terminal.until(lambda: os.waitpid(terminal.process.pid, os.WUNTRACED | os.WNOHANG)[0] != 0,
                       "a stop")
        terminal.read(0)
        self.assert_given_back(terminal)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.until(lambda: terminal.screen.entered == 2, "the screen taken again")
        terminal.until_shown("OPERATION")
        terminal.press("q")
        self.assertEqual(terminal.end(), 0)
        self.assert_given_back(terminal)

    def test_missing_store__is_an_error_and_no_screen(self):
        os.remove(self.store)
        terminal = self.top()
        terminal.screen = Screen(200, 24)
        self.assertEqual(terminal.end(), 3)
        self.assertIn("no store at", terminal.screen.text)
        self.assertEqual(terminal.screen.entered, 0)


class Plain(TopCase):
    def test_no_terminal__gets_one_plain_screen(self):
        for arguments in ((), ("--once",)):
            run = self.good("top", "--interval", "0.2", *arguments)
            self.assertNotIn("\x1b", run.out)
            self.assertEqual(run.out.count("mneme top"), 1)
            self.assertIn("\nOPERATION", run.out)
            self.assertNotIn("q quit", run.out)

    def test_count__is_the_number_of_screens(self):
        run = self.good("top", "--count", "3", "--interval", "0.1")
        self.assertEqual(run.out.count("mneme top"), 3)

    def test_once_on_a_terminal__takes_no_screen(self):
        code, text = self.on_terminal("top", "--once", "--interval", "0.1")
        self.assertEqual(code, 0)
        self.assertNotIn("\x1b", text)

    def test_reader_that_goes__ends_it(self):
        process = subprocess.Popen([BINARY, "top", "--count", "1000000", "--interval", "0.1"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.environment)
        process.stdout.readline()
        process.stdout.close()
        self.assertEqual(process.wait(PATIENCE_S), 128 + signal.SIGPIPE)
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()

    def test_bad_values__are_refused(self):
        self.bad(2, "--interval takes 0.1 to 3600", "top", "--interval", "0")
        self.bad(2, "--interval", "top", "--interval", "4000")
        self.bad(2, "--count", "top", "--count", "0")
        self.bad(2, "mneme --json stats", "--json", "top")


if __name__ == "__main__":
    unittest.main()
