"""Runs pyperformance's programs under several interpreters in turn, and prints ratios to the first.

usage: bench.py --programs FOLDER --library FOLDER --python NAME=PATH [--python NAME=PATH ...] [--rounds N] [PROGRAM ...]

A ratio over 1 means faster than the first interpreter. Rounds go interpreter by interpreter, so that a change of the
machine's speed hits all alike; the best round counts. Start-up time and peak memory are measured too. The program
`library` is compile() and ast.parse() of the whole library, and is no part of the geometric mean.
"""
import argparse
import math
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DEFAULT = """nbody fannkuch richards deltablue chaos float spectral_norm raytrace go hexiom pyflate scimark json_dumps
json_loads regex_v8 regex_compile pickle logging deepcopy generators coroutines comprehensions gc_traversal""".split()
# Programs that hold several benchmarks, and which of them are run.
CHOICES = {"pickle": ["pickle", "pickle_dict", "pickle_list", "unpickle", "unpickle_list"]}


def run(python, program, folder, timeout):
    results = {}
    for choice in CHOICES.get(program, [None]):
        results.update(run_one(python, program, [choice] if choice else [], folder, timeout))
    return results


def clean_environment():
    """The environment without what would steer one interpreter to another's library."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}


def run_one(python, program, arguments, folder, timeout):
    path = os.path.join(folder, "bm_" + program)
    env = clean_environment()
    env["PYTHONPATH"] = os.path.join(HERE, "shim")
    try:
        done = subprocess.run([python, "run_benchmark.py", *arguments], cwd=path, env=env, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return {}
    results = {}
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            name, seconds = line[len("RESULT "):].rsplit(None, 1)
            results[name] = float(seconds)
    if not results:
        sys.stderr.write(f"{python}: {program}: {done.stderr.strip().splitlines()[-1:] or done.returncode}\n")
    return results


def library(python, what, folder):
    """Files accepted, seconds, and peak memory in KB of compiling or parsing the library."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    command = [python, "-W", "ignore", os.path.join(HERE, "library.py"), what, folder]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            files, seconds, peak = line.split()[1:]
            return int(files), float(seconds), int(peak)
    sys.stderr.write(f"{python}: {what}: {done.stderr.strip().splitlines()[-1:] or done.returncode}\n")
    return 0, math.nan, 0


def library_section(pythons, folder, rounds):
    for what, title in [("compile", "compile() of the library"), ("parse", "ast.parse() of the library")]:
        best = {}
        for _ in range(rounds):
            for name, path in pythons:
                result = library(path, what, folder)
                known = best.setdefault(name, result)
                best[name] = (result[0], min(known[1], result[1]), max(known[2], result[2]))
        base = best[pythons[0][0]][1]
        print(f"{title:<28}" + "".join(f"{base / best[name][1]:>15.2f}x" for name, _ in pythons))
        print(f"{'  seconds':<28}" + "".join(f"{best[name][1]:>16.2f}" for name, _ in pythons))
        print(f"{'  files accepted':<28}" + "".join(f"{best[name][0]:>16}" for name, _ in pythons))
        print(f"{'  peak memory, MB':<28}" + "".join(f"{best[name][2] / 1024:>16.1f}" for name, _ in pythons), flush=True)


def startup(python):
    best = math.inf
    for _ in range(15):
        start = time.perf_counter()
        subprocess.run([python, "-c", "pass"], check=True, env=clean_environment())
        best = min(best, time.perf_counter() - start)
    return best


def memory(python):
    """Peak of the resident memory of a program that does nothing but read that figure, in KB."""
    # What wait4() reports of a child counts the parent's memory too, which the child had until it began the program.
    program = "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
    return int(subprocess.run([python, "-c", program], check=True, env=clean_environment(), capture_output=True).stdout)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--programs", required=True)
    parser.add_argument("--library", required=True)
    parser.add_argument("--python", action="append", required=True)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=300)
    parser.add_argument("program", nargs="*")
    options = parser.parse_args()
    pythons = [p.split("=", 1) for p in options.python]
    base = pythons[0][0]
    ratios = {name: [] for name, _ in pythons}
    print(f"{'benchmark':<28}" + "".join(f"{name:>16}" for name, _ in pythons))
    if options.program == ["library"]:
        return library_section(pythons, options.library, options.rounds)
    for program in options.program or DEFAULT:
        best = {}
        for _ in range(options.rounds):
            for name, path in pythons:
                for bench, seconds in run(path, program, options.programs, options.timeout).items():
                    key = (bench, name)
                    best[key] = min(best.get(key, math.inf), seconds)
        for bench in dict.fromkeys(b for b, _ in best):
            cells = ""
            reference = best.get((bench, base))
            for name, _ in pythons:
                seconds = best.get((bench, name))
                if seconds is None or reference is None:
                    cells += f"{'failed':>16}"
                    continue
                ratio = reference / seconds
                ratios[name].append(ratio)
                cells += f"{ratio:>15.2f}x"
            print(f"{bench:<28}{cells}", flush=True)
    print(f"{'geometric mean':<28}" + "".join(
        f"{math.exp(sum(map(math.log, r)) / len(r)):>15.2f}x" if r else f"{'-':>16}" for r in ratios.values()))
    if not options.program:
        library_section(pythons, options.library, options.rounds)
    print(f"{'start-up of -c pass, ms':<28}" + "".join(f"{startup(path) * 1000:>16.1f}" for _, path in pythons))
    print(f"{'peak memory of -c pass, MB':<28}" + "".join(f"{memory(path) / 1024:>16.1f}" for _, path in pythons))


if __name__ == "__main__":
    main()
