import gc
import sys
import weakref

import ct_gctypes as m
from check import equal, raises

Node = m.Node
gc.collect()
gc.disable()

# Plain life and death.
start = m.counts()[0]
n = Node()
equal(m.counts()[0], start + 1)
del n
equal(m.counts()[0], start)

# Cycles, found by traversal and broken by tp_clear.
n = Node()
n.link = Node(n)
r = weakref.ref(n)
del n
equal(m.counts()[0], start + 2)
assert gc.collect() >= 2
equal((m.counts()[0], r()), (start, None))

# What the collector knows of an object.
n = Node()
equal(m.tracked(n), (1, 1, 0))
equal(m.untrack_and_track(n), (0, 1))
assert gc.is_tracked(n) and n in gc.get_objects()
equal(m.tracked(1), (0, 0, 0))
n.link = target = Node()
equal(gc.get_referents(n), [target])
assert n in gc.get_referrers(target)
equal(m.count_nodes(), 2)
del n, target

# Finalisers run once, also in cycles, and may bring the object back.
saved, seen = [], []
n = Node(None, saved.append)
del n
equal(len(saved), 1)
assert m.tracked(saved[0])[2] == 1
saved.clear()
equal(m.counts()[0], start)
n = Node(None, lambda self: seen.append(type(self)))
n.link = n
del n
gc.collect()
equal(seen, [Node])

class Revenant(Node):
    def __del__(self):
        saved.append(self)

v = Revenant()
v.link = v
del v
gc.collect()
equal(len(saved), 1)
saved[0].link = None
saved.clear()
gc.collect()
equal(m.counts()[0], start)

# An error in a finaliser is reported and goes no further.
reports = []
sys.unraisablehook = lambda u: reports.append((type(u.exc_value), u.err_msg))
def bad(self):
    raise KeyError("in finaliser")
n = Node(None, bad)
del n
sys.unraisablehook = sys.__unraisablehook__
equal(reports, [(KeyError, None)])

# Weak references are cleared, callbacks called, before the object is gone.
called = []
n = Node()
n.link = n
r = weakref.ref(n, called.append)
del n
gc.collect()
equal((called, r()), ([r], None))

# Deep nesting doesn't use up the stack.
n = None
for _ in range(200_000):
    n = Node(n)
del n
equal(m.counts()[0], start)
n = None
for _ in range(100_000):
    n = Node((n, [n]))
del n
gc.collect()
equal(m.counts()[0], start)

# Variable size.
r = m.row(*range(100_000, 100_050))
equal((len(r), r[0], r[-1], list(r)[:2]), (50, 100_000, 100_049, [100_000, 100_001]))
with raises(IndexError):
    r[50]
equal(m.tracked(r), (1, 1, 0))
g = m.grown("a", "b")
equal((len(g), g[0], g[1], g[1001]), (1002, "a", "b", None))
n = Node()
n.link = m.row(n, n)
del n, r, g
assert gc.collect() >= 2
equal(m.counts()[0], start)

# The collector may run at any allocation.
gc.enable()
gc.set_threshold(1)
for _ in range(300):
    n = Node()
    n.link = [n, {"n": n}]
gc.set_threshold(2000)
del n
m.collect()
equal(m.counts()[0], start)
equal(m.collect(), 0)
