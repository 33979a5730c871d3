//! Descriptors: methods, members, getsets, slot wrappers, mappingproxy, property.
