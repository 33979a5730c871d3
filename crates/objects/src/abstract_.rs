//! The abstract object layer: PyObject_*, PyNumber_*, PySequence_*, PyMapping_*, PyIter_*, buffers.
