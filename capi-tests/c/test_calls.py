import os
import sys
import traceback
import warnings

import ct_calls as m
from check import equal, raises

class F:
    def __call__(self, *args, **kwargs):
        return args, kwargs

    def method(self, *args, **kwargs):
        return "method", args, kwargs

def f(*args, **kwargs):
    return args, kwargs

f.method = lambda *args, **kwargs: ("method", args, kwargs)

class T:
    def __new__(cls, *args, **kwargs):
        return args, kwargs

    method = staticmethod(lambda *args, **kwargs: ("method", args, kwargs))

plain = [
    ((1, 2), {"k": 3}), ((1, 2), {}), ((1, 2), {}), ((), {}), ((), {}), ((1,), {}), ((1, 2), {}), ((1, 2), {}), ((1, 2), {}), ((), {}),
    ((1, 2, 3), {}), ((1, 2), {"k": 3}), ((1, 2, 3), {}), ((1, 2), {"k": 3}),
    ("method", (1, 2), {}), ("method", (), {}), ("method", (1, 2), {}), ("method", (), {}), ("method", (1,), {}), ("method", (1, 2), {"k": 3}),
]
for callee in (F(), f, T):
    equal(m.all_ways(callee), plain)
with raises(TypeError, "^'int' object is not callable$"):
    m.all_ways(1)

class Fails:
    def __call__(self, *args, **kwargs):
        raise KeyError("x")

with raises(KeyError):
    m.all_ways(Fails())

# Attributes.
equal(m.attributes(F()), (1, 1, True, 0, None, 0))
with raises(AttributeError, "^'object' object has no attribute 'set_by_c' and no __dict__ for setting new attributes$"):
    m.attributes(object())

class Broken:
    def __getattr__(self, name):
        raise OSError(name)

# Exceptions go through C as they are.
def fails():
    try:
        1 / 0
    except ZeroDivisionError as e:
        raise KeyError("k") from e

exc, is_key, is_lookup, tb, cause, context = m.caught(fails)
equal((type(exc), is_key, is_lookup, type(cause)), (KeyError, 1, 1, ZeroDivisionError))
equal(traceback.extract_tb(tb)[-1].name, "fails")
assert context is cause

for how, kind, text in [
    ("string", ValueError, "^a string$"), ("object", KeyError, "^'op'$"), ("none", StopIteration, "^$"),
    ("format", RuntimeError, "^formatted 7 'op'$"), ("memory", MemoryError, "^$"), ("badarg", TypeError, "^bad argument type for built-in operation$"),
    ("internal", SystemError, "bad argument to internal function"), ("import", ImportError, "^op$"), ("restored", ValueError, "^first$"),
]:
    with raises(kind, text):
        m.raising(how, "op")
with raises(FileNotFoundError, "No such file or directory: 'some/file'") as r:
    m.raising("errno")
equal((r.exc.errno, r.exc.filename), (2, "some/file"))
with raises(TypeError, "^effect$") as r:
    m.raising("chained")
equal(repr(r.exc.__cause__), "ValueError('cause')")
with raises(KeyError) as r:
    m.raising("object", (1, 2))
equal(r.exc.args, (1, 2))
try:
    raise LookupError("outer")
except LookupError:
    with raises(ValueError) as r:
        m.raising("string")
    equal(repr(r.exc.__context__), "LookupError('outer')")
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always")
    m.raising("warning", 5)
equal((str(w[0].message), w[0].category, os.path.basename(w[0].filename)), ("a warning about 5", UserWarning, "test_calls.py"))
with warnings.catch_warnings():
    warnings.simplefilter("error")
    with raises(UserWarning, "a warning about 6"):
        m.raising("warning", 6)

# Iteration.
equal(m.iterate(x * x for x in range(5)), [0, 1, 4, 9, 16])
equal(m.iterate({"a": 1}), ["a"])
with raises(TypeError, "^'int' object is not iterable$"):
    m.iterate(1)

def stops():
    yield 1
    raise ValueError("in between")

with raises(ValueError, "in between"):
    m.iterate(stops())

def generator():
    got = yield 1
    got = yield got * 10
    return "end", got

equal(m.send_all(generator()), ([1, 10], ("end", 10)))
equal(m.send_all(iter(lambda: 1, 1)), ([], None))

async def coroutine():
    return "result"

equal(m.send_all(coroutine()), ([], "result"))
with raises(ValueError):
    m.send_all(stops())

# Abstract protocols.
equal(m.numbers(17, 5), [22, 12, 85, 3.4, 3, 2, (3, 2), 1419857, -17, 17, -18, 544, 1, 21, 20, 17.0, "0x11"])
equal(m.numbers(1 << 100, 3)[:4], [(1 << 100) + 3, (1 << 100) - 3, 3 << 100, (1 << 100) / 3])
equal(m.sequences([1, 2, 3]), [3, 3, [1, 2], [1, 2, 3, 1, 2, 3], [1, 2, 3, 1, 2, 3], [1, 2, 3], 1, 0, (1, 2, 3), 1])
equal(m.sequences("ab"), [2, "b", "ab", "abab", "abab", ["a", "b"], 1, 0, ("a", "b"), "a"])
with raises(TypeError, "^object of type 'int' has no len\\(\\)$"):
    m.sequences(1)

class M(dict):
    pass

equal(m.mappings({"a": 1}), [2, 1, ["a", "k"], [1, True], [("a", 1), ("k", True)], True, 0])
equal(m.mappings(M(a=1)), [2, 1, ["a", "k"], [1, True], [("a", 1), ("k", True)], True, 0])

equal(m.builders(4), [[1000, 2000, 3000], [3000, 2000, 1000, 0], (0, 1000, 2000, 3000), 6000, {0, 1000, 2000, 3000}])
equal(m.strings(), ["aé\U0001f600", "aÿ", "aé\U0001f600aÿaé\U0001f600", "aé\U0001f600!".encode(), "€\ufffd", 4, 0])

# Code, imports, frames.
ns = {}
m.run("def g(x):\n    return x * 2\nvalue = g(21)", ns)
equal((ns["value"], ns["g"].__code__.co_filename), (42, "<from C>"))
with raises(SyntaxError, "invalid syntax|was never closed"):
    m.run("def (", {})
with raises(ZeroDivisionError):
    m.run("1/0", {})
module, name, is_dict = m.imports("os.path")
equal((name, is_dict), ("posixpath", True))
with raises(ModuleNotFoundError, "^No module named 'not_there'$"):
    m.imports("not_there")

def here():
    variable = 1
    return m.frames()

name, line, variables = here()
equal((name, line - here.__code__.co_firstlineno, dict(variables)), ("here", 2, {"variable": 1}))

# Endless recursion through C ends in an exception.
with raises(RecursionError, "maximum recursion depth exceeded"):
    m.recurse(m.recurse)
with raises(RecursionError):
    m.recurse(lambda g: m.recurse(g))
