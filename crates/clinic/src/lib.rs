//! How a native function is declared: once, in one line of a visible table.
//!
//! ```text
//! methods! {
//!     /// Methods of `list`.
//!     pub static LIST_METHODS = [
//!         "append($self, object, /)" => list_append, "Add one item at the end.";
//!         "pop($self, index=-1, /)" => list_pop, "Take out the item at index and return it.";
//!         "sort($self, /, *, key=None, reverse=False)" => list_sort, "Sort in place, stably.";
//!         class "fromkeys($type, iterable, value=None, /)" => dict_fromkeys, "Make a dict from keys.";
//!         static "maketrans(x, y=<unrepresentable>, z=<unrepresentable>, /)" => str_maketrans, "..";
//!     ];
//! }
//! fn list_pop(slf: Borrowed<'_, PyListObject>, index: isize) -> PyResult<Owned> { .. }
//! ```
//!
//! The signature literal is CPython's text signature (a fact); it is parsed at compile time. The Rust function's
//! parameter types say how arguments are converted ([`FromArg`]) and its result type how it is returned ([`IntoReturn`]).
//! From the line come the `PyMethodDef` with the cheapest calling convention (METH_NOARGS, METH_O, METH_FASTCALL with or
//! without keywords) and CPython's argument errors. A parameter that may be left out needs either a Rust type that knows
//! "absent" (`Option<T>`: absent or, for the default `None`, also Python's `None`) or a default that the type can take from
//! the signature (`index=-1` for integers, `flag=False` for bool, `sep=None` for `Borrowed`).
//!
//! Must not know: any concrete type object, the interpreter.

#![allow(clippy::missing_safety_doc, reason = "entry points share one contract: C API calling convention, GIL held")]

pub mod bind;
pub mod from_arg;
pub mod getset;
pub mod invoke;
pub mod module;
pub mod signature;
pub mod support;

pub use bind::bind;
pub use from_arg::{Args, Bytes, BufferView, Char, FromArg, Kwargs, Str, Tuple, Dict, TypeArg, OrNone};
pub use invoke::{IntoReturn, NativeFn};
pub use signature::{Default, Param, Sig, Signature};
#[doc(hidden)]
pub use taipan_abi as abi;
