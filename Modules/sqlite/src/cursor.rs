//! Cursors: running statements and fetching rows.

use crate::connection::{Conn, Connection};
use crate::state::*;
use crate::statement::{self, Statement};
use core::ffi::{CStr, c_char, c_int, c_long, c_void};
use core::ptr::null_mut;
use libsqlite3_sys as sq;
use taipan_abi::*;
use taipan_clinic::support::{bytes, float, int, tuple, without_gil};
use taipan_clinic::{BufferView, Str, initializer, members, methods};

/// `sqlite3.PARSE_DECLTYPES`: converters are found by the declared types of columns.
pub const PARSE_DECLTYPES: c_int = 1;
/// `sqlite3.PARSE_COLNAMES`: converters are found by names of columns like `x [type]`.
pub const PARSE_COLNAMES: c_int = 2;

/// A cursor.
#[repr(C)]
pub struct Cursor {
    ob_base: PyObject,
    connection: *mut Connection,
    /// A tuple with a tuple for each column, or `None`.
    pub description: *mut PyObject,
    /// A list with a converter or `None` for each column, or NULL.
    converters: *mut PyObject,
    arraysize: c_int,
    lastrowid: *mut PyObject,
    rowcount: c_long,
    /// What makes the rows, or `None`.
    pub row_factory: *mut PyObject,
    statement: *mut Statement,
    closed: bool,
    /// Whether it is running something.
    locked: bool,
    initialized: bool,
    weakrefs: *mut PyObject,
}
/// A cursor, lent.
pub type C<'a> = Borrowed<'a, Cursor>;

fn not_initialised(c: C<'_>) -> Raised {
    // SAFETY: [TYPE]
    unsafe { error((*of_type(c.ob_base.ob_type)).ProgrammingError, "Base Cursor.__init__ not called.") }
}
fn check_locked(c: C<'_>) -> PyResult<()> {
    if c.locked {
        // SAFETY: [TYPE] what runs has a connection.
        return Err(error(unsafe { (*(*c.connection).state).ProgrammingError }, "Recursive use of cursors not allowed."));
    }
    Ok(())
}
fn connection<'a>(c: C<'a>) -> Conn<'a> {
    // SAFETY: [TYPE] initialised.
    unsafe { Borrowed::from_ptr(c.connection) }
}
/// Raises unless it may be used.
fn check(c: C<'_>) -> PyResult<()> {
    if !c.initialized || c.connection.is_null() {
        return Err(not_initialised(c));
    }
    let con = connection(c);
    if c.closed {
        // SAFETY: [TYPE]
        return Err(error(unsafe { (*con.state).ProgrammingError }, "Cannot operate on a closed cursor."));
    }
    con.check_thread()?;
    con.check_open()?;
    check_locked(c)
}

fn cursor_init(c: C<'_>, con: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE] checked; [OWN]
    unsafe {
        let state = of_type(c.ob_base.ob_type);
        if PyObject_TypeCheck(con.ob(), (*state).ConnectionType) == 0 {
            return Err(bad_argument("Cursor", "argument 1", "sqlite3.Connection", con.ob()));
        }
        check_locked(c)?;
        let p = c.as_ptr();
        setref(&raw mut (*p).connection, con.to_owned().into_raw().cast());
        drop_statement(c);
        setref(&raw mut (*p).converters, null_mut());
        setref(&raw mut (*p).description, none());
        setref(&raw mut (*p).lastrowid, none());
        (*p).arraysize = 1;
        (*p).closed = false;
        (*p).rowcount = -1;
        setref(&raw mut (*p).row_factory, none());
        let con = connection(c);
        con.check_thread()?;
        if con.cursors.is_null() {
            con.check_open()?;
        }
        let reference = Owned::from_owned_or_err(PyWeakref_NewRef(p.cast(), null_mut()))?;
        check_status(PyList_Append(con.cursors, reference.as_ptr()))?;
        (*p).initialized = true;
    }
    Ok(())
}

/// Resets its statement and lets it go.
fn drop_statement(c: C<'_>) {
    // SAFETY: [OWN]
    unsafe {
        let st = core::mem::replace(&mut (*c.as_ptr()).statement, null_mut());
        if !st.is_null() {
            statement::reset(st);
            Py_DECREF(st.cast());
        }
    }
}

// ---- columns

/// The converter that is registered for a type, lent.
unsafe fn converter(state: S, name: &[u8]) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let key = Owned::from_owned_or_err(PyUnicode_FromStringAndSize(name.as_ptr().cast(), name.len() as Py_ssize_t))?;
        let upper = Owned::from_owned_or_err(PyObject_CallMethodNoArgs(key.as_ptr(), intern!("upper")))?;
        let mut found = null_mut();
        check_status(PyDict_GetItemRef((*state).converters, upper.as_ptr(), &mut found))?;
        Ok(Owned::from_owned_or_opt(found))
    }
}
fn column_name<'a>(st: *mut sq::sqlite3_stmt, i: c_int) -> PyResult<&'a [u8]> {
    // SAFETY: [ARGS] valid until the statement is prepared again.
    unsafe {
        let name = sq::sqlite3_column_name(st, i);
        if name.is_null() { Err(no_memory()) } else { Ok(CStr::from_ptr(name).to_bytes()) }
    }
}
/// The text between brackets in a column's name.
fn bracketed(name: &[u8]) -> Option<&[u8]> {
    let mut start = None;
    for (i, &c) in name.iter().enumerate() {
        match c {
            b'[' => start = Some(i + 1),
            b']' if start.is_some() => return start.map(|s| &name[s..i]),
            _ => {}
        }
    }
    None
}
/// Finds the converters of all columns.
fn find_converters(c: C<'_>) -> PyResult<()> {
    let con = connection(c);
    if con.detect_types == 0 {
        return Ok(());
    }
    // SAFETY: [TYPE] there is a statement.
    unsafe {
        let st = (*c.statement).st;
        let list = Owned::from_owned_or_err(PyList_New(0))?;
        setref(&raw mut (*c.as_ptr()).converters, null_mut());
        for i in 0..sq::sqlite3_column_count(st) {
            let mut found = None;
            if con.detect_types & PARSE_COLNAMES != 0
                && let Some(name) = bracketed(column_name(st, i)?)
            {
                found = converter(con.state, name)?;
            }
            if found.is_none() && con.detect_types & PARSE_DECLTYPES != 0 {
                let declared = sq::sqlite3_column_decltype(st, i);
                if !declared.is_null() {
                    let declared = CStr::from_ptr(declared).to_bytes();
                    // The first word tells: "NUMBER(10)" is "NUMBER".
                    let end = declared.iter().position(|c| b" (".contains(c)).unwrap_or(declared.len());
                    found = converter(con.state, &declared[..end])?;
                }
            }
            let found = found.map_or_else(taipan_clinic::support::none, |f| f);
            check_status(PyList_Append(list.as_ptr(), found.as_ptr()))?;
        }
        setref(&raw mut (*c.as_ptr()).converters, list.into_raw());
    }
    Ok(())
}
/// A description of the columns for `Cursor.description`.
fn describe(c: C<'_>, columns: c_int) -> PyResult<Owned> {
    let detect = connection(c).detect_types;
    let mut all = Vec::with_capacity(columns as usize);
    for i in 0..columns {
        // SAFETY: [TYPE] there is a statement.
        let mut name = column_name(unsafe { (*c.statement).st }, i)?;
        if detect & PARSE_COLNAMES != 0
            && let Some(end) = name.iter().position(|&b| b == b'[')
        {
            let end = if end > 0 && name[end - 1] == b' ' { end - 1 } else { end };
            name = &name[..end];
        }
        // SAFETY: [ARGS]
        let name = unsafe { Owned::from_owned_or_err(PyUnicode_FromStringAndSize(name.as_ptr().cast(), name.len() as Py_ssize_t))? };
        let mut one = vec![name];
        one.extend((0..6).map(|_| taipan_clinic::support::none()));
        all.push(tuple(one)?);
    }
    tuple(all)
}

/// The text of a column, as the connection wants it.
unsafe fn text_value(con: Conn<'_>, st: *mut sq::sqlite3_stmt, i: c_int, text: *const c_char, size: Py_ssize_t) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let factory = con.text_factory;
        if factory == (&raw mut PyUnicode_Type).cast() {
            let made = Owned::from_owned_or_err(PyUnicode_FromStringAndSize(text, size));
            if made.is_err() && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError) != 0 {
                PyErr_Clear();
                let name = String::from_utf8_lossy(column_name(st, i)?).into_owned();
                let raw = CStr::from_ptr(text).to_bytes();
                let mut message = format!("Could not decode to UTF-8 column '{name}' with text '").into_bytes();
                message.extend_from_slice(raw);
                message.push(b'\'');
                message.truncate(198);
                let shown: String = message.iter().map(|&b| if b.is_ascii() { b as char } else { '\u{fffd}' }).collect();
                return Err(error((*con.state).OperationalError, &shown));
            }
            return made;
        }
        if factory == (&raw mut PyBytes_Type).cast() {
            return Owned::from_owned_or_err(PyBytes_FromStringAndSize(text, size));
        }
        if factory == (&raw mut PyByteArray_Type).cast() {
            return Owned::from_owned_or_err(PyByteArray_FromStringAndSize(text, size));
        }
        let raw = Owned::from_owned_or_err(PyBytes_FromStringAndSize(text, size))?;
        let factory = Owned::from_borrowed(factory);
        Owned::from_owned_or_err(PyObject_CallOneArg(factory.as_ptr(), raw.as_ptr()))
    }
}

/// The row that the statement stands at.
fn fetch(c: C<'_>) -> PyResult<Owned> {
    let con = connection(c);
    // SAFETY: [TYPE] the statement is kept by the cursor, which is locked.
    unsafe {
        let st = (*c.statement).st;
        let check = |p: *const c_void| -> PyResult<()> {
            if p.is_null() && sq::sqlite3_errcode(con.db) == sq::SQLITE_NOMEM { Err(no_memory()) } else { Ok(()) }
        };
        let columns = sq::sqlite3_data_count(st);
        let mut row = Vec::with_capacity(columns as usize);
        for i in 0..columns {
            let found = match c.converters {
                list if con.detect_types != 0 && !list.is_null() && (i as Py_ssize_t) < PyList_Size(list) => {
                    Owned::from_borrowed_or_opt(PyList_GetItem(list, i as Py_ssize_t)).filter(|f| f.as_ptr() != Py_None())
                }
                _ => None,
            };
            if let Some(convert) = found {
                let data = sq::sqlite3_column_blob(st, i);
                if data.is_null() {
                    check(data)?;
                    row.push(taipan_clinic::support::none());
                    continue;
                }
                let size = sq::sqlite3_column_bytes(st, i) as Py_ssize_t;
                let raw = Owned::from_owned_or_err(PyBytes_FromStringAndSize(data.cast(), size))?;
                row.push(Owned::from_owned_or_err(PyObject_CallOneArg(convert.as_ptr(), raw.as_ptr()))?);
                continue;
            }
            row.push(match sq::sqlite3_column_type(st, i) {
                sq::SQLITE_NULL => taipan_clinic::support::none(),
                sq::SQLITE_INTEGER => int(sq::sqlite3_column_int64(st, i))?,
                sq::SQLITE_FLOAT => float(sq::sqlite3_column_double(st, i))?,
                sq::SQLITE_TEXT => {
                    let text = sq::sqlite3_column_text(st, i);
                    check(text.cast())?;
                    let size = sq::sqlite3_column_bytes(st, i) as Py_ssize_t;
                    text_value(con, st, i, text.cast(), size)?
                }
                _ => {
                    let data = sq::sqlite3_column_blob(st, i);
                    check(data)?;
                    let size = sq::sqlite3_column_bytes(st, i) as usize;
                    bytes(if data.is_null() { &[] } else { core::slice::from_raw_parts(data.cast(), size) })?
                }
            });
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        tuple(row)
    }
}

// ---- binding of parameters

/// Binds a value; the library's result code.
unsafe fn bind_value(state: S, st: *mut sq::sqlite3_stmt, pos: c_int, value: *mut PyObject) -> PyResult<c_int> {
    // SAFETY: [ARGS] the library copies text and bytes.
    unsafe {
        if value == Py_None() {
            return Ok(sq::sqlite3_bind_null(st, pos));
        }
        if PyLong_Check(value) != 0 {
            return Ok(sq::sqlite3_bind_int64(st, pos, to_int64(value)?));
        }
        if PyFloat_Check(value) != 0 {
            let x = PyFloat_AsDouble(value);
            if x == -1.0 && err_occurred() {
                return Err(Raised::assume());
            }
            return Ok(sq::sqlite3_bind_double(st, pos, x));
        }
        if PyUnicode_Check(value) != 0 {
            let mut size = 0;
            let text = PyUnicode_AsUTF8AndSize(value, &mut size);
            if text.is_null() {
                return Err(Raised::assume());
            }
            let Ok(size) = c_int::try_from(size) else { bail!(PyExc_OverflowError, "string longer than INT_MAX bytes") };
            return Ok(sq::sqlite3_bind_text(st, pos, text, size, sq::SQLITE_TRANSIENT()));
        }
        if PyObject_CheckBuffer(value) != 0 {
            let view = BufferView::get(value)?;
            let Ok(size) = c_int::try_from(view.as_bytes().len()) else {
                bail!(PyExc_OverflowError, "BLOB longer than INT_MAX bytes");
            };
            // An empty slice of Rust has an address that is no NULL: an empty blob, not a null.
            return Ok(sq::sqlite3_bind_blob(st, pos, view.as_bytes().as_ptr().cast(), size, sq::SQLITE_TRANSIENT()));
        }
        let message = format!("Error binding parameter {pos}: type '{}' is not supported", type_name(value));
        Err(error((*state).ProgrammingError, &message))
    }
}
/// Adapts a value, unless it needs none, and binds it.
unsafe fn bind(state: S, st: *mut sq::sqlite3_stmt, pos: c_int, value: Owned) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let v = value.as_ptr();
        let plain = !(*state).base_type_adapted
            && [&raw mut PyLong_Type, &raw mut PyFloat_Type, &raw mut PyUnicode_Type, &raw mut PyByteArray_Type]
                .iter()
                .any(|&tp| is_exactly(v, tp));
        let adapted = if plain {
            value
        } else {
            let protocol = Borrowed::from_ptr((*state).PrepareProtocolType.cast());
            crate::adapt::adapt(state, value.borrow(), protocol, Some(value.borrow()))?
        };
        let rc = bind_value(state, st, pos, adapted.as_ptr())?;
        if rc == sq::SQLITE_OK { Ok(()) } else { Err(db_error(state, sq::sqlite3_db_handle(st))) }
    }
}
/// Binds all parameters of a statement, from a sequence by position or from a dict by name.
unsafe fn bind_all(state: S, st: *mut sq::sqlite3_stmt, parameters: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS] binding may run any code: items are held, and sizes looked at again.
    unsafe {
        let p = parameters.ob();
        let needed = sq::sqlite3_bind_parameter_count(st);
        let exact = is_exactly(p, &raw mut PyTuple_Type) || is_exactly(p, &raw mut PyList_Type);
        if exact || (PyDict_Check(p) == 0 && PySequence_Check(p) != 0) {
            let n = PySequence_Size(p);
            if n == -1 {
                return Err(Raised::assume());
            }
            if n != needed as Py_ssize_t {
                let message = format!(
                    "Incorrect number of bindings supplied. The current statement uses {needed}, and there are {n} supplied."
                );
                return Err(error((*state).ProgrammingError, &message));
            }
            for i in 0..needed {
                let name = sq::sqlite3_bind_parameter_name(st, i + 1);
                if !name.is_null() && *name != b'?' as c_char {
                    let message = format!(
                        "Binding {} ('{}') is a named parameter, but you supplied a sequence which requires nameless (qmark) \
                         placeholders. Starting with Python 3.14 an sqlite3.ProgrammingError will be raised.",
                        i + 1,
                        CStr::from_ptr(name).to_string_lossy()
                    );
                    crate::connection::deprecated(&message)?;
                }
                let item = if is_exactly(p, &raw mut PyList_Type) {
                    Borrowed::from_ptr_or_err(PyList_GetItem(p, i as Py_ssize_t))?.to_owned()
                } else {
                    Owned::from_owned_or_err(PySequence_GetItem(p, i as Py_ssize_t))?
                };
                bind(state, st, i + 1, item)?;
            }
            return Ok(());
        }
        if PyDict_Check(p) == 0 {
            return Err(error((*state).ProgrammingError, "parameters are of unsupported type"));
        }
        for i in 1..=needed {
            let name = sq::sqlite3_bind_parameter_name(st, i);
            if name.is_null() {
                let message = format!("Binding {i} has no name, but you supplied a dictionary (which has only names).");
                return Err(error((*state).ProgrammingError, &message));
            }
            let name = name.add(1);
            let mut item = null_mut();
            PyMapping_GetOptionalItemString(p, name, &mut item);
            let Some(item) = Owned::from_owned_or_opt(item) else {
                if !err_occurred() || PyErr_ExceptionMatches(PyExc_LookupError) != 0 {
                    let name = CStr::from_ptr(name).to_string_lossy();
                    let message = format!("You did not supply a value for binding parameter :{name}.");
                    return Err(error((*state).ProgrammingError, &message));
                }
                return Err(Raised::assume());
            };
            bind(state, st, i, item)?;
        }
        Ok(())
    }
}

// ---- running

fn step(st: *mut sq::sqlite3_stmt) -> c_int {
    // SAFETY: the caller keeps the statement.
    without_gil(|| unsafe { sq::sqlite3_step(st) })
}

/// Runs a statement: once with these parameters, or once for each of what `second` gives.
pub fn execute(c: C<'_>, multiple: bool, operation: Borrowed<'_>, second: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let done = check(c).and_then(|()| run(c, multiple, operation, second));
    let p = c.as_ptr();
    // SAFETY: [TYPE]
    unsafe {
        (*p).locked = false;
        if let Err(e) = done {
            if !c.statement.is_null() {
                drop_statement(c);
            }
            (*p).rowcount = -1;
            return Err(e);
        }
        let st = c.statement;
        if !st.is_null() && sq::sqlite3_stmt_busy((*st).st) == 0 {
            setref(&raw mut (*p).statement, null_mut());
        }
    }
    Ok(c.to_owned().into_object())
}

fn run(c: C<'_>, multiple: bool, operation: Borrowed<'_>, second: Option<Borrowed<'_>>) -> PyResult<()> {
    let con = connection(c);
    let (p, state) = (c.as_ptr(), con.state);
    // SAFETY: [TYPE] [OWN] the cursor is locked while this runs: it keeps its statement.
    unsafe {
        (*p).locked = true;
        let sets = match (multiple, second) {
            (true, Some(all)) => Owned::from_owned_or_err(PyObject_GetIter(all.ob()))?,
            _ => {
                let one = second.map_or_else(|| tuple(Vec::new()), |s| Ok(s.to_owned()))?;
                let list = tuple(vec![one])?;
                Owned::from_owned_or_err(PyObject_GetIter(list.as_ptr()))?
            }
        };
        setref(&raw mut (*p).description, none());
        if !c.statement.is_null() {
            statement::reset(c.statement);
        }
        let cached = PyObject_CallOneArg(con.statement_cache, operation.ob());
        setref(&raw mut (*p).statement, cached.cast());
        if cached.is_null() {
            return Err(Raised::assume());
        }
        if multiple && sq::sqlite3_stmt_readonly((*c.statement).st) != 0 {
            return Err(error((*state).ProgrammingError, "executemany() can only execute DML statements."));
        }
        if sq::sqlite3_stmt_busy((*c.statement).st) != 0 {
            // Another cursor is using it.
            let own = statement::create(con, operation)?;
            setref(&raw mut (*p).statement, own.into_raw());
        }
        statement::reset(c.statement);
        let is_dml = (*c.statement).is_dml;
        (*p).rowcount = if is_dml { 0 } else { -1 };
        if con.autocommit == LEGACY
            && let Some(level) = con.isolation_level()
            && is_dml
            && sq::sqlite3_get_autocommit(con.db) != 0
        {
            con.exec(&format!("BEGIN {level}"))?;
        }
        loop {
            let Some(parameters) = Owned::from_owned_or_opt(PyIter_Next(sets.as_ptr())) else {
                if err_occurred() {
                    return Err(Raised::assume());
                }
                break;
            };
            bind_all(state, (*c.statement).st, parameters.borrow())?;
            let st = (*c.statement).st;
            let rc = step(st);
            if rc != sq::SQLITE_DONE && rc != sq::SQLITE_ROW {
                if err_occurred() {
                    // A callback of the user failed; SQLite's error follows from that.
                    if (*state).callback_tracebacks {
                        PyErr_Print();
                    } else {
                        PyErr_Clear();
                    }
                }
                if sq::sqlite3_errcode(con.db) == sq::SQLITE_OK {
                    // A text without a statement: there was nothing to run.
                    return Ok(());
                }
                return Err(db_error(state, con.db));
            }
            if find_converters(c).is_err() {
                setref(&raw mut (*p).converters, null_mut());
                _PyErr_FormatFromCause((*state).OperationalError, c"Error while building row_cast_map".as_ptr());
                return Err(Raised::assume());
            }
            let columns = sq::sqlite3_column_count(st);
            if c.description == Py_None() && columns > 0 {
                setref(&raw mut (*p).description, describe(c, columns)?.into_raw());
            }
            if rc == sq::SQLITE_DONE {
                if (*c.statement).is_dml {
                    (*p).rowcount += sq::sqlite3_changes(con.db) as c_long;
                }
                statement::reset(c.statement);
            }
        }
        if !multiple {
            setref(&raw mut (*p).lastrowid, int(sq::sqlite3_last_insert_rowid(con.db))?.into_raw());
        }
        // Comparing texts may have failed without the library's notice.
        if err_occurred() { Err(Raised::assume()) } else { Ok(()) }
    }
}

fn cursor_execute(c: C<'_>, sql: Str<'_>, parameters: Option<Borrowed<'_>>) -> PyResult<Owned> {
    execute(c, false, sql.0, parameters)
}
fn cursor_executemany(c: C<'_>, sql: Str<'_>, seq_of_parameters: Borrowed<'_>) -> PyResult<Owned> {
    execute(c, true, sql.0, Some(seq_of_parameters))
}
fn cursor_executescript(c: C<'_>, sql_script: &str) -> PyResult<Owned> {
    let script = c_string(sql_script)?;
    check(c)?;
    let con = connection(c);
    let db = con.db;
    // SAFETY: [TYPE] open; the script outlives the call.
    unsafe {
        let mut rest = script.as_bytes_with_nul();
        if rest.len() - 1 > sq::sqlite3_limit(db, sq::SQLITE_LIMIT_SQL_LENGTH, -1) as usize {
            return Err(error((*con.state).DataError, "query string is too large"));
        }
        if con.autocommit == LEGACY && sq::sqlite3_get_autocommit(db) == 0 {
            let rc = without_gil(|| sq::sqlite3_exec(db, c"COMMIT".as_ptr(), None, null_mut(), null_mut()));
            if rc != sq::SQLITE_OK {
                return Err(db_error(con.state, db));
            }
        }
        loop {
            let start: *const c_char = rest.as_ptr().cast();
            let size = rest.len() as c_int;
            let mut tail = start;
            let rc = without_gil(|| {
                let mut st = null_mut();
                let rc = sq::sqlite3_prepare_v2(db, start, size, &mut st, &mut tail);
                if rc != sq::SQLITE_OK {
                    return rc;
                }
                while sq::sqlite3_step(st) == sq::SQLITE_ROW {}
                sq::sqlite3_finalize(st)
            });
            if rc != sq::SQLITE_OK {
                return Err(db_error(con.state, db));
            }
            rest = &rest[tail.offset_from_unsigned(start)..];
            if rest[0] == 0 {
                break;
            }
        }
    }
    Ok(c.to_owned().into_object())
}

/// The next row, `None` at the end.
fn next(c: C<'_>) -> PyResult<Option<Owned>> {
    check(c)?;
    if c.statement.is_null() {
        return Ok(None);
    }
    let p = c.as_ptr();
    // SAFETY: [TYPE] [OWN] the statement is held meanwhile.
    unsafe {
        let held: Owned<Statement> = Owned::from_borrowed(c.statement);
        (*p).locked = true;
        let row = fetch(c);
        (*p).locked = false;
        let row = row?;
        let con = connection(c);
        let rc = step(held.st);
        if rc == sq::SQLITE_DONE {
            if held.is_dml {
                (*p).rowcount = sq::sqlite3_changes(con.db) as c_long;
            }
            drop_statement(c);
        } else if rc != sq::SQLITE_ROW {
            let e = db_error(con.state, con.db);
            drop_statement(c);
            return Err(e);
        }
        if c.row_factory == Py_None() {
            return Ok(Some(row));
        }
        let factory = Owned::from_borrowed(c.row_factory);
        taipan_clinic::support::call(factory.as_ptr(), &[c.ob(), row.as_ptr()]).map(Some)
    }
}
unsafe extern "C" fn iternext(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    match next(unsafe { Borrowed::from_ptr(slf.cast()) }) {
        Ok(row) => row.map_or(null_mut(), Owned::into_raw),
        Err(_) => null_mut(),
    }
}
/// Rows in a list: all, or as many as are wanted if that is positive.
fn fetch_list(c: C<'_>, wanted: Option<c_int>) -> PyResult<Owned> {
    // SAFETY: [GIL]
    let list = unsafe { Owned::from_owned_or_err(PyList_New(0))? };
    let mut n = 0;
    while let Some(row) = next(c)? {
        // SAFETY: [GIL]
        unsafe { check_status(PyList_Append(list.as_ptr(), row.as_ptr()))? };
        n += 1;
        if Some(n) == wanted {
            break;
        }
    }
    Ok(list)
}
fn cursor_fetchone(c: C<'_>) -> PyResult<Option<Owned>> {
    next(c)
}
fn cursor_fetchmany(c: C<'_>, size: Option<i32>) -> PyResult<Owned> {
    fetch_list(c, Some(size.unwrap_or(c.arraysize)))
}
fn cursor_fetchall(c: C<'_>) -> PyResult<Owned> {
    fetch_list(c, None)
}
fn cursor_setinputsizes(_: C<'_>, _sizes: Borrowed<'_>) -> PyResult<()> {
    Ok(())
}
fn cursor_setoutputsize(_: C<'_>, _size: Borrowed<'_>, _column: Option<Borrowed<'_>>) -> PyResult<()> {
    Ok(())
}
fn cursor_close(c: C<'_>) -> PyResult<()> {
    check_locked(c)?;
    if c.connection.is_null() {
        return Err(not_initialised(c));
    }
    let con = connection(c);
    con.check_thread()?;
    con.check_open()?;
    drop_statement(c);
    // SAFETY: [TYPE]
    unsafe { (*c.as_ptr()).closed = true };
    Ok(())
}

// ---- the type

unsafe extern "C" fn traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let c = &*slf.cast::<Cursor>();
        let fields = [c.connection.cast(), c.description, c.converters, c.lastrowid, c.row_factory, c.statement.cast()];
        visit_all(slf, &fields, visit, arg)
    }
}
unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let p = slf.cast::<Cursor>();
        setref(&raw mut (*p).connection, null_mut());
        setref(&raw mut (*p).description, null_mut());
        setref(&raw mut (*p).converters, null_mut());
        setref(&raw mut (*p).lastrowid, null_mut());
        setref(&raw mut (*p).row_factory, null_mut());
        drop_statement(Borrowed::from_ptr(p));
        0
    }
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        if !(*slf.cast::<Cursor>()).weakrefs.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        clear(slf);
        free_instance(slf);
    }
}

methods! {
    static METHODS = [
        "close($self, /)" => cursor_close, "Close the cursor.";
        "executemany($self, sql, seq_of_parameters, /)" => cursor_executemany, "Run a statement for each set of parameters.";
        "executescript($self, sql_script, /)" => cursor_executescript, "Run several statements.";
        "execute($self, sql, parameters=(), /)" => cursor_execute, "Run a statement.";
        "fetchall($self, /)" => cursor_fetchall, "All rows that are left.";
        "fetchmany($self, /, size=1)" => cursor_fetchmany, "Some rows: as many as Cursor.arraysize tells, unless size is given.";
        "fetchone($self, /)" => cursor_fetchone, "The next row, or None.";
        "setinputsizes($self, sizes, /)" => cursor_setinputsizes, "Has no effect; the database API demands it.";
        "setoutputsize($self, size, column=None, /)" => cursor_setoutputsize, "Has no effect; the database API demands it.";
    ];
}
members! {
    static MEMBERS = [
        "connection", _Py_T_OBJECT, core::mem::offset_of!(Cursor, connection), Py_READONLY, "";
        "description", _Py_T_OBJECT, core::mem::offset_of!(Cursor, description), Py_READONLY, "";
        "arraysize", Py_T_INT, core::mem::offset_of!(Cursor, arraysize), 0, "";
        "lastrowid", _Py_T_OBJECT, core::mem::offset_of!(Cursor, lastrowid), Py_READONLY, "";
        "rowcount", Py_T_LONG, core::mem::offset_of!(Cursor, rowcount), Py_READONLY, "";
        "row_factory", _Py_T_OBJECT, core::mem::offset_of!(Cursor, row_factory), 0, "";
        "__weaklistoffset__", Py_T_PYSSIZET, core::mem::offset_of!(Cursor, weakrefs), Py_READONLY, "";
    ];
}

/// Makes the type.
pub fn make(module: Borrowed<'_>) -> PyResult<*mut PyTypeObject> {
    let init: initproc = initializer!("Cursor(connection, /)" => cursor_init);
    // SAFETY: [LAYOUT]
    unsafe {
        let slots = [
            (Py_tp_dealloc, dealloc as *mut c_void),
            (Py_tp_doc, c"A cursor of a database.".as_ptr().cast_mut().cast()),
            (Py_tp_iter, PyObject_SelfIter as *mut c_void),
            (Py_tp_iternext, iternext as *mut c_void),
            (Py_tp_methods, (&raw mut METHODS).cast()),
            (Py_tp_members, (&raw mut MEMBERS).cast()),
            (Py_tp_init, init as *mut c_void),
            (Py_tp_traverse, traverse as *mut c_void),
            (Py_tp_clear, clear as *mut c_void),
        ];
        make_type(module, c"sqlite3.Cursor", size_of::<Cursor>(), Py_TPFLAGS_BASETYPE, &slots)
    }
}
