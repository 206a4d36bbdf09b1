"""style_test.py - tools/check-style.py fails on what it forbids, and on nothing else."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = os.path.join(os.environ["MNEME_SOURCE_DIR"], "tools", "check-style.py")

HEADER = "/*\n * a.c - a sample.\n */\n"


def function(lines):
    """A function of so many lines, full of what could confuse a counter of braces."""
    body = ['    puts("{ /* malloc(1) */");', "    char c = '{';", "    if (c) { /* } goto */ }"]
    return "\n".join(["static int f(int (*g)(void), char c) {"]
                     + (body * lines)[:lines - 2] + ["}", ""])


def run(name, text):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True)
        path.write_text(text)
        done = subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True)
        return done.returncode, done.stdout


class StyleTest(unittest.TestCase):
    def accepted(self, text, name="src/base/a.c"):
        status, output = run(name, text)
        self.assertEqual(status, 0, output)
        return output

    def refused(self, text, complaint, name="src/base/a.c"):
        status, output = run(name, text)
        self.assertEqual(status, 1, output)
        self.assertIn(complaint, output)

    def test_accepts_good_files(self):
        self.accepted(HEADER + function(70) + function(70))
        self.accepted(HEADER + "struct s {\n    int a;\n};\nstatic const struct s t[] = {\n"
                      + "    {(1)},\n" * 90 + "};\n")
        self.accepted(HEADER + "void f(void) {\n    mem_free(p);\n    x->free(y);\n}\n")

    def test_refuses_a_long_function(self):
        self.refused(HEADER + "\n" + function(71), "src/base/a.c:5: f has 71 lines")
        wrapped = 'extern "C" {\nnamespace n {\n' + function(71) + "}\n}\n"
        self.refused("/* a.cc - x */\n" + wrapped, "a.cc:4: f has 71 lines", "src/base/a.cc")

    def test_refuses_a_long_file_and_warns_of_a_big_one(self):
        self.refused(HEADER + "int a;\n" * 600, "603 lines")
        self.assertIn("warning: 403 lines", self.accepted(HEADER + "int a;\n" * 400))

    def test_refuses_a_long_layer_header(self):
        text = "/* base.h - x */\n" + "int a;\n" * 250
        self.refused(text, "251 lines", "src/base/base.h")
        self.accepted(text, "src/store/kv/base.h")

    def test_refuses_bad_lines(self):
        self.refused(HEADER + "/* " + "x" * 98 + "*/\n", "a.c:4: 103 columns")
        self.accepted(HEADER + "/* " + "\u2026" * 95 + "*/\n")
        self.refused(HEADER + "\tint a;\n", "a.c:4: a tab")
        self.refused(HEADER + "int a; \n", "a.c:4: white space")
        self.refused("x = 1 \n", "a.py:1: white space", "tools/a.py")

    def test_refuses_marks_of_unfinished_work(self):
        for word in ("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"):
            self.refused(HEADER + f"/* {word}: later */\n", "a.c:4: a mark")

    def test_refuses_a_file_that_does_not_say_what_it_is(self):
        self.refused("int a;\n", "a.c:1: begin the file")
        self.refused("/*\n * b.c - another.\n */\n", "a.c:1: begin the file")

    def test_refuses_goto(self):
        self.refused(HEADER + "void f(void) {\n    goto out;\n}\n", "a.c:5: goto", "cli/a.c")

    def test_refuses_raw_allocation_and_unbounded_text(self):
        for call in ("malloc(1)", "calloc(1, 1)", "realloc(p, 1)", "free (p)", "strcpy(a, b)",
                     "strcat(a, b)", "sprintf(a, b)", "strdup(a)", "alloca(1)", "gets(a)"):
            text = HEADER + f"void f(void) {{\n    x = {call};\n}}\n"
            self.refused(text, f"a.c:5: {call.split('(')[0].strip()}()")
            self.accepted(text, "tests/base/a.c")
        self.accepted("/* memory.c - x */\nvoid f(void) {\n    free(p);\n}\n", "src/base/memory.c")

    def test_refuses_compiler_extensions_outside_their_header(self):
        self.refused(HEADER + "int a __attribute__((unused));\n", "a.c:4: __attribute__")


if __name__ == "__main__":
    unittest.main()
