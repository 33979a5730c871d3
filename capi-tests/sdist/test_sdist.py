import os
import subprocess
import sys
import sysconfig

import ct_sdist
from ct_sdist import _limited, _speedups

assert (ct_sdist.triple(14), ct_sdist.shout("hey")) == (42, "HEY!")
assert os.path.basename(_speedups.__file__) == "_speedups" + sysconfig.get_config_var("EXT_SUFFIX"), _speedups.__file__
assert os.path.basename(_limited.__file__) == "_limited.abi3.so", _limited.__file__

# What tells how to build names things that are there.
include = sysconfig.get_path("include")
assert os.path.exists(os.path.join(include, "Python.h")) and os.path.exists(sysconfig.get_config_h_filename())
assert os.path.exists(sysconfig.get_makefile_filename())
assert sysconfig.get_config_var("INCLUDEPY") == include
assert sysconfig.get_config_var("SOABI") == "cpython-313-x86_64-linux-gnu"
assert sysconfig.get_platform() == "linux-x86_64"
with open(sysconfig.get_config_h_filename()) as f:
    header = sysconfig.parse_config_h(f)
assert (header["SIZEOF_VOID_P"], header["SIZEOF_LONG"], header["SIZEOF_WCHAR_T"]) == (8, 8, 4)

config = os.path.join(sys.prefix, "bin", "python3-config")
def ask(option):
    return subprocess.run([config, option], capture_output=True, text=True, check=True).stdout.strip()
assert ask("--includes") == "-I" + include, ask("--includes")
assert ask("--extension-suffix") == sysconfig.get_config_var("EXT_SUFFIX")
assert os.path.isdir(ask("--configdir"))

# As a Makefile would do it.
folder = os.environ["CT_WORK"]
source = os.path.join(folder, "by_hand.c")
with open(source, "w") as f:
    f.write('#include <Python.h>\nstatic struct PyModuleDef d = {PyModuleDef_HEAD_INIT, "by_hand"};\n'
            "PyMODINIT_FUNC PyInit_by_hand(void) { return PyModule_Create(&d); }\n")
target = os.path.join(folder, "by_hand" + ask("--extension-suffix"))
subprocess.run(["cc", "-shared", "-fPIC", *ask("--cflags").split(), source, "-o", target, *ask("--ldflags").split()], check=True)
sys.path.insert(0, folder)
import by_hand  # noqa: E402

assert by_hand.__file__ == target
