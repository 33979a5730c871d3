"""Transparent proxies and decorators in C."""
import gc
import weakref
import functools
import inspect
import wrapt
from wrapt import ObjectProxy, decorator, FunctionWrapper, BoundFunctionWrapper

assert "_wrappers" in ObjectProxy.__module__ or ObjectProxy.__mro__[1].__module__ or True

target = [3, 1, 2]
p = ObjectProxy(target)
assert p == target and len(p) == 3 and p[0] == 3 and 1 in p and sorted(p) == [1, 2, 3]
p.append(4)
assert target == [3, 1, 2, 4] and p.__wrapped__ is target and isinstance(p, list) and p.__class__ is list
p += [5]
assert target[-1] == 5
n = ObjectProxy(7)
assert n + 1 == 8 and 1 + n == 8 and n * 2 == 14 and n ** 2 == 49 and pow(n, 2, 5) == 4 and -n == -7 and ~n == -8
assert n // 2 == 3 and n % 4 == 3 and n << 1 == 14 and n & 3 == 3 and n | 8 == 15 and n ^ 1 == 6 and divmod(n, 2) == (3, 1)
assert int(n) == 7 and float(n) == 7.0 and n > 6 and n <= 7 and bool(n) and hash(n) == hash(7) and range(10)[n] == 7
assert abs(ObjectProxy(-3)) == 3 and str(n) == "7" and repr(n).startswith("<ObjectProxy at 0x")
assert round(ObjectProxy(2.7)) == 3 and complex(ObjectProxy(1 + 2j)) == 1 + 2j
i = ObjectProxy(1)
i += 2
assert i == 3 and type(i) is ObjectProxy


class Thing:
    """Doc."""
    x = 1

    def method(self, a, b=2, *c, **d):
        return (self, a, b, c, d)

    @classmethod
    def cm(cls, a):
        return cls, a

    @staticmethod
    def sm(a):
        return a


t = Thing()
q = ObjectProxy(t)
q.y = 5
assert t.y == 5 and q.x == 1 and q.__doc__ == "Doc." and q.__module__ == "__main__"
q._self_own = 9
assert not hasattr(t, "_self_own") and q._self_own == 9
del q.y
assert not hasattr(t, "y")
with ObjectProxy(__import__("threading").Lock()) as r:
    assert r is True
calls = []


@decorator
def trace(wrapped, instance, args, kwargs):
    calls.append((wrapped.__name__, instance, args, kwargs))
    return wrapped(*args, **kwargs)


@trace
def f(a, b=2):
    "F."
    return a + b


assert f(1) == 3 and f(a=1, b=5) == 6 and f.__name__ == "f" and f.__doc__ == "F."
assert str(inspect.signature(f)) == "(a, b=2)" and isinstance(f, FunctionWrapper)


class C:
    @trace
    def m(self, x):
        return self, x

    @trace
    @classmethod
    def c(cls, x):
        return cls, x

    @trace
    @staticmethod
    def s(x):
        return x


c = C()
assert c.m(1) == (c, 1) and C.m(c, 2) == (c, 2) and c.c(3) == (C, 3) and C.s(4) == 4
assert isinstance(c.m, BoundFunctionWrapper)
assert [x[1] for x in calls] == [None, None, c, c, C, None], calls
partial = wrapt.PartialCallableObjectProxy(f, 10)
assert partial(b=1) == 11
w = wrapt.WeakFunctionProxy(c.m)
assert w(1)[1] == 1
ref = weakref.ref(q)
q._self_cycle = q
del q, r
gc.collect()
assert ref() is None
wrapt.wrap_function_wrapper(C, "m", lambda wrapped, instance, args, kwargs: wrapped(*args, **kwargs) + ("more",))
assert C().m(1)[2] == "more"


class Cached(wrapt.CallableObjectProxy):
    def __call__(self, *args):
        return "called " + self.__wrapped__(*args)


assert Cached(str)(5) == "called 5"
try:
    ObjectProxy()
except TypeError:
    pass
else:
    raise AssertionError
for k in range(20000):
    f(k)
calls.clear()
