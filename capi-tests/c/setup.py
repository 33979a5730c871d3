"""Builds the C extensions of this folder. Run with the Python that is to load them."""
import glob
import os

from setuptools import Extension, setup

here = os.path.dirname(os.path.abspath(__file__))
sources = sorted(os.path.relpath(path, here) for path in glob.glob(os.path.join(here, "*.c")))
os.chdir(here)

# faults_*.c are several extensions in one file each: the macro says which one is compiled.
FAULTS = """faults_no_init faults_wrong_api faults_null faults_null_set faults_missing_symbol faults_exec_null
faults_def_mismatch faults_slots faults_functions""".split()

setup(
    name="taipan-capi-tests",
    version="1.0",
    ext_modules=[Extension("ct_" + path[:-2], [path], extra_compile_args=["-Wall", "-Werror", "-O1", "-g"])
                 for path in sources if path != "faults.c"]
    + [Extension(name, ["faults.c"], define_macros=[(name.upper(), None)], extra_compile_args=["-Wall", "-O1", "-g"])
       for name in FAULTS],
)
