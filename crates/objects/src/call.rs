//! Calling objects: vectorcall, tp_call, convenience calls.
