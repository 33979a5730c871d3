"""The libyaml binding: loading and dumping by C, events, errors with marks."""
import datetime
import io
import yaml
from yaml import CDumper, CLoader, CSafeDumper, CSafeLoader

text = """
name: Röntgen   # comment
list: [1, 2.5, yes, ~, 'q', "d\\n\\u263a"]
map: &anchor {a: 1, b: [x, y]}
again: *anchor
merged:
  <<: *anchor
  c: 3
date: 2001-12-14
time: 2001-12-14T21:59:43.10-05:00
block: |
  two
  lines
folded: >
  one
  line
binary: !!binary aGVsbG8=
set: !!set {p, q}
? [complex, key]
: value
"""
d = yaml.load(text.replace("? [complex, key]\n: value\n", ""), Loader=CSafeLoader)
assert d == yaml.load(text.replace("? [complex, key]\n: value\n", ""), Loader=yaml.SafeLoader)
assert d["name"] == "Röntgen" and d["list"] == [1, 2.5, True, None, "q", "d\n☺"] and d["again"] is d["map"]
assert d["merged"] == {"a": 1, "b": ["x", "y"], "c": 3} and d["date"] == datetime.date(2001, 12, 14)
assert d["block"] == "two\nlines\n" and d["folded"] == "one line\n" and d["binary"] == b"hello" and d["set"] == {"p", "q"}
for obj in (d, [1, "é", None, {"k": [True]}], {"long": "word " * 50}, "multi\nline", 1e100, -1, {}, []):
    for dumper in (CSafeDumper, CDumper):
        assert yaml.load(yaml.dump(obj, Dumper=dumper), Loader=CSafeLoader) == obj
assert yaml.dump({"b": 1, "a": [1, 2]}, Dumper=CSafeDumper) == "a:\n- 1\n- 2\nb: 1\n"
assert yaml.dump([1], Dumper=CSafeDumper, default_flow_style=True) == "[1]\n"
assert yaml.dump({"x": "é"}, Dumper=CSafeDumper, allow_unicode=True, encoding="utf-8") == "x: é\n".encode()
assert list(yaml.load_all("--- 1\n--- [a]\n", Loader=CSafeLoader)) == [1, ["a"]]
assert [type(e).__name__ for e in yaml.parse("a: 1", Loader=CLoader)] == [
    "StreamStartEvent", "DocumentStartEvent", "MappingStartEvent", "ScalarEvent", "ScalarEvent", "MappingEndEvent", "DocumentEndEvent", "StreamEndEvent"]
assert [type(t).__name__ for t in yaml.scan("[a]", Loader=CLoader)][1] == "FlowSequenceStartToken"
node = yaml.compose("a: [1, 2]", Loader=CLoader)
assert node.value[0][1].value[1].value == "2" and node.start_mark.line == 0
assert yaml.serialize(node, Dumper=CDumper) == "a: [1, 2]\n"
assert yaml.load(io.BytesIO("- é\n".encode()), Loader=CSafeLoader) == ["é"]
assert yaml.load("- é\n".encode("utf-16"), Loader=CSafeLoader) == ["é"]
for bad in ("a: [1", "a: b: c", "\t- x", "*unknown", "%YAML 3.0\n--- x\n%"):
    try:
        yaml.load(bad, Loader=CSafeLoader)
    except yaml.YAMLError as e:
        assert e.problem_mark is None or e.problem_mark.line >= 0
    else:
        raise AssertionError(bad)


class Point:
    def __init__(self, x):
        self.x = x


yaml.add_representer(Point, lambda d, p: d.represent_mapping("!p", {"x": p.x}), Dumper=CSafeDumper)
yaml.add_constructor("!p", lambda l, n: Point(**l.construct_mapping(n)), Loader=CSafeLoader)
assert yaml.load(yaml.dump(Point(3), Dumper=CSafeDumper), Loader=CSafeLoader).x == 3


class Broken:
    def read(self, n):
        raise ZeroDivisionError


try:
    yaml.load(Broken(), Loader=CSafeLoader)
except ZeroDivisionError:
    pass
else:
    raise AssertionError
