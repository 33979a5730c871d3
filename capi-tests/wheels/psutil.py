"""Processes and the machine, by a stable-ABI extension."""
import os
import subprocess
import sys
import time
import psutil
from psutil import _psutil_linux  # noqa: F401

me = psutil.Process()
assert me.pid == os.getpid() and me.is_running() and me.ppid() == os.getppid() and me.name()
assert me.memory_info().rss > 1 << 20 and me.cpu_times().user >= 0 and me.num_threads() >= 1
assert me.cwd() == os.getcwd() and me.uids().real == os.getuid() and me.status() == psutil.STATUS_RUNNING
assert psutil.cpu_count() >= 1 and psutil.virtual_memory().total > 1 << 20 and psutil.boot_time() > 0
assert psutil.disk_usage("/").total > 0 and isinstance(psutil.disk_partitions(all=True), list)
assert isinstance(psutil.net_if_addrs(), dict) and isinstance(psutil.net_if_stats(), dict)
assert psutil.cpu_times().user >= 0 and len(psutil.cpu_times(percpu=True)) >= 1
assert psutil.swap_memory().total >= 0 and isinstance(psutil.users(), list)
assert me.nice() == os.nice(0) and me.cpu_affinity() and me.ionice() is not None
assert me.rlimit(psutil.RLIMIT_NOFILE)[0] != 0
with open(__file__) as f:
    assert any(o.path == os.path.realpath(__file__) for o in me.open_files())
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
p = psutil.Process(child.pid)
assert p in me.children() and child.pid in psutil.pids() and psutil.pid_exists(child.pid)
end = time.monotonic() + 10
while "time.sleep(60)" not in " ".join(p.cmdline()) and time.monotonic() < end:
    time.sleep(0.05)
assert "time.sleep(60)" in " ".join(p.cmdline())
p.suspend()
p.resume()
p.terminate()
assert p.wait(timeout=20) == -15
gone, alive = psutil.wait_procs([p], timeout=20)
assert gone == [p] and not alive and not p.is_running()
try:
    psutil.Process(2**30)
except psutil.NoSuchProcess:
    pass
else:
    raise AssertionError
with me.oneshot():
    d = me.as_dict(attrs=["pid", "name", "num_fds", "create_time"])
assert d["num_fds"] >= 3 and d["create_time"] > psutil.boot_time() - 1
