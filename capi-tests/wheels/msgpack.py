"""Packing and unpacking by the Cython extension."""
import datetime
import io
import random
import msgpack
from msgpack import ExtType, Packer, Timestamp, Unpacker, packb, unpackb
from msgpack import _cmsgpack

assert Packer is _cmsgpack.Packer
values = [None, True, False, 0, 1, -1, 127, 128, 255, 256, -32, -33, -128, -129, 65535, 65536, 2**31, 2**32 - 1, 2**32, 2**63 - 1,
          -2**31, -2**63, 2**64 - 1, 0.0, -1.5, 1e300, float("inf"), "", "short", "é" * 300, "漢" * 70000, b"", b"x" * 300, b"y" * 70000,
          [], [1, [2, [3]]], list(range(20)), list(range(70000)), {}, {"a": {"b": [1, 2]}}, {str(i): i for i in range(70000)}]
for v in values:
    assert unpackb(packb(v)) == v, repr(v)[:50]
assert packb(1.5, use_single_float=True) == b"\xca?\xc0\x00\x00"
assert packb((1, 2)) == b"\x92\x01\x02" and unpackb(packb((1, 2)), use_list=False) == (1, 2)
assert packb("é") == b"\xa2\xc3\xa9" and packb({"k": None}) == b"\x81\xa1k\xc0"
assert unpackb(packb(ExtType(5, b"data"))) == ExtType(5, b"data")
assert unpackb(packb(Timestamp(1, 2))) == Timestamp(1, 2)
now = datetime.datetime(2020, 1, 2, 3, 4, 5, 678, tzinfo=datetime.timezone.utc)
assert unpackb(packb(now, datetime=True), timestamp=3) == now
assert unpackb(packb({1j: 1} if False else {"c": 1j}, default=lambda o: [o.real, o.imag])) == {"c": [0.0, 1.0]}
assert unpackb(packb({"a": 1}), object_hook=lambda d: sorted(d.items())) == [("a", 1)]
assert unpackb(packb({"a": 1, "b": 2}), object_pairs_hook=list) == [("a", 1), ("b", 2)]
assert unpackb(packb({1: 2}), strict_map_key=False) == {1: 2}

packer = Packer(autoreset=False)
for i in range(1000):
    packer.pack({"i": i, "s": "x" * (i % 40)})
data = packer.bytes()
u = Unpacker(max_buffer_size=1 << 20)
random.seed(1)
got = []
while data:
    n = random.randrange(1, 200)
    u.feed(data[:n])
    data = data[n:]
    got.extend(u)
assert [g["i"] for g in got] == list(range(1000))
u = Unpacker(io.BytesIO(packb([1, 2]) + packb("end") + packb(3)))
assert u.read_array_header() == 2 and u.unpack() == 1
u.skip()
assert u.unpack() == "end" and u.tell() > 0 and list(u) == [3]
for bad, exc in ((b"\xc1", msgpack.FormatError), (b"\x92\x01", ValueError), (b"\x01\x02", msgpack.ExtraData), (b"\xa1\xff", UnicodeDecodeError)):
    try:
        unpackb(bad)
    except exc:
        pass
    else:
        raise AssertionError(bad)
for bad, exc in ((object(), TypeError), (2**64, OverflowError), ("\ud800", UnicodeEncodeError)):
    try:
        packb(bad)
    except exc:
        pass
    else:
        raise AssertionError(bad)
deep = []
for i in range(600):
    deep = [deep]
try:
    packb(deep)
except ValueError:
    pass
assert packb(memoryview(b"abc")) == b"\xc4\x03abc" and packb(bytearray(b"z")) == b"\xc4\x01z"
assert unpackb(packb("a\ud800".encode("utf-8", "surrogatepass")), raw=True) == b"a\xed\xa0\x80"
assert unpackb(packb("\ud800", unicode_errors="surrogatepass"), unicode_errors="surrogatepass") == "\ud800"
