"""Stands in for pyperf while scripts/bench runs pyperformance's programs: measures in this very process.

A program's benchmark is run in batches until a batch lasts long enough; the best of several batches counts. The result is
printed as `name seconds-per-loop`, for the driver to read.
"""
import argparse
import sys
import time

perf_counter = time.perf_counter
MINIMUM = 0.25  # seconds that a batch must last
BATCHES = 3


def python_implementation():
    return sys.implementation.name


class Runner:
    def __init__(self, values=None, processes=None, loops=0, warmups=None, add_cmdline_args=None, **_):
        self.metadata = {}
        self.argparser = argparse.ArgumentParser()
        self.args = None
        self._loops = loops

    def parse_args(self, args=None):
        if self.args is None:
            self.args = self.argparser.parse_args(args)
        return self.args

    def _measure(self, name, batch):
        self.parse_args()
        loops = 1
        while True:
            seconds = batch(loops)
            if seconds >= MINIMUM:
                break
            loops = max(loops * 2, int(loops * MINIMUM / seconds)) if seconds > 0 else loops * 10
        best = min([seconds] + [batch(loops) for _ in range(BATCHES - 1)])
        print("RESULT", name, best / loops, flush=True)

    def bench_time_func(self, name, func, *args, **kwargs):
        kwargs.pop("inner_loops", None)
        kwargs.pop("metadata", None)
        self._measure(name, lambda loops: func(loops, *args))

    def bench_func(self, name, func, *args, **kwargs):
        def batch(loops):
            start = perf_counter()
            for _ in range(loops):
                func(*args)
            return perf_counter() - start

        self._measure(name, batch)

    def bench_async_func(self, name, func, *args, **kwargs):
        import asyncio

        factory = kwargs.get("loop_factory")

        def batch(loops):
            async def main():
                start = perf_counter()
                for _ in range(loops):
                    await func(*args)
                return perf_counter() - start

            if factory is None:
                return asyncio.run(main())
            with asyncio.Runner(loop_factory=factory) as runner:
                return runner.run(main())

        self._measure(name, batch)

    def timeit(self, name, stmt=None, setup="pass", globals=None, **kwargs):
        import timeit as t

        timer = t.Timer(stmt, setup, globals=globals)
        self._measure(name, timer.timeit)
