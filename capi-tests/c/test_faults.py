import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import warnings

from check import equal, raises

folder = os.path.dirname(importlib.util.find_spec("faults_functions").origin)
suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
equal((suffix, importlib.machinery.EXTENSION_SUFFIXES[-1], ".abi3.so" in importlib.machinery.EXTENSION_SUFFIXES), (".cpython-313-x86_64-linux-gnu.so", ".so", True))

# Initialisation.
with raises(ImportError, r"^dynamic module does not define module export function \(PyInit_faults_no_init\)$") as r:
    import faults_no_init
equal((r.exc.name, os.path.basename(r.exc.path)), ("faults_no_init", "faults_no_init" + suffix))
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always")
    import faults_wrong_api
equal(str(w[0].message), "Python C API version mismatch for module faults_wrong_api: This Python has API version 1013, module faults_wrong_api has version 1007.")
equal(w[0].category, RuntimeWarning)
with raises(SystemError, "^initialization of faults_null failed without raising an exception$"):
    import faults_null
with raises(SystemError, "^initialization of faults_null_set raised unreported exception$") as r:
    import faults_null_set
equal(repr(r.exc.__cause__), "ValueError('set although a module is returned')")
with raises(SystemError, "^execution of module faults_exec_null failed without setting an exception$"):
    import faults_exec_null
with raises(SystemError, "^module faults_slots uses unknown slot ID 4711$"):
    import faults_slots
for name in ("faults_no_init", "faults_null", "faults_null_set", "faults_exec_null", "faults_slots"):
    assert name not in sys.modules, name

# What the linker refuses. With lazy binding a missing symbol would end the process at its first use.
with raises(ImportError, "undefined symbol: PyObject_ThatNoVersionHas"):
    import faults_missing_symbol

# A definition that was never initialised.
with raises(SystemError, "^init function of faults_def_mismatch returned uninitialized object$"):
    import faults_def_mismatch

# Files that are no extensions, or of another version.
with tempfile.TemporaryDirectory() as temporary:
    def load(name, data=None, source=None, file=None):
        path = os.path.join(temporary, file or name + suffix)
        if source:
            shutil.copy(os.path.join(folder, source + suffix), path)
        else:
            with open(path, "wb") as f:
                f.write(data)
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)

    with raises(ImportError, "file too short"):
        load("empty", b"")
    with raises(ImportError, "invalid ELF header"):
        load("text", b"this is not a shared object" * 100)
    with open(os.path.join(folder, "faults_functions" + suffix), "rb") as f:
        good = f.read()
    other_class = bytearray(good)
    other_class[18:20] = (183).to_bytes(2, "little")  # e_machine: AArch64
    with raises(ImportError, "cannot open shared object file|wrong ELF|ELF"):
        load("arm", bytes(other_class))
    with raises(ImportError, r"^dynamic module does not define module export function \(PyInit_renamed\)$"):
        load("renamed", source="faults_functions")
    # Names of other versions are not looked at.
    sys.path.insert(0, temporary)
    shutil.copy(os.path.join(folder, "faults_functions" + suffix), os.path.join(temporary, "old.cpython-312-x86_64-linux-gnu.so"))
    with raises(ModuleNotFoundError, "^No module named 'old'$"):
        import old
    sys.path.remove(temporary)

# Functions.
import faults_functions as m

with raises(SystemError, "^<built-in function null> returned NULL without setting an exception$"):
    m.null()
with raises(SystemError, "^<built-in function result_and_error> returned a result with an exception set$") as r:
    m.result_and_error()
equal(repr(r.exc.__cause__), "ValueError('left behind')")
with raises(SystemError, "^<built-in function null> returned NULL without setting an exception$"):
    list(map(lambda f: f(), [m.null]))
with raises(SystemError, "bad call flags"):
    m.add_wrong()

# Types.
reports = []
sys.unraisablehook = lambda u: reports.append((u.exc_type, str(u.exc_value)))
bad = m.Bad()
with raises(TypeError, r"^__repr__ returned non-string \(type int\)$"):
    repr(bad)
with raises(SystemError, "returned NULL without setting an exception|error return without exception set"):
    str(bad)
with raises(TypeError, r"^iter\(\) returned non-iterator of type 'int'$"):
    iter(bad)
with raises(SystemError, "returned NULL without setting an exception"):
    m.Bad(1)
with raises(SystemError):
    len(bad)
del bad
equal(reports.pop(), (RuntimeError, "in the finaliser"))
reports.clear()

for how, kind, text in [
    ("slot", RuntimeError, "^invalid slot offset$"), ("base", TypeError, "^type 'bool' is not an acceptable base type$"),
    ("meta", TypeError, "^metaclass conflict: "),
    ("not a base", TypeError, "bases"), ("size", TypeError, "tp_basicsize for type 'bad.Spec' .* is too small"),
]:
    with raises(kind, text):
        m.bad_spec(how)

# A destructor that leaves an exception behind surfaces at the next check, in this process or its end, as in CPython.
code = """
import faults_functions as m
x = m.Leaves()
try:
    del x
    for i in range(3): pass
    len([])
except (RuntimeError, SystemError) as e:
    print(type(e).__name__)
else:
    print("nothing")
"""
done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ, PYTHONPATH=folder))
assert done.returncode >= 0, done
