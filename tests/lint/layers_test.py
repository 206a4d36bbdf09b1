"""layers_test.py - tools/check-layers.py fails on what it forbids, and on nothing else."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = os.path.join(os.environ["MNEME_SOURCE_DIR"], "tools", "check-layers.py")

GOOD = {
    "src/LAYERS": "# bottom to top\nbase\nos\nstore\n",
    "include/mneme/mneme.h": '#include <stddef.h>\n#include "mneme/types.h"\n',
    "include/mneme/types.h": "",
    "src/base/base.h": '#include "mneme/types.h"\n',
    "src/os/os.h": '#include "base/base.h"\n#ifdef __linux__\n#endif\n',
    "src/store/store.h": '#include "base/base.h"\n',
    "src/store/store_impl.h": '#include "store/store.h"\n',
    "src/store/kv/page.h": '#include "store/store_impl.h"\n',
    "src/store/kv/page.c": '#include "store/kv/page.h"\n#include "os/os.h"\n',
    "cli/main.c": '#include "mneme/mneme.h"\n#include "cli/args.h"\n#include "bench/bench.h"\n',
    "cli/args.h": "",
    "bench/bench.h": "",
    "bench/kv.c": '#include "store/kv/page.h"\n',
}


def run(changes):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**GOOD, **changes}.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True)
        return done.returncode, done.stdout


class LayersTest(unittest.TestCase):
    def refused(self, name, text, complaint):
        status, output = run({name: text})
        self.assertEqual(status, 1, output)
        self.assertIn(complaint, output)

    def test_accepts_a_good_tree(self):
        status, output = run({})
        self.assertEqual(status, 0, output)

    def test_refuses_an_upward_include(self):
        self.refused("src/base/a.c", '\n#include "os/os.h"\n', "src/base/a.c:2: may not include")
        self.refused("src/base/a.c", "#include <os/os.h>\n", "src/base/a.c:1: may not include")

    def test_refuses_a_private_header_of_a_lower_layer(self):
        above = "# bottom to top\nbase\nos\nstore\nmodel\n"
        for name in ("store/store_impl.h", "store/kv/page.h"):
            status, output = run({"src/LAYERS": above, "src/model/a.c": f'#include "{name}"\n'})
            self.assertEqual(status, 1, output)
            self.assertIn("src/model/a.c:1: may not include", output)

    def test_refuses_a_folder_that_is_no_layer(self):
        self.refused("src/extra/a.c", "", "src/extra is not a layer")

    def test_refuses_an_include_that_does_not_spell_its_folder(self):
        self.refused("src/store/kv/a.c", '#include "page.h"\n', "src/store/kv/a.c:1:")

    def test_refuses_internals_in_public_headers(self):
        self.refused("include/mneme/a.h", '#include "base/base.h"\n', "include/mneme/a.h:1:")

    def test_refuses_internals_in_the_command_line(self):
        self.refused("cli/a.c", '#include "store/store.h"\n', "cli/a.c:1:")
        self.refused("cli/b.c", '#include "../src/base/base.h"\n', "cli/b.c:1:")

    def test_refuses_the_tools_in_the_library(self):
        self.refused("src/store/a.c", '#include "cli/args.h"\n', "src/store/a.c:1:")

    def test_refuses_a_circle(self):
        self.refused("src/store/store.h", '#include "store/store_impl.h"\n',
                     "in a circle: src/store/store.h, src/store/store_impl.h")

    def test_refuses_platform_questions_outside_os(self):
        for line in ("#ifdef __linux__", "#if defined(_WIN32)", "#  elif defined __APPLE__"):
            self.refused("src/store/a.c", line + "\n", "src/store/a.c:1: only src/os")


if __name__ == "__main__":
    unittest.main()
