import gc
import importlib.machinery
import importlib.util
import sys
import weakref

import ct_heaps as m
from check import equal, raises

# Multi-phase initialisation.
equal((m.created_by, m.second_exec, m.__doc__), ("Py_mod_create", 2, "Types made from specs."))
assert isinstance(m.__spec__.loader, importlib.machinery.ExtensionFileLoader)

# State: each module has its own.
def again():
    spec = importlib.util.spec_from_file_location("ct_heaps", m.__file__)
    other = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(other)
    return other

other = again()
assert other is not m and other.Account is not m.Account and other.Overdrawn is not m.Overdrawn
m.Account("a"), m.Account("b")
other.Account("c")
equal((m.created(), other.created()), (2, 1))

# Methods that know their class.
a = m.Account("me", 100)
equal((a.owner, a.balance, a.withdraw(30), a.balance), ("me", 100, 70, 70))
with raises(m.Overdrawn, "^71 is more than 70$"):
    a.withdraw(71)
with raises(TypeError, r"^withdraw\(\) takes one argument$"):
    a.withdraw()
equal((m.Overdrawn.__doc__, m.Overdrawn.__base__), ("Not enough money.", ArithmeticError))

class Mine(m.Account):
    def withdraw(self, n):
        return super().withdraw(n) + 1000

mine = Mine("x", 5)
equal((mine.withdraw(1), mine.defining()), (1004, (m.Account, m)))
equal(m.created(), 4)

# Types of specs are classes like others.
equal((m.Account.__name__, m.Account.__module__, m.Account.__doc__), ("Account", "ct_heaps", "Money of somebody."))
equal(m.Account.__text_signature__, "(owner, balance=0)")
equal(repr(m.Account), "<class 'ct_heaps.Account'>")
equal(repr(m.Account[int]), "ct_heaps.Account[int]")
m.Account.added = lambda self: self.balance * 2
equal(a.added(), 140)
del m.Account.added
with raises(AttributeError, "^readonly attribute$"):
    a.owner = 1
with raises(TypeError, "^function missing required argument 'owner' \\(pos 1\\)$"):
    m.Account()

# Managed dict, weak references, cycles.
a.anything = a
equal(vars(a), {"anything": a})
a.__dict__ = {"replaced": 1}
equal(a.replaced, 1)
a.loop = [a]
r = weakref.ref(a)
del a, mine
gc.collect()
assert r() is None

# Data behind the base's: relative offsets.
s = m.Savings("s", 1000)
s.rate, s.months = 0.5, 3
equal((s.interest(), s.rate, s.months, s.balance), (1500.0, 0.5, 3, 1000))
assert m.Savings.__basicsize__ >= m.Account.__basicsize__ + 12
equal(s.withdraw(1), 999)

class Deep(m.Savings):
    __slots__ = ("own",)

d = Deep("d", 2)
d.own, d.rate, d.months = "own", 2.0, 2
equal((d.interest(), d.own), (8.0, "own"))
assert m.slot_is_inherited(m.Savings, m.Account, 60)  # tp_init
assert m.slot_is_inherited(Deep, m.Account, 65)  # tp_new: object's

# Metaclasses.
equal(repr(m.Classy), "<classy Classy>")
assert type(m.Classy) is m.Meta
made = m.Classy()
equal(made[0], "made by Meta")
assert isinstance(made[1], m.Classy)

class Derived(m.Classy):
    def __init__(self, x):
        self.x = x

assert type(Derived) is m.Meta
equal(Derived(4)[1].x, 4)

class Meta2(m.Meta):
    def __new__(mcs, name, bases, ns):
        ns["tagged"] = True
        return super().__new__(mcs, name, bases, ns)

class Tagged(metaclass=Meta2):
    pass

assert Tagged.tagged and repr(Tagged) == "<classy Tagged>"

# Vectorcall of instances.
c = m.Callee()
equal(c(), ((), {}))
equal(c(1, 2, a=3), ((1, 2), {"a": 3}))
equal(c(*(1,), **{"b": 2}), ((1,), {"b": 2}))
equal(list(map(c, [1, 2])), [((1,), {}), ((2,), {})])
equal(c.calls, 5)

class Overrides(m.Callee):
    def __call__(self, *args):
        return "python", args

equal(Overrides()(1), ("python", (1,)))

# Flags.
with raises(TypeError, "^cannot create 'ct_heaps.Opaque' instances$"):
    m.Opaque()
with raises(TypeError, "^cannot set 'x' attribute of immutable type 'ct_heaps.Opaque'$"):
    m.Opaque.x = 1
with raises(TypeError, "^type 'ct_heaps.Opaque' is not an acceptable base type$"):
    type("X", (m.Opaque,), {})

# Types made at run time, from names that don't live on.
t = m.make_type("pack" + "age.mod.Name%d" % 7, (dict,))
equal((t.__name__, t.__module__, t.__bases__, t(a=1)), ("Name7", "package.mod", (dict,), t({"a": 1})))
t2 = m.make_type("package.Plain", int)
equal((t2(7) + 1, t2.__mro__), (8, (t2, int, object)))

# A module and its types go away together.
r = weakref.ref(other.Account)
rm = weakref.ref(other)
del other
gc.collect()
assert r() is None and rm() is None
