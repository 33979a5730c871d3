//! Operations on any object: generic attributes, repr, str, comparison, hash, truth; None, NotImplemented, Ellipsis machinery.
