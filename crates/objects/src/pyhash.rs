//! Hash functions: SipHash-1-3 for text, pointers, doubles; the hash secret.
