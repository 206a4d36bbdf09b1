"""A terminal as far as mneme needs one: what its bytes make of a screen. Strict: a sequence that is
not among those known here is an error, so a program under test can send nothing else."""
import re

SEQUENCE = re.compile(r"\x1b\[(\?)?([0-9;]*)([A-Za-z])")


class Screen:
    def __init__(self, columns, rows):
        self.alternate, self.cursor_shown = False, True
        self.styles, self.entered = 0, 0
        self.rest = b""
        self.resize(columns, rows)

    def resize(self, columns, rows):
        """Another size; what was there stays where it fits."""
        old = getattr(self, "cells", [])
        self.columns, self.rows = columns, rows
        self.cells = [[" "] * columns for _ in range(rows)]
        for to, row in zip(self.cells, old):
            to[:len(row)] = row[:columns]
        self.row = self.column = 0

    def feed(self, block):
        """Take bytes as they come; halves of characters and of sequences wait for the rest."""
        block = self.rest + block
        cut = len(block)
        start = block.rfind(b"\x1b", max(0, len(block) - 16))
        if start >= 0 and not SEQUENCE.match(block[start:].decode("latin-1")):
            cut = start
        text = block[:cut]
        for back in range(1, 4):
            if len(text) >= back and text[-back] >= 0xc0:
                need = 2 if text[-back] < 0xe0 else 3 if text[-back] < 0xf0 else 4
                if need > back:
                    cut -= back
                break
        self.rest = block[cut:]
        self.play(block[:cut].decode("utf-8"))

    def play(self, text):
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                found = SEQUENCE.match(text, at)
                if not found:
                    raise ValueError(f"not a known sequence: {text[at:at + 12]!r}")
                self.obey(*found.groups())
                at = found.end()
                continue
            self.put(text[at])
            at += 1

    def put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row += 1
        elif ord(character) < 32 or 0x7f <= ord(character) < 0xa0:
            raise ValueError(f"control character {character!r}")
        elif self.row >= self.rows or self.column >= self.columns:
            raise ValueError(f"{character!r} beyond the screen, at {self.row}, {self.column}")
        else:
            self.cells[self.row][self.column] = character
            self.column += 1

    def obey(self, private, numbers, letter):
        if private and numbers == "1049" and letter in "hl":
            self.alternate = letter == "h"
            self.entered += self.alternate
            if self.alternate:
                self.cells = [[" "] * self.columns for _ in range(self.rows)]
        elif private and numbers == "25" and letter in "hl":
            self.cursor_shown = letter == "h"
        elif not private and letter == "H":
            row, column = (numbers or "1;1").split(";")
            self.row, self.column = int(row) - 1, int(column) - 1
        elif not private and letter == "K" and numbers == "":
            self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
        elif not private and letter == "J" and numbers == "":
            self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
            for row in range(self.row + 1, self.rows):
                self.cells[row] = [" "] * self.columns
        elif not private and letter == "m" and numbers in ("0", "1", "2", "32", "33", "36", "1;31"):
            self.styles += 1
        else:
            raise ValueError(f"not a known sequence: ESC [ {private or ''}{numbers}{letter}")

    @property
    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    @property
    def text(self):
        return "\n".join(self.lines)
