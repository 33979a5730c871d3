//! `_curses`, `_curses_panel` and `readline`, over the system's ncurses and GNU readline.
//!
//! The libraries are bound when the modules are imported: building needs nothing of them, and where one is missing, importing
//! the module that needs it raises ImportError.
//!
//! Must not know: the interpreter's internals.

#[macro_use]
pub mod library;
pub mod convert;
pub mod cursesmodule;
pub mod ncurses;
pub mod libreadline;
pub mod panel;
pub mod readline;
pub mod window;
