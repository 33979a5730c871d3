import array
import gc
import pickle
import threading
import weakref

import ct_pybind11 as m

def raises(kind, text, f, *args, **kwargs):
    try:
        f(*args, **kwargs)
    except BaseException as e:
        assert type(e) is kind and text in str(e), repr(e)
        return e
    raise AssertionError(f"{kind.__name__} was not raised")

def equal(got, want):
    assert got == want, f"{got!r} instead of {want!r}"

equal((m.__doc__, m.constant, m.sub.f(), m.add(1), m.add(b=1, a=2)), ("Built with pybind11.", 42, "sub", 11, 3))
equal([m.overloaded(x) for x in (1, 1.5, "s", [1, 2])], ["int", "double", "string", "list"])
raises(TypeError, "incompatible function arguments", m.overloaded, {})
raises(TypeError, "incompatible function arguments", m.add, "x")
raises(TypeError, "incompatible function arguments", m.add, 1 << 40)
equal(m.var(1, 2, a=3), ((1, 2), {"a": 3}))
equal(m.kw_only(2, b=5), 10)
raises(TypeError, "", m.kw_only, 2, 5)
equal(m.containers({"a": [5], "b": []}), ({"a": [5, 1], "b": [0]}, None, {1, 2, 3}))
equal(m.containers({}, (1, "x"))[1], (1, "x"))
equal(m.text("h😀", b"a\0b"), ("h😀é", 3))
equal((m.apply(lambda x: x * 2, 5), m.make_adder(3)(4), m.apply(m.make_adder(1), 1)), (11, 7, 3))
assert "add(a: " in m.add.__doc__

# Exceptions.
raises(RuntimeError, "from C++", m.raise_it, "runtime")
raises(IndexError, "too far", m.raise_it, "range")
raises(m.CppError, "own error", m.raise_it, "own")
assert issubclass(m.CppError, ArithmeticError)
raises(KeyError, "a key", m.raise_it, "key")
raises(StopIteration, "", m.raise_it, "stop")
raises(RuntimeError, "unknown", m.raise_it, "unknown")
def key():
    raise KeyError("k")
equal((m.call_and_catch(key), m.call_and_catch(list)), ("caught 'k'", "no error"))
raises(ZeroDivisionError, "division by zero", m.call_and_catch, lambda: 1 / 0)

equal(m.python("ab"), {"a": 1, "o": "ab", "len": 2, "items": ["a!", "b!"], "module": 4.0, "eval": 42, "contains": True})

lock = threading.Lock()
idents = []
def work(i):
    with lock:
        idents.append(threading.get_ident())
    return i
equal((m.threads(work, 6), len(idents)), (15, 6))
assert threading.get_ident() not in idents

# Classes and overrides.
d = m.Dog("rex")
equal((d.speak(), d.speak(3), d.legs(), d.name, m.describe(d)), ("wuff*1", "wuff*3", 4, "rex", "rex says wuff*2 on 4"))
raises(RuntimeError, "Tried to call pure virtual function", m.Animal("x").legs)

class Cat(m.Animal):
    def __init__(self, name):
        super().__init__(name)
        self.calls = 0

    def speak(self, times):
        self.calls += 1
        # From within the override the base's own is meant, which pybind11 finds out from the frame.
        return "miau" * times + super().speak(1)

    def legs(self):
        return 3

c = Cat("tom")
equal((m.describe(c), c.calls, m.Animal.speak(c, 1)), ("tom says miaumiau... on 3", 1, "miau..."))

class Silent(m.Animal):
    def legs(self):
        raise LookupError("no legs")

raises(LookupError, "no legs", m.describe, Silent("s"))

class Forgetful(m.Animal):
    def __init__(self):
        pass

raises(TypeError, "__init__() must be called when overriding __init__", Forgetful)
made = m.make_dog("factory")
equal((type(made).__name__, made.name), ("Dog", "factory"))
r = weakref.ref(c)
before = m.Animal.alive
del c
gc.collect()
equal((m.Animal.alive, r()), (before - 1, None))
raises(TypeError, "incompatible function arguments", m.describe, 5)

# Operators, pickling, references into parents.
v = m.Vec(1, 2)
equal((v + v, v * 2, repr(v), list(v)), (m.Vec(2, 4), m.Vec(2, 4), "Vec(1.0, 2.0)", [1.0, 2.0]))
same = v
v += m.Vec(1, 1)
equal((v, same is v), (m.Vec(2, 3), True))
equal(pickle.loads(pickle.dumps(v)), v)
raises(TypeError, "unsupported operand", lambda: v + 1)
p = m.Parent()
inner = p.ref()
inner.x = 99
equal(p.inner.x, 99.0)
del p
gc.collect()
equal(inner.x, 99.0)

# Buffers.
g = m.Grid(2, 3)
g.anything = [g]
view = memoryview(g)
equal((view.format, view.shape, view.strides), ("f", (2, 3), (12, 4)))
view[1, 2] = 1.5
equal(memoryview(g).tolist(), [[0, 0, 0], [0, 0, 1.5]])
equal((m.sum_buffer(array.array("d", [1, 2, 3])), m.sum_buffer(memoryview(array.array("d", [1, 2, 3]))[::2])), (6.0, 4.0))
raises(TypeError, "a vector of doubles is wanted", m.sum_buffer, b"x")

equal((int(m.Level.low), m.high, m.Level.high.name, m.Level(1), repr(m.low)), (1, m.Level.high, "high", m.Level.low, "<Level.low: 1>"))
equal(type(m.capsule()).__name__, "PyCapsule")
