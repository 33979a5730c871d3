"""Times calls between Python and C (callcost.c, in the folder given) and prints nanoseconds each, one result a line."""
import array
import sys
from time import perf_counter

sys.path.insert(0, sys.argv[1])
import callcost as m  # noqa: E402

N = 100_000
thing = m.Thing()
thing.object = "object"
data = bytearray(100)
numbers = array.array("d", [1.0] * 10)
keys = tuple(f"key{i}" for i in range(10))
table = dict.fromkeys(keys, 1)


class Python:
    attribute = 1

    def __init__(self):
        self.value = 1

    def method(self):
        return None


class Derived(m.Thing):
    pass


python = Python()
derived = Derived()


def f0():
    return None


def f1(a):
    return a


def f2(a, b):
    return a


def fk(a, k=None):
    return a


def loop(body, setup=""):
    """A function that runs `body` ten times, N / 10 times."""
    lines = "\n        ".join([body] * 10)
    space = dict(globals())
    exec(f"def run(n):\n    {setup or 'pass'}\n    for _ in range(n // 10):\n        {lines}\n", space)
    return lambda: space["run"](N)


CASES = [
    # Calls into C.
    ("call C: no arguments", loop("f()", "f = m.noargs")),
    ("call C: one (METH_O)", loop("f(1)", "f = m.one")),
    ("call C: two ints (ParseTuple)", loop("f(1, 2)", "f = m.varargs")),
    ("call C: objects (ParseTuple)", loop("f(1, 2)", "f = m.objects")),
    ("call C: text (ParseTuple)", loop("f('text')", "f = m.text")),
    ("call C: keyword (ParseTupleAndKeywords)", loop("f(1, third=3)", "f = m.keyword")),
    ("call C: positional (ParseTupleAndKeywords)", loop("f(1, 2, 3)", "f = m.keyword")),
    ("call C: METH_FASTCALL", loop("f(1, 2)", "f = m.fast")),
    ("call C: METH_FASTCALL keyword", loop("f(1, k=2)", "f = m.fast_keyword")),
    ("call C: f(*args)", loop("f(*args)", "f = m.fast; args = (1, 2)")),
    ("method of C type", loop("t.method()", "t = thing")),
    ("method of C type, argument", loop("t.method_fast(1)", "t = thing")),
    ("method of derived class", loop("t.method()", "t = derived")),
    # C calls Python.
    ("call back: no arguments", lambda: m.call_noargs(f0, N)),
    ("call back: one", lambda: m.call_one(f1, N, 1)),
    ("call back: two (Vectorcall)", lambda: m.call_two(f2, N, 1)),
    ("call back: keyword", lambda: m.call_keyword(fk, N, 1)),
    ("call back: tuple (CallObject)", lambda: m.call_tuple(f2, N, (1, 2))),
    ("call back: format (CallFunction)", lambda: m.call_format(f2, N, 1)),
    ("call back: method", lambda: m.call_method(python, N)),
    ("call back: method by name", lambda: m.call_method_name(python, N)),
    ("call back: C function", lambda: m.call_one(m.one, N, 1)),
    ("call back: class", lambda: m.call_noargs(Python, N)),
    ("sort by a key in C", lambda: sorted(range(N), key=m.one)),
    # Attributes and protocols.
    ("attribute of C type: member", loop("t.x", "t = thing")),
    ("attribute of C type: object member", loop("t.object", "t = thing")),
    ("attribute of C type: getset", loop("t.counter", "t = thing; t.counter = 5")),
    ("set attribute of C type: member", loop("t.x = 1.0", "t = thing")),
    ("set attribute of C type: getset", loop("t.counter = 5", "t = thing")),
    ("len of C type", loop("len(t)", "t = thing")),
    ("item of C type", loop("t[1]", "t = thing")),
    ("addition of C type", loop("t + t", "t = thing")),
    ("iteration over C type", lambda: [m.iterate(thing) for _ in range(N // 1000)]),
    ("for over C type", loop("for x in t: pass", "t = thing; n = n // 1000")),
    ("instance of C type", loop("t()", "t = m.Thing")),
    ("PyObject_GetAttr", lambda: m.get_attribute(python, N)),
    ("PyObject_GetAttrString", lambda: m.get_attribute_name(python, N)),
    ("PyObject_GetItem of dict", lambda: m.get_item(table, N, "key5")),
    ("PyObject_GetItem of list", lambda: m.get_item([1, 2, 3], N, 1)),
    ("PyNumber_Add of ints", lambda: m.add(1000, N, 1000)),
    ("PyNumber_Add of floats", lambda: m.add(1.5, N, 1.5)),
    ("PyObject_RichCompare of ints", lambda: m.compare(1000, N, 1001)),
    ("PyObject_GetIter, PyIter_Next of list", lambda: m.iterate([None] * N)),
    # Builders.
    ("PyList_Append", lambda: m.list_append(N)),
    ("PyList_New, PyList_SET_ITEM", lambda: m.list_fill(N)),
    ("PyTuple_New, PyTuple_SET_ITEM", lambda: m.tuple_fill(N)),
    ("PyTuple_Pack", lambda: m.tuple_pack(N)),
    ("PyDict_New, PyDict_SetItem", lambda: m.dict_fill(N, keys)),
    ("PyDict_GetItemWithError", lambda: m.dict_get(N, table, "key5")),
    ("Py_BuildValue", lambda: m.build_value(None, N)),
    ("PyFloat_FromDouble", lambda: m.new_float(None, N)),
    ("PyLong_FromLong", lambda: m.new_int(None, N)),
    ("PyUnicode_FromString", lambda: m.new_text(None, N)),
    ("object made from C", lambda: m.new_thing(m.Thing, N)),
    # Buffers, threads, exceptions.
    ("buffer of bytes", lambda: m.buffer(N, b"bytes")),
    ("buffer of bytearray", lambda: m.buffer(N, data)),
    ("buffer of memoryview", lambda: m.buffer(N, memoryview(data))),
    ("buffer of array", lambda: m.buffer(N, numbers)),
    ("PyGILState_Ensure, _Release", lambda: m.gil(N)),
    ("exception raised and cleared", lambda: m.raise_and_clear(N)),
]

for name, run in CASES:
    run()
    best = float("inf")
    for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 7):
        start = perf_counter()
        run()
        best = min(best, perf_counter() - start)
    print(f"{name}\t{best / N * 1e9:.2f}", flush=True)
