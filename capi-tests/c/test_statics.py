import copy
import gc
import inspect
import pickle
import sys
import weakref

import ct_statics as m
from check import equal, raises

Point, Point3, Bag, Log, Failure, Proxy = m.Point, m.Point3, m.Bag, m.Log, m.Failure, m.Proxy

# The module.
equal(m.__doc__, "Static types.")
equal((m.ANSWER, m.WORD), (42, "w"))
assert m.__file__.endswith(".so") and m.__spec__.loader.is_package("ct_statics") is False
assert sys.modules["ct_statics"] is m

# Construction, attributes, conversion of members.
p = Point(1, y=2.5, label="here")
equal(repr(p), "ct_statics.Point(1.0, 2.5)")
equal((p.x, p.y, p.tag, p.flag, p.label, p.kind, p.big, p.small), (1.0, 2.5, 0, False, "here", "new", 1 << 40, 7))
p.tag = -3
p.flag = True
p.big = -1
equal((p.tag, p.flag, p.big), (-3, True, -1))
with raises(TypeError, "^attribute value type must be bool$"):
    p.flag = 1
with raises(TypeError, "^readonly attribute$"):
    p.kind = "no"
with raises(AttributeError, "^readonly attribute$"):
    p.label_or_none = 1
with raises(TypeError, "must be real number, not str"):
    p.x = "x"
with raises(TypeError, "can't delete numeric/char attribute"):
    del p.x
with raises(OverflowError):
    p.big = 1 << 64
del p.label
equal(p.label_or_none, None)
with raises(AttributeError, "'ct_statics.Point' object has no attribute 'label'|^label$"):
    p.label
with raises(TypeError, r"^Point\(\) takes at most 2 positional arguments \(3 given\)$"):
    Point(1, 2, 3)
with raises(TypeError, r"^Point\(\) got an unexpected keyword argument 'z'$"):
    Point(z=1)
with raises(AttributeError, "^'ct_statics.Point' object has no attribute 'nothing'$"):
    p.nothing
with raises(AttributeError, "^'ct_statics.Point' object has no attribute 'nothing' and no __dict__ for setting new attributes$"):
    p.nothing = 1

# Computed attributes.
equal((Point(3, 4).norm2, Point(3, 4).twice_norm2), (25.0, 50.0))
p.norm2 = 9
equal((p.x, p.y), (9.0, 0.0))
with raises(AttributeError, "^norm2 can't be deleted$"):
    del p.norm2
with raises(AttributeError, "^attribute 'twice_norm2' of 'ct_statics.Point' objects is not writable$"):
    p.twice_norm2 = 1
equal(type(Point.norm2).__name__, "getset_descriptor")
equal(type(Point.x).__name__, "member_descriptor")
equal(Point.x.__doc__, "The first coordinate.")

# Numbers, sequences, comparison, hash.
a, b = Point(1, 2), Point(10, 20)
assert a + b == Point(11, 22) and a != b and not a == 1
assert a * 3 == Point(3, 6) == 3 * a
equal((-a).x, -1.0)
equal(a**b, (a, b, None))
equal(pow(a, 2, 3), (a, 2, 3))
with raises(TypeError, r"^unsupported operand type\(s\) for \+: 'ct_statics.Point' and 'int'$"):
    a + 1
equal(a * "x", "x")
with raises(TypeError, r"^unsupported operand type\(s\) for \*: 'ct_statics.Point' and 'dict'$"):
    a * {}
with raises(TypeError, "^'<' not supported between instances of 'ct_statics.Point' and 'ct_statics.Point'$"):
    a < b
c = a
c += b
assert c is a and a == Point(11, 22)
assert not Point() and Point(0, 1)
equal(float(Point(3, 4)), 25.0)
equal([10, 20, 30][Point(1, 9)], 20)
equal(hash(Point(1, 2)), hash(Point(1, 2)))
equal(len({Point(1, 2), Point(1, 2), Point(2, 1)}), 2)
equal((len(a), a[0], a[-1], list(a), 22.0 in a), (2, 11.0, 22.0, [11.0, 22.0], True))
a[1] = 5
equal(a.y, 5.0)
with raises(IndexError, "^Point index out of range$"):
    a[2]
with raises(TypeError, "^can't do that to a Point$"):
    del a[0]

# Methods of each calling convention.
equal(p.noargs(), (p, None))
with raises(TypeError, r"^Point.noargs\(\) takes no arguments \(1 given\)$"):
    p.noargs(1)
equal(p.o(1), (p, 1))
with raises(TypeError, r"Point.o\(\) takes exactly one argument \(0 given\)$"):
    p.o()
with raises(TypeError, r"Point.o\(\) takes no keyword arguments$"):
    p.o(a=1)
equal(p.varargs(1, 2), (1, 2))
equal(p.keywords(1, k=2), ((1,), {"k": 2}))
equal(p.keywords(), ((), None))
equal(p.fast(1, 2, 3), [1, 2, 3])
equal(p.fast_keywords(1, a=2, b=3), ([1, 2, 3], ("a", "b")))
equal(p.fast_keywords(*[1], **{"c": 4}), ([1, 4], ("c",)))
assert p.cls() is Point and Point.cls() is Point
equal(Point.static(1), (None, 1))
with raises(TypeError, r"^unbound method Point.noargs\(\) needs an argument$"):
    Point.noargs()
with raises(TypeError, "^descriptor 'noargs' for 'ct_statics.Point' objects doesn't apply to a 'int' object$"):
    Point.noargs(1)
equal(str(inspect.signature(Point.noargs)), "(self, /)")
equal(Point.noargs.__doc__, "Returns itself.")
equal(Point.__doc__, "A point in the plane.")
equal(str(inspect.signature(Point)), "(x=0.0, y=0.0)")
equal((Point.__module__, Point.__name__, Point.__qualname__), ("ct_statics", "Point", "Point"))

# Inheritance in C.
assert issubclass(Point3, Point) and Point3.__mro__ == (Point3, Point, object)
q = Point3(1, 2)
equal((q.x, q.z, q.norm2), (1.0, 3.0, 5.0))
equal(repr(q), "ct_statics.Point3(1.0, 2.0)")
assert q == Point(1, 2) and hash(q) == hash(Point(1, 2))

# Python classes that inherit from C's.
class Named(Point):
    def __init__(self, x, y):
        self.name = f"{x}/{y}"

    def __add__(self, other):
        return "python's " + repr(super().__add__(other))

    def __len__(self):
        return 99

    def __call__(self):
        return "called"

n = Named(1, 2)
n.extra = [n]
equal((n.name, n.x, n + n, len(n), n()), ("1/2", 1.0, "python's ct_statics.Point(2.0, 4.0)", 99, "called"))
slots = m.slots_of(n)
assert slots["nb_add"] and slots["sq_length"] and slots["tp_call"]
equal(slots["base"], "ct_statics.Point")
equal(m.call_slots(n)[:2], (99, "python's ct_statics.Point(2.0, 4.0)"))
assert weakref.ref(n)() is n
del n
gc.collect()

class Slotted(Point3):
    __slots__ = ("w",)

s = Slotted(1, 2)
s.w = 4
equal((s.x, s.z, s.w), (1.0, 3.0, 4))
with raises(AttributeError):
    s.other = 1

class Both(Log, m.Point.__base__):
    pass

with raises(TypeError, "^multiple bases have instance lay-out conflict$"):
    type("X", (Point, Log), {})
with raises(TypeError, "^type 'ct_statics.Count' is not an acceptable base type$"):
    type("X", (type(m.count(1)),), {})
with raises(TypeError, "^cannot create 'ct_statics.Count' instances$"):
    type(m.count(1))()
with raises(TypeError, "^cannot set 'anything' attribute of immutable type 'ct_statics.Point'$"):
    Point.anything = 1
with raises(TypeError, "__class__ assignment only supported for mutable types or ModuleType subclasses"):
    Point(1).__class__ = Point3

# Changing a Python class changes what C sees.
class Late(Point):
    pass

late = Late()
Late.__len__ = lambda self: 7
equal(m.call_slots(late)[0], 7)
Late.__add__ = lambda self, other: "late"
equal(m.call_slots(late)[1], "late")
del Late.__len__
equal(m.call_slots(late)[0], 2)
Late.__len__ = lambda self: -1
with raises(ValueError, r"^__len__\(\) should return >= 0$"):
    m.call_slots(late)

# Subtypes of built-in types.
bag = Bag(a=1)
equal((bag["a"], bag["b"], bag.lookups, dict(bag), bag.get("b"), len(bag)), (1, 0, 2, {"a": 1}, None, 1))
assert isinstance(bag, dict) and bag == {"a": 1}
log = Log([1, 2])
log.append(3)
equal((log.increment(), log.increment(), list(log), log[1:]), (11, 12, [1, 2, 3], [2, 3]))
log.append(log)
equal(repr(log), "[1, 2, 3, [...]]")
del log
gc.collect()
try:
    raise Failure("a", "b")
except ValueError as e:
    equal((e.number, e.args, str(e)), (2, ("a", "b"), "('a', 'b')"))
    assert e.__traceback__ is not None

class Custom(Failure):
    pass

equal(Custom("x").number, 1)

# Iterators.
equal(list(m.count(4)), [0, 1, 2, 3])
equal([x * 2 for x in m.count(3)], [0, 2, 4])
first, *rest = m.count(3)
equal((first, rest), (0, [1, 2]))
it = m.count(1)
equal((next(it), next(it, "end")), (0, "end"))
with raises(StopIteration):
    next(it)
with raises(TypeError, "'str' object cannot be interpreted as an integer"):
    m.count("x")

# Attribute access by hand, dict and weak references at offsets, descriptors, calls.
x = Proxy()
equal(x.magic, "from getattro")
x.own = 1
equal((x.own, x.__dict__), (1, {"own": 1}))
with raises(AttributeError, "^'frozen' is frozen$"):
    x.frozen = 1
equal(x(1, k=2), ((1,), {"k": 2}))
x.cycle = x
r = weakref.ref(x)
del x
gc.collect()
assert r() is None

class Host:
    attribute = Proxy()

h = Host()
equal(h.attribute, (h, Host))
equal(Host.attribute, (None, Host))
h.attribute = 5
equal(h.stored, 5)

# copy and pickle refuse what they can't do, as ever.
with raises(TypeError, "cannot pickle 'ct_statics.Point' object|cannot pickle 'Point' object"):
    pickle.dumps(Point(1))
equal(copy.copy(Bag(z=1)), Bag(z=1))
