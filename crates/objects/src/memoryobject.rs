//! memoryview and managed buffers.
