//! Connections to databases.

use crate::callback::{self, Context};
use crate::cursor::Cursor;
use crate::state::*;
use crate::statement;
use core::ffi::{CStr, c_char, c_int, c_ulong, c_void};
use core::ptr::{null, null_mut};
use libsqlite3_sys as sq;
use taipan_abi::*;
use taipan_clinic::from_arg::Where;
use taipan_clinic::support::{audit, boolean, int, string, tuple, without_gil};
use taipan_clinic::{BufferView, FromArg, Str, getset, members, methods};

unsafe extern "C" {
    fn sqlite3_close_v2(db: *mut sq::sqlite3) -> c_int;
    fn PyErr_ResourceWarning(source: *mut PyObject, level: Py_ssize_t, format: *const c_char, ...) -> c_int;
}

/// A connection.
#[repr(C)]
pub struct Connection {
    ob_base: PyObject,
    /// The library's; NULL once closed.
    pub db: *mut sq::sqlite3,
    /// The module's state, once initialised.
    pub state: S,
    /// How converters are found: bits of `PARSE_DECLTYPES` and `PARSE_COLNAMES`.
    pub detect_types: c_int,
    /// What implicit transactions begin with, a static text; NULL if there are none.
    level: *const c_char,
    /// [`LEGACY`], 1 or 0.
    pub autocommit: c_int,
    check_same_thread: bool,
    initialized: bool,
    thread: c_ulong,
    /// Gives the statement for a text, remembering the last ones.
    pub statement_cache: *mut PyObject,
    /// Weak references to cursors.
    pub cursors: *mut PyObject,
    /// Weak references to blobs.
    pub blobs: *mut PyObject,
    created_cursors: c_int,
    row_factory: *mut PyObject,
    /// What makes values of text.
    pub text_factory: *mut PyObject,
    trace: *mut Context,
    progress: *mut Context,
    authorizer: *mut Context,
    /// The exceptions, lent by the state: in the order of [`EXCEPTIONS`].
    exceptions: [*mut PyObject; 10],
}

/// A connection, lent.
pub type Conn<'a> = Borrowed<'a, Connection>;

/// Warns that something is deprecated; `Err` when that is an error.
pub fn deprecated(message: &str) -> PyResult<()> {
    let text = c_string(message)?;
    // SAFETY: [GIL]
    unsafe { check_status(PyErr_WarnEx(PyExc_DeprecationWarning, text.as_ptr(), 1)) }
}

impl Connection {
    /// Raises unless it is open.
    pub fn check_open(&self) -> PyResult<()> {
        if !self.initialized {
            // SAFETY: [TYPE]
            let class = unsafe { (*of_type(self.ob_base.ob_type)).ProgrammingError };
            return Err(error(class, "Base Connection.__init__ not called."));
        }
        if self.db.is_null() {
            // SAFETY: [TYPE] initialised.
            return Err(error(unsafe { (*self.state).ProgrammingError }, "Cannot operate on a closed database."));
        }
        Ok(())
    }
    /// Raises unless this thread may use it.
    pub fn check_thread(&self) -> PyResult<()> {
        // SAFETY: [TYPE] initialised if threads are checked.
        unsafe {
            if self.check_same_thread && PyThread_get_thread_ident() != self.thread {
                let message = format!(
                    "SQLite objects created in a thread can only be used in that same thread. The object was created in \
                     thread id {} and this is thread id {}.",
                    self.thread,
                    PyThread_get_thread_ident()
                );
                return Err(error((*self.state).ProgrammingError, &message));
            }
        }
        Ok(())
    }
    fn check(&self) -> PyResult<()> {
        self.check_thread()?;
        self.check_open()
    }
    /// What implicit transactions begin with.
    pub fn isolation_level(&self) -> Option<&'static str> {
        // SAFETY: [STATIC] one of LEVELS.
        (!self.level.is_null()).then(|| unsafe { CStr::from_ptr(self.level) }.to_str().unwrap_or(""))
    }
    /// Runs a statement that takes and gives nothing.
    pub fn exec(&self, sql: &str) -> PyResult<()> {
        let text = c_string(sql)?;
        let db = self.db;
        // SAFETY: [TYPE] open.
        unsafe {
            let rc = without_gil(|| {
                let mut st = null_mut();
                match sq::sqlite3_prepare_v2(db, text.as_ptr(), -1, &mut st, null_mut()) {
                    sq::SQLITE_OK => {
                        sq::sqlite3_step(st);
                        sq::sqlite3_finalize(st)
                    }
                    rc => rc,
                }
            });
            if rc == sq::SQLITE_OK { Ok(()) } else { Err(db_error(self.state, db)) }
        }
    }
    fn failed(&self) -> Raised {
        // SAFETY: [TYPE] initialised.
        unsafe { db_error(self.state, self.db) }
    }
}

// ---- arguments

/// What a transaction may begin with.
static LEVELS: [&CStr; 4] = [c"", c"DEFERRED", c"IMMEDIATE", c"EXCLUSIVE"];

/// `isolation_level`: NULL for `None`.
struct Level(*const c_char);
impl Level {
    fn from(op: *mut PyObject) -> PyResult<Self> {
        // SAFETY: [TYPE] checked.
        unsafe {
            if op == Py_None() {
                return Ok(Level(null()));
            }
            if PyUnicode_Check(op) == 0 {
                bail!(PyExc_TypeError, "isolation_level must be str or None");
            }
            let mut size = 0;
            let text = PyUnicode_AsUTF8AndSize(op, &mut size);
            if text.is_null() {
                return Err(Raised::assume());
            }
            let text = core::slice::from_raw_parts(text.cast::<u8>(), size as usize);
            if text.contains(&0) {
                bail!(PyExc_ValueError, "embedded null character");
            }
            match LEVELS.iter().find(|level| level.to_bytes().eq_ignore_ascii_case(text)) {
                Some(level) => Ok(Level(level.as_ptr())),
                None => bail!(PyExc_ValueError, "isolation_level string must be '', 'DEFERRED', 'IMMEDIATE', or 'EXCLUSIVE'"),
            }
        }
    }
}
impl FromArg<'_> for Level {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        if arg.is_null() { Ok(Level(LEVELS[0].as_ptr())) } else { Level::from(arg) }
    }
}

/// `autocommit`.
struct Autocommit(c_int);
impl Autocommit {
    fn from(op: *mut PyObject) -> PyResult<Self> {
        // SAFETY: [TYPE] checked.
        unsafe {
            if op == Py_True() {
                return Ok(Autocommit(1));
            }
            if op == Py_False() {
                return Ok(Autocommit(0));
            }
            if PyLong_Check(op) != 0 {
                let n = PyLong_AsLong(op);
                if n == LEGACY as i64 && !err_occurred() {
                    return Ok(Autocommit(LEGACY));
                }
            }
            bail!(PyExc_ValueError, "autocommit must be True, False, or sqlite3.LEGACY_TRANSACTION_CONTROL");
        }
    }
}
impl FromArg<'_> for Autocommit {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        if arg.is_null() { Ok(Autocommit(LEGACY)) } else { Autocommit::from(arg) }
    }
}

/// The number of a row.
struct RowId(i64);
impl FromArg<'_> for RowId {
    unsafe fn from_arg(arg: *mut PyObject, _: Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        if unsafe { PyLong_Check(arg) } == 0 {
            bail!(PyExc_TypeError, "expected 'int'");
        }
        to_int64(arg).map(RowId)
    }
}

// ---- opening and closing

#[allow(clippy::too_many_arguments, reason = "the signature's")]
fn connection_init(
    c: Conn<'_>,
    database: Borrowed<'_>,
    timeout: f64,
    detect_types: i32,
    isolation_level: Level,
    check_same_thread: bool,
    _factory: Option<Borrowed<'_>>,
    cached_statements: i32,
    uri: bool,
    autocommit: Autocommit,
) -> PyResult<()> {
    let p = c.as_ptr();
    // SAFETY: [TYPE] [OWN] what a former initialisation left is released first.
    unsafe {
        audit(c"sqlite3.connect", &[database.ob()])?;
        let mut name: *mut PyObject = null_mut();
        if PyUnicode_FSConverter(database.ob(), (&raw mut name).cast()) == 0 {
            return Err(Raised::assume());
        }
        let name = Owned::from_owned(name);
        if c.initialized {
            (*p).initialized = false;
            clear(p.cast());
            close(c)?;
        }
        let path = PyBytes_AsString(name.as_ptr());
        let flags = sq::SQLITE_OPEN_READWRITE | sq::SQLITE_OPEN_CREATE | if uri { sq::SQLITE_OPEN_URI } else { 0 };
        let mut db = null_mut();
        let rc = without_gil(|| {
            let rc = sq::sqlite3_open_v2(path, &mut db, flags, null());
            if rc == sq::SQLITE_OK {
                sq::sqlite3_busy_timeout(db, (timeout * 1000.0) as c_int);
            }
            rc
        });
        if db.is_null() && rc == sq::SQLITE_NOMEM {
            return Err(no_memory());
        }
        let state = of_type(c.ob_base.ob_type);
        let close_again = |e: Raised| {
            sq::sqlite3_close(db);
            e
        };
        if rc != sq::SQLITE_OK {
            return Err(close_again(db_error(state, db)));
        }
        let parts = || -> PyResult<[Owned; 3]> {
            let size = int(cached_statements as i64)?;
            let remember = Owned::from_owned_or_err(PyObject_CallOneArg((*state).lru_cache, size.as_ptr()))?;
            Ok([
                Owned::from_owned_or_err(PyObject_CallOneArg(remember.as_ptr(), c.ob()))?,
                Owned::from_owned_or_err(PyList_New(0))?,
                Owned::from_owned_or_err(PyList_New(0))?,
            ])
        };
        let [cache, cursors, blobs] = parts().map_err(close_again)?;
        (*p).db = db;
        (*p).state = state;
        (*p).detect_types = detect_types;
        (*p).level = isolation_level.0;
        (*p).autocommit = autocommit.0;
        (*p).check_same_thread = check_same_thread;
        (*p).thread = PyThread_get_thread_ident();
        setref(&raw mut (*p).statement_cache, cache.into_raw());
        setref(&raw mut (*p).cursors, cursors.into_raw());
        setref(&raw mut (*p).blobs, blobs.into_raw());
        (*p).created_cursors = 0;
        setref(&raw mut (*p).row_factory, none());
        setref(&raw mut (*p).text_factory, Owned::from_borrowed((&raw mut PyUnicode_Type).cast::<PyObject>()).into_raw());
        let s = &*state;
        (*p).exceptions = [
            s.Warning,
            s.Error,
            s.InterfaceError,
            s.DatabaseError,
            s.DataError,
            s.OperationalError,
            s.IntegrityError,
            s.InternalError,
            s.ProgrammingError,
            s.NotSupportedError,
        ];
        audit(c"sqlite3.connect/handle", &[c.ob()])?;
        (*p).initialized = true;
        if autocommit.0 == 0 {
            c.exec("BEGIN")?;
        }
    }
    Ok(())
}
/// Warns about arguments by position that will have to be named.
pub fn check_positional(nargs: Py_ssize_t, function: &str) -> PyResult<()> {
    if nargs > 1 && nargs <= 8 {
        deprecated(&format!(
            "Passing more than 1 positional argument to {function}() is deprecated. Parameters 'timeout', 'detect_types', \
             'isolation_level', 'check_same_thread', 'factory', 'cached_statements' and 'uri' will become keyword-only \
             parameters in Python 3.15."
        ))?;
    }
    Ok(())
}
unsafe extern "C" fn init(slf: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> c_int {
    let bound: initproc = taipan_clinic::initializer!("Connection(database, timeout=5.0, detect_types=0, isolation_level='', check_same_thread=True, factory=ConnectionType, cached_statements=128, uri=False, *, autocommit=-1)" => connection_init);
    // SAFETY: [ARGS] called as tp_init.
    unsafe {
        if check_positional(PyTuple_Size(args), "_sqlite3.Connection").is_err() {
            return -1;
        }
        bound(slf, args, kwargs)
    }
}

/// Closes the database. What it calls is forgotten after that.
fn close(c: Conn<'_>) -> PyResult<()> {
    if c.db.is_null() {
        return Ok(());
    }
    // SAFETY: [OWN] closed once.
    unsafe {
        let p = c.as_ptr();
        let mut done = Ok(());
        if c.autocommit == 0 && sq::sqlite3_get_autocommit(c.db) == 0 {
            done = c.exec("ROLLBACK");
        }
        let db = core::mem::replace(&mut (*p).db, null_mut());
        without_gil(|| sqlite3_close_v2(db));
        callback::replace(&raw mut (*p).trace, null_mut());
        callback::replace(&raw mut (*p).progress, null_mut());
        callback::replace(&raw mut (*p).authorizer, null_mut());
        done
    }
}
fn connection_close(c: Conn<'_>) -> PyResult<()> {
    c.check_thread()?;
    if !c.initialized {
        return c.check_open();
    }
    // SAFETY: [TYPE]
    unsafe {
        crate::blob::close_all(c.blobs);
        setref(&raw mut (*c.as_ptr()).statement_cache, null_mut());
    }
    close(c)
}

unsafe extern "C" fn finalize(slf: *mut PyObject) {
    // SAFETY: [TYPE] the exception that is set is kept.
    unsafe {
        let c: Conn<'_> = Borrowed::from_ptr(slf.cast());
        let exc = PyErr_GetRaisedException();
        let teardown = Py_IsFinalizing() != 0;
        if !c.db.is_null() {
            if teardown {
                // Python code must not be called any more.
                sq::sqlite3_trace_v2(c.db, sq::SQLITE_TRACE_STMT, None, null_mut());
                sq::sqlite3_progress_handler(c.db, 0, None, null_mut());
                sq::sqlite3_set_authorizer(c.db, None, null_mut());
            }
            if PyErr_ResourceWarning(slf, 1, c"unclosed database in %R".as_ptr(), slf) != 0
                && PyErr_ExceptionMatches(PyExc_Warning) != 0
            {
                PyErr_WriteUnraisable(slf);
            }
        }
        if let Err(e) = close(c) {
            if teardown {
                e.clear();
            } else {
                PyErr_WriteUnraisable(slf);
            }
        }
        PyErr_SetRaisedException(exc);
    }
}
unsafe extern "C" fn dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        if PyObject_CallFinalizerFromDealloc(slf) < 0 {
            return;
        }
        PyObject_GC_UnTrack(slf.cast());
        clear(slf);
        free_instance(slf);
    }
}
unsafe extern "C" fn traverse(slf: *mut PyObject, visit: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let c = &*slf.cast::<Connection>();
        let mut fields = vec![c.statement_cache, c.cursors, c.blobs, c.row_factory, c.text_factory];
        for ctx in [c.trace, c.progress, c.authorizer] {
            fields.extend(callback::references(ctx));
        }
        visit_all(slf, &fields, visit, arg)
    }
}
unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] the contexts stay until the database is closed, which calls them.
    unsafe {
        let p = slf.cast::<Connection>();
        setref(&raw mut (*p).statement_cache, null_mut());
        setref(&raw mut (*p).cursors, null_mut());
        setref(&raw mut (*p).blobs, null_mut());
        setref(&raw mut (*p).row_factory, null_mut());
        setref(&raw mut (*p).text_factory, null_mut());
        0
    }
}

// ---- cursors and statements

/// Forgets cursors that are no more, once in a while.
fn drop_dead_cursors(c: Conn<'_>) -> PyResult<()> {
    let p = c.as_ptr();
    // SAFETY: [TYPE] a list of weak references.
    unsafe {
        (*p).created_cursors += 1;
        if c.created_cursors <= 200 || c.cursors.is_null() {
            return Ok(());
        }
        (*p).created_cursors = 0;
        let alive = Owned::from_owned_or_err(PyList_New(0))?;
        let mut i = 0;
        while i < PyList_Size(c.cursors) {
            let reference = Owned::from_borrowed(PyList_GetItem(c.cursors, i));
            let mut cursor = null_mut();
            if PyWeakref_GetRef(reference.as_ptr(), &mut cursor) > 0 {
                drop(Owned::from_owned(cursor));
                check_status(PyList_Append(alive.as_ptr(), reference.as_ptr()))?;
            }
            i += 1;
        }
        setref(&raw mut (*p).cursors, alive.into_raw());
    }
    Ok(())
}
fn cursor(c: Conn<'_>, factory: Option<Borrowed<'_>>) -> PyResult<Owned> {
    c.check()?;
    // SAFETY: [TYPE] checked.
    unsafe {
        let class = (*c.state).CursorType;
        let factory = factory.map_or(class.cast(), |f| f.ob());
        let made = Owned::from_owned_or_err(PyObject_CallOneArg(factory, c.ob()))?;
        if PyObject_TypeCheck(made.as_ptr(), class) == 0 {
            bail!(PyExc_TypeError, "factory must return a cursor, not {}", type_name(made.as_ptr()));
        }
        if let Err(e) = drop_dead_cursors(c) {
            e.clear();
        }
        if c.row_factory != Py_None() && !c.row_factory.is_null() {
            let slot = &raw mut (*made.as_ptr().cast::<Cursor>()).row_factory;
            setref(slot, Owned::from_borrowed(c.row_factory).into_raw());
        }
        Ok(made)
    }
}
fn run(c: Conn<'_>, multiple: bool, sql: Borrowed<'_>, parameters: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let made = cursor(c, None)?;
    // SAFETY: [TYPE] a cursor.
    crate::cursor::execute(unsafe { made.borrow().cast() }, multiple, sql, parameters)?;
    Ok(made)
}
fn connection_execute(c: Conn<'_>, sql: Str<'_>, parameters: Option<Borrowed<'_>>) -> PyResult<Owned> {
    run(c, false, sql.0, parameters)
}
fn connection_executemany(c: Conn<'_>, sql: Str<'_>, parameters: Borrowed<'_>) -> PyResult<Owned> {
    run(c, true, sql.0, Some(parameters))
}
fn connection_executescript(c: Conn<'_>, sql_script: Borrowed<'_>) -> PyResult<Owned> {
    let made = cursor(c, None)?;
    let name = string("executescript")?;
    // SAFETY: [ARGS]
    unsafe { drop(Owned::from_owned_or_err(PyObject_CallMethodOneArg(made.as_ptr(), name.as_ptr(), sql_script.ob()))?) };
    Ok(made)
}
/// Called, a connection prepares a statement; the cache does so.
unsafe extern "C" fn call(slf: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    let made = || -> PyResult<Owned> {
        // SAFETY: [TYPE] checked.
        unsafe {
            let c: Conn<'_> = Borrowed::from_ptr(slf.cast());
            c.check()?;
            if _PyArg_NoKeywords(c"sqlite3.Connection".as_ptr(), kwargs) == 0 {
                return Err(Raised::assume());
            }
            let n = PyTuple_Size(args);
            if n != 1 {
                bail!(PyExc_TypeError, "function takes exactly 1 argument ({} given)", n);
            }
            let sql = PyTuple_GetItem(args, 0);
            if PyUnicode_Check(sql) == 0 {
                let got = if sql == Py_None() { "None".into() } else { type_name(sql) };
                bail!(PyExc_TypeError, "argument 1 must be str, not {}", got);
            }
            statement::create(c, Borrowed::from_ptr(sql)).map(Owned::into_object)
        }
    };
    made().into_c()
}

// ---- transactions

fn connection_commit(c: Conn<'_>) -> PyResult<()> {
    c.check()?;
    // SAFETY: [TYPE] open.
    match c.autocommit {
        LEGACY if unsafe { sq::sqlite3_get_autocommit(c.db) } == 0 => c.exec("COMMIT"),
        0 => c.exec("COMMIT").and_then(|()| c.exec("BEGIN")),
        _ => Ok(()),
    }
}
fn connection_rollback(c: Conn<'_>) -> PyResult<()> {
    c.check()?;
    // SAFETY: [TYPE] open.
    match c.autocommit {
        LEGACY if unsafe { sq::sqlite3_get_autocommit(c.db) } == 0 => c.exec("ROLLBACK"),
        0 => c.exec("ROLLBACK").and_then(|()| c.exec("BEGIN")),
        _ => Ok(()),
    }
}
fn connection_enter(c: Conn<'_>) -> PyResult<Owned> {
    c.check_open()?;
    Ok(c.to_owned().into_object())
}
fn connection_exit(c: Conn<'_>, tp: Borrowed<'_>, value: Borrowed<'_>, traceback: Borrowed<'_>) -> PyResult<bool> {
    if !(tp.is_none() && value.is_none() && traceback.is_none()) {
        connection_rollback(c)?;
        return Ok(false);
    }
    if let Err(e) = connection_commit(c) {
        // SAFETY: [EXC] what the rollback raises has the first exception as context.
        unsafe {
            let exc = PyErr_GetRaisedException();
            match connection_rollback(c) {
                Ok(()) => PyErr_SetRaisedException(exc),
                Err(_) => _PyErr_ChainExceptions1(exc),
            }
        }
        return Err(e);
    }
    Ok(false)
}
fn connection_interrupt(c: Conn<'_>) -> PyResult<()> {
    c.check_open()?;
    // SAFETY: [TYPE] open.
    unsafe { sq::sqlite3_interrupt(c.db) };
    Ok(())
}

// ---- functions and hooks in Python

fn context(c: Conn<'_>, callable: Borrowed<'_>) -> *mut Context {
    // SAFETY: [TYPE] initialised.
    unsafe { callback::context((*c.state).ConnectionType, c.state, callable) }
}
fn connection_create_function(c: Conn<'_>, name: &str, narg: i32, func: Borrowed<'_>, deterministic: bool) -> PyResult<()> {
    let name = c_string(name)?;
    c.check()?;
    let flags = sq::SQLITE_UTF8 | if deterministic { sq::SQLITE_DETERMINISTIC } else { 0 };
    // SAFETY: [OWN] the library frees the context, also when it fails.
    unsafe {
        let ctx = context(c, func).cast();
        let rc = sq::sqlite3_create_function_v2(c.db, name.as_ptr(), narg, flags, ctx, Some(callback::func), None, None, Some(callback::destroy));
        if rc != sq::SQLITE_OK {
            return Err(error((*c.state).OperationalError, "Error creating function"));
        }
    }
    Ok(())
}
fn connection_create_aggregate(c: Conn<'_>, name: &str, n_arg: i32, aggregate_class: Borrowed<'_>) -> PyResult<()> {
    let name = c_string(name)?;
    c.check()?;
    // SAFETY: [OWN] as above.
    unsafe {
        let ctx = context(c, aggregate_class).cast();
        let (step, last) = (Some(callback::step as _), Some(callback::finalize as _));
        let rc = sq::sqlite3_create_function_v2(c.db, name.as_ptr(), n_arg, sq::SQLITE_UTF8, ctx, None, step, last, Some(callback::destroy));
        if rc != sq::SQLITE_OK {
            return Err(error((*c.state).OperationalError, "Error creating aggregate"));
        }
    }
    Ok(())
}
fn connection_create_window_function(c: Conn<'_>, name: &str, num_params: i32, aggregate_class: Borrowed<'_>) -> PyResult<()> {
    let name = c_string(name)?;
    c.check()?;
    // SAFETY: [OWN] as above.
    unsafe {
        let (db, name) = (c.db, name.as_ptr());
        let rc = if aggregate_class.is_none() {
            sq::sqlite3_create_window_function(db, name, num_params, sq::SQLITE_UTF8, null_mut(), None, None, None, None, None)
        } else {
            sq::sqlite3_create_window_function(
                db,
                name,
                num_params,
                sq::SQLITE_UTF8,
                context(c, aggregate_class).cast(),
                Some(callback::step),
                Some(callback::finalize),
                Some(callback::value),
                Some(callback::inverse),
                Some(callback::destroy),
            )
        };
        if rc != sq::SQLITE_OK {
            let message = CStr::from_ptr(sq::sqlite3_errstr(rc)).to_string_lossy();
            return Err(error((*c.state).ProgrammingError, &message));
        }
    }
    Ok(())
}
fn connection_create_collation(c: Conn<'_>, name: &str, callback: Borrowed<'_>) -> PyResult<()> {
    let name = c_string(name)?;
    c.check()?;
    // SAFETY: [OWN] here the library frees the context only if it succeeds.
    unsafe {
        let rc = if callback.is_none() {
            sq::sqlite3_create_collation_v2(c.db, name.as_ptr(), sq::SQLITE_UTF8, null_mut(), None, None)
        } else {
            if PyCallable_Check(callback.ob()) == 0 {
                bail!(PyExc_TypeError, "parameter must be callable");
            }
            let mut ctx = context(c, callback);
            let (compare, destroy) = (Some(callback::collation as _), Some(callback::destroy as _));
            let rc = sq::sqlite3_create_collation_v2(c.db, name.as_ptr(), sq::SQLITE_UTF8, ctx.cast(), compare, destroy);
            if rc != sq::SQLITE_OK {
                callback::replace(&mut ctx, null_mut());
            }
            rc
        };
        if rc == sq::SQLITE_OK { Ok(()) } else { Err(c.failed()) }
    }
}
fn connection_set_authorizer(c: Conn<'_>, callable: Borrowed<'_>) -> PyResult<()> {
    c.check()?;
    let slot = slot_of(c, |p| &raw mut p.authorizer);
    // SAFETY: [OWN] the library has the new context before the old one is freed.
    unsafe {
        let (rc, ctx) = if callable.is_none() {
            (sq::sqlite3_set_authorizer(c.db, None, null_mut()), null_mut())
        } else {
            let ctx = context(c, callable);
            (sq::sqlite3_set_authorizer(c.db, Some(callback::authorizer), ctx.cast()), ctx)
        };
        callback::replace(slot, ctx);
        if rc != sq::SQLITE_OK {
            callback::replace(slot, null_mut());
            return Err(error((*c.state).OperationalError, "Error setting authorizer callback"));
        }
    }
    Ok(())
}
fn connection_set_progress_handler(c: Conn<'_>, callable: Borrowed<'_>, n: i32) -> PyResult<()> {
    c.check()?;
    let slot = slot_of(c, |p| &raw mut p.progress);
    // SAFETY: [OWN] as above.
    unsafe {
        if callable.is_none() {
            sq::sqlite3_progress_handler(c.db, 0, None, null_mut());
            callback::replace(slot, null_mut());
        } else {
            let ctx = context(c, callable);
            sq::sqlite3_progress_handler(c.db, n, Some(callback::progress), ctx.cast());
            callback::replace(slot, ctx);
        }
    }
    Ok(())
}
fn connection_set_trace_callback(c: Conn<'_>, callable: Borrowed<'_>) -> PyResult<()> {
    c.check()?;
    let slot = slot_of(c, |p| &raw mut p.trace);
    // SAFETY: [OWN] as above.
    unsafe {
        if callable.is_none() {
            sq::sqlite3_trace_v2(c.db, sq::SQLITE_TRACE_STMT, None, null_mut());
            callback::replace(slot, null_mut());
        } else {
            let ctx = context(c, callable);
            sq::sqlite3_trace_v2(c.db, sq::SQLITE_TRACE_STMT, Some(callback::trace), ctx.cast());
            callback::replace(slot, ctx);
        }
    }
    Ok(())
}
/// Where a connection keeps a context.
fn slot_of(c: Conn<'_>, f: impl FnOnce(&mut Connection) -> *mut *mut Context) -> *mut *mut Context {
    // SAFETY: [TYPE] the reference ends here.
    f(unsafe { &mut *c.as_ptr() })
}

/// Parameters that can be given by name, but with a warning.
macro_rules! warns {
    ($sig:literal, $positional:literal, $function:literal, $f:expr) => {{
        unsafe extern "C" fn entry(
            slf: *mut PyObject,
            args: *const *mut PyObject,
            nargs: Py_ssize_t,
            kwnames: *mut PyObject,
        ) -> *mut PyObject {
            const N: usize = taipan_clinic::signature::count($sig);
            static SIG: taipan_clinic::Signature<N> = taipan_clinic::Signature::parse($sig);
            let sig = SIG.erase();
            // SAFETY: [ARGS] as a METH_FASTCALL | METH_KEYWORDS function; binding reports what is missing first.
            unsafe {
                if nargs < $positional {
                    let mut slots = [null_mut(); N];
                    if taipan_clinic::bind(&sig, args, nargs as usize, kwnames, &mut slots).is_err() {
                        return null_mut();
                    }
                    let names: Vec<String> = sig.params[..$positional].iter().map(|p| format!("'{}'", p.name)).collect();
                    let (listed, s) = match names.as_slice() {
                        [one] => (one.clone(), ""),
                        [first @ .., last] => (format!("{} and {}", first.join(", "), last), "s"),
                        [] => (String::new(), ""),
                    };
                    let message = format!(
                        "Passing keyword argument{s} {listed} to _sqlite3.Connection.{}() is deprecated. Parameter{s} {listed} will become positional-only in Python 3.15.",
                        $function
                    );
                    if deprecated(&message).is_err() {
                        return null_mut();
                    }
                }
                taipan_clinic::invoke::call_fast::<_, N>($f, &sig, slf, args, nargs, kwnames)
            }
        }
        PyMethodDefPointer { PyCFunctionFastWithKeywords: entry }
    }};
}

// ---- extensions, blobs, copies

fn connection_enable_load_extension(c: Conn<'_>, enable: bool) -> PyResult<()> {
    // SAFETY: [TYPE] open.
    unsafe {
        audit(c"sqlite3.enable_load_extension", &[c.ob(), boolean(enable).as_ptr()])?;
        c.check()?;
        if sq::sqlite3_enable_load_extension(c.db, enable as c_int) != sq::SQLITE_OK {
            return Err(error((*c.state).OperationalError, "Error enabling load extension"));
        }
    }
    Ok(())
}
fn connection_load_extension(c: Conn<'_>, name: &str, entrypoint: Option<&str>) -> PyResult<()> {
    let file = c_string(name)?;
    let entry = entrypoint.map(c_string).transpose()?;
    // SAFETY: [TYPE] open; the message is copied, then freed.
    unsafe {
        audit(c"sqlite3.load_extension", &[c.ob(), string(name)?.as_ptr()])?;
        c.check()?;
        let mut message = null_mut();
        let rc = sq::sqlite3_load_extension(c.db, file.as_ptr(), entry.as_ref().map_or(null(), |e| e.as_ptr()), &mut message);
        if rc == sq::SQLITE_OK {
            return Ok(());
        }
        let text = if message.is_null() { "".into() } else { CStr::from_ptr(message).to_string_lossy().into_owned() };
        sq::sqlite3_free(message.cast());
        Err(error((*c.state).OperationalError, &text))
    }
}
fn connection_blobopen(c: Conn<'_>, table: &str, column: &str, row: RowId, readonly: bool, name: &str) -> PyResult<Owned> {
    let (table, column, name) = (c_string(table)?, c_string(column)?, c_string(name)?);
    c.check()?;
    let db = c.db;
    let mut blob = null_mut();
    // SAFETY: [TYPE] open.
    unsafe {
        let rc = without_gil(|| {
            sq::sqlite3_blob_open(db, name.as_ptr(), table.as_ptr(), column.as_ptr(), row.0, !readonly as c_int, &mut blob)
        });
        match rc {
            sq::SQLITE_OK => crate::blob::blob_new(c, blob),
            sq::SQLITE_MISUSE => {
                let message = CStr::from_ptr(sq::sqlite3_errstr(rc)).to_string_lossy();
                Err(error((*c.state).InterfaceError, &message))
            }
            _ => Err(c.failed()),
        }
    }
}
fn connection_iterdump(c: Conn<'_>, filter: Borrowed<'_>) -> PyResult<Owned> {
    c.check_open()?;
    // SAFETY: [TYPE] open.
    unsafe {
        let dump = Owned::from_owned_or_err(_PyImport_GetModuleAttrString(c"sqlite3.dump".as_ptr(), c"_iterdump".as_ptr()))?;
        let names = tuple(vec![string("filter")?])?;
        let args = [c.ob(), filter.ob()];
        Owned::from_owned_or_err(PyObject_Vectorcall(dump.as_ptr(), args.as_ptr(), 1, names.as_ptr()))
    }
}
fn connection_backup(c: Conn<'_>, target: Borrowed<'_>, pages: i32, progress: Borrowed<'_>, name: &str, sleep: f64) -> PyResult<()> {
    // SAFETY: [TYPE] checked; [OWN] the backup is finished on every way out.
    unsafe {
        let class = (*of_type(c.ob_base.ob_type)).ConnectionType;
        if PyObject_TypeCheck(target.ob(), class) == 0 {
            return Err(bad_argument("backup", "argument 'target'", "sqlite3.Connection", target.ob()));
        }
        let name = c_string(name)?;
        let target: Conn<'_> = target.cast();
        c.check()?;
        target.check_open()?;
        if target.as_ptr() == c.as_ptr() {
            bail!(PyExc_ValueError, "target cannot be the same connection instance");
        }
        if !progress.is_none() && PyCallable_Check(progress.ob()) == 0 {
            bail!(PyExc_TypeError, "progress argument must be a callable");
        }
        let pages = if pages == 0 { -1 } else { pages };
        let (from, to) = (c.db, target.db);
        let backup = without_gil(|| sq::sqlite3_backup_init(to, c"main".as_ptr(), from, name.as_ptr()));
        if backup.is_null() {
            return Err(db_error(c.state, to));
        }
        let finish = || without_gil(|| sq::sqlite3_backup_finish(backup));
        loop {
            let rc = without_gil(|| sq::sqlite3_backup_step(backup, pages));
            if !progress.is_none() {
                let told = || -> PyResult<()> {
                    let (left, all) = (sq::sqlite3_backup_remaining(backup), sq::sqlite3_backup_pagecount(backup));
                    let args = tuple(vec![int(rc as i64)?, int(left as i64)?, int(all as i64)?])?;
                    drop(Owned::from_owned_or_err(PyObject_CallObject(progress.ob(), args.as_ptr()))?);
                    Ok(())
                };
                if let Err(e) = told() {
                    finish();
                    return Err(e);
                }
            }
            match rc {
                sq::SQLITE_OK => {}
                sq::SQLITE_BUSY | sq::SQLITE_LOCKED => {
                    without_gil(|| sq::sqlite3_sleep((sleep * 1000.0) as c_int));
                }
                _ => break,
            }
        }
        if finish() == sq::SQLITE_OK { Ok(()) } else { Err(db_error(c.state, to)) }
    }
}
fn connection_serialize(c: Conn<'_>, name: &str) -> PyResult<Owned> {
    let schema = c_string(name)?;
    c.check()?;
    let db = c.db;
    let mut size = 0;
    // SAFETY: [TYPE] open; what the library copied is freed.
    unsafe {
        let (data, copied) = without_gil(|| {
            // A database that lies in one piece needs no copy.
            let data = sq::sqlite3_serialize(db, schema.as_ptr(), &mut size, sq::SQLITE_SERIALIZE_NOCOPY);
            if data.is_null() { (sq::sqlite3_serialize(db, schema.as_ptr(), &mut size, 0), true) } else { (data, false) }
        });
        if data.is_null() {
            return Err(error((*c.state).OperationalError, &format!("unable to serialize '{name}'")));
        }
        let made = Owned::from_owned_or_err(PyBytes_FromStringAndSize(data.cast(), size as Py_ssize_t));
        if copied {
            sq::sqlite3_free(data.cast());
        }
        made
    }
}
fn connection_deserialize(c: Conn<'_>, data: Borrowed<'_>, name: &str) -> PyResult<()> {
    let schema = c_string(name)?;
    // SAFETY: [TYPE] checked; [OWN] the library takes the copy over, also when it fails.
    unsafe {
        let view;
        let bytes: &[u8] = if PyUnicode_Check(data.ob()) != 0 {
            let mut size = 0;
            let text = PyUnicode_AsUTF8AndSize(data.ob(), &mut size);
            if text.is_null() {
                return Err(Raised::assume());
            }
            core::slice::from_raw_parts(text.cast(), size as usize)
        } else {
            view = BufferView::get(data.ob())?;
            view.as_bytes()
        };
        c.check()?;
        let size = bytes.len() as i64;
        let copy = sq::sqlite3_malloc64(size as u64).cast::<u8>();
        if copy.is_null() {
            return Err(no_memory());
        }
        let db = c.db;
        let flags = sq::SQLITE_DESERIALIZE_FREEONCLOSE | sq::SQLITE_DESERIALIZE_RESIZEABLE;
        let rc = without_gil(|| {
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
            sq::sqlite3_deserialize(db, schema.as_ptr(), copy, size, size, flags as _)
        });
        if rc == sq::SQLITE_OK { Ok(()) } else { Err(c.failed()) }
    }
}
fn connection_setlimit(c: Conn<'_>, category: i32, limit: i32) -> PyResult<i32> {
    c.check()?;
    // SAFETY: [TYPE] open.
    unsafe {
        let old = sq::sqlite3_limit(c.db, category, limit);
        if old < 0 {
            return Err(error((*c.state).ProgrammingError, "'category' is out of bounds"));
        }
        Ok(old)
    }
}
fn connection_getlimit(c: Conn<'_>, category: i32) -> PyResult<i32> {
    connection_setlimit(c, category, -1)
}
/// Sets a configuration, or asks for it with -1; what it is then.
fn configure(c: Conn<'_>, op: c_int, value: c_int) -> PyResult<c_int> {
    c.check()?;
    if !crate::constants::is_switch(op) {
        bail!(PyExc_ValueError, "unknown config 'op': {}", op);
    }
    let mut now: c_int = 0;
    // SAFETY: [TYPE] open; switches take an int and a pointer to one.
    let rc = unsafe { sq::sqlite3_db_config(c.db, op, value, &raw mut now) };
    if rc == sq::SQLITE_OK { Ok(now) } else { Err(c.failed()) }
}
fn connection_setconfig(c: Conn<'_>, op: i32, enable: bool) -> PyResult<()> {
    if configure(c, op, enable as c_int)? != enable as c_int {
        // SAFETY: [TYPE]
        return Err(error(unsafe { (*c.state).OperationalError }, "Unable to set config"));
    }
    Ok(())
}
fn connection_getconfig(c: Conn<'_>, op: i32) -> PyResult<bool> {
    Ok(configure(c, op, -1)? != 0)
}

// ---- attributes

fn get_isolation_level(c: Conn<'_>) -> PyResult<Option<Owned>> {
    c.check_open()?;
    c.isolation_level().map(string).transpose()
}
fn set_isolation_level(c: Conn<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    let Some(value) = value else { bail!(PyExc_AttributeError, "cannot delete attribute") };
    let level = Level::from(value.ob())?;
    // SAFETY: [TYPE]
    unsafe { (*c.as_ptr()).level = level.0 };
    // Without implicit transactions, none may be open.
    if level.0.is_null() { connection_commit(c) } else { Ok(()) }
}
fn get_total_changes(c: Conn<'_>) -> PyResult<i32> {
    c.check_open()?;
    // SAFETY: [TYPE] open.
    Ok(unsafe { sq::sqlite3_total_changes(c.db) })
}
fn get_in_transaction(c: Conn<'_>) -> PyResult<bool> {
    c.check_open()?;
    // SAFETY: [TYPE] open.
    Ok(unsafe { sq::sqlite3_get_autocommit(c.db) } == 0)
}
fn get_autocommit(c: Conn<'_>) -> PyResult<Owned> {
    c.check()?;
    if c.autocommit == LEGACY { int(LEGACY as i64) } else { Ok(boolean(c.autocommit != 0)) }
}
fn set_autocommit(c: Conn<'_>, value: Option<Borrowed<'_>>) -> PyResult<()> {
    c.check()?;
    let Some(value) = value else { bail!(PyExc_AttributeError, "cannot delete attribute") };
    let mode = Autocommit::from(value.ob())?.0;
    // SAFETY: [TYPE] open.
    unsafe {
        (*c.as_ptr()).autocommit = mode;
        match (mode, sq::sqlite3_get_autocommit(c.db) != 0) {
            (1, false) => c.exec("COMMIT"),
            (0, true) => c.exec("BEGIN"),
            _ => Ok(()),
        }
    }
}
fn get_text_signature(_: Conn<'_>) -> PyResult<&'static str> {
    Ok("(sql, /)")
}

getset! {
    static GETSET = [
        "isolation_level" => get_isolation_level, set_isolation_level, "";
        "total_changes" => get_total_changes, "";
        "in_transaction" => get_in_transaction, "";
        "autocommit" => get_autocommit, set_autocommit, "";
        "__text_signature__" => get_text_signature, "";
    ];
}
/// Where the exception of a number lies.
const fn exception(i: usize) -> usize {
    core::mem::offset_of!(Connection, exceptions) + i * size_of::<*mut PyObject>()
}
members! {
    static MEMBERS = [
        "Warning", _Py_T_OBJECT, exception(0), Py_READONLY, "";
        "Error", _Py_T_OBJECT, exception(1), Py_READONLY, "";
        "InterfaceError", _Py_T_OBJECT, exception(2), Py_READONLY, "";
        "DatabaseError", _Py_T_OBJECT, exception(3), Py_READONLY, "";
        "DataError", _Py_T_OBJECT, exception(4), Py_READONLY, "";
        "OperationalError", _Py_T_OBJECT, exception(5), Py_READONLY, "";
        "IntegrityError", _Py_T_OBJECT, exception(6), Py_READONLY, "";
        "InternalError", _Py_T_OBJECT, exception(7), Py_READONLY, "";
        "ProgrammingError", _Py_T_OBJECT, exception(8), Py_READONLY, "";
        "NotSupportedError", _Py_T_OBJECT, exception(9), Py_READONLY, "";
        "row_factory", _Py_T_OBJECT, core::mem::offset_of!(Connection, row_factory), 0, "";
        "text_factory", _Py_T_OBJECT, core::mem::offset_of!(Connection, text_factory), 0, "";
    ];
}
methods! {
    static METHODS = [
        "backup($self, /, target, *, pages=-1, progress=None, name='main', sleep=0.25)" => connection_backup, "Copy the database into another connection's.";
        "close($self, /)" => connection_close, "Close the database. Transactions that are open are lost.";
        "commit($self, /)" => connection_commit, "Commit the open transaction, if there is one.";
        raw "create_aggregate", warns!("create_aggregate($self, /, name, n_arg, aggregate_class)", 3, "create_aggregate", connection_create_aggregate), METH_FASTCALL | METH_KEYWORDS, "create_aggregate($self, /, name, n_arg, aggregate_class)\n--\n\nMake an aggregate of a class with step() and finalize().";
        "create_collation($self, name, callback, /)" => connection_create_collation, "Make a collation of a function of two texts, or remove it with None.";
        raw "create_function", warns!("create_function($self, /, name, narg, func, *, deterministic=False)", 3, "create_function", connection_create_function), METH_FASTCALL | METH_KEYWORDS, "create_function($self, /, name, narg, func, *, deterministic=False)\n--\n\nMake an SQL function.";
        "cursor($self, /, factory=<unrepresentable>)" => cursor, "A new cursor.";
        "enable_load_extension($self, enable, /)" => connection_enable_load_extension, "Set whether extensions of SQLite can be loaded.";
        "__enter__($self, /)" => connection_enter, "For a with statement, which commits or rolls back.";
        "executemany($self, sql, parameters, /)" => connection_executemany, "Run a statement for each set of parameters, with a new cursor.";
        "executescript($self, sql_script, /)" => connection_executescript, "Run several statements, with a new cursor.";
        "execute($self, sql, parameters=<unrepresentable>, /)" => connection_execute, "Run a statement, with a new cursor.";
        "__exit__($self, type, value, traceback, /)" => connection_exit, "Commit, or roll back after an exception.";
        "interrupt($self, /)" => connection_interrupt, "Abort what is running.";
        "iterdump($self, /, *, filter=None)" => connection_iterdump, "An iterator over statements that make the database.";
        "load_extension($self, name, /, *, entrypoint=None)" => connection_load_extension, "Load an extension of SQLite.";
        "rollback($self, /)" => connection_rollback, "Roll the open transaction back, if there is one.";
        raw "set_authorizer", warns!("set_authorizer($self, /, authorizer_callback)", 1, "set_authorizer", connection_set_authorizer), METH_FASTCALL | METH_KEYWORDS, "set_authorizer($self, /, authorizer_callback)\n--\n\nSet what decides on each access, or nothing.";
        raw "set_progress_handler", warns!("set_progress_handler($self, /, progress_handler, n)", 1, "set_progress_handler", connection_set_progress_handler), METH_FASTCALL | METH_KEYWORDS, "set_progress_handler($self, /, progress_handler, n)\n--\n\nSet what is called each n instructions of SQLite, and may abort, or nothing.";
        raw "set_trace_callback", warns!("set_trace_callback($self, /, trace_callback)", 1, "set_trace_callback", connection_set_trace_callback), METH_FASTCALL | METH_KEYWORDS, "set_trace_callback($self, /, trace_callback)\n--\n\nSet what is told of each statement, or nothing.";
        "setlimit($self, category, limit, /)" => connection_setlimit, "Set a limit; returns what it was.";
        "getlimit($self, category, /)" => connection_getlimit, "A limit.";
        "serialize($self, /, *, name='main')" => connection_serialize, "The database as bytes.";
        "deserialize($self, data, /, *, name='main')" => connection_deserialize, "Replace the database by one in memory.";
        "create_window_function($self, name, num_params, aggregate_class, /)" => connection_create_window_function, "Make a window function of a class with step(), finalize(), value() and inverse(), or remove it with None.";
        "blobopen($self, table, column, row, /, *, readonly=False, name='main')" => connection_blobopen, "Open a blob.";
        "setconfig($self, op, enable=True, /)" => connection_setconfig, "Turn a configuration on or off.";
        "getconfig($self, op, /)" => connection_getconfig, "Whether a configuration is on.";
    ];
}

/// Makes the type.
pub fn make(module: Borrowed<'_>) -> PyResult<*mut PyTypeObject> {
    // SAFETY: [LAYOUT]
    unsafe {
        let slots = [
            (Py_tp_finalize, finalize as *mut c_void),
            (Py_tp_dealloc, dealloc as *mut c_void),
            (Py_tp_doc, c"A connection to a database.".as_ptr().cast_mut().cast()),
            (Py_tp_methods, (&raw mut METHODS).cast()),
            (Py_tp_members, (&raw mut MEMBERS).cast()),
            (Py_tp_getset, (&raw mut GETSET).cast()),
            (Py_tp_init, init as *mut c_void),
            (Py_tp_call, call as *mut c_void),
            (Py_tp_traverse, traverse as *mut c_void),
            (Py_tp_clear, clear as *mut c_void),
        ];
        make_type(module, c"sqlite3.Connection", size_of::<Connection>(), Py_TPFLAGS_BASETYPE, &slots)
    }
}
