"""Arrays: creation, arithmetic, indexing, dtypes, linear algebra, random numbers, buffers, files."""
import copy
import gc
import io
import os
import pickle
import sys
import tempfile
import threading
import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view

a = np.arange(12, dtype=np.int64).reshape(3, 4)
assert a.sum() == 66 and a.shape == (3, 4) and a.T.shape == (4, 3) and a.strides == (32, 8)
assert (a[1] == [4, 5, 6, 7]).all() and a[2, 3] == 11 and a[:, ::2].tolist() == [[0, 2], [4, 6], [8, 10]]
assert a[a > 8].tolist() == [9, 10, 11] and a[[0, 2], [1, 3]].tolist() == [1, 11]
assert ((a + 1) * 2 - a / 2).dtype == np.float64 and (a @ a.T)[0, 0] == 14
assert np.add.reduce(a, axis=0).tolist() == [12, 15, 18, 21] and np.multiply.outer([1, 2], [3, 4]).tolist() == [[3, 4], [6, 8]]
assert np.einsum("ij,kj->ik", a, a)[1, 1] == (a[1] ** 2).sum()
b = a.astype(np.float32)
b[0] = np.nan
assert np.isnan(b).sum() == 4 and np.nanmean(b) == 7.5
assert repr(np.array([1.5, 2.25])) == "array([1.5 , 2.25])" and str(np.eye(2)) == "[[1. 0.]\n [0. 1.]]"
for t in "?bBhHiIlLqQefdgFDG":
    x = np.ones(5, dtype=t)
    assert x.sum() == 5 and x.dtype.char == t and x.tobytes() == x.copy().tobytes()
for value, kind in ((True, "b"), (1, "i"), (1.5, "f"), (1j, "c"), ("s", "U"), (b"s", "S"), (None, "O"), (np.datetime64("2020-01-01"), "M")):
    assert np.array(value).dtype.kind == kind
s = np.array(["é", "漢字", "x" * 10])
assert s.dtype == "<U10" and s[1] == "漢字" and np.strings.upper(s)[0] == "É" and sorted(s.tolist())[0] == "x" * 10
rec = np.array([(1, 2.5, "a"), (2, 3.5, "b")], dtype=[("i", "i4"), ("f", "f8"), ("s", "U3")])
assert rec["f"].sum() == 6 and rec[1]["s"] == "b" and rec.dtype.itemsize == 24
o = np.array([1, "x", None, [1]], dtype=object)
assert o[3] == [1] and (o == np.array([1, "x", None, [1]], dtype=object)).all()
del o
gc.collect()
d = np.array(["2020-01-01", "2020-03-01"], dtype="M8[D]")
assert (d[1] - d[0]) == np.timedelta64(60, "D")
m = np.array([[4.0, 1], [2, 3]])
assert np.allclose(np.linalg.inv(m) @ m, np.eye(2)) and np.isclose(np.linalg.det(m), 10)
w, v = np.linalg.eig(m)
assert np.allclose(m @ v, v * w) and np.allclose(np.linalg.solve(m, [1, 2]), [0.1, 0.6])
assert np.allclose(np.fft.ifft(np.fft.fft([1, 2, 3, 4])), [1, 2, 3, 4])
rng = np.random.default_rng(42)
r = rng.normal(size=10000)
assert abs(r.mean()) < 0.05 and abs(r.std() - 1) < 0.05
assert np.random.default_rng(1).random() == np.random.default_rng(1).random()
assert np.random.RandomState(0).rand() == 0.5488135039273248
assert np.sort([3, 1, 2])[::-1].tolist() == [3, 2, 1] and np.unique([1, 2, 2, 1]).tolist() == [1, 2] and np.argsort([3, 1, 2]).tolist() == [1, 2, 0]
assert np.where([True, False], 1, 2).tolist() == [1, 2] and np.concatenate([[1], [2, 3]]).tolist() == [1, 2, 3]
assert np.broadcast_to(np.arange(3), (2, 3)).sum() == 6 and np.cumsum([1, 2, 3]).tolist() == [1, 3, 6]
mv = memoryview(a)
assert mv.shape == (3, 4) and mv.format == "l" and mv[1, 2] == 6
assert np.frombuffer(bytearray(b"\x01\x00\x02\x00"), dtype="<u2").tolist() == [1, 2]
assert pickle.loads(pickle.dumps(a)).tolist() == a.tolist() and pickle.loads(pickle.dumps(rec, protocol=5)).tolist() == rec.tolist()
f = io.BytesIO()
np.savez(f, a=a, s=s)
f.seek(0)
z = np.load(f)
assert (z["a"] == a).all() and (z["s"] == s).all()
assert np.loadtxt(io.StringIO("1 2\n3 4")).tolist() == [[1, 2], [3, 4]]
try:
    a + np.ones((2, 2))
except ValueError as e:
    assert "broadcast" in str(e)
else:
    raise AssertionError
for bad, exc in ((lambda: a[5], IndexError), (lambda: np.array([1, 2]).reshape(3), ValueError), (lambda: np.dtype("nonsense"), TypeError), (lambda: np.zeros(3).nope, AttributeError)):
    try:
        bad()
    except exc:
        pass
    else:
        raise AssertionError
with np.errstate(divide="raise"):
    try:
        np.array([1.0]) / 0
    except FloatingPointError:
        pass
    else:
        raise AssertionError


class Sub(np.ndarray):
    def __array_finalize__(self, obj):
        self.tag = getattr(obj, "tag", "new")


v = np.zeros(3).view(Sub)
v.tag = "kept"
assert (v + 1).tag == "kept" and type(v[1:]) is Sub


class Ufunc:
    def __array_ufunc__(self, ufunc, method, *args, **kwargs):
        return ufunc.__name__, method

    def __array_function__(self, func, types, args, kwargs):
        return func.__name__


assert np.add(1, Ufunc()) == ("add", "__call__") and np.sum(Ufunc()) == "sum"
double = np.vectorize(lambda x: x * 2)
assert double([1, 2]).tolist() == [2, 4] and np.frompyfunc(lambda x, y: (x, y), 2, 1)(1, [2]).tolist() == [(1, 2)]
assert np.apply_along_axis(sum, 0, a).tolist() == [12, 15, 18, 21]
x = np.float64(1.5)
assert x + 1 == 2.5 and isinstance(x, float) and hash(x) == hash(1.5) and np.int64(3) << 2 == 12 and int(np.uint8(255)) == 255
assert f"{x:.3f}" == "1.500" and repr(x) == "np.float64(1.5)" and np.int64(7) // 2 == 3 and divmod(np.int64(7), 2) == (3, 1)
big = np.random.default_rng(0).random((500, 500))
assert np.allclose(big @ np.linalg.inv(big), np.eye(500))
assert sys.getsizeof(a) > 96 and a.__array_interface__["shape"] == (3, 4) and np.from_dlpack(a).tolist() == a.tolist()
it = np.nditer(a, flags=["multi_index"])
assert sum(int(x) for x in it) == 66 and list(np.ndindex(2, 2))[3] == (1, 1)
ma = np.ma.masked_array([1, 2, 3], mask=[0, 1, 0])
assert ma.sum() == 4 and np.poly1d([1, 2])(3) == 5

# Ufuncs: out, where, casting, methods, several results, exact dtypes.
out = np.zeros(3)
assert np.add([1, 2, 3], 1, out=out, where=[True, False, True]) is out and out.tolist() == [2, 0, 4]
q, r = np.divmod(np.array([7, -7]), 2)
assert q.tolist() == [3, -4] and r.tolist() == [1, 1] and np.modf(1.5) == (0.5, 1.0) and np.frexp(8.0) == (0.5, 4)
assert np.add.accumulate([1, 2, 3]).tolist() == [1, 3, 6] and np.add.reduceat([1, 2, 3, 4], [0, 2]).tolist() == [3, 7]
acc = np.zeros(3, int)
np.add.at(acc, [0, 0, 2], [1, 2, 3])
assert acc.tolist() == [3, 0, 3] and np.add.types[0] == "??->?" and np.add.resolve_dtypes((np.dtype("i4"), float, None))[2] == np.float64
assert (np.int8(100) + 1).dtype == np.int8 and (np.array([1], "u1") + np.array([1], "i1")).dtype == np.int16
assert np.result_type("f4", "i4") == np.float64 and np.can_cast("i8", "f8") and not np.can_cast("f8", "i8")
with np.errstate(all="ignore"):
    assert np.isinf(np.float64(1) / np.float64(0)) and np.sqrt(-1.0) != np.sqrt(-1.0)
x = np.arange(6.0)
x[1:] += x[:-1]
assert x.tolist() == [0, 1, 3, 5, 7, 9]
assert np.maximum.reduce(np.array([[1, 5], [7, 2]]), axis=None) == 7
# Structured arrays: nested, sub-arrays, aligned, views, records, assignment by field.
dt = np.dtype({"names": ["id", "pos"], "formats": ["u2", ("f4", (3,))], "offsets": [0, 4]}, align=True)
rec = np.zeros(2, dt)
rec["pos"][1] = [1, 2, 3]
rec[0] = (7, (4, 5, 6))
assert rec.dtype.itemsize == 16 and rec["pos"].sum() == 21 and rec[0]["id"] == 7 and rec[["id"]].dtype.names == ("id",)
assert memoryview(rec).format == "T{H:id:xx(3)f:pos:}" and (np.asarray(memoryview(rec))["pos"] == rec["pos"]).all()
assert rec.view(np.recarray).id.tolist() == [7, 0] and np.rec.fromrecords([(1, "a")], names="n,s").s[0] == "a"
assert np.sort(np.array([(2, 1), (1, 2)], "i4,i4"), order="f0")["f1"].tolist() == [2, 1]
# Object arrays hold references; callbacks into Python from loops, sorts, conversions and printing.
class Num:
    alive = 0

    def __init__(self, n):
        self.n = n
        Num.alive += 1

    def __del__(self):
        Num.alive -= 1

    def __add__(self, other):
        return Num(self.n + other.n)

    def __lt__(self, other):
        return self.n < other.n

    def __float__(self):
        return float(self.n)

    def __repr__(self):
        return "N%d" % self.n


objs = np.array([Num(n) for n in (3, 1, 2)], dtype=object)
assert (objs + objs).sum().n == 12 and np.sort(objs)[0].n == 1 and objs.astype(float).tolist() == [3, 1, 2] and repr(objs) == "array([N3, N1, N2], dtype=object)"
assert sys.getrefcount(objs[0]) == sys.getrefcount(objs.copy()[0])
del objs
gc.collect()
assert Num.alive == 0
f = np.frompyfunc(lambda a, b: a * 10 + b, 2, 1)
assert f.reduce([1, 2, 3]) == 123 and f.outer([1, 2], [3]).tolist() == [[13], [23]] and f.nin == 2
try:
    np.frompyfunc(lambda x: 1 // x, 1, 1)([1, 0])
except ZeroDivisionError:
    pass
else:
    raise AssertionError


class Duck:
    def __array__(self, dtype=None, copy=None):
        return np.array([1, 2], dtype)

    def __len__(self):
        raise RuntimeError


assert np.asarray(Duck()).tolist() == [1, 2] and (np.ones(2) + Duck()).tolist() == [2, 3]


class Broken:
    def __array__(self, dtype=None, copy=None):
        raise KeyError("broken")


for bad, exc, text in (
    (lambda: np.asarray(Broken()), KeyError, "broken"),
    (lambda: np.array([[1], [1, 2]]), ValueError, "inhomogeneous"),
    (lambda: np.array([1]).astype("V"), None, ""),
    (lambda: np.arange(3).__setitem__(7, 1), IndexError, "out of bounds"),
    (lambda: int(np.arange(3)), TypeError, "scalar"),
    (lambda: bool(np.arange(3)), ValueError, "ambiguous"),
    (lambda: hash(np.arange(3)), TypeError, "unhashable"),
    (lambda: np.array([300]).astype("u1", casting="safe"), TypeError, "safe"),
    (lambda: np.uint8(300), OverflowError, "out of bounds"),
    (lambda: np.add(1), TypeError, "positional"),
    (lambda: np.add("a", 1), np._core._exceptions._UFuncNoLoopError, "signature"),
    (lambda: np.linalg.inv(np.zeros((2, 2))), np.linalg.LinAlgError, "Singular"),
    (lambda: np.concatenate([]), ValueError, "at least one"),
    (lambda: np.frombuffer(b"abc", "i4"), ValueError, "multiple"),
):
    try:
        bad()
    except Exception as e:
        assert exc and isinstance(e, exc) and text in str(e), (exc, e)
    else:
        assert exc is None, exc
ro = np.frombuffer(b"abcd", "u1")
try:
    ro[0] = 1
except ValueError as e:
    assert "read-only" in str(e)
else:
    raise AssertionError
# Buffers both ways, with resize locks; files and memory maps; pickles that share memory.
source = bytearray(8)
view = np.frombuffer(source, "<i4")
view[:] = [1, 258]
assert bytes(source) == b"\1\0\0\0\2\1\0\0" and b"".join([view, view[:1]]) == source + source[:4]
try:
    source.append(1)
except BufferError:
    pass
else:
    raise AssertionError
del view
source.append(1)
with tempfile.TemporaryDirectory() as folder:
    name = os.path.join(folder, "m")
    m = np.memmap(name, dtype="i4", mode="w+", shape=(2, 3))
    m[1] = 5
    m.flush()
    del m
    assert np.memmap(name, dtype="i4", mode="r").sum() == 15 and np.fromfile(name, "i4").tolist() == [0, 0, 0, 5, 5, 5]
    np.save(name + ".npy", np.arange(4))
    assert np.load(name + ".npy", mmap_mode="r")[3] == 3
    np.arange(3).tofile(name)
    assert os.path.getsize(name) == 24
a = np.arange(10)
buffers = []
data = pickle.dumps(a, protocol=5, buffer_callback=buffers.append)
b = pickle.loads(data, buffers=buffers)
assert (a == b).all() and np.shares_memory(a, b) and copy.deepcopy(a) is not a and pickle.loads(pickle.dumps(np.float32(1.5))) == 1.5
assert pickle.loads(pickle.dumps(np.dtype("i4,(2,)f8"))) == np.dtype("i4,(2,)f8") and pickle.loads(pickle.dumps(np.add)) is np.add
assert sliding_window_view(np.arange(4), 2).tolist() == [[0, 1], [1, 2], [2, 3]] and as_strided(np.arange(3), (2, 2), (8, 8)).tolist() == [[0, 1], [1, 2]]
# Linear algebra, transforms and random numbers, with known results.
u, s, vt = np.linalg.svd(np.array([[3.0, 0], [4, 5]]))
assert np.allclose(s, np.sqrt([45, 5])) and np.allclose(u * s @ vt, [[3, 0], [4, 5]])
q, r = np.linalg.qr(np.arange(6.0).reshape(3, 2))
assert np.allclose(q @ r, np.arange(6).reshape(3, 2)) and np.linalg.matrix_rank(np.ones((3, 3))) == 1 and np.linalg.norm([3, 4]) == 5
assert np.allclose(np.linalg.cholesky([[4, 2], [2, 3]]), [[2, 0], [1, np.sqrt(2)]]) and np.linalg.lstsq([[1, 0], [0, 2]], [1, 4])[0].tolist() == [1, 2]
assert np.allclose(np.fft.rfft(np.sin(np.arange(8) * np.pi / 4)), [0, -4j, 0, 0, 0]) and np.fft.fftfreq(4).tolist() == [0, 0.25, -0.5, -0.25]
assert np.allclose(np.fft.ifft2(np.fft.fft2(np.eye(3))), np.eye(3))
assert np.random.default_rng(12345).random() == 0.22733602246716966 and np.random.default_rng(12345).integers(0, 100, 3).tolist() == [69, 22, 78]
np.random.seed(1)
assert np.random.randint(0, 100, 3).tolist() == [37, 12, 72] and sorted(np.random.permutation(4).tolist()) == [0, 1, 2, 3]
rng = np.random.Generator(np.random.MT19937(7))
state = rng.bit_generator.state
first = rng.standard_normal(5)
rng.bit_generator.state = state
assert (first == rng.standard_normal(5)).all() and pickle.loads(pickle.dumps(rng)).random() == rng.random()
assert rng.choice(["a", "b"], 4, p=[1, 0]).tolist() == ["a"] * 4 and len(set(rng.bytes(8))) > 1 and len(rng.spawn(2)) == 2
# Strings, dates, polynomials, set operations, masked and character arrays, printing.
v = np.array(["a", "longer than most strings", None], dtype=np.dtypes.StringDType(na_object=None))
assert v[1] == "longer than most strings" and v[2] is None and np.strings.str_len(v[:2]).tolist() == [1, 24]
assert np.busday_count("2024-01-01", "2024-02-01") == 23 and str(np.datetime64("2024-02-28") + np.timedelta64(2, "D")) == "2024-03-01"
assert np.datetime64("2024-01-01T12").astype(object).hour == 12 and np.array(["2024-01", "NaT"], "M8[M]").tolist()[1] is None
assert np.allclose(np.polynomial.Polynomial([1, 2, 1]).roots(), [-1, -1]) and np.intersect1d([1, 2, 3], [2, 3, 4]).tolist() == [2, 3]
assert np.array2string(np.array([1.123456789]), precision=3) == "[1.123]" and "..." in str(np.arange(2000)) and str(np.array(1 + 2j)) == "(1+2j)"
assert np.char.add(["a"], ["b"])[0] == "ab" and np.histogram([1, 2, 1], bins=2)[0].tolist() == [2, 1] and np.interp(1.5, [1, 2], [10, 20]) == 15
with np.nditer([np.arange(3), None], flags=["buffered"], op_dtypes=["f8", "f8"], casting="safe") as it:
    for x, y in it:
        y[...] = x * 2
    assert it.operands[1].tolist() == [0, 2, 4]
# Threads that release the GIL inside ufuncs and products.
total = [0.0] * 4


def work(k):
    total[k] = sum(float((np.full((60, 60), k) @ np.eye(60)).sum()) for _ in range(20))


threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
assert total == [k * 3600.0 * 20 for k in range(4)]
