#!/usr/bin/env python3
"""check-layers.py [ROOT] - fails when an include crosses a border of the architecture.

src/LAYERS lists the layers, bottom to top. Of the files of this tree:
- src/<layer>/ includes "mneme/x.h", anything of its own layer, and of the layers below it the
  headers that lie directly in their folder and are not *_impl.h.
- include/mneme/ includes "mneme/x.h" only.
- cli/ includes "mneme/x.h", its own headers and "bench/bench.h"; bench/ includes what it likes.
- No headers include each other in a circle.
- Only src/os asks which platform it is compiled for.
"""
import os
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]*)[">]')
PLATFORM = re.compile(
    r"^\s*#\s*(?:if|ifdef|ifndef|elif)\b.*\b(?:__linux__|__unix__|__APPLE__|__ANDROID__|_WIN32"
    r"|__(?:Free|Net|Open)BSD__|__GLIBC__|__CYGWIN__|__x86_64__|__i386__|__aarch64__|__arm__)")


class Tree:
    def __init__(self, root):
        self.root = root
        lines = (root / "src/LAYERS").read_text().split("\n")
        self.layers = [line.strip() for line in lines if line.strip() and line[0] != "#"]
        self.problems = []
        self.includes = {}  # file -> files it includes, as paths under the root

    def sources(self):
        for folder in ("src", "include", "cli", "bench"):
            for path in sorted((self.root / folder).rglob("*")):
                if path.suffix in (".c", ".h", ".cc"):
                    yield path.relative_to(self.root)

    def resolve(self, source, name):
        """The file that a quoted name means, or None. Layers spell a header's folder out."""
        bases = ["include", "src", "."]
        if source.parts[0] in ("cli", "bench"):
            bases.insert(0, source.parent)
        for base in bases:
            path = pathlib.Path(os.path.normpath(os.path.join(base, name)))
            if (self.root / path).is_file():
                return path
        return None

    def refusal(self, source, target):
        """Why `source` may not include `target`; None when it may."""
        area, to = source.parts[0], target.parts
        if to[0] == "include" or area == "bench":
            return None
        if area == "include":
            return "public headers include public headers only"
        if area == "cli":
            allowed = to[0] == "cli" or to == ("bench", "bench.h")
            return None if allowed else "cli/ sees mneme/, cli/ and bench/bench.h only"
        if to[0] != "src":
            return f"src/ does not include {to[0]}/"
        return self.layer_refusal(source.parts[1], to[1], to)

    def layer_refusal(self, layer, below, to):
        if layer == below:
            return None
        if self.layers.index(below) > self.layers.index(layer):
            return f"layer {layer} is below {below}"
        if len(to) != 3 or to[2].endswith("_impl.h"):
            return f"this header is private to layer {below}"
        return None

    def check_file(self, source):
        is_layered = source.parts[0] == "src"
        if is_layered and source.parts[1] not in self.layers:
            self.problems.append(f"{source}:1: src/{source.parts[1]} is not a layer of src/LAYERS")
            return
        may_ask = source.parts[:2] == ("src", "os")
        targets = self.includes[source] = []
        for number, line in enumerate((self.root / source).read_text().split("\n"), 1):
            if PLATFORM.match(line) and not may_ask:
                self.problems.append(f"{source}:{number}: only src/os asks for the platform")
            match = INCLUDE.match(line)
            if not match:
                continue
            target = self.resolve(source, match[2])
            if target is None and match[1] == "<":
                continue  # a system header
            if target is None or (target.parts[0] == "src" and target.parts[1] not in self.layers):
                self.problems.append(f'{source}:{number}: "{match[2]}" is no file of a layer')
                continue
            targets.append(target)
            why = self.refusal(source, target)
            if why:
                self.problems.append(f'{source}:{number}: may not include "{match[2]}": {why}')

    def check_cycles(self):
        circle = peel(reverse(peel(self.includes)))
        if circle:
            names = ", ".join(str(path) for path in sorted(circle))
            self.problems.append(f"{min(circle)}:1: includes go in a circle: {names}")


def reverse(graph):
    return {node: [other for other in graph if node in graph[other]] for node in graph}


def peel(graph):
    """The graph without nodes that point to nothing left, taken away until none is left."""
    left = {node: {t for t in targets if t in graph} for node, targets in graph.items()}
    while free := [node for node, targets in left.items() if not targets]:
        left = {node: targets.difference(free) for node, targets in left.items() if targets}
    return left


def main():
    here = pathlib.Path(__file__).resolve().parent.parent
    tree = Tree(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here)
    for source in tree.sources():
        tree.check_file(source)
    tree.check_cycles()
    print("\n".join(tree.problems) or f"layers: {len(tree.includes)} files, no border crossed")
    return 1 if tree.problems else 0


sys.exit(main())
