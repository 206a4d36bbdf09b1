#!/usr/bin/env python3
"""The pages for man and CONFIGURATION.md, which are made from the tables of the program."""
import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from cli_case import CliCase

SOURCE = pathlib.Path(os.environ["MNEME_SOURCE_DIR"])
LIBRARY_PAGE = SOURCE / "docs/mneme.3"


class Manual(CliCase):
    def pages(self):
        """All pages, written into a directory."""
        directory = self.directory / "man"
        directory.mkdir()
        self.good("manual", "--output", directory)
        return sorted(directory.iterdir())

    def commands(self):
        """The names of all commands, as `mneme help` lists them."""
        text = self.good("help").out
        text = text[text.index("Commands:\n"):text.index("\n\nOptions of every command")]
        return re.findall(r"(?m)^  ([a-z]+(?: [a-z]+)?) ", text)

    def rendered(self, page):
        """The page as a terminal shows it, without the strokes that make letters bold."""
        shown = subprocess.run(["mandoc", "-T", "utf8", page], capture_output=True, check=True)
        return re.sub(".\b", "", shown.stdout.decode())

    def test_every_page__is_clean(self):
        checked = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *self.pages(),
                                  LIBRARY_PAGE], capture_output=True)
        self.assertEqual((checked.returncode, checked.stdout.decode()), (0, ""))

    def test_every_command__has_its_page_with_its_options(self):
        pages = {page.name: page for page in self.pages()}
        commands = self.commands()
        self.assertGreater(len(commands), 40)
        for command in commands:
            page = pages[f"mneme-{command.split()[0]}.1"].read_text()
            self.assertIn(f"\n.SS mneme {command}\n", page)
            usage = self.good("help", *command.split()).out.split("\nOptions of every command")[0]
            for option in re.findall(r"(?m)^  --([a-z-]+)", usage):
                self.assertIn("\n.B \\-\\-" + option.replace("-", "\\-"), page, command)

    def test_list__is_what_is_written(self):
        self.assertEqual(sorted(self.good("manual", "--list").out.split()),
                         [page.name for page in self.pages()])

    def test_page__is_found_by_each_of_its_names(self):
        for name in ("episode", "mneme-episode", "mneme-episode.1"):
            self.assertIn(".TH MNEME-EPISODE 1 ", self.good("manual", name).out)
        self.assertEqual(self.good("manual").out, self.good("manual", "mneme.1").out)
        for name in ("frobnicate", "episode start", "mneme-config.1.1", ""):
            self.bad(3, "`mneme manual --list`", "manual", name)

    def test_directory_that_is_not_there__is_an_error(self):
        self.bad(1, "cannot write", "manual", "--output", self.directory / "no")

    def test_date__can_be_set(self):
        text = self.good("manual", environment={"SOURCE_DATE_EPOCH": "86400"}).out
        self.assertIn(" 1970-01-02 ", text)

    def test_text__is_shown_as_it_is_meant(self):
        text = self.rendered(next(page for page in self.pages() if page.name == "mneme.1"))
        self.assertRegex(text, r'id=\$\(mneme episode start --task "Fix the login test"')
        self.assertIn("~/.local/share/mneme/memory.mdb", text)
        self.assertNotIn("`", text)

    def test_settings__are_all_on_the_page_of_the_file(self):
        text = self.good("manual", "mneme-config.5").out
        for line in self.good("--json", "config", "show").lines:
            self.assertRegex(text, rf"\n\.BR {line['name'].split('.')[1]} .*{line['environment']}")

    def test_functions_of_the_library__are_all_on_its_page(self):
        headers = "".join(header.read_text() for header in (SOURCE / "include/mneme").iterdir())
        functions = set(re.findall(r"(?:MNEME_API|inline)[^;(]*?\b(mneme_\w+)\(", headers))
        self.assertGreater(len(functions), 40)
        text = LIBRARY_PAGE.read_text()
        self.assertEqual([name for name in sorted(functions)
                          if not re.search(rf"\b{name}\b", text)], [])
        self.assertEqual(sorted(set(re.findall(r"\bmneme_\w+(?= ?\()", text)) - functions), [])


class Configuration(CliCase):
    def test_page__is_what_the_table_says(self):
        self.assertEqual(
            (SOURCE / "CONFIGURATION.md").read_text(), self.good("config", "doc").out,
            "CONFIGURATION.md is old; run build/release/mneme config doc > CONFIGURATION.md")

    def test_every_setting__has_its_sentence(self):
        sections = self.good("config", "doc").out.split("\n## ")[1:]
        rows = 0
        for section in sections:
            self.assertRegex(section, r"^\[[a-z]+\]\n\n[A-Z][^|]+\.\n\n\| key ")
            for row in section.split("|---|---|---|---|---|---|\n")[1].splitlines():
                cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
                self.assertEqual(len(cells), 6, row)
                self.assertRegex(cells[5], r"^[A-Za-z].*\.$", row)
                rows += 1
        self.assertEqual(rows, len(self.good("--json", "config", "show").lines))


if __name__ == "__main__":
    unittest.main()
