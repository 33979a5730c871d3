//! The native module `_asyncio`: futures and tasks.
//!
//! [`state`] has what the module imports and keeps, and the calls to event loops, [`future`] `Future`, [`iter`] what `await`
//! iterates over, [`task`] `Task`, [`step`] how a task's coroutine is driven, [`module`] the functions.

#![allow(deprecated, reason = "what CPython's own module of this name uses")]

#![allow(clippy::missing_safety_doc, reason = "entry points share one contract: C API calling convention, GIL held")]

pub mod future;
pub mod iter;
pub mod module;
pub mod state;
pub mod step;
pub mod task;
