"""Calling C through libffi: structures, arrays, strings, callbacks, variadic functions, errors."""
import gc
import cffi

ffi = cffi.FFI()
ffi.cdef("""
int abs(int); double sqrt(double); size_t strlen(const char *); int snprintf(char *, size_t, const char *, ...);
struct point { int x; double y; char name[8]; };
typedef struct { int quot; int rem; } div_t;
div_t div(int, int);
void qsort(void *, size_t, size_t, int (*)(const void *, const void *));
typedef enum { RED, BLUE = 5 } color;
union number { int i; float f; };
""")
c, m = ffi.dlopen(None), ffi.dlopen("libm.so.6")
assert c.abs(-3) == 3 and m.sqrt(9.0) == 3.0 and c.strlen(b"abc") == 3
r = c.div(17, 5)
assert (r.quot, r.rem) == (3, 2)
p = ffi.new("struct point *", {"x": 1, "y": 2.5, "name": b"hi"})
p.x += 1
assert p.x == 2 and p[0].y == 2.5 and ffi.string(p.name) == b"hi" and ffi.sizeof("struct point") == 24
assert ffi.offsetof("struct point", "y") == 8 and repr(p).startswith("<cdata 'struct point *' owning 24 bytes")
u = ffi.new("union number *", {"f": 1.0})
assert u.i == 0x3F800000
a = ffi.new("int[]", [3, 1, 2])
assert len(a) == 3 and list(a[0:2]) == [3, 1] and bytes(ffi.buffer(a, 4)) == b"\3\0\0\0"


@ffi.callback("int(const void *, const void *)")
def compare(x, y):
    return ffi.cast("int *", x)[0] - ffi.cast("int *", y)[0]


c.qsort(a, 3, 4, compare)
assert list(a) == [1, 2, 3]
b = ffi.new("char[]", 32)
assert c.snprintf(b, 32, b"%d %s %.1f", ffi.cast("int", 7), ffi.new("char[]", b"x"), ffi.cast("double", 1.5)) == 7 and ffi.string(b) == b"7 x 1.5"
handle = ffi.new_handle([1])
assert ffi.from_handle(handle) == [1] and c.BLUE == 5 and ffi.string(ffi.cast("color", 0)) == "RED"
buffer = bytearray(b"abcd")
view = ffi.from_buffer(buffer)
view[0] = b"X"
assert buffer == b"Xbcd"
for bad, exc in (
    (lambda: c.abs("x"), TypeError),
    (lambda: c.abs(2**40), OverflowError),
    (lambda: a[5], IndexError),
    (lambda: ffi.new("nothing"), cffi.CDefError),
    (lambda: c.nothing, AttributeError),
    (lambda: p.nothing, AttributeError),
    (lambda: ffi.NULL[0], (RuntimeError, TypeError)),
    (lambda: buffer.append(1), BufferError),
):
    try:
        bad()
    except exc:
        pass
    else:
        raise AssertionError(bad)


@ffi.callback("int(int)", error=-7)
def failing(n):
    return [n][n]


seen = []
failing_quietly = ffi.callback("int(int)", lambda n: 1 // n, error=-7, onerror=lambda *exc: seen.append(exc[0]))
assert failing_quietly(0) == -7 and seen == [ZeroDivisionError] and failing_quietly(1) == 1 and failing(0) == 0
freed = []
d = ffi.gc(ffi.new("int *"), lambda _: freed.append(1))
del d
gc.collect()
assert freed == [1]
