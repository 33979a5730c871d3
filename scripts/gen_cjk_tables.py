#!/usr/bin/env python3
"""Writes Modules/cjkcodecs/src/tables.bin: the mappings of the CJK codecs, found by running those of a CPython 3.13.

usage: cpython3.13 scripts/gen_cjk_tables.py [FILE]

The file starts with the offsets of the tables and, last, of the four-byte ranges of GB 18030: four bytes each, the least
significant first. Each table maps codes to code points. A code is two bytes as a number; 0x10000 is added to the two bytes that follow 0x8F in
a sequence of three, 0x20000 to a single byte. The value of a code that stands for two code points is 0x110000 plus the
index of the pair. The file holds for each table of TABLES, all numbers as LEB128:

    1 + the index of the table that it starts as a copy of, or 0; sets of ISO 2022 take only codes of two bytes
    256 bytes' classes as (length, class) runs: 0 illegal, 1 a character, 2 and 3 the first of so many bytes
    the number of pairs, and both code points of each
    the mapping from codes to code points, where it differs from that of the base
    the number of codes whose error is two bytes long, and these
    the mapping from code points to codes, where it differs from what follows from the codes: single bytes before others,
    smaller codes before larger ones

A mapping is a number of segments: the gap from the end of the one before, the kind, the length, and values, of which
zigzag differences to the last one are stored: kind 0 has all, 1 has the first and counts on from there, 2 has none and
stands for "not mapped"."""

import codecs
import sys


def try_decode(codec, data):
    """The text, or the length of the error."""
    try:
        return codec.decode(data)[0]
    except UnicodeDecodeError as e:
        return (e.start, e.end - e.start, e.reason)


def try_encode(codec, text):
    try:
        return codec.encode(text)[0]
    except UnicodeEncodeError:
        return None


class Table:
    """What a codec does: classes of bytes, decoding and encoding maps."""

    def __init__(self):
        self.classes = [0] * 256
        self.dec = {}
        self.pairs = []
        self.bad2 = []
        self.enc = {}

    def value(self, text):
        if len(text) == 1:
            return ord(text)
        assert len(text) == 2
        pair = (ord(text[0]), ord(text[1]))
        if pair not in self.pairs:
            self.pairs.append(pair)
        return 0x110000 + self.pairs.index(pair)


def of_codec(name):
    """The table of a codec without shift states."""
    codec = codecs.lookup(name)
    t = Table()
    for b in range(256):
        r = try_decode(codec, bytes([b]))
        if isinstance(r, str):
            t.classes[b] = 1
            t.dec[0x20000 + b] = t.value(r)
        elif r[2].startswith("incomplete"):
            t.classes[b] = 2
            # Whether two bytes can be enough.
            if name.startswith("euc_j") and b == 0x8F:
                t.classes[b] = 3
    for b in range(256):
        if t.classes[b] == 2:
            for c in range(256):
                r = try_decode(codec, bytes([b, c]))
                if isinstance(r, str):
                    t.dec[b << 8 | c] = t.value(r)
                elif r[2].startswith("incomplete"):
                    # Longer sequences of GB 18030 and EUC-KR: not of the tables.
                    assert name in ("gb18030", "euc_kr"), (name, b, c)
                else:
                    assert r[0] == 0 and r[1] in (1, 2), (name, b, c, r)
                    if r[1] == 2:
                        t.bad2.append(b << 8 | c)
        elif t.classes[b] == 3:
            for c in range(256):
                for d in range(256):
                    r = try_decode(codec, bytes([b, c, d]))
                    if isinstance(r, str):
                        t.dec[0x10000 | c << 8 | d] = t.value(r)
                    else:
                        assert r[:2] == (0, 1), (name, b, c, d, r)
    for cp in range(0x110000):
        data = try_encode(codec, chr(cp))
        if data is not None:
            put(t, name, cp, data)
    check_pairs(t, codec)
    return t


def put(t, name, cp, data):
    if len(data) == 1:
        t.enc[cp] = 0x20000 + data[0]
    elif len(data) == 2:
        t.enc[cp] = data[0] << 8 | data[1]
    elif len(data) == 3:
        assert data[0] == 0x8F
        t.enc[cp] = 0x10000 | data[1] << 8 | data[2]
    else:
        # The algorithmic parts of GB 18030 and EUC-KR.
        assert name in ("gb18030", "euc_kr") and len(data) in (4, 8), (name, cp, data)


def check_pairs(t, codec):
    codes = {v - 0x110000: k for k, v in t.dec.items() if v >= 0x110000}
    for i, (a, b) in enumerate(t.pairs):
        data = codec.encode(chr(a) + chr(b))[0]
        assert data == bytes([codes[i] >> 8, codes[i] & 255]), (a, b, data)
        assert a in t.enc or try_encode(codec, chr(a)) is None


def of_set(decoder, escape, *also):
    """The table of a 94x94 set of ISO 2022, with both bytes' high bit set, as a codec that designates it shows it; `also`
    are the escape sequences of sets that the encoder prefers, and that this one contains."""
    t = Table()
    codec = codecs.lookup(decoder)
    for b in range(0x21, 0x7F):
        for c in range(0x21, 0x7F):
            r = try_decode(codec, escape + bytes([b, c]))
            if isinstance(r, str):
                t.dec[(b << 8 | c) + 0x8080] = t.value(r)
            else:
                assert r[:2] == (len(escape), 2), (decoder, b, c, r)
    for cp in range(0x80, 0x110000):
        data = try_encode(codec, chr(cp))
        for mark in (escape, *also):
            if data is not None and data.startswith(mark):
                code = data[len(mark):]
                t.enc[cp] = (code[0] << 8 | code[1]) + 0x8080
    return t


def of_shifted_set():
    """KS X 1001 as ISO-2022-KR shows it."""
    t = Table()
    codec = codecs.lookup("iso2022_kr")
    for b in range(0x21, 0x7F):
        for c in range(0x21, 0x7F):
            r = try_decode(codec, b"\x1b$)C\x0e" + bytes([b, c]))
            if isinstance(r, str):
                t.dec[(b << 8 | c) + 0x8080] = t.value(r)
    for cp in range(0x80, 0x110000):
        data = try_encode(codec, chr(cp))
        if data is not None:
            assert data.startswith(b"\x1b$)C\x0e")
            t.enc[cp] = (data[5] << 8 | data[6]) + 0x8080
    return t


# Name, name of the base, what makes it. The order is that of Rust's enum.
TABLES = [
    ("gb18030", None, lambda: of_codec("gb18030")),
    ("gbk", "gb18030", lambda: of_codec("gbk")),
    ("gb2312", None, lambda: of_codec("gb2312")),
    ("big5", None, lambda: of_codec("big5")),
    ("cp950", "big5", lambda: of_codec("cp950")),
    ("big5hkscs", "big5", lambda: of_codec("big5hkscs")),
    ("euc_jp", None, lambda: of_codec("euc_jp")),
    ("euc_jis_2004", "euc_jp", lambda: of_codec("euc_jis_2004")),
    ("euc_jisx0213", "euc_jis_2004", lambda: of_codec("euc_jisx0213")),
    ("shift_jis", None, lambda: of_codec("shift_jis")),
    ("cp932", "shift_jis", lambda: of_codec("cp932")),
    ("shift_jis_2004", "shift_jis", lambda: of_codec("shift_jis_2004")),
    ("shift_jisx0213", "shift_jis_2004", lambda: of_codec("shift_jisx0213")),
    ("cp949", None, lambda: of_codec("cp949")),
    ("euc_kr", "cp949", lambda: of_codec("euc_kr")),
    ("johab", None, lambda: of_codec("johab")),
    ("jisx0213_2004_1", "euc_jis_2004", lambda: of_set("iso2022_jp_2004", b"\x1b$(Q", b"\x1b$B")),
    ("jisx0213_2004_2", None, lambda: of_set("iso2022_jp_2004", b"\x1b$(P")),
    ("jisx0213_2000_1", "jisx0213_2004_1", lambda: of_set("iso2022_jp_3", b"\x1b$(O", b"\x1b$B")),
    ("jisx0213_2000_2", "jisx0213_2004_2", lambda: of_set("iso2022_jp_3", b"\x1b$(P")),
]


def check_sets(made):
    """Sets of ISO 2022 that are parts of other tables."""
    jp, kr = made["euc_jp"], made["cp949"]
    x0208 = of_set("iso2022_jp", b"\x1b$B")
    x0212 = of_set("iso2022_jp_1", b"\x1b$(D")
    ksx1001 = of_shifted_set()
    two = lambda c: 0xA1A1 <= c < 0x10000 and c & 0xFF >= 0xA1
    assert x0208.dec == {c: v for c, v in jp.dec.items() if two(c)}
    assert x0208.enc == {v: c for v, c in jp.enc.items() if two(c)}
    assert x0212.dec == {c & 0xFFFF: v for c, v in jp.dec.items() if c >> 16 == 1}
    assert x0212.enc == {v: c & 0xFFFF for v, c in jp.enc.items() if c >> 16 == 1}
    assert ksx1001.dec == {c: v for c, v in kr.dec.items() if two(c)}
    assert ksx1001.enc == {v: c for v, c in kr.enc.items() if two(c)}


def leb(out, n):
    assert n >= 0
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)


def zigzag(n):
    return n << 1 if n >= 0 else -n << 1 | 1


def mapping(out, new, old):
    """The segments by which `new` differs from `old`."""
    keys = sorted(k for k in new.keys() | old.keys() if new.get(k) != old.get(k))
    segments = []
    i = 0
    while i < len(keys):
        k = keys[i]
        v = new.get(k)
        n = 1
        if v is None:
            while i + n < len(keys) and keys[i + n] == k + n and new.get(k + n) is None:
                n += 1
            segments.append((k, 2, n, []))
        else:
            while i + n < len(keys) and keys[i + n] == k + n and new.get(k + n) == v + n:
                n += 1
            if n >= 4 or not (segments and segments[-1][1] == 0 and segments[-1][0] + segments[-1][2] == k):
                segments.append((k, 1 if n >= 4 else 0, n, [v + j for j in range(n)]))
            else:
                start, kind, length, values = segments.pop()
                segments.append((start, 0, length + n, values + [v + j for j in range(n)]))
        i += n
    leb(out, len(segments))
    end, last = 0, 0
    for start, kind, length, values in segments:
        leb(out, start - end)
        leb(out, kind)
        leb(out, length)
        if kind == 1:
            values, after = values[:1], values[-1]
        for v in values:
            leb(out, zigzag(v - last))
            last = v
        if kind == 1:
            last = after
        end = start + length


def inverse(t):
    """What encoding follows from decoding."""
    enc = {}
    for code in sorted(t.dec, key=lambda c: (c < 0x20000, c)):
        if t.dec[code] < 0x110000:
            enc.setdefault(t.dec[code], code)
    return enc


def gb18030_ranges(out):
    """Code points of the BMP that GB 18030 writes with four bytes: (index, first code point) of each range."""
    codec = codecs.lookup("gb18030")
    ranges = []
    for index in range(39420):
        i = index
        d = i % 10; i //= 10
        c = i % 126; i //= 126
        b = i % 10; i //= 10
        r = try_decode(codec, bytes([0x81 + i, 0x30 + b, 0x81 + c, 0x30 + d]))
        assert isinstance(r, str) and len(r) == 1
        if not ranges or ord(r) - ranges[-1][1] != index - ranges[-1][0]:
            ranges.append((index, ord(r)))
    leb(out, len(ranges))
    last = (0, 0)
    for index, cp in ranges:
        leb(out, index - last[0])
        leb(out, zigzag(cp - last[1]))
        last = (index, cp)


def main():
    target = sys.argv[1] if len(sys.argv) > 1 else "Modules/cjkcodecs/src/tables.bin"
    out = bytearray()
    offsets = []
    made = {}
    names = [name for name, _, _ in TABLES]
    for name, base, make in TABLES:
        start = len(out)
        offsets.append(start)
        t = made[name] = make()
        old = made[base] if base else Table()
        if base and not any(t.classes):
            copy = Table()
            copy.dec = {k: v for k, v in old.dec.items() if k < 0x10000}
            copy.pairs = old.pairs
            old = copy
        leb(out, names.index(base) + 1 if base else 0)
        b = 0
        while b < 256:
            n = 1
            while b + n < 256 and t.classes[b + n] == t.classes[b]:
                n += 1
            leb(out, n)
            leb(out, t.classes[b])
            b += n
        leb(out, len(t.pairs))
        for pair in t.pairs:
            for cp in pair:
                leb(out, cp)
        # Values of pairs differ from those of the base if the pairs do.
        old_dec = old.dec if old.pairs == t.pairs else {k: v for k, v in old.dec.items() if v < 0x110000}
        mapping(out, t.dec, old_dec)
        leb(out, len(t.bad2))
        for code in t.bad2:
            leb(out, code)
        mapping(out, t.enc, inverse(t))
        print(name, len(t.dec), len(t.enc), len(t.pairs), len(out) - start, "bytes", file=sys.stderr)
    check_sets(made)
    offsets.append(len(out))
    gb18030_ranges(out)
    with open(target, "wb") as f:
        for offset in offsets:
            f.write((offset + 4 * len(offsets)).to_bytes(4, "little"))
        f.write(out)


main()
