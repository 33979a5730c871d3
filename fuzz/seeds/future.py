 "doc"
from __future__ import annotations
def f(a: b[c], *d: "e") -> (yield): nonlocal_: int
