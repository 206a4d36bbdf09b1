#!/usr/bin/env python3
"""What the pages say of the tree is so: files, functions, links, commands, the example."""
import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cli_case import CliCase

SOURCE = pathlib.Path(os.environ["MNEME_SOURCE_DIR"])
BUILD = pathlib.Path(os.environ["MNEME_BUILD_DIR"])
README = (SOURCE / "README.md").read_text()
ARCHITECTURE = (SOURCE / "ARCHITECTURE.md").read_text()


def pages():
    return [page for page in [*SOURCE.glob("*.md"), *SOURCE.glob("docs/*.md"),
                              *SOURCE.glob("src/**/*.md")]]


def anchors(page):
    """The places in a page that a link can name, as GitHub makes them of headings."""
    headings = re.findall(r"(?m)^#+ (.*)$", page.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class Pages(unittest.TestCase):
    def test_walks__name_functions_where_they_are(self):
        walks = ARCHITECTURE[ARCHITECTURE.index("## The write path"):
                             ARCHITECTURE.index("## Decisions")]
        named = re.findall(r"`(\w+)`\s+\(`((?:src|include)/[\w/.]+)`", walks)
        self.assertGreater(len(named), 50)
        for function, path in named:
            defined = rf"(?m)^(?![ /*])[\w *]*\b{function}\([^;]*?\{{"
            self.assertTrue(re.search(defined, (SOURCE / path).read_text()), (function, path))

    def test_files__that_pages_name_are_there(self):
        for page in pages():
            for path in re.findall(r"`((?:src|cli|bench|tests|tools|docs|cmake|examples|include)/"
                                   r"[\w/.-]+\.\w+)`", page.read_text()):
                self.assertTrue((SOURCE / path).exists(), f"{page.name}: {path}")

    def test_links__lead_somewhere(self):
        for page in pages():
            text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                if target.startswith("http"):
                    continue
                path, _, anchor = target.partition("#")
                to = (page.parent / path).resolve() if path else page
                self.assertTrue(to.exists(), f"{page.name}: {target}")
                if anchor:
                    self.assertIn(anchor, anchors(to), f"{page.name}: {target}")

    def test_picture__has_every_layer(self):
        picture = (SOURCE / "docs/layers.svg").read_text()
        named = set(re.findall(r'class="name"[^>]*>(\w+)<', picture))
        layers = [line for line in (SOURCE / "src/LAYERS").read_text().split("\n")
                  if line and not line.startswith("#")]
        self.assertGreater(len(layers), 8)
        self.assertEqual([layer for layer in layers if layer not in named], [])


class Readme(CliCase):
    def test_example__is_the_file_and_works(self):
        code = re.search(r"```c\n(.*?)```", README, re.S).group(1)
        self.assertEqual(code, (SOURCE / "examples/quickstart.c").read_text())
        done = subprocess.run([BUILD / "tests/quickstart"], cwd=self.directory, check=True,
                              capture_output=True)
        self.assertEqual(done.stdout, b"Fix the login test: 1 step\n")
        self.assertTrue((self.directory / "memory.mdb").exists())

    def test_commands__are_there(self):
        blocks = re.findall(r"(?m)(?:^    .*\n)+", README)
        lines = re.findall(r"\bmneme (?:--store \S+ |--remote \S+ )?([a-z]+)(?: ([a-z]+)\b)?",
                           "".join(blocks))
        self.assertGreater(len(lines), 12)
        for first, second in lines:
            run = self.mneme("help", first, second) if second else self.mneme("help", first)
            if run.code:
                self.good("help", first)

    def test_first_commands__work_as_they_stand(self):
        block = next(block for block in re.findall(r"(?m)(?:^    .*\n|^\n)+", README)
                     if "id=$(mneme episode start" in block)
        script = re.sub(r"(?m)^    ", "", block)
        binary = pathlib.Path(os.environ["MNEME_BINARY"]).parent
        done = subprocess.run(["sh", "-eu", "-c", script], cwd=self.directory, capture_output=True,
                              env={**self.environment,
                                   "PATH": f"{binary}:{self.environment['PATH']}"})
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertIn("Fix the failing login test", done.stdout.decode())


if __name__ == "__main__":
    unittest.main()
