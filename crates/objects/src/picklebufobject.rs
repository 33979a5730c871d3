//! pickle.PickleBuffer.
