"""Guessing encodings, by modules that mypyc compiled."""
import charset_normalizer
from charset_normalizer import detect, from_bytes, is_binary
from charset_normalizer import md

assert md.__file__.endswith(".so"), md.__file__
samples = {
    "utf_8": "Ça va très bien, merci. Où êtes-vous allé cet été? À bientôt, chère élève! " * 8,
    "cp1251": "Съешь же ещё этих мягких французских булок, да выпей чаю. Широкая электрификация южных губерний. " * 8,
    "big5": "我沒有埋怨，磋砣的只是一些時間。這是一個測試文件，用來檢查編碼的偵測。" * 8,
    "utf_16": "Plain text with a byte order mark, long enough to be sure. " * 8,
}
for encoding, text in samples.items():
    best = from_bytes(text.encode(encoding)).best()
    assert best is not None and str(best) == text, (encoding, best and best.encoding)
r = from_bytes("Привет, как дела? Всё хорошо, спасибо большое. ".encode("utf_8") * 20).best()
assert r.encoding == "utf_8" and "Cyrillic" in r.alphabets and r.language == "Russian" and r.chaos < 0.2 and r.output() == r.raw
assert r.could_be_from_charset and isinstance(r.coherence, float) and r.fingerprint
assert detect(b"plain ascii text only")["encoding"] == "ascii"
assert is_binary(bytes(range(256)) * 20) and not is_binary(b"text " * 100)
assert charset_normalizer.from_bytes(b"").best() is not None
assert md.mess_ratio("This is a perfectly normal sentence.", 0.5) < 0.2
assert md.mess_ratio("\u0393\u2592\u00d1\u2248\u00e7\u20a7\u0192\u2591" * 30, 0.9) > 0.1
try:
    from_bytes("not bytes")
except TypeError:
    pass
else:
    raise AssertionError
