"""Compiles or parses the whole library, sources in memory, and prints seconds and peak memory in KB.

usage: library.py compile|parse FOLDER [REPEATS]

Of several repeats the best counts. The number of files that the interpreter accepts is printed first: some are errors
on purpose, and two interpreters should agree on which.
"""
import ast
import math
import os
import resource
import sys
import time


def sources(folder):
    found = []
    for path, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if name.endswith(".py"):
                with open(os.path.join(path, name), "rb") as f:
                    found.append((os.path.join(path, name), f.read()))
    return found


def peak():
    """Peak of the resident memory in KB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main():
    what, folder = sys.argv[1:3]
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    flags = ast.PyCF_ONLY_AST if what == "parse" else 0
    todo = sources(folder)
    best = math.inf
    for _ in range(repeats):
        accepted = 0
        # Time of the processor, for other programs may run.
        start = time.process_time()
        for name, source in todo:
            try:
                compile(source, name, "exec", flags, True)
                accepted += 1
            except (SyntaxError, ValueError):
                pass
        best = min(best, time.process_time() - start)
    print(f"RESULT {accepted} {best:.6f} {peak()}")


if __name__ == "__main__":
    main()
