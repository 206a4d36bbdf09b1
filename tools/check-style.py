#!/usr/bin/env python3
"""check-style.py [ROOT] - fails on the rules of CONTRIBUTING.md that a script can judge."""
import pathlib
import re
import sys

FUNCTION_LINES = 70
FILE_LINES, FILE_LINES_WARN = 600, 400
LAYER_HEADER_LINES = 250
LINE_COLUMNS = 100

C_SUFFIXES = {".c", ".h", ".cc"}
TEXT_SUFFIXES = C_SUFFIXES | {".py", ".sh", ".cmake"}
C_FOLDERS = ("src", "include", "cli", "bench", "tests", "fuzz", "examples")
CODE_FOLDERS = ("src", "cli", "bench")

# Spelled with a group, so that the tree can be searched for the words without finding this line.
UNFINISHED = re.compile(r"\b(?:T(?:ODO)|F(?:IXME)|X(?:XX)|H(?:ACK))\b")
RAW_CALL = re.compile(
    r"(?<![\w.>])(malloc|calloc|realloc|reallocarray|free|strcpy|strcat|sprintf|vsprintf|strdup"
    r"|strndup|alloca|gets)\s*\(")
EXTENSION = re.compile(r"__attribute__|__extension__|__builtin_\w+|__auto_type|__typeof__")
NOISE = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
PREPROCESSOR = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)


def blank(match):
    """As many lines as the match had, with nothing on them."""
    return re.sub(r"[^\n]", " ", match[0])


def functions(code):
    """(name, first line, lines) of every function body in code without comments and strings."""
    code = PREPROCESSOR.sub(blank, code)
    depth, head_start, body_depth, found = 0, 0, None, []
    for at in (m.start() for m in re.finditer(r"[{};]", code)):
        if code[at] == "{":
            head = code[head_start:at]
            # Outside a body, a brace after a ")" opens a function unless a value is being given.
            outside_brackets = re.sub(r"\(.*\)", "", head, flags=re.DOTALL)
            if body_depth is None and ")" in head and "=" not in outside_brackets:
                names = re.findall(r"(\w+)\s*\(", head)
                first = code.count("\n", 0, head_start + len(head) - len(head.lstrip())) + 1
                body_depth = depth
                opened = (names[0] if names else "?", first)
            depth += 1
        elif code[at] == "}":
            depth -= 1
            if depth == body_depth:
                found.append((*opened, code.count("\n", 0, at) + 2 - opened[1]))
                body_depth = None
        if body_depth is None:
            head_start = at + 1
    return found


class Checker:
    def __init__(self, root):
        self.root, self.errors, self.warnings, self.files = root, [], [], 0

    def error(self, path, line, text):
        self.errors.append(f"{path}:{line}: {text}")

    def check(self, path):
        self.files += 1
        text = (self.root / path).read_text(encoding="utf-8")
        self.check_text(path, text)
        if path.suffix in C_SUFFIXES:
            self.check_c(path, text)

    def check_text(self, path, text):
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > LINE_COLUMNS:
                self.error(path, number, f"{len(line)} columns; {LINE_COLUMNS} is the limit")
            if "\t" in line:
                self.error(path, number, "a tab; indent with spaces")
            if line != line.rstrip():
                self.error(path, number, "white space at the end of the line")
            if UNFINISHED.search(line):
                self.error(path, number, "a mark of unfinished work; finish it or file an issue")

    def check_c(self, path, text):
        if not re.match(rf"/\*\s+(?:\* )?{re.escape(path.name)}\b", text):
            self.error(path, 1, f'begin the file with a comment "{path.name} - what it is"')
        code = NOISE.sub(blank, text)
        for number, line in enumerate(code.split("\n"), 1):
            if re.search(r"\bgoto\b", line):
                self.error(path, number, "goto; use the cleanup macros of base/compiler.h")
            if path.parts[0] == "src":
                self.check_source_line(path, number, line)
        if path.parts[0] in CODE_FOLDERS:
            self.check_sizes(path, text, code)

    def check_source_line(self, path, number, line):
        call = RAW_CALL.search(line)
        if call and path != pathlib.Path("src/base/memory.c"):
            self.error(path, number, f"{call[1]}(); use mem_, buf_ or arena_ of base/base.h")
        extension = EXTENSION.search(line)
        if extension and path != pathlib.Path("src/base/compiler.h"):
            self.error(path, number, f"{extension[0]}; name it in base/compiler.h")

    def check_sizes(self, path, text, code):
        lines = text.count("\n")
        if lines > FILE_LINES:
            self.error(path, lines, f"{lines} lines; {FILE_LINES} is the limit of a file")
        elif lines > FILE_LINES_WARN:
            self.warnings.append(f"{path}:{lines}: warning: {lines} lines; is this one idea?")
        is_layer_header = path.parts[0] == "src" and len(path.parts) == 3 and path.suffix == ".h"
        if is_layer_header and lines > LAYER_HEADER_LINES:
            self.error(path, lines, f"{lines} lines; over {LAYER_HEADER_LINES} it is two layers")
        for name, first, length in functions(code):
            if length > FUNCTION_LINES:
                self.error(path, first, f"{name} has {length} lines; {FUNCTION_LINES} is the limit")


def main():
    here = pathlib.Path(__file__).resolve().parent.parent
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here
    checker = Checker(root)
    for folder in (*C_FOLDERS, "tools", "cmake"):
        for path in sorted((root / folder).rglob("*")):
            if "node_modules" in path.parts:
                continue
            if path.is_file() and (path.suffix in TEXT_SUFFIXES or path.name == "CMakeLists.txt"):
                checker.check(path.relative_to(root))
    print("\n".join(checker.warnings + checker.errors + [f"style: {checker.files} files checked"]))
    return 1 if checker.errors else 0


sys.exit(main())
