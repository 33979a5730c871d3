//! Allocators: PyObject_*, PyMem_*, PyMem_Raw*; size-classed pages with side tables.
