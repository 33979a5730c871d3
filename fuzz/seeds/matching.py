 def f(x):
  match x, *y:
    case [1, *_, 2] | {"a": b, **c} | D(e, f=g) if b: return 1
    case None | -1 | 2+3j | "s" "t" | A.B: return 2
    case (a, b) as c: del a
    case _: global h; h = 1
