$class A[T: int = str](B, metaclass=C, **d):
  "doc"
  x: int = 1
  def __init__(self, *, __y): self.a = __y; super().__init__()
  type X[*T, **P] = list[T]
  lambda: __class__
