# stages: symtable
import a.b, c as d

def outer(p, *, k=1):
    x = 1
    global g

    def inner():
        nonlocal x
        x = g
        return lambda: p + k
    return [x + i for i in inner()]


class C:
    attr = 1

    def method(self):
        return super().method(attr)

    def generic[T](self, arg: T) -> attr: ...

    cells = [lambda: y for y in range(3)]


type Alias[T: int = str] = list[T]
