//! Type objects: creation, inheritance, slots, method resolution, the attribute cache.
