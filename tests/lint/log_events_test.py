#!/usr/bin/env python3
"""docs/logging.md lists the events that the sources log: each with its layer, level and fields, and
none that is not there."""
import os
import pathlib
import re
import unittest

ROOT = pathlib.Path(os.environ["MNEME_SOURCE_DIR"])
EVENT = re.compile(r"\bLOG\((\w+), (\w+),(.*?)\);", re.S)
FIELD = re.compile(r'\bLOG_[A-Z_]+\(\s*"([^"]+)"')
STANDS_FOR = {"LOG_ERROR_TYPE": "`error.type`", "REQUEST_FIELDS": "*request*",
              "ERROR_FIELDS": "*failure*"}


def events_of_sources():
    """(layer, level, msg, its fields as the page writes them)"""
    for path in sorted((ROOT / "src").rglob("*.c")):
        for level, layer, rest in EVENT.findall(path.read_text()):
            head = re.split(r"\b(?:LOG_|REQUEST_)", rest)[0]
            fields = [f"`{name}`" for name in FIELD.findall(rest)]
            fields += [text for macro, text in STANDS_FOR.items() if macro + "(" in rest]
            for message in re.findall(r'"([^"]+)"', head):
                yield layer.lower(), level.lower(), message, fields


def events_of_page():
    """{(layer, msg): (levels, fields)}"""
    rows, layer = {}, None
    text = (ROOT / "docs/logging.md").read_text().split("\n## Events\n")[1]
    for line in text.split("\n"):
        if line.startswith("### "):
            layer = line[4:]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if layer and line.startswith("| ") and len(cells) == 3 and cells[0] != "level":
            rows[layer, cells[1]] = (cells[0].split(", "), cells[2])
    return rows


class LogEvents(unittest.TestCase):
    def test_each_event__is_on_the_page(self):
        rows, count = events_of_page(), 0
        for layer, level, message, fields in events_of_sources():
            with self.subTest(layer=layer, message=message):
                self.assertIn((layer, message), rows)
                levels, described = rows[layer, message]
                self.assertIn(level, levels)
                for field in fields:
                    self.assertIn(field, described)
            count += 1
        self.assertGreater(count, 40)

    def test_each_row__is_an_event(self):
        for layer, message in events_of_page():
            with self.subTest(layer=layer, message=message):
                sources = (ROOT / "src" / layer).rglob("*.c")
                self.assertTrue(any(f'"{message}"' in path.read_text() for path in sources))


if __name__ == "__main__":
    unittest.main()
