//! Traceback objects and printing.
