"""JSON in C++: values, options, errors."""
import decimal
import io
import json
import math
import ujson

values = [None, True, False, 0, -1, 2**31, -2**63, 2**63 - 1, 2**64 - 1, 10**30, 1.5, -0.1, 1e-300, 1e22, "", "a", "é漢😀", "\"\\/\b\f\n\r\t\x01",
          [], {}, [1, [2, {"a": [None]}]], {"k": "v", "n": {"m": 1}}]
for v in values:
    assert json.loads(ujson.dumps(v)) == v, v
    assert ujson.loads(json.dumps(v)) == v, v
    assert ujson.loads(ujson.dumps(v, ensure_ascii=False)) == v
assert ujson.dumps({"b": 1, "a": 2}, sort_keys=True) == '{"a":2,"b":1}'
assert ujson.dumps([1, {"a": []}], indent=2) == '[\n  1,\n  {\n    "a": []\n  }\n]'
assert ujson.dumps("<a/>", encode_html_chars=True, escape_forward_slashes=True) == '"\\u003ca\\/\\u003e"'
assert ujson.dumps({"a": [1]}, separators=(", ", ": ")) == '{"a": [1]}'
assert ujson.dumps({1: 1, None: 2}) == '{"1":1,"null":2}'
assert ujson.dumps((1, 2)) == "[1,2]" and ujson.dumps(b"bytes", reject_bytes=False) == '"bytes"'
assert ujson.dumps(decimal.Decimal("1.5")) == "1.5"
assert ujson.dumps({1, 2} and [1], default=str) == "[1]" and ujson.dumps(1j, default=str) == '"1j"'


class J:
    def __json__(self):
        return '{"raw":true}'


assert ujson.dumps([J()]) == '[{"raw":true}]'


class D:
    def toDict(self):
        return {"x": [1, 2]}


assert ujson.dumps(D()) == '{"x":[1,2]}'
for bad in ("", "[1", "{\"a\"}", "nul", "[1,]", "\"\\u12\"", "1 2", "{1:2}", "\"\x01" if False else "tru"):
    try:
        ujson.loads(bad)
    except ujson.JSONDecodeError:
        pass
    else:
        raise AssertionError(bad)
for bad, exc in ((b"x", TypeError), (object(), TypeError), (float("nan"), OverflowError)):
    try:
        ujson.dumps(bad, allow_nan=False) if isinstance(bad, float) else ujson.dumps(bad)
    except exc:
        pass
    else:
        raise AssertionError(bad)
assert math.isnan(ujson.loads("NaN")) and ujson.loads("-Infinity") == -math.inf
loop = []
loop.append(loop)
try:
    ujson.dumps(loop)
except OverflowError:
    pass
else:
    raise AssertionError
f = io.StringIO()
ujson.dump({"a": [1, 2]}, f)
f.seek(0)
assert ujson.load(f) == {"a": [1, 2]} and ujson.loads(b"[1]") == [1] and ujson.loads(bytearray(b"[2]")) == [2]
doc = {"users": [{"id": i, "name": "n%d" % i, "tags": ["a", "é"], "score": i / 7} for i in range(2000)]}
assert ujson.loads(ujson.dumps(doc)) == doc
