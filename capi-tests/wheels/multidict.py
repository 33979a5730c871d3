"""Multi-valued dicts: order, duplicates, case-insensitive keys, views, iteration while changing."""
import gc
import pickle
import copy
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict, MultiDictProxy, istr, getversion
from collections.abc import Mapping, MutableMapping

d = MultiDict([("a", 1), ("b", 2), ("a", 3)])
assert list(d.items()) == [("a", 1), ("b", 2), ("a", 3)]
assert d["a"] == 1 and d.getall("a") == [1, 3] and d.getone("b") == 2
assert d.get("zz") is None and d.get("zz", 5) == 5 and d.getall("zz", []) == []
assert len(d) == 3 and "a" in d and "zz" not in d and 1 not in d
d.add("c", 4)
d.extend({"d": 5}, e=6)
assert [k for k, v in d.items()] == ["a", "b", "a", "c", "d", "e"] and list(d) == ["a", "b", "c", "d", "e"]
d["a"] = 9
assert d.getall("a") == [9]
del d["b"]
assert d.pop("c") == 4 and d.popone("d") == 5 and d.popall("a") == [9]
assert d.popitem() == ("e", 6) and not d
for missing in (lambda: d["x"], lambda: d.pop("x"), lambda: d.getone("x"), lambda: d.getall("x"), d.popitem):
    try:
        missing()
    except KeyError:
        pass
    else:
        raise AssertionError
assert d.setdefault("k", "v") == "v" and d.setdefault("k", "w") == "v"

big = MultiDict((str(i % 500), i) for i in range(5000))
assert len(big) == 5000 and big.getall("7") == list(range(7, 5000, 500))
big.update((str(i), -i) for i in range(500))
assert len(big) == 500 and big["499"] == -499
assert isinstance(big, MutableMapping) and isinstance(MultiDictProxy(big), Mapping)

ci = CIMultiDict({"Content-Type": "text"})
ci.add("CONTENT-type", "html")
assert ci["content-TYPE"] == "text" and ci.getall("content-type") == ["text", "html"]
assert istr("abc") == "abc" and ci[istr("content-type")] == "text"
assert [k for k, v in ci.items()] == ["Content-Type", "CONTENT-type"]
assert "cOnTent-Type" in ci.keys()

m = MultiDict(a=1, b=2)
assert m.keys() & {"a", "z"} == {"a"} and m.keys() | {"z"} == {"a", "b", "z"}
assert m.keys() - {"a"} == {"b"} and m.keys() ^ {"a", "q"} == {"b", "q"}
assert ("a", 1) in m.items() and 2 in m.values()
assert m == {"a": 1, "b": 2} and m != {"a": 1}
assert repr(m) == "<MultiDict('a': 1, 'b': 2)>"
it = iter(m)
next(it)
m.add("c", 3)
try:
    next(it)
except RuntimeError:
    pass
else:
    raise AssertionError("changed during iteration")

p = MultiDictProxy(m)
assert p["a"] == 1 and p.copy() == m and len(p) == 3
for change in ("add", "__setitem__", "pop"):
    assert not hasattr(p, change)
assert CIMultiDictProxy(ci)["CONTENT-TYPE"] == "text"
v = getversion(m)
m["a"] = 2
assert getversion(m) > v
assert pickle.loads(pickle.dumps(m)) == m and copy.copy(m) == m
try:
    pickle.dumps(p)
except TypeError:
    pass


class Sub(MultiDict):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.extra = 1


s = Sub(x=1)
s["self"] = s
assert s.extra == 1 and type(s.copy()) is Sub
del s
gc.collect()
try:
    MultiDict(1)
except TypeError:
    pass
else:
    raise AssertionError
try:
    MultiDict()[1] = 2
except TypeError:
    pass
else:
    raise AssertionError
