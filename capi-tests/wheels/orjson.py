"""JSON in Rust, which reads str, dict, list and int by their layout."""
import dataclasses
import datetime
import enum
import json
import uuid
import orjson

values = [None, True, False, 0, 1, -1, 255, 2**53, 2**63 - 1, -2**63, 2**64 - 1, 0.1, -1e300, 1e-7, "", "a", "é", "漢字", "😀" * 100, "\"\\\n\x00\x1f", "x" * 5000,
          [], {}, [1, [2, {"a": [None, True]}]], {"k": "v", "é": {"漢": 1}}, list(range(1000)), {str(i): i for i in range(3000)}]
for v in values:
    assert json.loads(orjson.dumps(v)) == v, v
    assert orjson.loads(json.dumps(v)) == v and orjson.loads(orjson.dumps(v)) == v
assert orjson.dumps({"b": 1, "a": "é"}) == '{"b":1,"a":"é"}'.encode()
assert orjson.dumps({"b": 1, "a": 2}, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) == b'{\n  "a": 2,\n  "b": 1\n}'
assert orjson.dumps(1, option=orjson.OPT_APPEND_NEWLINE) == b"1\n"
assert orjson.dumps({1: 1, None: 2, 1.5: 3, True: 4}, option=orjson.OPT_NON_STR_KEYS) == b'{"1":4,"null":2,"1.5":3}'


@dataclasses.dataclass
class Point:
    x: int
    y: float = 2.5
    _hidden: int = 1


class Color(enum.Enum):
    RED = "r"


class Sub(str):
    pass


u = uuid.UUID("12345678-1234-5678-1234-567812345678")
assert orjson.dumps([Point(1), Color.RED, u, Sub("s")]) == b'[{"x":1,"y":2.5},"r","12345678-1234-5678-1234-567812345678","s"]'
assert orjson.dumps(datetime.datetime(2020, 1, 2, 3, 4, 5, 6)) == b'"2020-01-02T03:04:05.000006"'
assert orjson.dumps(datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc), option=orjson.OPT_UTC_Z) == b'"2020-01-02T00:00:00Z"'
assert orjson.dumps([datetime.date(1, 2, 3), datetime.time(1, 2, 3)]) == b'["0001-02-03","01:02:03"]'
assert orjson.dumps((1, 2)) == b"[1,2]" and orjson.dumps({"s": {1}}, default=list) == b'{"s":[1]}'
assert orjson.dumps(orjson.Fragment(b'{"raw":1}')) == b'{"raw":1}'
assert orjson.dumps([float("nan"), float("inf")]) == b"[null,null]"
for bad in (object(), {1: 2}, 2**64, "\ud800", b"x", {"a": {1}}):
    try:
        orjson.dumps(bad)
    except orjson.JSONEncodeError as e:
        assert isinstance(e, TypeError)
    else:
        raise AssertionError(bad)
for bad in ("", "[1", "{\"a\"}", "nul", "[1,]", "\"\\u12\"", "1 2", b"\"\xff\"", "NaN"):
    try:
        orjson.loads(bad)
    except orjson.JSONDecodeError as e:
        assert isinstance(e, ValueError) and e.pos >= 0
    else:
        raise AssertionError(bad)
for source in (b"[1]", bytearray(b"[1]"), memoryview(b"[1]"), "[1]"):
    assert orjson.loads(source) == [1]


def failing(o):
    raise ZeroDivisionError


try:
    orjson.dumps({1}, default=failing)
except orjson.JSONEncodeError as e:
    assert isinstance(e.__cause__, ZeroDivisionError)
deep = []
for i in range(300):
    deep = [deep]
try:
    orjson.dumps(deep)
except orjson.JSONEncodeError:
    pass
else:
    raise AssertionError
doc = {"users": [{"id": i, "name": "n%d" % i, "tags": ["a", "é"], "score": i / 7} for i in range(2000)]}
for i in range(5):
    assert orjson.loads(orjson.dumps(doc)) == doc
