"""A Cython extension type that behaves as a list until it is frozen."""
import copy
import gc
import pickle
from collections.abc import MutableSequence
import frozenlist
from frozenlist import FrozenList, PyFrozenList

assert FrozenList is not PyFrozenList and isinstance(FrozenList(), MutableSequence)
f = FrozenList([1, 2, 3])
f.append(4)
f.extend((5, 6))
f.insert(0, 0)
f += [7]
f[1] = 10
del f[2]
assert list(f) == [0, 10, 3, 4, 5, 6, 7] and len(f) == 7 and f[-1] == 7 and f[1:3] == [10, 3]
assert f == [0, 10, 3, 4, 5, 6, 7] and f != [1] and f < [1] and f >= [0] and 10 in f
assert f.index(10) == 1 and f.count(3) == 1 and list(reversed(f))[0] == 7
assert f.pop() == 7 and f.pop(0) == 0
f.remove(10)
f.reverse()
assert list(f) == [6, 5, 4, 3]
assert repr(f) == "<FrozenList(frozen=False, [6, 5, 4, 3])>"
try:
    hash(f)
except RuntimeError as e:
    assert "Cannot hash unfrozen list" in str(e)
else:
    raise AssertionError
assert not f.frozen
f.freeze()
assert f.frozen and hash(f) == hash((6, 5, 4, 3))
changes = [lambda: f.append(1), lambda: f.__setitem__(0, 1), lambda: f.__delitem__(0), lambda: f.clear(),
           lambda: f.insert(0, 1), lambda: f.extend([1]), lambda: f.pop(), lambda: f.remove(6), lambda: f.reverse()]
for change in changes:
    try:
        change()
    except RuntimeError as e:
        assert "Cannot modify frozen list" in str(e)
    else:
        raise AssertionError
assert {f: 1}[f] == 1
for bad in (lambda: FrozenList(1), lambda: f["x"], lambda: FrozenList([1]).index(5), lambda: FrozenList()[0], lambda: FrozenList([], [])):
    try:
        bad()
    except (TypeError, ValueError, IndexError):
        pass
    else:
        raise AssertionError
d = copy.deepcopy(FrozenList([[1], [2]]))
assert d == [[1], [2]]
loop = FrozenList()
loop.append(loop)
del loop
gc.collect()
assert FrozenList.__class_getitem__(int) is not None
for i in range(5000):
    x = FrozenList(range(20))
    x.freeze()
    hash(x)
