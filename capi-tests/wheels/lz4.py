"""Block and frame compression: buffers, contexts in capsules, file objects."""
import io
import os
import tempfile
import lz4
import lz4.block
import lz4.frame

data = b"".join(b"line %d of a text that repeats itself\n" % i for i in range(20000))
for mode in ({}, {"mode": "fast", "acceleration": 4}, {"mode": "high_compression", "compression": 9}):
    c = lz4.block.compress(data, **mode)
    assert len(c) < len(data) and lz4.block.decompress(c) == data
raw = lz4.block.compress(data, store_size=False)
assert lz4.block.decompress(raw, uncompressed_size=len(data)) == data
assert lz4.block.decompress(lz4.block.compress(memoryview(data)), return_bytearray=True) == bytearray(data)
assert lz4.block.decompress(lz4.block.compress(b"dict me", dict=data), dict=data) == b"dict me"
for bad in (b"", b"\x00\x00\x00", b"\xff\xff\xff\x7fxx"):
    try:
        lz4.block.decompress(bad)
    except (ValueError, lz4.block.LZ4BlockError, MemoryError):
        pass
    else:
        raise AssertionError(bad)
try:
    lz4.block.compress("text")
except TypeError:
    pass
else:
    raise AssertionError
f = lz4.frame.compress(data, compression_level=3, content_checksum=True, block_linked=False)
assert lz4.frame.decompress(f) == data
info = lz4.frame.get_frame_info(f)
assert info["content_checksum"] and not info["block_linked"]
ctx = lz4.frame.create_compression_context()
out = lz4.frame.compress_begin(ctx, source_size=len(data))
for i in range(0, len(data), 10007):
    out += lz4.frame.compress_chunk(ctx, data[i:i + 10007])
out += lz4.frame.compress_flush(ctx)
dctx = lz4.frame.create_decompression_context()
got, read, eof = lz4.frame.decompress_chunk(dctx, out)
assert got == data and read == len(out) and eof
with lz4.frame.LZ4FrameCompressor() as comp:
    z = comp.begin() + comp.compress(data) + comp.flush()
with lz4.frame.LZ4FrameDecompressor() as dec:
    parts = [dec.decompress(z[i:i + 999]) for i in range(0, len(z), 999)]
assert b"".join(parts) == data
path = os.path.join(tempfile.mkdtemp(), "x.lz4")
with lz4.frame.open(path, "wb") as w:
    w.write(data)
with lz4.frame.open(path, "rt", encoding="ascii") as r:
    assert sum(1 for _ in r) == 20000
os.remove(path)
try:
    lz4.frame.decompress(b"not a frame at all")
except RuntimeError:
    pass
else:
    raise AssertionError
assert lz4.library_version_number() > 10000
