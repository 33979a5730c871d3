"""Digests of the syntax trees of all Python files below a folder, positions included, or of the errors in their place.

usage: ast_digests.py FOLDER                 prints path and digest of each file (run it under CPython to record them)
       ast_digests.py FOLDER --check FILE    compares with what was recorded
"""
import ast
import hashlib
import os
import sys
import warnings


def digest(source):
    try:
        text = ast.dump(ast.parse(source), include_attributes=True)
    except (SyntaxError, ValueError) as error:
        text = f"{type(error).__name__} {error.args}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def files(folder):
    for path, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".py"):
                yield os.path.relpath(os.path.join(path, name), folder)


def main():
    warnings.simplefilter("ignore")
    folder = sys.argv[1]
    if sys.argv[2:3] != ["--check"]:
        for name in files(folder):
            with open(os.path.join(folder, name), "rb") as f:
                print(name, digest(f.read()), sep="\t")
        return 0
    different = 0
    with open(sys.argv[3], encoding="utf-8") as f:
        recorded = [line.rstrip("\n").split("\t") for line in f if not line.startswith("#")]
    for name, expected in recorded:
        with open(os.path.join(folder, name), "rb") as f:
            if digest(f.read()) != expected:
                different += 1
                print("different:", name)
    print(f"{len(recorded) - different} syntax trees identical, {different} different")
    return 1 if different or not recorded else 0


if __name__ == "__main__":
    sys.exit(main())
