"""Compares what calls between Python and C cost under several interpreters, which load the same extension.

usage: callcost.py --python NAME=PATH [--python NAME=PATH ...] --include FOLDER [--rounds N]

Times are nanoseconds each; ratios are to the first interpreter's, and over 1 means slower.
"""
import argparse
import math
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--python", action="append", required=True)
    parser.add_argument("--include", required=True, help="the headers")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    pythons = [p.split("=", 1) for p in options.python]
    with tempfile.TemporaryDirectory() as folder:
        target = os.path.join(folder, "callcost.cpython-313-x86_64-linux-gnu.so")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O2", "-DNDEBUG", "-fno-strict-overflow",
                        "-I" + options.include, os.path.join(HERE, "callcost.c"), "-o", target], check=True)
        best = {name: {} for name, _ in pythons}
        for _ in range(options.rounds):
            for name, path in pythons:
                env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
                done = subprocess.run([path, os.path.join(HERE, "run.py"), folder], env=env, capture_output=True, text=True)
                if done.returncode != 0:
                    sys.exit(f"{name}: {done.stderr.strip().splitlines()[-1:] or done.returncode}")
                for line in done.stdout.splitlines():
                    case, ns = line.split("\t")
                    best[name][case] = min(best[name].get(case, math.inf), float(ns))
    base = pythons[0][0]
    print(f"{'ns each':<44}" + "".join(f"{name:>12}" for name, _ in pythons) + "".join(f"{name:>10}" for name, _ in pythons[1:]))
    ratios = {name: [] for name, _ in pythons[1:]}
    for case, reference in best[base].items():
        cells = "".join(f"{best[name][case]:>12.1f}" for name, _ in pythons)
        for name, _ in pythons[1:]:
            ratio = best[name][case] / reference
            ratios[name].append(ratio)
            cells += f"{ratio:>9.2f}x"
        print(f"{case:<44}{cells}")
    for name, r in ratios.items():
        print(f"{name}: geometric mean {math.exp(sum(map(math.log, r)) / len(r)):.2f}x, highest {max(r):.2f}x, {sum(x > 1.2 for x in r)} of {len(r)} over 1.2x")


if __name__ == "__main__":
    main()
