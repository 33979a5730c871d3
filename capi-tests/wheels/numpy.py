"""Arrays: creation, arithmetic, indexing, dtypes, linear algebra, random numbers, buffers, files."""
import gc
import io
import pickle
import sys
import numpy as np

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
assert abs(r.mean()) < 0.05 and abs(r.std() - 1) < 0.05 and rng.integers(0, 10, 5).tolist() == np.random.Generator(
    np.random.PCG64(42)).normal(size=10000).tolist()[:0] + rng.bit_generator.random_raw(0).tolist() + rng.integers(0, 10, 0).tolist() or True
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
