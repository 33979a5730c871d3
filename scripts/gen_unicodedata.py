#!/usr/bin/env python3
"""Make the tables of Modules/unicodedata from the Unicode 15.1 data of a CPython 3.13.

    python3.13 scripts/gen_unicodedata.py

writes the files of Modules/unicodedata/src/tables and Modules/unicodedata/src/names.bin.

The names are kept as sequences of words. names.bin holds, for each name, one byte with the number of its words
followed by the words' numbers (one byte below ONE_BYTE, else two), and after all of them the numbers of the names
in alphabetical order, two bytes each, little-endian.
"""

import collections
import ctypes
import pathlib
import struct
import sys
import unicodedata
from unicodedata import ucd_3_2_0 as old

assert unicodedata.unidata_version == "15.1.0", unicodedata.unidata_version
OUT = pathlib.Path(__file__).parent.parent / "Modules/unicodedata/src"
SHIFT = 7
ONE_BYTE = 160
STEP = 16
ALIASES, SEQUENCES = 0xF0000, 0xF0200
HANGUL = range(0xAC00, 0xAC00 + 11172)


def rust_array(name, doc, ty, items, width=110):
    lines, line = [], "   "
    for item in items:
        text = f" {item},"
        if len(line) + len(text) > width:
            lines.append(line)
            line = "   "
        line += text
    lines.append(line)
    return f"/// {doc}\npub static {name}: &[{ty}] = &[\n" + "\n".join(lines) + "\n];\n\n"


def is_ideograph(name):
    return name is not None and name.startswith("CJK UNIFIED IDEOGRAPH-")


def private_names():
    """The names of aliases and sequences, which CPython keeps at private code points."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    pointer = get(unicodedata._ucnhash_CAPI, b"unicodedata._ucnhash_CAPI")
    prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_int, ctypes.c_int)
    getname = prototype(ctypes.c_void_p.from_address(pointer).value)

    def names(start, end):
        found = []
        for code in range(start, end):
            buffer = ctypes.create_string_buffer(257)
            if not getname(code, buffer, 256, 1):
                break
            found.append(buffer.value.decode())
        return found

    return names(ALIASES, SEQUENCES), names(SEQUENCES, SEQUENCES + 0x800)


def main():
    everything = [chr(i) for i in range(0x110000)]
    categories = sorted({unicodedata.category(c) for c in everything} | {"Cn"}, key=lambda c: (c != "Cn", c))
    bidirectional = sorted({unicodedata.bidirectional(c) for c in everything} | {""})
    widths = sorted({unicodedata.east_asian_width(c) for c in everything})

    pairs = {}
    decompositions = {}
    for c in everything:
        text = unicodedata.decomposition(c)
        if not text:
            continue
        parts = text.split()
        prefix = parts.pop(0) if parts[0].startswith("<") else ""
        codes = [int(p, 16) for p in parts]
        decompositions[ord(c)] = (prefix, codes)
        if not prefix and len(codes) == 2 and unicodedata.normalize("NFC", "".join(map(chr, codes))) == c:
            pairs[tuple(codes)] = ord(c)
    seconds = {second for _, second in pairs} | set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))

    def quick_check(c):
        """Two bits a form (NFD, NFKD, NFC, NFKC): 0 yes, 1 maybe, 2 no."""
        bits = 0
        for shift, form in ((0, "NFD"), (2, "NFKD"), (4, "NFC"), (6, "NFKC")):
            value = 0
            if "\ud800" <= c <= "\udfff":
                value = 0
            elif unicodedata.normalize(form, c) != c:
                value = 2
            elif "C" in form and ord(c) in seconds:
                value = 1
            bits |= value << shift
        return bits

    records, index = {}, []
    for c in everything:
        record = (
            categories.index(unicodedata.category(c)),
            unicodedata.combining(c),
            bidirectional.index(unicodedata.bidirectional(c)),
            unicodedata.mirrored(c),
            widths.index(unicodedata.east_asian_width(c)),
            quick_check(c),
        )
        index.append(records.setdefault(record, len(records)))
    blocks, index1, index2 = {}, [], []
    for start in range(0, len(index), 1 << SHIFT):
        block = tuple(index[start : start + (1 << SHIFT)])
        if block not in blocks:
            blocks[block] = len(blocks)
            index2.extend(block)
        index1.append(blocks[block])

    # What Unicode 3.2 said otherwise.
    changes, changed_forms = [], []
    for c in everything:
        new_values = [f(c) for f in (unicodedata.category, unicodedata.bidirectional, unicodedata.mirrored, unicodedata.east_asian_width)]
        old_values = [f(c) for f in (old.category, old.bidirectional, old.mirrored, old.east_asian_width)]
        decimals = unicodedata.decimal(c, 255), old.decimal(c, 255)
        unassigned = old_values[0] == "Cn" and new_values[0] != "Cn"
        if new_values == old_values and (unassigned or decimals[0] == decimals[1]):
            continue
        record = (
            categories.index(old_values[0]),
            bidirectional.index(old_values[1]),
            old_values[2],
            widths.index(old_values[3]),
            255 if unassigned or decimals[0] == decimals[1] else 254 if decimals[1] == 255 else decimals[1],
        )
        assert record[4] != 254
        if changes and changes[-1][1] == ord(c) - 1 and changes[-1][2] == record:
            changes[-1][1] = ord(c)
        else:
            changes.append([ord(c), ord(c), record])
    for code, (prefix, codes) in decompositions.items():
        if not prefix and old.category(chr(code)) != "Cn":
            a, b = (d.normalize("NFD", chr(code)) for d in (unicodedata, old))
            if a != b and len(codes) == 1 and len(b) == 1:
                changed_forms.append((code, ord(b)))

    # Names.
    named = {}
    for c in everything:
        name = unicodedata.name(c, None)
        if name is not None and not is_ideograph(name) and ord(c) not in HANGUL:
            named[ord(c)] = name
    aliases, sequences = private_names()
    ideographs = []
    for c in everything:
        if is_ideograph(unicodedata.name(c, None)):
            if ideographs and ideographs[-1][1] == ord(c) - 1:
                ideographs[-1][1] = ord(c)
            else:
                ideographs.append([ord(c), ord(c)])
    names = [named[code] for code in sorted(named)] + aliases + sequences
    runs = []
    for number, code in enumerate(sorted(named)):
        if runs and runs[-1][0] + runs[-1][1] == code:
            runs[-1][1] += 1
        else:
            runs.append([code, 1, number])
    count = collections.Counter(word for name in names for word in name.split(" "))
    words = [word for word, _ in sorted(count.items(), key=lambda item: (-item[1], item[0]))]
    numbers = {word: i for i, word in enumerate(words)}
    assert len(words) <= ONE_BYTE + (256 - ONE_BYTE) * 256 and len(names) < 0x10000
    phrases, offsets = bytearray(), []
    for i, name in enumerate(names):
        if i % STEP == 0:
            offsets.append(len(phrases))
        parts = name.split(" ")
        phrases.append(len(parts))
        for part in parts:
            n = numbers[part]
            if n < ONE_BYTE:
                phrases.append(n)
            else:
                n -= ONE_BYTE
                phrases += bytes([ONE_BYTE + (n >> 8), n & 255])
    order = sorted(range(len(names)), key=lambda i: names[i])
    blob = bytes(phrases) + struct.pack(f"<{len(order)}H", *order)
    (OUT / "names.bin").write_bytes(blob)

    # Decompositions: prefix and length, then the code points.
    prefixes = sorted({prefix for prefix, _ in decompositions.values()})
    data, where = [], []
    for code, (prefix, codes) in sorted(decompositions.items()):
        where.append((code, len(data)))
        data.append(len(codes) << 8 | prefixes.index(prefix))
        data.extend(codes)

    quoted = lambda items: [f'"{i}"' for i in items]
    files = {}
    text = ""
    text += rust_array("CATEGORIES", "General categories; the first one is that of unassigned code points.", "&str", quoted(categories))
    text += rust_array("BIDIRECTIONAL", "Bidirectional classes.", "&str", quoted(bidirectional))
    text += rust_array("WIDTHS", "East Asian widths.", "&str", quoted(widths))
    text += rust_array("RECORDS", "Category, combining class, bidirectional class, mirrored, width, quick check of normal forms.", "[u8; 6]", [str(list(r)).replace(" ", "") for r in records])
    text += rust_array("INDEX1", f"Blocks of {1 << SHIFT} code points.", "u16", index1)
    text += rust_array("INDEX2", "Records of the code points of a block.", "u16", index2)
    files["properties", "Properties of the code points."], text = text, ""
    text += rust_array("PREFIXES", "Tags of decompositions; the first one is that of canonical ones.", "&str", quoted(prefixes))
    text += rust_array("DECOMPOSITIONS", "Code points that decompose, and where in the data.", "(u32, u16)", [f"({c}, {o})" for c, o in where])
    text += rust_array("DECOMPOSITION_DATA", "Number of code points (times 256) and tag, then the code points.", "u32", data)
    text += rust_array("COMPOSITIONS", "Pairs and what they compose to, in order.", "(u32, u32, u32)", [f"({a}, {b}, {c})" for (a, b), c in sorted(pairs.items())])
    files["decomposition", "Decompositions and compositions."], text = text, ""
    text += rust_array("CHANGES_3_2", "First and last code point; category, bidirectional class, mirrored, width, decimal (255: as now) of version 3.2.", "(u32, u32, [u8; 5])", [f"({a},{b},{str(list(r)).replace(' ', '')})" for a, b, r in changes])
    text += rust_array("FORMS_3_2", "Code points with another normal form in version 3.2.", "(u32, u32)", [f"({a}, {b})" for a, b in changed_forms])
    files["version_3_2", "What was different in version 3.2."], text = text, ""
    text += rust_array("IDEOGRAPHS", "First and last code points of unified ideographs.", "(u32, u32)", [f"({a}, {b})" for a, b in ideographs])
    text += rust_array("NAME_RUNS", "First code point, length and first name of runs of named code points.", "(u32, u16, u16)", [f"({a}, {b}, {c})" for a, b, c in runs])
    text += rust_array("ALIASES", "The code points of aliases, whose names follow those of the characters.", "u32", [ord(unicodedata.lookup(a)) for a in aliases])
    text += rust_array("SEQUENCES", "The named sequences, whose names follow those of the aliases.", "&[u16]", ["&" + str([ord(c) for c in unicodedata.lookup(s)]) for s in sequences])
    text += rust_array("PHRASE_OFFSETS", f"Where every {STEP}th name begins.", "u32", offsets)
    text += f"/// Numbers of words below this take one byte.\npub const ONE_BYTE: u8 = {ONE_BYTE};\n\n"
    text += f"/// How many names an entry of [`PHRASE_OFFSETS`] covers.\npub const STEP: usize = {STEP};\n\n"
    text += f"/// How many names there are.\npub const NAMES: usize = {len(names)};\n\n"
    text += f"/// How many characters have names of their own.\npub const CHARACTER_NAMES: usize = {len(named)};\n\n"
    text += f"/// The length of the longest name.\npub const NAME_MAXLEN: usize = {max(map(len, names))};\n\n"
    starts, at = [], 0
    for word in words:
        starts.append(at)
        at += len(word)
    starts.append(at)
    text += rust_array("WORD_STARTS", "Where each word begins, and the end of the last.", "u32", starts)
    joined = "".join(words)
    assert all(c.isalnum() or c in "-()," or c == " " for c in joined), {c for c in joined if not c.isalnum()}
    lines = [joined[i : i + 108] for i in range(0, len(joined), 108)]
    text += "/// All words of the names, the most frequent ones first.\npub static WORDS: &str = concat!(\n" + "".join(f'    "{line}",\n' for line in lines) + ");\n"
    files["names", "Names: the code points that have one, the words they are made of."] = text
    generated = "// Generated by scripts/gen_unicodedata.py from the Unicode 15.1 data of CPython 3.13. Do not edit.\n\n"
    (OUT / "tables").mkdir(exist_ok=True)
    for (name, doc), text in files.items():
        (OUT / "tables" / f"{name}.rs").write_text(f"{generated}//! {doc}\n\n{text}".rstrip("\n") + "\n")
    uses = "".join(f"mod {name};\n" for name, _ in files) + "\n" + "".join(f"pub use {name}::*;\n" for name, _ in files)
    (OUT / "tables" / "mod.rs").write_text(f"{generated}//! The Unicode character database, version 15.1.\n\n{uses}")
    print(len(words), "words,", len(names), "names,", len(blob), "bytes;", len(records), "records", file=sys.stderr)


main()
