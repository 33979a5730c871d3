//! What bytes and bytearray share.
