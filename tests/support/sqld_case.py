"""A libSQL server for tests of the command line: $MNEME_SQLD, with a key for tokens if asked."""
import base64
import http.client
import http.server
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from cli_case import CliCase
from port import Port


class Server:
    """One server process with a directory of its own; `arguments` go to it as they are.

    The port stays ours until `remove`, while the server is stopped, too.
    """

    def __init__(self, *arguments):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="mneme-sqld-"))
        self.held = Port()
        self.port, self.url = self.held.number, self.held.url
        self.arguments = arguments
        self.process = None
        self.start()

    def start(self):
        for counts in self.directory.glob("data/dbs/*/stats.json"):
            if counts.read_bytes().startswith(b"null"):
                counts.unlink()  # sqld would not start with it: bench/sqld.c, remove_null_counts
        binary = os.environ.get("MNEME_SQLD", "")
        if not os.access(binary, os.X_OK):
            raise AssertionError(f"there is no server at MNEME_SQLD={binary!r}; run `make sqld`")
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [binary, "--no-welcome", "--db-path", self.directory / "data",
                 "--http-listen-addr", f"127.0.0.1:{self.port}", *map(str, self.arguments)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory)
        deadline = time.monotonic() + 30
        while not self.is_healthy():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.directory / "log").read_text())
            time.sleep(0.02)

    def is_healthy(self):
        try:
            return urllib.request.urlopen(f"{self.url}/health", timeout=5).status == 200
        except (urllib.error.URLError, OSError):
            return False

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def remove(self):
        self.stop()
        self.held.give_back()
        shutil.rmtree(self.directory)


class Counter(http.server.ThreadingHTTPServer):
    """Stands in front of a server and remembers what it was asked: ["POST /v3/pipeline", …], and
    the x-request-id of each (None: none)."""

    daemon_threads = True

    def __init__(self, port):
        counter = self
        self.requests, self.request_ids = [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self):
                counter.requests.append(f"{self.command} {self.path}")
                counter.request_ids.append(self.headers.get("x-request-id"))
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                to = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                to.request(self.command, self.path, body, dict(self.headers))
                answer = to.getresponse()
                data = answer.read()
                to.close()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = forward

            def log_message(self, *arguments):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def end(self):
        self.shutdown()
        self.server_close()


class Key:
    """An Ed25519 key, made by openssl, and the tokens (JWT) that it signs."""

    def __init__(self, directory):
        self.private, self.public = directory / "key.pem", directory / "public.pem"
        self.openssl("genpkey", "-algorithm", "ed25519", "-out", self.private)
        self.openssl("pkey", "-in", self.private, "-pubout", "-out", self.public)

    @staticmethod
    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def token(self, **claims):
        encode = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")
        head = encode(b'{"alg":"EdDSA","typ":"JWT"}')
        text = head + b"." + encode(json.dumps(claims).encode())
        source = self.private.parent / "text"
        source.write_bytes(text)
        target = self.private.parent / "signature"
        self.openssl("pkeyutl", "-sign", "-inkey", self.private, "-rawin", "-in", source,
                     "-out", target)
        return (text + b"." + encode(target.read_bytes())).decode()


class SqldCase(CliCase):
    """A case whose store is a database of a server of its own class."""

    server_arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.server_arguments)
        cls.addClassCleanup(cls.server.remove)

    def setUp(self):
        super().setUp()
        self.environment["MNEME_STORE"] = self.server.url
