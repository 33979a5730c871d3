//! Character properties that str methods need.
