# A program with every construct of the grammar, for the parser's tests.
from __future__ import annotations
import a, b.c, d.e as f
from . import g
from .... import h as i
from ..j.k import (l, m as n,)
from o import *

type Alias[T: (int, str) = int, *Ts = *tuple[int], **P = [int]] = dict[T, P]
x: int
(y): int = 1
z.w: "s" = 2
a = b = *c, d = [e, *f], (g, (h, *i)), (j), ()
a[0], b.c[1:2, ::3, *d], (e) = 1, 2, 3
k += 1; l -= 2; m *= 3; n @= 4; o /= 5; p %= 6; q &= 7; r |= 8; s ^= 9; t <<= 10; u >>= 11; v **= 12; w //= 13
del a, (b, [c]), d.e, f[g]
assert a, "message"
if (n := 10) > 5: pass
elif a: ...
elif b:
    c
else: d
while a:
    if b: break
    continue
else:
    pass
for a, *b in *c, d:
    pass
else:
    e
for (x) in y: z
try:
    a
except (A, B) as e:
    raise C from e
except D: raise
except:
    pass
else:
    b
finally:
    c
try: a
except* A as e: b
except* (B, C): c
with a, b as c, d as (e, f): pass
with (a, b as c,): pass
with (a): pass
with (a, b) as c: pass
with (yield): pass
with (a).b as c, (d): pass


@decorator
@deco.rator(1)[2]
class K[T](A, *B, metaclass=M, **kw):
    "doc"

    @property
    async def m[T](self, a, b=1, /, c: int = 2, *args: *Ts, d, e=3, **kwargs: "x") -> T:
        global g1, g2
        await a
        async with b as c, d: pass
        async with (a, b): pass
        async for x in y: pass
        else: z
        return [await x async for x in y if a if b for z in w], *c

    def f(*, a): nonlocal b
    def g(a, /): yield
    def h(a, *b): x = yield a, *b; y = yield from c
    def i(**k): return


class L: x = 1
class M(): pass


lambda: 0
lambda a, /, b=1, *c, d, e=2, **f: (a, b)
lambda *, a: lambda **k: a if b else c
a if b else c if d else e
a or b and not c
not not a
a < b <= c == d != e > f >= g in h not in i is j is not k
a | b ^ c & d << e >> f + g - h * i / j // k % l @ m
-a ** -b; ~+a; (-a) ** b
await_ = (await_)
a.b.c(d)(e, *f, g=h, *i, **j)[k].l
a(x for x in y)
a((x for x in y), z)
a(b := c, d)
{}, {1: 2, **a, 3: 4,}, {1, *a}, {a: b for a, b in c}, {a for a in b}
[], [1, 2,], [a := 1, *b]
(), (1,), (1, 2), (a := 1), (yield), (yield from a)
a[b:=1], a[:], a[b:c:d], a[b, c:d], a[*b], a[(b := 1):2]
None, True, False, ..., 0, 1_000, 0xFF, 0o17, 0b11, 1.5, 1e10, .5, 5., 1j, 1.5e-3J
123456789012345678901234567890, 0x123456789ABCDEF0123456789
"a" 'b' """c
d""" r'\d' u"e" "\x41\u00e9\U0001F600\
\101\n\N{DIGIT ONE}"
b"a" rb'\x' b'''\xff'''
f"a{b}c{d!r}e{f:>{g}}h{{}}{i=}{j = !s:x}{k,}{*l, m}{lambda_:=^5}{(lambda: 1)}" "n"
f'''{
    a  # comment
    + b
}''' rf"\{x}" f"{f"{f'{1}'}"}"
print(é, ñandú, ℌ)
match x:
    case 1 | -2 | 3.5 + 4j | "s" "t" | None | True: pass
    case [a, *b] | (c, *_): pass
    case (a): pass
    case a, *rest if b: pass
    case {"k": v, a.b: 1, -1: 2, **rest}: pass
    case {}: pass
    case A(), b.C(1, x, k=2, l=[],): pass
    case x.y.z as w: pass
    case (): pass
    case _: pass
match = 1
match.case[_] = type
match (a, b)
match[a] = b
match -a
match * a, b
type(x)
type = case = _
print(match, case, type, _)
