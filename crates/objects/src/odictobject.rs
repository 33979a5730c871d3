//! `collections.OrderedDict`.
