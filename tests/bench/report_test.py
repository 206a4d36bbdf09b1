"""report_test.py - `mneme bench report`, in its smallest form: both files hold every row that was
printed, a bench that cannot run is told of, and an interrupt leaves what was there."""
import html.parser
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree

BINARY = os.environ["MNEME_BINARY"]
DRAWN = {"svg", "circle", "line", "rect", "text", "title"}
COLUMNS = {"case": (0, 31), "value": (31, 40), "unit": (40, 46), "reference": (47, 68),
           "reference_value": (68, 77)}


class Page(html.parser.HTMLParser):
    """The text of each row of figures, and all tags."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.tags, self.links, self.ids = [], set(), set(), set()
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.add(tag)
        self.links |= {attributes[name] for name in ("href", "src") if name in attributes}
        self.ids |= {attributes["id"]} if "id" in attributes else set()
        if attributes.get("class") == "figure":
            self.rows.append("")
            self.inside = True

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "tr"

    def handle_data(self, data):
        if self.inside:
            self.rows[-1] += " " + data


class Report(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.stores = self.folder / "stores"
        self.stores.mkdir()

    def command(self, *arguments):
        return [BINARY, "bench", "report", "--quick", "--rounds", "2", "--dir", str(self.stores),
                "--output", str(self.folder), *arguments]

    def run_report(self, *arguments, code=0, **environment):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True,
                              env={**os.environ, **environment}, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(list(self.stores.iterdir()), [])
        return done

    def read(self, name):
        return (self.folder / name).read_text(encoding="utf-8")

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def test_both_files_hold_every_row(self):
        printed = self.run_report("--only", "codec,store").stdout
        self.assertEqual(self.names(), ["BENCHMARKS.html", "BENCHMARKS.md", "stores"])
        rows = [{name: line[begin:end].strip() for name, (begin, end) in COLUMNS.items()}
                for line in printed.splitlines()
                if line[:1].strip() and line[40:46].strip() and line[36:40].strip()[-1:].isdigit()
                and not line.startswith(("--", "machine:", "data:", "rounds:", "spread:"))]
        self.assertGreater(len(rows), 30)
        page = Page(self.read("BENCHMARKS.html"))
        lines = [line for line in self.read("BENCHMARKS.md").splitlines() if line.startswith("|")]
        self.assertEqual(len(page.rows), len(rows))
        for row in rows:
            words = [row["case"], row["value"], row["unit"].replace("us", "µs"),
                     row["reference"], row["reference_value"]]
            for texts in (page.rows, lines):
                self.assertTrue(any(all(word in text.replace("\\", "") for word in words)
                                    for text in texts), words)
        for verdict in ("holds", "MISSED"):
            count = sum(line.endswith(verdict) for line in printed.splitlines())
            self.assertEqual(sum(verdict in row for row in page.rows), count)

    def test_page_is_one_well_formed_file(self):
        self.run_report("--only", "codec")
        text = self.read("BENCHMARKS.html")
        xml.etree.ElementTree.fromstring(text)
        page = Page(text)
        self.assertLessEqual(DRAWN, page.tags)
        self.assertFalse(page.tags & {"script", "link", "img", "iframe", "object"})
        self.assertNotIn("@import", text)
        self.assertNotIn("url(", text)
        for link in page.links:
            if link.startswith("#"):
                self.assertIn(link[1:], page.ids)
            else:
                self.assertTrue(link.startswith("docs/"), link)
        for name in ("LMDB", "SQLite", "zstd", "libcurl", "sqld", "kernel", "compiler"):
            self.assertIn(f"<dt>{name}</dt>", text)

    def test_json_lines_are_rows_only(self):
        done = self.run_report("--only", "codec", "--json")
        self.assertTrue(all(line.startswith('{"bench":"codec"')
                            for line in done.stdout.splitlines()))
        self.assertIn("wrote BENCHMARKS.md", done.stderr)

    def test_bench_that_cannot_run_is_told_of(self):
        empty = self.folder / "empty"
        empty.mkdir()
        done = self.run_report("--only", "remote,codec", code=9, MNEME_SQLD=str(empty / "sqld"))
        self.assertIn("1 of 2 benches failed", done.stderr)
        for name in ("BENCHMARKS.md", "BENCHMARKS.html"):
            self.assertIn("The bench remote failed", self.read(name))
            self.assertIn("episode, stored", self.read(name))

    def test_bench_that_crashes_is_told_of(self):
        process = subprocess.Popen(self.command("--only", "store,codec"), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        child = self.wait_for(lambda: children.read_text(encoding="utf-8").split())[0]
        self.wait_for(lambda: list(self.stores.iterdir()))
        os.kill(int(child), signal.SIGKILL)
        errors = process.communicate()[1]
        self.assertEqual(process.returncode, 9, errors)
        self.assertIn("signal 9", errors)
        self.assertIn("signal 9", self.read("BENCHMARKS.md"))
        self.assertIn("episode, stored", self.read("BENCHMARKS.md"))

    def test_interrupt_leaves_what_was_there(self):
        (self.folder / "BENCHMARKS.md").write_text("of yesterday", encoding="utf-8")
        process = subprocess.Popen(self.command("--only", "store"), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.wait_for(lambda: list(self.stores.iterdir()))
        process.terminate()
        errors = process.communicate()[1]
        self.assertEqual(process.returncode, 1, errors)
        self.assertIn("interrupted", errors)
        self.assertEqual(list(self.stores.iterdir()), [])
        self.assertEqual(self.names(), ["BENCHMARKS.md", "stores"])
        self.assertEqual(self.read("BENCHMARKS.md"), "of yesterday")

    def test_what_cannot_be_done_is_refused_before_anything_runs(self):
        for words, arguments in ((["stroe", "codec"], ["--only", "codec,stroe"]),
                                 (["generate"], ["--only", "generate"]),
                                 (["--only"], ["--only", ""]),
                                 (["--trace"], ["--trace", "x"])):
            done = self.run_report(*arguments, code=2)
            self.assertEqual(done.stdout, "")
            for word in words:
                self.assertIn(word, done.stderr)
        missing = str(self.folder / "missing")
        done = subprocess.run([BINARY, "bench", "report", "--output", missing],
                              capture_output=True, text=True, check=False)
        self.assertIn(missing, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertNotEqual(done.returncode, 0)

    def wait_for(self, look):
        for _ in range(6000):
            found = look()
            if found:
                return found
            time.sleep(0.01)
        self.fail("nothing happened in a minute")


if __name__ == "__main__":
    unittest.main()
