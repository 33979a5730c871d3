"""A package with C code, to be shipped as source."""
from setuptools import Extension, setup

setup(
    name="ct-sdist",
    version="1.0",
    packages=["ct_sdist"],
    package_dir={"": "src"},
    ext_modules=[
        Extension("ct_sdist._speedups", ["src/ct_sdist/_speedups.c"]),
        # For all versions from 3.9 on, by the limited API.
        Extension("ct_sdist._limited", ["src/ct_sdist/_limited.c"], py_limited_api=True, define_macros=[("Py_LIMITED_API", "0x03090000")]),
    ],
)
