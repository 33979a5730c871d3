//! Free lists of small objects.
