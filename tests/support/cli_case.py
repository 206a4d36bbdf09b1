"""What the tests of the command line share: a store of their own, and ways to run mneme."""
import fcntl
import json
import os
import pathlib
import pty
import shutil
import struct
import subprocess
import tempfile
import termios
import unittest

BINARY = os.environ["MNEME_BINARY"]
NOBODY = 65534


class Run:
    """What one run gave: exit code, standard output and error."""

    def __init__(self, code, out, err):
        self.code, self.raw, self.err = code, out, err.decode("utf-8", "replace")

    @property
    def out(self):
        return self.raw.decode("utf-8", "replace")

    @property
    def lines(self):
        return [json.loads(line) for line in self.raw.decode("utf-8").splitlines()]


class CliCase(unittest.TestCase):
    """A case with an empty directory, in which the store and the user's files would lie."""

    maxDiff = None

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="mneme-cli-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.store = self.directory / "memory.mdb"
        keep = ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")
        self.environment = {name: os.environ[name] for name in keep if name in os.environ}
        self.environment.update(HOME=str(self.directory), TMPDIR=str(self.directory),
                                TERM="xterm", MNEME_STORE=str(self.store),
                                XDG_CONFIG_DIRS=str(self.directory / "xdg"))

    def mneme(self, *arguments, stdin=b"", environment=None, **options):
        """Run mneme to its end."""
        if isinstance(stdin, str):
            stdin = stdin.encode()
        done = subprocess.run([BINARY, *map(str, arguments)], input=stdin,
                              stdout=options.pop("stdout", subprocess.PIPE),
                              stderr=subprocess.PIPE, cwd=self.directory,
                              env={**self.environment, **(environment or {})}, **options)
        return Run(done.returncode, done.stdout or b"", done.stderr)

    def good(self, *arguments, **options):
        """Run mneme, which must succeed."""
        run = self.mneme(*arguments, **options)
        self.assertEqual(run.code, 0, f"{arguments}: {run.err}")
        return run

    def bad(self, code, said, *arguments, **options):
        """Run mneme, which must fail with this code, say this on standard error, print nothing."""
        run = self.mneme(*arguments, **options)
        self.assertEqual(run.code, code, f"{arguments}: {run.out}{run.err}")
        self.assertIn(said, run.err)
        self.assertTrue(run.err.startswith("mneme: "), run.err)
        self.assertEqual(run.out, "")
        return run

    def start(self, task="Book a flight", *arguments):
        """Start an episode; returns its id."""
        return self.good("episode", "start", "--task", task, *arguments).out.strip()

    def everything(self):
        """All that is in the store."""
        return self.good("export").raw

    def start_on_terminal(self, *arguments, columns=80, environment=None, **options):
        """Begin a run whose output and error are a terminal of 24 lines; (process, its end)."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen([BINARY, *map(str, arguments)],
                                   stdin=options.pop("stdin", subprocess.DEVNULL),
                                   stdout=theirs, stderr=theirs, cwd=self.directory,
                                   env={**self.environment, **(environment or {})}, **options)
        os.close(theirs)
        return process, ours

    def finish_on_terminal(self, process, ours):
        """What such a run still writes; waits for its end."""
        text = b""
        while True:
            try:
                block = os.read(ours, 65536)
            except OSError:
                break
            if not block:
                break
            text += block
        os.close(ours)
        process.wait()
        return text.decode().replace("\r\n", "\n")

    def on_terminal(self, *arguments, **options):
        """Run on a terminal; (exit code, text)."""
        process, ours = self.start_on_terminal(*arguments, **options)
        text = self.finish_on_terminal(process, ours)
        return process.returncode, text
