"""Programs that tests of metrics look at, a busy store and its server, and readers of text."""
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time

from cli_case import BINARY

try:
    from prometheus_client.openmetrics import parser
except ImportError:  # Debian's package is for Debian's python3; it is plain Python, and runs in any
    sys.path.append("/usr/lib/python3/dist-packages")
    from prometheus_client.openmetrics import parser

BUILD = os.environ["MNEME_BUILD_DIR"]


def wait_until(what, seconds=60):
    """Until what() is true, and what it gave; it may fail before."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            result = what()
            if result or time.monotonic() > deadline:
                return result
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def families(text):
    """OpenMetrics text, by the reference parser of Python: {name: family}."""
    return {family.name: family for family in parser.text_string_to_metric_families(text)}


def samples(text):
    """{(name, labels…): value} of either format."""
    found = {}
    for family in parser.text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def promtool(*arguments, text=None):
    """What promtool says; an error unless all is well."""
    done = subprocess.run(["promtool", *map(str, arguments)], input=text, capture_output=True)
    said = (done.stdout + done.stderr).decode()
    if done.returncode:
        raise AssertionError(said)
    return said


class Program:
    """One that runs until its test is over."""

    def __init__(self, case, *arguments, **options):
        self.process = subprocess.Popen(list(map(str, arguments)), **options)
        case.addCleanup(self.end) if not isinstance(case, type) else case.addClassCleanup(self.end)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


class Load(Program):
    """A busy program (tests/cli/metrics_load.c); `rest` lets it only hold the store open."""

    def __init__(self, case, environment, *arguments):
        super().__init__(case, f"{BUILD}/tests/metrics_load", *arguments, env=environment,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.counts = None

    def rest(self):
        """What it has done, by name."""
        if self.counts is None:
            self.process.stdin.write(b"\n")
            self.process.stdin.flush()
            self.counts = json.loads(self.process.stdout.readline())
        return self.counts

    def finish(self):
        counts = self.rest()
        self.process.stdin.close()
        assert self.process.wait(60) == 0
        self.process.stdin = None
        return counts


class Serve(Program):
    """`mneme metrics serve`, by default at a free port."""

    def __init__(self, case, environment, *arguments, listen="127.0.0.1:0"):
        super().__init__(case, BINARY, "metrics", "serve", "--listen", listen, *arguments,
                         env=environment, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.said = self.process.stderr.readline().decode()
        self.url = self.said.split()[-1].removesuffix("/metrics") if self.said else ""

    @property
    def address(self):
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host.strip("[]"), int(port)

    def ask(self, path="/metrics", method="GET", **headers):
        """(status, headers, text)."""
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.headers, text

    def send(self, *blocks):
        """Bytes as they are; what comes back until the server closes."""
        with socket.create_connection(self.address, timeout=60) as connection:
            for block in blocks:
                connection.sendall(block)
            answer = b""
            while True:
                try:
                    block = connection.recv(65536)
                except ConnectionResetError:
                    return answer
                if not block:
                    return answer
                answer += block

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(60)
