from ._limited import shout
from ._speedups import triple

__all__ = ["shout", "triple"]
