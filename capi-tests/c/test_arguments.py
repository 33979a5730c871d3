import struct
import sys

import ct_arguments as m
from check import equal, raises

parse = m.parse
BIG = 1 << 70

class Index:
    def __index__(self):
        return 5

class Float:
    def __float__(self):
        return 2.5

class Str(str):
    pass

# Integers that are checked for their range.
for unit, low, high, word in [
    ("b", 0, 255, "unsigned byte integer"), ("h", -(1 << 15), (1 << 15) - 1, "signed short integer"),
    ("i", -(1 << 31), (1 << 31) - 1, None), ("l", -(1 << 63), (1 << 63) - 1, None),
    ("L", -(1 << 63), (1 << 63) - 1, None), ("n", -(1 << 63), (1 << 63) - 1, None),
]:
    for value in (low, high, 5):
        equal(parse(unit, (value,)), value)
    equal(parse(unit, (Index(),)), 5)
    equal(parse(unit, (True,)), 1)
    with raises(OverflowError, word + " is" if word else ""):
        parse(unit, (high + 1,))
    with raises(OverflowError, word + " is" if word else ""):
        parse(unit, (low - 1,))
    with raises(OverflowError):
        parse(unit, (BIG,))
    with raises(TypeError, "^'float' object cannot be interpreted as an integer$"):
        parse(unit, (1.0,))
    with raises(TypeError, "^'str' object cannot be interpreted as an integer$"):
        parse(unit, ("1",))
# And those that are cut off.
for unit, bits in [("B", 8), ("H", 16), ("I", 32), ("k", 64), ("K", 64)]:
    equal(parse(unit, (-1,)), (1 << bits) - 1)
    equal(parse(unit, (BIG + 7,)), 7)
equal(parse("B", (Index(),)), 5)
with raises(TypeError, "^argument 1 must be int, not Index$"):
    parse("k", (Index(),))
with raises(TypeError, "^argument 1 must be int, not float$"):
    parse("K", (1.5,))

equal((parse("d", (1,)), parse("d", (Float(),)), parse("f", (0.1,))), (1.0, 2.5, struct.unpack("f", struct.pack("f", 0.1))[0]))
equal(parse("d", (Index(),)), 5.0)
with raises(TypeError, "^must be real number, not str$"):
    parse("d", ("1",))
equal((parse("D", (1,)), parse("D", (2j,))), (1 + 0j, 2j))
with raises(TypeError, "^must be complex number, not str$|must be real number, not str"):
    parse("D", ("1",))
equal((parse("p", ([],)), parse("p", ("x",))), (False, True))
equal((parse("c", (b"x",)), parse("c", (bytearray(b"y"),)), parse("C", ("€",))), (120, 121, 0x20AC))
with raises(TypeError, "must be a byte string of length 1, not str$"):
    parse("c", ("x",))
with raises(TypeError, "must be a byte string of length 1, not bytes$"):
    parse("c", (b"xx",))
with raises(TypeError, "must be a unicode character, not str$"):
    parse("C", ("xx",))

# Text and bytes.
equal((parse("s", ("é",)), parse("s", (Str("x"),)), parse("z", (None,)), parse("y", (b"b",))), ("é".encode(), b"x", None, b"b"))
with raises(TypeError, "^argument 1 must be str, not None$"):
    parse("s", (None,))
with raises(TypeError, "^argument 1 must be str, not bytes$"):
    parse("s", (b"x",))
with raises(TypeError, "^argument 1 must be str or None, not int$"):
    parse("z", (1,))
with raises(TypeError, "^a bytes-like object is required, not 'str'$"):
    parse("y", ("x",))
for unit, value in [("s", "a\0b"), ("z", "a\0b"), ("y", b"a\0b")]:
    with raises(ValueError, "^embedded null (character|byte)$"):
        parse(unit, (value,))
with raises(UnicodeEncodeError, "surrogates not allowed"):
    parse("s", ("\ud800",))
equal((parse("s#", ("a\0b",)), parse("s#", (b"a\0b",)), parse("z#", (None,)), parse("y#", (b"a\0b",))), (b"a\0b", b"a\0b", None, b"a\0b"))
with raises(TypeError, "^argument 1 must be read-only bytes-like object, not bytearray$"):
    parse("s#", (bytearray(b"x"),))
for value in ("ab", b"ab", bytearray(b"ab"), memoryview(b"ab")):
    equal(parse("s*", (value,)), b"ab")
equal((parse("z*", (None,)), parse("y*", (memoryview(b"xyz")[:2],))), (None, b"xy"))
with raises(TypeError, "^a bytes-like object is required, not 'str'$"):
    parse("y*", ("x",))
equal(parse("w*", (bytearray(9),)), 9)
with raises(TypeError, "^argument 1 must be read-write bytes-like object, not bytes$"):
    parse("w*", (b"x",))
equal((parse("es", ("é",)), parse("et", (b"raw",)), parse("es#", ("é",)), parse("et#", (b"\0",))), (b"\xe9", b"raw", b"\xe9\0", b"\0"))
with raises(UnicodeEncodeError):
    parse("es", ("€",))
with raises(TypeError, "^argument 1 must be str, not bytes$"):
    parse("es", (b"x",))
equal((parse("U", ("u",)), parse("S", (b"s",)), parse("Y", (bytearray(b"y"),))), ("u", b"s", bytearray(b"y")))
for unit, name in [("U", "str"), ("S", "bytes"), ("Y", "bytearray")]:
    with raises(TypeError, f"^argument 1 must be {name}, not int$"):
        parse(unit, (1,))

# Objects.
equal((parse("O", (Ellipsis,)), parse("O!", ([1],)), parse("O&", ((3, 4),))), (Ellipsis, [1], [3, 4]))
with raises(TypeError, "^argument 1 must be list, not tuple$"):
    parse("O!", ((),))
with raises(TypeError, "^a pair is wanted$"):
    parse("O&", (1,))
with raises(TypeError, r"^function takes exactly 1 argument \(0 given\)$"):
    parse("O", ())
with raises(TypeError, r"^name\(\) takes exactly 1 argument \(2 given\)$"):
    parse("O:name", (1, 2))

# Nested, optional, own messages.
equal((m.nested((1, (2,))), m.nested((1, [2]), 3, "x")), ((1, 2, -1, None), (1, 2, 3, "x")))
with raises(TypeError, r"^nested\(\) takes at least 1 argument \(0 given\)$"):
    m.nested()
with raises(TypeError, r"^nested\(\) takes at most 3 arguments \(4 given\)$"):
    m.nested(1, 2, 3, 4)
with raises(TypeError, r"^nested\(\) argument 1 must be sequence of length 2, not 1$"):
    m.nested((1,))
with raises(TypeError, r"^nested\(\) argument 1 must be 2-item sequence, not int$"):
    m.nested(1)
with raises(TypeError, r"^'str' object cannot be interpreted as an integer$"):
    m.nested((1, ("x",)))
with raises(TypeError, "^one number, please$"):
    m.own_message()

# Keywords: positional-only, keyword-only, defaults.
equal((m.keywords(1, 2), m.keywords(9, two=8, four=7, five=6), m.keywords(1, 2, 3)), ((1, 2, 3, 4, 5), (9, 8, 3, 7, 6), (1, 2, 3, 4, 5)))
for call, text in [
    (lambda: m.keywords(), r"^keywords\(\) takes at least 1 positional argument \(0 given\)$"),
    (lambda: m.keywords(1), r"^keywords\(\) missing required argument 'two' \(pos 2\)$"),
    (lambda: m.keywords(1, 2, 3, 4), r"^keywords\(\) takes at most 3 positional arguments \(4 given\)$"),
    (lambda: m.keywords(1, 2, 3, 4, 5, 6), r"^keywords\(\) takes at most 5 arguments \(6 given\)$"),
    (lambda: m.keywords(1, 2, two=2), r"^argument for keywords\(\) given by name \('two'\) and position \(2\)$"),
    (lambda: m.keywords(1, 2, six=6), r"^keywords\(\) got an unexpected keyword argument 'six'$"),
    (lambda: m.keywords(1, 2, fours=6), r"^keywords\(\) got an unexpected keyword argument 'fours'. Did you mean 'four'\?$"),
    (lambda: m.keywords(1, 2, **{1: 2}), "keywords must be strings$"),
    (lambda: m.keywords(1, 2, "x"), "^'str' object cannot be interpreted as an integer$"),
    (lambda: m.required_keyword(b=1), r"^function missing required argument 'a' \(pos 1\)$"),
]:
    with raises(TypeError, text):
        call()
equal(m.required_keyword(b=1, a=2), (2, 1))

equal((m.cleaning("x", 1), m.cleaning("x", "not a number")), (0, -1))
equal((m.unpack(1), m.unpack(1, 2, 3)), ((1, None, None), (1, 2, 3)))
with raises(TypeError, "^unpack expected at least 1 argument, got 0$"):
    m.unpack()
with raises(TypeError, "^unpack expected at most 3 arguments, got 4$"):
    m.unpack(1, 2, 3, 4)

# Building.
equal(m.build(), [
    None, -5, (5,), (1, 2), (-1, 255, -300, 65535), (4000000000, -7, 8, -9, (1 << 64) - 1), -1, (0.5, 0.25), 1 - 2j, b"x", "€",
    "text", None, "te", b"bytes", b"by\0tes", "unicode", "wide", "wid", None, True, 11, 42, [1, ("a",), {"k": 2}],
    {"a": 1, 2: []},
])
for wrong in ("(i", "[i", "{i", "?", "{i}"):
    with raises(SystemError, "format"):
        m.build_wrong(wrong)

equal(m.format_text("é"),
    "%|☺|-1|   42|42   |00042|3000000000|-4|5|-6|-7|8|9|ff|ff|FF|10|text|lon|     right|left  |0x1234|'\\xe9'|é|other|é|é|'é'|é|str|str|str|   1|ab")
equal(m.padded(), ["x         ", "123       ", "  123     |", "-0000123  "])
