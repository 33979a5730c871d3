import array
import asyncio
import gc
import inspect
import pickle
import sys
import weakref

import ct_cython as m

def raises(kind, text, f, *args, **kwargs):
    try:
        f(*args, **kwargs)
    except BaseException as e:
        assert type(e) is kind and text in str(e), repr(e)
        return e
    raise AssertionError(f"{kind.__name__} was not raised")

def equal(got, want):
    assert got == want, f"{got!r} instead of {want!r}"

# Functions.
equal((m.call_cube(3), m.area(3), m.area(w=1, h=5)), (27, 6.0, 5.0))
e = raises(ValueError, "negative", m.call_cube, -2)
frames = []
tb = e.__traceback__
while tb:
    frames.append(tb.tb_frame.f_code.co_name)
    tb = tb.tb_next
equal(frames[-1].split(".")[-1], "cube")
target = []
equal((m.call_back(target), target), (1, ["called"]))
equal(m.signature(1, 2, 3, c=4, d=5), (1, 2, (3,), 4, {"d": 5}))
raises(TypeError, "signature()", m.signature)
raises(TypeError, "", m.signature, a=1, b=2)
equal(m.typed(1, 255, 2, "s"), (1, 255, 2.0, "s", None, []))
raises(OverflowError, "", m.typed, 1 << 40, 1, 1, "")
raises(OverflowError, "", m.typed, 1, 256, 1, "")
raises(TypeError, "'s' has incorrect type (expected str, got int)", m.typed, 1, 1, 1, 1)
raises(TypeError, "Argument 'items' has incorrect type (expected list, got NoneType)", m.typed, 1, 1, 1, "", items=None)
equal((m.area.__doc__.splitlines()[-1], m.signature.__name__, type(m.signature).__name__), ("The area.", "signature", "cython_function_or_method"))
equal(list(inspect.signature(m.signature).parameters), ["a", "b", "args", "c", "kwargs"])

# Extension types.
v = m.Vector(1, 2, 3, name="v")
equal((list(v), len(v), v[-1], v.name, repr(v), v.total(), v.total_virtual()), ([1, 2, 3], 3, 3.0, "v", "Vector(1.0, 2.0, 3.0)", 6.0, 6.0))
equal((v + v, m.Vector.zeros(2), m.Vector.dot(v, v)), (m.Vector(2, 4, 6), m.Vector(0, 0), 14.0))
raises(TypeError, "unsupported operand", lambda: v + 1)
raises(IndexError, "5", lambda: v[5])
raises(AttributeError, "size", setattr, v, "size", 1)
raises(TypeError, "expected ct_cython.Vector, got NoneType", m.Vector.dot, v, None)
v.extra = v
r = weakref.ref(v)
view = memoryview(v)
view[0] = 10.0
equal((view.format, view.tolist(), v[0], v.exported), ("d", [10.0, 2.0, 3.0], 10.0, 1))
view.release()
equal(v.exported, 0)
del v, view
gc.collect()
assert r() is None
equal(hash(m.Vector(1)), hash((1.0,)))

w = m.Vector3(1, 2)
w.weight = 3
equal((w.total(), w.total_virtual(), isinstance(w, m.Vector)), (9.0, 9.0, True))

class Sub(m.Vector3):
    def total(self):
        return super().total() + 1000

s = Sub(1, 2)
s.weight = 1
equal((s.total(), s.total_virtual(), s.__dict__), (1003.0, 1003.0, {}))

n = m.Node()
n.next = m.Node()
n.next.next = n
n.payload = r = [n]
raises(TypeError, "Cannot convert int to ct_cython.Node", setattr, n, "next", 1)
del n, r
assert gc.collect() >= 2

# Typed memory views.
equal(m.sum_view(array.array("d", [1, 2, 3.5])), 6.5)
equal(m.sum_view(m.Vector(4, 5)), 9.0)
raises(ValueError, "Buffer dtype mismatch", m.sum_view, array.array("i", [1]))
raises(TypeError, "bytes-like object", m.sum_view, 5)
equal(m.transpose(memoryview(bytes(range(6))).cast("B", (2, 3))), [[0, 3], [1, 4], [2, 5]])

# Generators, coroutines, closures.
g = m.generator(3)
equal((next(g), g.send(5), g.send(6)), (0, 1, 2))
try:
    g.send(7)
except StopIteration as e:
    equal(e.value, 18)
equal(list(m.delegate(2)), [0, 1, ("result", 0)])
g = m.generator(3)
next(g)
raises(KeyError, "", g.throw, KeyError("x"))
g.close()
equal(asyncio.run(m.coroutine(4)), [0, 1, 2, 3])
async def from_python():
    return [await m.coroutine(1), [x async for x in m.agen(2)]]
equal(asyncio.run(from_python()), [[0], [0, 1]])
c = m.make_counter()
equal((c(), c(5), c(by=-1)), (1, 6, 5))

# Exceptions.
def key():
    raise KeyError("k")
equal(m.exceptions(key), ["KeyError('k')", "finally", "KeyError('k')"])
equal(m.exceptions(lambda: 1), ["else", "finally"])
raises(ZeroDivisionError, "", m.exceptions, lambda: 1 / 0)
equal(sys.exc_info(), (None, None, None))
reports = []
sys.unraisablehook = lambda u: reports.append(repr(u.exc_value))
m.unraisable()
sys.unraisablehook = sys.__unraisablehook__
equal(reports, ["RuntimeError('swallowed')"])

# The rest.
equal(m.comprehension({"b": [0, 1], "a": [2]}), ({"a": [4], "b": [2]}, {"a", "b"}, ("b", "a", "end")))
equal(m.unicode_work("aé1"), (["a", "é"], "AÉ1", "aé1".encode(), "     'aé1'|00003", "é1", "1éa"))
equal(m.nogil_sum(1000), 499500)
p = m.Python(4)
equal((p.double, p.method(key=1), m.Python.attribute, m.Python.__doc__), (8, ("<ct_cython.", 4, 1), [1, 2], "A Python class in a compiled module."))
equal(pickle.loads(pickle.dumps(p)).x, 4)
equal((m.fused(1), m.fused(1.5), m.fused["double"](1)), (("int", 2), ("double", 2.5), ("double", 2.0)))
equal((m.Colour.RED, m.Colour.GREEN, m.Colour(2).name), (1, 2, "GREEN"))
equal(m.struct_work(3), {"a": 3, "b": 1.5})
