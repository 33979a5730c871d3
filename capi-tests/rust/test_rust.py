import gc
import sys
import threading
import weakref

import ct_rust as m

def raises(kind, text, f, *args):
    try:
        f(*args)
    except BaseException as e:
        assert type(e) is kind and text in str(e), repr(e)
        return e
    raise AssertionError(f"{kind.__name__} was not raised")

def equal(got, want):
    assert got == want, f"{got!r} instead of {want!r}"

equal((m.__version__, m.sub.x, m.__name__), ("0.1.0", 1, "ct_rust"))

# Arguments and conversions.
equal(m.signature(1), (1, 10, (), None, None))
equal(m.signature(1, 2, 3, 4, c="x", d=5), (1, 2, (3, 4), "x", {"d": 5}))
raises(TypeError, "missing 1 required positional argument: 'a'", m.signature)
raises(TypeError, "'str' object cannot be interpreted as an integer", m.signature, "x")
raises(OverflowError, "too ", m.signature, 1 << 64)
equal(m.convert([1, 2.5], {"a": b"xyz"}, {1, 2}, (True, "é"), 1 << 100), (3.5, {"a": 3}, 2, (True, "é"), (1 << 100) + 1))
raises(TypeError, "", m.convert, 1, 2, 3, 4, 5)
assert m.signature.__text_signature__ == "(a, b=10, *args, c=None, **kwargs)"

# Exceptions in both directions.
raises(ValueError, "a value", m.fail, "value")
equal(raises(KeyError, "", m.fail, "key").args, ("a", 1))
raises(m.RustError, "own", m.fail, "own")
raises(FileNotFoundError, "No such file", m.fail, "io")
equal(m.fail("nothing"), None)
try:
    m.fail("panic")
except BaseException as e:
    equal((type(e).__name__, type(e).__module__, str(e), isinstance(e, Exception)), ("PanicException", "pyo3_runtime", "a panic with 42", False))
else:
    raise AssertionError("no panic")
equal(m.fail("nothing"), None)

equal(m.call(lambda *a, **k: (a, k)), (((1, "two"), {"k": 3}), (1, "two")))
equal(m.call_and_catch(lambda: 5), "returned 5")
def key_error():
    raise KeyError("k")
equal(m.call_and_catch(key_error), "key error 'k'")
def zero():
    return 1 / 0
raises(ZeroDivisionError, "division by zero", m.call_and_catch, zero)
equal(m.iterate(range(5)), [0, 1, 2, 3, 4])
equal(m.iterate(x for x in (1, 2)), [1, 2])
raises(TypeError, "'int' object is not iterable", m.iterate, 5)

li, d, b, s = m.build(4)
equal((li, d, b, s), ([0, 1, 4, 9, "end"], {0: "0", 1: "1", 4: "2", 9: "3"}, b"\7\7\7\7", "interned"))
assert s is sys.intern("interned")

# Threads.
lock = threading.Lock()
idents = set()
def work(i):
    with lock:
        idents.add(threading.get_ident())
    return i * 10
equal(m.threads(work, 8), 280)
assert threading.get_ident() not in idents
raises(ZeroDivisionError, "", m.threads, lambda i: 1 // 0, 3)

# Classes.
x = m.Base(5)
equal((x.value, x.double, repr(x), x + 3, x(4), len(x), m.Base().value), (5, 10, "Base(5)", m.Base(8), 20, 0, 1))
x.double = 8
equal(x.value, 4)
def odd():
    x.double = 3
raises(ValueError, "odd", odd)
def text():
    x.value = "x"
raises(TypeError, "object cannot be interpreted as an integer", text)
raises(TypeError, "unsupported operand type(s) for +: 'ct_rust.Base' and 'str'", lambda: x + "s")
equal((m.Base.from_text("7"), m.Base.answer(), m.Base.CONSTANT), (m.Base(7), 42, "constant"))
raises(ValueError, "no number: q", m.Base.from_text, "q")
equal({m.Base(1), m.Base(1)}, {m.Base(1)})
x.attribute = "dict"
equal(x.__dict__, {"attribute": "dict"})
equal((m.Base.__module__, m.Base.__doc__), ("ct_rust", "A class with attributes, operators and a class method."))
raises(RuntimeError, "Already mutably borrowed", x.mutate_while_borrowed, lambda: x.value)
x.push(1)
x.push("two")
equal((x[0], x[-1], list(x)), (1, "two", [1, "two"]))

# Inheritance, in Rust and in Python.
y = m.Derived(3, "more")
equal((y.value, y.extra, y.both(), isinstance(y, m.Base), m.Derived.__mro__), (3, "more", "3/more", True, (m.Derived, m.Base, object)))

class Python(m.Derived):
    def __new__(cls, n):
        return super().__new__(cls, n, "python")

    def __init__(self, n):
        self.n = n

    def __repr__(self):
        return "Python:" + super().__repr__()

p = Python(9)
equal((p.n, p.value, p.both(), repr(p)), (9, 9, "9/python", "Python:Base(9)"))
equal(type(Python.from_text).__name__, "builtin_function_or_method")

# Collected by cycle, weak references.
r = weakref.ref(p)
p.push(p)
p.push([p])
del p
gc.collect()
assert r() is None

# Iterators, and destructors that call Python.
equal(list(m.Countdown(3)), [2, 1, 0])
ended = []
c = m.Countdown(1, lambda: ended.append("end"))
del c
equal(ended, ["end"])
reports = []
sys.unraisablehook = lambda u: reports.append(type(u.exc_value))
c = m.Countdown(1, zero)
del c
sys.unraisablehook = sys.__unraisablehook__
equal(reports, [ZeroDivisionError])

# Enumerations, buffers.
equal((m.paint(m.Colour.Red), m.Colour.Green == 2, int(m.Colour.Green), repr(m.Colour.Red)), ("red", True, 2, "Colour.Red"))
raises(TypeError, "'int' object", m.paint, 1)
equal((m.sum_bytes(b"\1\2"), m.sum_bytes(bytearray(3)), m.sum_bytes(memoryview(b"abc")[::2])), (3, 0, 196))
