"""Builds the Cython extension of this folder."""
from Cython.Build import cythonize
from setuptools import Extension, setup

setup(
    name="taipan-cython-tests",
    version="1.0",
    ext_modules=cythonize(
        [Extension("ct_cython", ["ct_cython.pyx"], extra_compile_args=["-O1", "-w"])],
        language_level=3,
        build_dir="../../build/extensions/cython.c",
        force=True,
        quiet=True,
    ),
)
