# stages: code
@decorator
class C[T](Base, metaclass=Meta):
    """A class."""
    x: int = 1

    def __init__(self):
        super().__init__()
        self.y = self.__private = __class__

    squares = [i * i for i in range(10) if i]
