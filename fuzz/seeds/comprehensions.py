 def f(a):
  return [x for y in a for x in y if (z := x)], {k: [j for j in k] for k in a}, (i async for i in a)
[b for b in [lambda: b]]
class C: d = [e for e in (1, 2) if e]
