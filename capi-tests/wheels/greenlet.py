"""Switching of native stacks: frames, exceptions, generators, threads, contexts, collection, deep destruction."""
import contextvars
import gc
import os
import sys
import threading
from greenlet import GreenletExit, getcurrent, greenlet, settrace

main = getcurrent()


def doubler(n):
    try:
        while True:
            n = main.switch(n * 2)
    except ValueError as e:
        return "stopped: %s" % e


g = greenlet(doubler)
assert g.switch(2) == 4 and g.switch(5) == 10 and bool(g) and not g.dead
assert g.throw(ValueError("enough")) == "stopped: enough" and g.dead


# Each greenlet handles its own exception.
def handling():
    try:
        1 / 0
    except ZeroDivisionError:
        main.switch()
        return sys.exc_info()[0]


g = greenlet(handling)
g.switch()
assert sys.exc_info()[0] is None
try:
    raise KeyError
except KeyError:
    assert g.switch() is ZeroDivisionError and sys.exc_info()[0] is KeyError


def fail():
    raise RuntimeError("out")


try:
    greenlet(fail).switch()
except RuntimeError as e:
    assert str(e) == "out" and e.__traceback__.tb_next.tb_frame.f_code is fail.__code__


# The frames of a suspended greenlet can be walked, and go on afterwards.
def deep(n):
    return main.switch("down") if n == 0 else deep(n - 1) + 1


g = greenlet(deep)
assert g.switch(300) == "down"
frame, depth = g.gr_frame, 0
while frame:
    depth, frame = depth + 1, frame.f_back
assert depth == 301 and g.switch(5) == 305

# Through native calls and generators.
g = greenlet(lambda: sorted([3, 1, 2], key=lambda x: (main.switch(x), x)[1]))
assert [g.switch() for _ in range(4)] == [3, 1, 2, [1, 2, 3]]


def numbers():
    for i in range(3):
        main.switch(i)
        yield i


g = greenlet(lambda: list(numbers()))
assert [g.switch() for _ in range(4)] == [0, 1, 2, [0, 1, 2]]
many = [greenlet(lambda i=i: [main.switch(i) for _ in range(3)]) for i in range(300)]
for _ in range(3):
    assert [g.switch() for g in many] == list(range(300))
for g in many:
    g.switch()
assert all(g.dead for g in many)


def nested(n):
    return 0 if n == 0 else greenlet(nested).switch(n - 1) + 1


assert nested(50) == 50

# One that is dropped while suspended is ended.
ended = []


def unfinished():
    try:
        main.switch()
    except GreenletExit:
        ended.append("exit")
        raise
    finally:
        ended.append("finally")


g = greenlet(unfinished)
g.switch()
del g
gc.collect()
assert ended == ["exit", "finally"]


def endless():
    return endless()


def recursion():
    try:
        endless()
    except RecursionError:
        return "too deep"


assert greenlet(recursion).switch() == "too deep"

variable = contextvars.ContextVar("variable", default=0)


def context():
    variable.set(5)
    main.switch()
    return variable.get()


g = greenlet(context)
g.switch()
assert variable.get() == 0 and g.switch() == 5
events = []
settrace(lambda event, args: events.append(event))
greenlet(int).switch()
settrace(None)
assert events == ["switch", "switch"]

results = []


def thread():
    parent = getcurrent()
    results.append(greenlet(lambda: parent.switch(threading.get_ident())).switch() == threading.get_ident())


threads = [threading.Thread(target=thread) for _ in range(5)]
[t.start() for t in threads]
[t.join() for t in threads]
assert results == [True] * 5


# Memory of those that ended is used again.
def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run():
    for _ in range(2000):
        greenlet(int).switch()
        greenlet(lambda: sum(i for i in range(3))).switch()


run()
before = resident()
for _ in range(3):
    run()
assert resident() - before < 8 << 20


# A deallocator that switches while a deep structure is being destroyed.
class Switches:
    count = 0
    other = None

    def __init__(self, n):
        self.n = n

    def __del__(self):
        Switches.count += 1
        if self.n == 500 and Switches.other is None:
            Switches.other = greenlet(destroy)
            assert Switches.other.switch() == "back"
        elif self.n == 40 and getcurrent() is not main:
            try:
                main.switch("back")
            except GreenletExit:
                pass


def chain():
    t = ()
    for n in range(1000, 0, -1):
        t = (Switches(n), t)
    return t


def destroy():
    t = chain()
    del t


t = chain()
del t
Switches.other = None
gc.collect()
assert Switches.count > 1900
