# cython: binding=True, embedsignature=True
"""Extension types, generators, coroutines, closures, buffers, exceptions and C functions by way of Cython."""
import asyncio
from cpython.exc cimport PyErr_CheckSignals
from cpython.ref cimport PyObject
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy


cdef int cube(int x) except? -1:
    if x < 0:
        raise ValueError("negative")
    return x * x * x


cdef int callback(void *data) noexcept with gil:
    (<list>data).append("called")
    return len(<list>data)


cpdef double area(double w, double h=2.0):
    """The area."""
    return w * h


def call_cube(x):
    return cube(x)


def call_back(list target):
    cdef int n
    with nogil:
        n = callback(<void *>target)
    return n


def signature(a, /, b, *args, c=3, **kwargs):
    return a, b, args, c, kwargs


def typed(int i, unsigned char c, double d, str s, bytes b=None, list items not None=[]):
    return i, c, d, s, b, items


cdef class Vector:
    """A vector in memory of its own."""
    cdef double *data
    cdef readonly Py_ssize_t size
    cdef public object name
    cdef object __weakref__
    cdef dict __dict__
    cdef Py_ssize_t shape[1]
    cdef int views

    def __cinit__(self, *values, **kwargs):
        self.size = len(values)
        self.data = <double *>malloc(max(1, self.size) * sizeof(double))
        if self.data == NULL:
            raise MemoryError
        for i in range(self.size):
            self.data[i] = values[i]

    def __init__(self, *values, name=None):
        self.name = name

    def __dealloc__(self):
        free(self.data)

    def __len__(self):
        return self.size

    def __getitem__(self, Py_ssize_t i):
        if i < 0:
            i += self.size
        if not 0 <= i < self.size:
            raise IndexError(i)
        return self.data[i]

    def __setitem__(self, Py_ssize_t i, double value):
        self.data[i] = value

    def __add__(self, other):
        if not isinstance(other, Vector):
            return NotImplemented
        return Vector(*[a + b for a, b in zip(self, other)])

    def __richcmp__(self, other, int op):
        if op == 2:
            return list(self) == list(other)
        return NotImplemented

    def __hash__(self):
        return hash(tuple(self))

    def __repr__(self):
        return f"Vector({', '.join(map(repr, self))})"

    def __iter__(self):
        cdef Py_ssize_t i
        for i in range(self.size):
            yield self.data[i]

    def __getbuffer__(self, Py_buffer *view, int flags):
        self.shape[0] = self.size
        view.buf = self.data
        view.format = 'd'
        view.internal = NULL
        view.itemsize = sizeof(double)
        view.len = self.size * sizeof(double)
        view.ndim = 1
        view.obj = self
        view.readonly = 0
        view.shape = self.shape
        view.strides = &view.itemsize
        view.suboffsets = NULL
        self.views += 1

    def __releasebuffer__(self, Py_buffer *view):
        self.views -= 1

    @property
    def exported(self):
        return self.views

    cpdef double total(self):
        cdef double t = 0
        cdef Py_ssize_t i
        for i in range(self.size):
            t += self.data[i]
        return t

    def total_virtual(self):
        return self.total()

    @classmethod
    def zeros(cls, n):
        return cls(*[0.0] * n)

    @staticmethod
    def dot(Vector a not None, Vector b not None):
        return sum(x * y for x, y in zip(a, b))


cdef class Vector3(Vector):
    cdef public double weight

    cpdef double total(self):
        return Vector.total(self) * self.weight


cdef class Node:
    cdef public Node next
    cdef public object payload


def sum_view(double[:] view):
    cdef double t = 0
    cdef Py_ssize_t i
    for i in range(view.shape[0]):
        t += view[i]
    return t


def transpose(const unsigned char[:, ::1] view):
    return [[view[i, j] for i in range(view.shape[0])] for j in range(view.shape[1])]


def generator(n):
    total = 0
    for i in range(n):
        got = yield i
        if got is not None:
            total += got
    return total


def delegate(n):
    result = yield from generator(n)
    yield ("result", result)


async def coroutine(n):
    await asyncio.sleep(0)
    return [i async for i in agen(n)]


async def agen(n):
    for i in range(n):
        yield i
        await asyncio.sleep(0)


def make_counter():
    count = 0

    def increment(by=1):
        nonlocal count
        count += by
        return count

    return increment


def exceptions(f):
    log = []
    try:
        try:
            f()
        except KeyError as e:
            log.append(repr(e))
            raise ValueError("wrapped") from e
        else:
            log.append("else")
        finally:
            log.append("finally")
    except ValueError as e:
        log.append(repr(e.__cause__))
    return log


def comprehension(data):
    return {k: [x * 2 for x in v if x] for k, v in sorted(data.items())}, {*data}, (*data, "end")


def unicode_work(str s):
    cdef Py_UCS4 c
    return [c for c in s if c.isalpha()], s.upper(), s.encode(), f"{s!r:>10}|{len(s):05d}", s[1:], s[::-1]


def nogil_sum(Py_ssize_t n):
    cdef Py_ssize_t i
    cdef long long t = 0
    with nogil:
        for i in range(n):
            t += i
    return t


class Python:
    """A Python class in a compiled module."""
    attribute = [1, 2]

    def __init__(self, x):
        self.x = x

    @property
    def double(self):
        return self.x * 2

    def method(self, *, key=None):
        return super().__repr__()[:11], self.x, key


ctypedef fused number:
    int
    double


def fused(number x):
    return ("int" if number is int else "double"), x + 1


cpdef enum Colour:
    RED = 1
    GREEN


cdef struct Pair:
    int a
    double b


def struct_work(int a):
    cdef Pair p = Pair(a, a / 2.0)
    return p


def unraisable():
    cdef int x = swallow()
    return x


cdef int swallow() noexcept:
    raise RuntimeError("swallowed")
