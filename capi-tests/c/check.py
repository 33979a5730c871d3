"""Helpers of the test scripts."""
import re


class raises:
    """with raises(ValueError, "text"): what follows raises it, and says so."""

    def __init__(self, kind, pattern=""):
        self.kind, self.pattern = kind, pattern

    def __enter__(self):
        return self

    def __exit__(self, kind, exc, traceback):
        assert kind is not None, f"{self.kind.__name__} was not raised"
        if kind is not self.kind:
            return False
        assert re.search(self.pattern, str(exc)), f"{str(exc)!r} instead of {self.pattern!r}"
        self.exc = exc.with_traceback(None)
        return True


def equal(got, want):
    assert got == want and type(got) is type(want), f"{got!r} instead of {want!r}"
