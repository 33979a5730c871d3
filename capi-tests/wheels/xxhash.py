"""Hashes with known results, incremental and at once."""
import xxhash

assert xxhash.xxh32(b"").hexdigest() == "02cc5d05" and xxhash.xxh64(b"").hexdigest() == "ef46db3751d8e999"
assert xxhash.xxh32(b"a", seed=0).intdigest() == 0x550d7456 and xxhash.xxh64(b"xxhash", seed=20141025).intdigest() == 13067679811253438005
assert xxhash.xxh3_64(b"").hexdigest() == "2d06800538d394c2"
assert xxhash.xxh3_128(b"").hexdigest() == "99aa06d3014798d86001c324468d497f"
data = bytes(range(256)) * 1000
for kind in (xxhash.xxh32, xxhash.xxh64, xxhash.xxh3_64, xxhash.xxh3_128):
    h = kind(seed=5)
    for i in range(0, len(data), 777):
        h.update(data[i:i + 777])
    assert h.digest() == kind(data, 5).digest() == kind(memoryview(data), seed=5).digest()
    assert len(h.digest()) == h.digest_size and h.seed == 5 and h.block_size > 0 and int.from_bytes(h.digest(), "big") == h.intdigest()
    c = h.copy()
    c.update(b"more")
    assert c.digest() != h.digest() and kind(bytearray(data) + b"more", seed=5).digest() == c.digest()
    h.reset()
    assert h.digest() == kind(b"", seed=5).digest()
    one = getattr(xxhash, h.name.lower() + "_hexdigest", None)
    if one:
        assert one(data, 5) == kind(data, 5).hexdigest() and one(data, seed=5) == one(data, 5)
    for bad in (lambda: kind(1), lambda: kind(b"", "seed"), lambda: h.update(None)):
        try:
            bad()
        except TypeError:
            pass
        else:
            raise AssertionError
assert xxhash.xxh64_intdigest(b"abc") == xxhash.xxh64(b"abc").intdigest()
assert xxhash.xxh64(b"x", seed=2**64 + 1).seed == 1 and xxhash.VERSION and xxhash.XXHASH_VERSION
import array
assert xxhash.xxh64(array.array("i", [1, 2])).digest() == xxhash.xxh64(array.array("i", [1, 2]).tobytes()).digest()
