import array
import io
import struct

import ct_buffers as m
from check import equal, raises

Grid = m.Grid
g = Grid(2, 3)
equal(m.describe(g, m.PyBUF_SIMPLE), dict(len=24, itemsize=4, readonly=0, ndim=1, format=None, shape=None, strides=None, contiguous=(1, 1, 1), obj=g))
d = m.describe(g, m.PyBUF_FULL_RO)
equal((d["ndim"], d["format"], d["shape"], d["strides"], d["contiguous"]), (2, "i", (2, 3), (12, 4), (1, 0, 1)))
equal(g.exports, 0)

# memoryview of it.
v = memoryview(g)
equal((v.format, v.shape, v.strides, v.ndim, v.nbytes, v.readonly, v.c_contiguous, v.contiguous), ("i", (2, 3), (12, 4), 2, 24, False, True, True))
equal((v[1, 2], v.tolist(), g.exports), (5, [[0, 1, 2], [3, 4, 5]], 1))
v[0, 1] = -7
equal(m.item(g, 0, 1), -7)
w = v.cast("B")
equal((len(w), w[:4].tolist(), g.exports), (24, [0, 0, 0, 0], 1))
flat = w.cast("i")
equal(flat[::2].tolist(), [0, 2, 4])
with raises(NotImplementedError, "multi-dimensional sub-views are not implemented"):
    v[0]
v.release()
equal(g.exports, 1)
w.release()
flat.release()
equal(g.exports, 0)
with raises(ValueError, "operation forbidden on released memoryview object"):
    v[0, 0]
with memoryview(g) as v:
    equal(g.exports, 1)
equal(g.exports, 0)

# Those who take any buffer take it.
equal(len(bytes(g)), 24)
equal(bytearray(g)[4:8], bytearray(struct.pack("i", -7)))
equal(struct.unpack_from("i", g, 8), (2,))
a = array.array("i")
a.frombytes(memoryview(g).cast("B"))
equal(a.tolist(), [0, -7, 2, 3, 4, 5])
f = io.BytesIO(bytes(24))
equal(f.readinto(g), 24)
equal(memoryview(g).tolist(), [[0, 0, 0], [0, 0, 0]])
equal(b"".join([b"x", Grid(1, 1)]), b"x\0\0\0\0")

# Read-only ones.
r = Grid(1, 2, readonly=True)
equal(m.describe(r, m.PyBUF_SIMPLE)["readonly"], 1)
with raises(BufferError, "^Grid is read-only$"):
    m.describe(r, m.PyBUF_WRITABLE)
with raises(TypeError, "^read-write bytes-like object expected$|argument 1 must be read-write bytes-like object, not ct_buffers.Grid|must be read-write"):
    m.increment(r)
with raises(TypeError, "cannot modify read-only memory"):
    memoryview(r)[0, 0] = 1

# As a consumer of other's buffers.
b = bytearray(b"abc")
m.increment(b)
equal(b, bytearray(b"bcd"))
with raises(TypeError):
    m.increment(b"abc")
with raises(TypeError, "a bytes-like object is required, not 'int'"):
    m.describe(1, 0)
equal(m.describe(b"xyz", m.PyBUF_FULL_RO), dict(len=3, itemsize=1, readonly=1, ndim=1, format="B", shape=(3,), strides=(1,), contiguous=(1, 1, 1), obj=b"xyz"))
x = array.array("d", [1, 2, 3, 4])
equal(m.describe(x, m.PyBUF_FULL_RO)["format"], "d")
held = memoryview(b)
with raises(BufferError, "Existing exports of data: object cannot be re-sized"):
    b.append(1)
held.release()
b.append(1)

# Order and steps.
two = memoryview(bytes(range(6))).cast("B", (2, 3))
equal((m.flatten(two, "C"), m.flatten(two, "F")), (bytes(range(6)), bytes([0, 3, 1, 4, 2, 5])))
stepped = memoryview(bytes(range(10)))[::3]
equal(m.describe(stepped, m.PyBUF_FULL_RO)["strides"], (3,))
equal(m.flatten(stepped, "C"), bytes([0, 3, 6, 9]))
with raises(BufferError, "memoryview: underlying buffer is not C-contiguous"):
    m.describe(stepped, m.PyBUF_SIMPLE)
with raises(BufferError, "memoryview: underlying buffer is not Fortran contiguous"):
    m.describe(two, m.PyBUF_F_CONTIGUOUS)
equal(m.contiguous(stepped).tolist(), [0, 3, 6, 9])
equal(m.contiguous(two).tolist(), [[0, 1, 2], [3, 4, 5]])

# Memory of the extension's own.
v = m.view_of_memory(False)
equal((v.readonly, bytes(v[:6]), v.format), (True, b"memory", "B"))
v = m.view_of_memory(True)
v[0:1] = b"M"
equal(bytes(m.view_of_memory(False)[:6]), b"Memory")
v = m.view_from_buffer()
equal((v.shape, v.strides, v.tolist(), v.obj), ((2, 3), (8, 1), [list(b"Mem"), list(b"f t")], None))
equal(bytes(v), bytes(sum(v.tolist(), [])))

# Python classes that export (PEP 688), read from C; and C's read from Python.
class Exporter:
    def __init__(self):
        self.released = 0

    def __buffer__(self, flags):
        return memoryview(b"python")

    def __release_buffer__(self, view):
        self.released += 1

e = Exporter()
equal((m.describe(e, m.PyBUF_SIMPLE)["len"], e.released), (6, 1))
with g.__buffer__(0) as v:
    equal((v.nbytes, g.exports), (24, 1))

class SubGrid(Grid):
    def __buffer__(self, flags):
        return super().__buffer__(flags)

equal(m.describe(SubGrid(1, 1), m.PyBUF_FULL_RO)["shape"], (1, 1))
del v
