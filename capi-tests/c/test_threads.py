import gc
import sys
import threading
import time

import ct_threads as m
from check import equal, raises

# Foreign threads call Python.
seen = set()
lock = threading.Lock()

def callback(i):
    with lock:
        seen.add((threading.get_ident(), i))
    if i == 2:
        raise ValueError("from a foreign thread")

equal(m.call_from_threads(callback, 4, 50), (4, 4, 200))
equal(len(seen), 200)
equal(len({t for t, _ in seen}), 4)
assert threading.get_ident() not in {t for t, _ in seen}

# They can import, allocate, collect, and use thread-local data.
local = threading.local()

def heavy(i):
    import json
    local.value = [json.loads("[1, 2, {}]") for _ in range(20)]
    local.value.append(local.value)
    if i % 20 == 0:
        gc.collect()
    time.sleep(0)

equal(m.call_from_threads(heavy, 3, 60), (3, 0, 180))

# Dummy threads appear and go.
before = threading.active_count()
names = []
m.call_from_threads(lambda i: names.append(type(threading.current_thread()).__name__), 1, 1)
equal(names, ["_DummyThread"])

# Threads of Python beside them.
def spin(stop):
    n = 0
    while not stop.is_set():
        n += 1

stop = threading.Event()
workers = [threading.Thread(target=spin, args=(stop,)) for _ in range(2)]
for w in workers:
    w.start()
equal(m.call_from_threads(lambda i: sum(range(100)), 4, 25), (4, 0, 100))
stop.set()
for w in workers:
    w.join()

# A thread state made by hand.
hits = []
m.call_with_own_state(lambda: hits.append(1))
equal(hits, [1, 1])

# Pending calls run in the main thread, soon.
ran = []
m.pending(lambda: ran.append(threading.current_thread() is threading.main_thread()))
for _ in range(1000):
    if ran:
        break
    time.sleep(0.001)
equal(ran, [True])

# Storage, locks, states.
equal(m.storage(), (1, 1, 0))
equal(m.locks(), (1, 0, 0, 1))
held, released, same, number = m.states()
equal((held, released, same), (1, 1, 1))
assert number > 0

# An exception sent to another thread.
caught = []

def victim():
    try:
        while True:
            time.sleep(0.001)
    except KeyError as e:
        caught.append(type(e))

t = threading.Thread(target=victim)
t.start()
equal(m.interrupt(t.ident, KeyError), 1)
t.join(10)
equal(caught, [KeyError])
equal(m.interrupt(t.ident, KeyError), 0)
