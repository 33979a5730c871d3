//! Prepared statements.

use crate::connection::Conn;
use crate::state::*;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::{null, null_mut};
use libsqlite3_sys as sq;
use taipan_abi::*;
use taipan_clinic::support::{new, without_gil};

/// A prepared statement.
#[repr(C)]
pub struct Statement {
    ob_base: PyObject,
    /// The library's; never NULL in a complete object.
    pub st: *mut sq::sqlite3_stmt,
    /// Whether it changes data.
    pub is_dml: bool,
}

/// The text from its first character on that is neither blank nor in a comment.
fn skip_comments(sql: &[u8]) -> Option<&[u8]> {
    let mut rest = sql;
    loop {
        rest = rest.trim_ascii_start();
        rest = match rest {
            [] => return None,
            [b'-', b'-', line @ ..] => &line[line.iter().position(|&c| c == b'\n')?..],
            [b'/', b'*', comment @ ..] => &comment[comment.windows(2).position(|w| w == b"*/")? + 2..],
            _ => return Some(rest),
        };
    }
}

/// Prepares a statement.
///
/// # Safety
/// The connection is open; `sql` is a str.
pub unsafe fn create(connection: Conn<'_>, sql: Borrowed<'_>) -> PyResult<Owned<Statement>> {
    // SAFETY: [TYPE] the text lives as long as the str.
    unsafe {
        let state = connection.state;
        let mut size = 0;
        let text = PyUnicode_AsUTF8AndSize(sql.ob(), &mut size);
        if text.is_null() {
            return Err(Raised::assume());
        }
        let db = connection.db;
        if size > sq::sqlite3_limit(db, sq::SQLITE_LIMIT_SQL_LENGTH, -1) as Py_ssize_t {
            return Err(error((*state).DataError, "query string is too large"));
        }
        let source = CStr::from_ptr(text).to_bytes();
        if source.len() as Py_ssize_t != size {
            return Err(error((*state).ProgrammingError, "the query contains a null character"));
        }
        let (mut st, mut tail): (_, *const c_char) = (null_mut(), null());
        let rc = without_gil(|| sq::sqlite3_prepare_v2(db, text, size as c_int + 1, &mut st, &mut tail));
        if rc != sq::SQLITE_OK {
            return Err(db_error(state, db));
        }
        let finalize = |e: Raised| {
            sq::sqlite3_finalize(st);
            e
        };
        if skip_comments(CStr::from_ptr(tail).to_bytes()).is_some() {
            return Err(finalize(error((*state).ProgrammingError, "You can only execute one statement at a time.")));
        }
        let first = skip_comments(source).unwrap_or_default();
        let is_dml = ["insert", "update", "delete", "replace"]
            .iter()
            .any(|word| first.get(..word.len()).is_some_and(|w| w.eq_ignore_ascii_case(word.as_bytes())));
        let made = new::<Statement>((*state).StatementType).map_err(finalize)?;
        (*made.as_ptr()).st = st;
        (*made.as_ptr()).is_dml = is_dml;
        Ok(made)
    }
}

/// Makes a statement ready for another run.
///
/// # Safety
/// `statement` is live.
pub unsafe fn reset(statement: *mut Statement) {
    // SAFETY: [ARGS]
    unsafe {
        let st = (*statement).st;
        if !st.is_null() {
            without_gil(|| sq::sqlite3_reset(st));
        }
    }
}

unsafe extern "C" fn traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe { visit_all(slf, &[], visit, arg) }
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        let st = core::mem::replace(&mut (*slf.cast::<Statement>()).st, null_mut());
        if !st.is_null() {
            without_gil(|| sq::sqlite3_finalize(st));
        }
        free_instance(slf);
    }
}

/// Makes the type.
pub fn make(module: Borrowed<'_>) -> PyResult<*mut PyTypeObject> {
    // SAFETY: [LAYOUT]
    unsafe {
        let slots = [(Py_tp_dealloc, dealloc as *mut c_void), (Py_tp_traverse, traverse as *mut c_void)];
        make_type(module, c"sqlite3.Statement", size_of::<Statement>(), Py_TPFLAGS_DISALLOW_INSTANTIATION, &slots)
    }
}
