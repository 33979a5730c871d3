//! What is used of GNU readline 8 (or 7) and its history.

use core::ffi::{c_char, c_int, c_void};
use libc::FILE;

/// The version of the header that these declarations follow.
pub const RL_READLINE_VERSION: i64 = 0x0802;

/// An entry of the history.
#[repr(C)]
#[allow(missing_docs, reason = "fields of the library's header")]
pub struct HIST_ENTRY {
    pub line: *mut c_char,
    pub timestamp: *mut c_char,
    pub data: *mut c_void,
}
/// The whole history.
#[repr(C)]
#[allow(missing_docs, reason = "fields of the library's header")]
pub struct HISTORY_STATE {
    pub entries: *mut *mut HIST_ENTRY,
    pub offset: c_int,
    pub length: c_int,
    pub size: c_int,
    pub flags: c_int,
}

/// Shows possible completions: the common prefix and those, how many, the longest one's length.
pub type rl_compdisp_func_t = unsafe extern "C" fn(*mut *mut c_char, c_int, c_int);
/// Gives one possible completion after the other, in memory of `malloc`.
pub type rl_compentry_func_t = unsafe extern "C" fn(*const c_char, c_int) -> *mut c_char;
/// Gives all possible completions of a part of the line.
pub type rl_completion_func_t = unsafe extern "C" fn(*const c_char, c_int, c_int) -> *mut *mut c_char;
/// Called at some point.
pub type rl_hook_func_t = unsafe extern "C" fn() -> c_int;
/// Takes over a line that was read.
pub type rl_vcpfunc_t = unsafe extern "C" fn(*mut c_char);

crate::library! {
    /// GNU readline.
    "readline", ["libreadline.so.8", "libreadline.so.7"];
    functions {
        fn add_history(line: *const c_char);
        fn append_history(n: c_int, file: *const c_char) -> c_int;
        fn clear_history();
        fn free_history_entry(entry: *mut HIST_ENTRY) -> *mut c_void;
        fn history_get(offset: c_int) -> *mut HIST_ENTRY;
        fn history_get_history_state() -> *mut HISTORY_STATE;
        fn history_truncate_file(file: *const c_char, n: c_int) -> c_int;
        fn read_history(file: *const c_char) -> c_int;
        fn remove_history(which: c_int) -> *mut HIST_ENTRY;
        fn replace_history_entry(which: c_int, line: *const c_char, data: *mut c_void) -> *mut HIST_ENTRY;
        fn rl_bind_key(key: c_int, function: *mut c_void) -> c_int;
        fn rl_bind_key_in_map(key: c_int, function: *mut c_void, map: *mut c_void) -> c_int;
        fn rl_callback_handler_install(prompt: *const c_char, handler: rl_vcpfunc_t);
        fn rl_callback_handler_remove();
        fn rl_callback_read_char();
        fn rl_callback_sigcleanup();
        fn rl_cleanup_after_signal();
        fn rl_completion_matches(text: *const c_char, generator: rl_compentry_func_t) -> *mut *mut c_char;
        fn rl_free_line_state();
        fn rl_initialize() -> c_int;
        fn rl_insert_text(text: *const c_char) -> c_int;
        fn rl_parse_and_bind(line: *mut c_char) -> c_int;
        fn rl_prep_terminal(meta: c_int);
        fn rl_read_init_file(file: *const c_char) -> c_int;
        fn rl_redisplay();
        fn rl_resize_terminal();
        fn rl_variable_bind(name: *const c_char, value: *const c_char) -> c_int;
        fn using_history();
        fn write_history(file: *const c_char) -> c_int;
    }
    pointers {}
    variables {
        emacs_meta_keymap: c_void;
        rl_attempted_completion_function: Option<rl_completion_func_t>;
        rl_attempted_completion_over: c_int;
        rl_catch_signals: c_int;
        rl_complete: c_void;
        rl_completer_word_break_characters: *const c_char;
        rl_completion_append_character: c_int;
        rl_completion_display_matches_hook: Option<rl_compdisp_func_t>;
        rl_completion_suppress_append: c_int;
        rl_completion_type: c_int;
        rl_insert: c_void;
        rl_instream: *mut FILE;
        rl_library_version: *const c_char;
        rl_line_buffer: *mut c_char;
        rl_outstream: *mut FILE;
        rl_pre_input_hook: Option<rl_hook_func_t>;
        rl_readline_name: *const c_char;
        rl_readline_version: c_int;
        rl_startup_hook: Option<rl_hook_func_t>;
    }
}
