"""Builds the pybind11 extension of this folder."""
from pybind11.setup_helpers import Pybind11Extension
from setuptools import setup

setup(
    name="taipan-pybind11-tests",
    version="1.0",
    ext_modules=[Pybind11Extension("ct_pybind11", ["ct_pybind11.cpp"], cxx_std=17, extra_compile_args=["-O1", "-g0"])],
)
