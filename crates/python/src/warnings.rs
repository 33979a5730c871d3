//! Warnings: filters, registries, and the module `_warnings`.

use crate::pystate::interp;
use crate::util::*;
use core::ffi::{c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{Str, Tuple, methods, module};

/// What the runtime keeps when the module `warnings` is not there.
pub struct WarningsState {
    filters: *mut PyObject,
    once_registry: *mut PyObject,
    default_action: *mut PyObject,
    filters_version: i64,
}

impl WarningsState {
    /// Nothing yet.
    pub const fn new() -> Self {
        WarningsState { filters: null_mut(), once_registry: null_mut(), default_action: null_mut(), filters_version: 0 }
    }
}
impl WarningsState {
    /// Releases all, when the interpreter ends.
    pub fn clear(&mut self) {
        for p in [&mut self.filters, &mut self.once_registry, &mut self.default_action] {
            // SAFETY: [OWN] [GIL]
            unsafe { Py_XDECREF(core::mem::replace(p, null_mut())) };
        }
    }
}
impl Default for WarningsState {
    fn default() -> Self {
        Self::new()
    }
}

fn state() -> PyResult<&'static mut WarningsState> {
    // SAFETY: [GIL] the interpreter's state lives as long as the process.
    unsafe {
        let st = &mut *(&raw mut interp().warnings);
        if st.filters.is_null() {
            let list = own(PyList_New(0))?;
            let defaults = [
                ("default", PyExc_DeprecationWarning, Some("__main__")),
                ("ignore", PyExc_DeprecationWarning, None),
                ("ignore", PyExc_PendingDeprecationWarning, None),
                ("ignore", PyExc_ImportWarning, None),
                ("ignore", PyExc_ResourceWarning, None),
            ];
            for (action, category, module) in defaults {
                let action = new_str(action)?;
                let module = module.map_or_else(|| Ok(none()), new_str)?;
                let zero = new_int(0)?;
                let item = tuple(&[action.as_ptr(), Py_None(), category, module.as_ptr(), zero.as_ptr()])?;
                check_status(PyList_Append(list.as_ptr(), item.as_ptr()))?;
            }
            st.filters = list.into_raw();
            st.once_registry = own(PyDict_New())?.into_raw();
            st.default_action = new_str("default")?.into_raw();
        }
        Ok(st)
    }
}

/// An attribute of the module `warnings`: imported if `try_import`, otherwise only where it has been imported already.
unsafe fn warnings_attr(attr: *mut PyObject, try_import: bool) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let ip = interp();
        let m = if try_import && !ip.finalizing {
            match own(PyImport_Import(intern!("warnings"))) {
                Ok(m) => m,
                Err(e) => {
                    if e.matches(PyExc_ImportError) {
                        e.clear();
                        return Ok(None);
                    }
                    return Err(e);
                }
            }
        } else {
            if ip.modules.is_null() {
                return Ok(None);
            }
            match crate::import::import_get_module(intern!("warnings"))? {
                Some(m) => m,
                None => return Ok(None),
            }
        };
        getattr_opt(m.as_ptr(), attr)
    }
}

/// Whether a filter's pattern fits: None fits all, a str must be equal, anything else is a compiled expression.
unsafe fn check_matched(obj: *mut PyObject, arg: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        if obj == Py_None() {
            return Ok(true);
        }
        if (*obj).ob_type == &raw mut PyUnicode_Type {
            return flag(PyObject_RichCompareBool(obj, arg, Py_EQ));
        }
        let r = call_method(obj, intern!("match"), &[arg])?;
        is_true(r.as_ptr())
    }
}

/// The action for a warning, and the filter that decided (None for the default).
unsafe fn get_filter(category: *mut PyObject, text: *mut PyObject, lineno: i64, module: *mut PyObject) -> PyResult<(Owned, Owned)> {
    // SAFETY: [ARGS]
    unsafe {
        let st = state()?;
        if let Some(f) = warnings_attr(intern!("filters"), false)? {
            setref(&raw mut st.filters, f.into_raw());
        }
        let filters = Owned::from_borrowed(st.filters);
        if PyList_Check(filters.as_ptr()) == 0 {
            bail!(PyExc_ValueError, "_warnings.filters must be a list");
        }
        let mut i = 0;
        while i < PyList_GET_SIZE(filters.as_ptr()) {
            let item = Owned::from_borrowed(PyList_GET_ITEM(filters.as_ptr(), i));
            if PyTuple_Check(item.as_ptr()) == 0 || PyTuple_GET_SIZE(item.as_ptr()) != 5 {
                bail!(PyExc_ValueError, "_warnings.filters item {i} isn't a 5-tuple");
            }
            let get = |k| PyTuple_GET_ITEM(item.as_ptr(), k);
            let action = get(0);
            if PyUnicode_Check(action) == 0 {
                bail!(PyExc_TypeError, "action must be a string, not '{}'", type_name(action));
            }
            let good_msg = check_matched(get(1), text)?;
            let good_mod = check_matched(get(3), module)?;
            let is_subclass = flag(PyObject_IsSubclass(category, get(2)))?;
            let ln = PyLong_AsSsize_t(get(4));
            if ln == -1 && err_occurred() {
                return Err(Raised::assume());
            }
            if good_msg && is_subclass && good_mod && (ln == 0 || ln as i64 == lineno) {
                return Ok((Owned::from_borrowed(action), item));
            }
            i += 1;
        }
        if let Some(a) = warnings_attr(intern!("defaultaction"), false)? {
            if PyUnicode_Check(a.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "_warnings.defaultaction must be a string, not '{}'", type_name(a.as_ptr()));
            }
            setref(&raw mut st.default_action, a.into_raw());
        }
        Ok((Owned::from_borrowed(st.default_action), none()))
    }
}

unsafe fn already_warned(registry: *mut PyObject, key: *mut PyObject, should_set: bool) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let version = state()?.filters_version;
        let seen = dict_get(registry, intern!("version"))?;
        let current = seen.is_some_and(|v| (*v.as_ptr()).ob_type == &raw mut PyLong_Type && PyLong_AsLong(v.as_ptr()) == version);
        if !current {
            // The filters have changed since: what was decided by the old ones does not count.
            PyDict_Clear(registry);
            let v = new_int(version)?;
            dict_set(registry, intern!("version"), v.as_ptr())?;
        } else if let Some(w) = dict_get(registry, key)?
            && is_true(w.as_ptr())?
        {
            return Ok(true);
        }
        if should_set {
            dict_set(registry, key, Py_True())?;
        }
        Ok(false)
    }
}

/// Marks a text of a category as warned about wherever it occurs; whether it was already.
unsafe fn update_registry(registry: *mut PyObject, text: *mut PyObject, category: *mut PyObject, add_zero: bool) -> PyResult<bool> {
    // SAFETY: [ARGS]
    unsafe {
        let zero = new_int(0)?;
        let key = if add_zero { tuple(&[text, category, zero.as_ptr()])? } else { tuple(&[text, category])? };
        already_warned(registry, key.as_ptr(), true)
    }
}

/// The module's name from the file's: without `.py`.
unsafe fn normalize_module(filename: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyUnicode_GetLength(filename);
        if n < 0 {
            return Err(Raised::assume());
        }
        if n == 0 {
            return new_str("<unknown>");
        }
        if lossy(filename).ends_with(".py") {
            return own(PyUnicode_Substring(filename, 0, n - 3));
        }
        Ok(Owned::from_borrowed(filename))
    }
}

/// Prints a warning without the module `warnings`.
unsafe fn show_warning(filename: *mut PyObject, lineno: c_int, text: *mut PyObject, category: *mut PyObject, sourceline: Option<&Owned>) {
    // SAFETY: [ARGS]
    let r: PyResult<()> = (|| unsafe {
        let name = getattr(category, intern!("__name__"))?;
        let Some(err) = crate::sysmodule::get_optional_attr(intern!("stderr"))? else {
            crate::errln!("lost sys.stderr");
            return Ok(());
        };
        let raw = |o: *mut PyObject| check_status(PyFile_WriteObject(o, err.as_ptr(), Py_PRINT_RAW));
        let text_out = |t: &str| {
            let s = new_str(t)?;
            raw(s.as_ptr())
        };
        raw(filename)?;
        text_out(&format!(":{lineno}: "))?;
        raw(name.as_ptr())?;
        text_out(": ")?;
        raw(text)?;
        text_out("\n")?;
        match sourceline {
            Some(l) => {
                raw(l.as_ptr())?;
                text_out("\n")
            }
            None => check_status(crate::traceback::_Py_DisplaySourceLine(err.as_ptr(), filename, lineno, 2, null_mut(), null_mut())),
        }
    })();
    if let Err(e) = r {
        e.clear();
    }
}

struct Warning<'a> {
    category: *mut PyObject,
    text: &'a Owned,
    message: &'a Owned,
    filename: *mut PyObject,
    lineno: c_int,
    lineno_obj: &'a Owned,
    sourceline: Option<&'a Owned>,
    source: *mut PyObject,
}

unsafe fn call_show_warning(w: &Warning<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        // Only the Python implementation can tell where the source of a ResourceWarning was allocated.
        let Some(show) = warnings_attr(intern!("_showwarnmsg"), true)? else {
            show_warning(w.filename, w.lineno, w.text.as_ptr(), w.category, w.sourceline);
            return Ok(());
        };
        if PyCallable_Check(show.as_ptr()) == 0 {
            bail!(PyExc_TypeError, "warnings._showwarnmsg() must be set to a callable");
        }
        let Some(class) = warnings_attr(intern!("WarningMessage"), false)? else {
            bail!(PyExc_RuntimeError, "unable to get warnings.WarningMessage");
        };
        let none = Py_None();
        let source = if w.source.is_null() { none } else { w.source };
        let msg = call(class.as_ptr(), &[w.message.as_ptr(), w.category, w.filename, w.lineno_obj.as_ptr(), none, none, source])?;
        call(show.as_ptr(), &[msg.as_ptr()])?;
        Ok(())
    }
}

/// Decides about a warning and shows it. `module` and `registry` may be NULL.
#[allow(clippy::too_many_arguments, reason = "the parts of a warning")]
unsafe fn warn_explicit(category: *mut PyObject, message: *mut PyObject, filename: *mut PyObject, lineno: c_int, module: *mut PyObject, registry: *mut PyObject, sourceline: Option<&Owned>, source: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        // Late at shutdown there is no module any more, nor are there filters.
        if module == Py_None() {
            return Ok(());
        }
        let registry = if registry == Py_None() { null_mut() } else { registry };
        if !registry.is_null() && PyDict_Check(registry) == 0 {
            bail!(PyExc_TypeError, "'registry' must be a dict or None");
        }
        let module = if module.is_null() { normalize_module(filename)? } else { Owned::from_borrowed(module) };
        let is_warning = flag(PyObject_IsInstance(message, PyExc_Warning))?;
        let (text, message, category) = if is_warning {
            (own(PyObject_Str(message))?, Owned::from_borrowed(message), (*message).ob_type.cast::<PyObject>())
        } else {
            (Owned::from_borrowed(message), call(category, &[message])?, category)
        };
        let lineno_obj = new_int(lineno as i64)?;
        let source = if source == Py_None() { null_mut() } else { source };
        let key = tuple(&[text.as_ptr(), category, lineno_obj.as_ptr()])?;
        if !registry.is_null() && already_warned(registry, key.as_ptr(), false)? {
            return Ok(());
        }
        let (action, item) = get_filter(category, text.as_ptr(), lineno as i64, module.as_ptr())?;
        let is = |s: &core::ffi::CStr| _PyUnicode_EqualToASCIIString(action.as_ptr(), s.as_ptr()) != 0;
        if is(c"error") {
            PyErr_SetObject(category, message.as_ptr());
            return Err(Raised::assume());
        }
        if is(c"ignore") {
            return Ok(());
        }
        let mut seen = false;
        if !is(c"always") {
            if !registry.is_null() {
                dict_set(registry, key.as_ptr(), Py_True())?;
            }
            if is(c"once") {
                let registry = if registry.is_null() { once_registry()? } else { Owned::from_borrowed(registry) };
                seen = update_registry(registry.as_ptr(), text.as_ptr(), category, false)?;
            } else if is(c"module") {
                if !registry.is_null() {
                    seen = update_registry(registry, text.as_ptr(), category, false)?;
                }
            } else if !is(c"default") {
                bail!(PyExc_RuntimeError, "Unrecognized action ({}) in warnings.filters:\n {}", repr(action.as_ptr())?, repr(item.as_ptr())?);
            }
        }
        if seen {
            return Ok(());
        }
        call_show_warning(&Warning { category, text: &text, message: &message, filename, lineno, lineno_obj: &lineno_obj, sourceline, source })
    }
}

fn once_registry() -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let st = state()?;
        if let Some(r) = warnings_attr(intern!("onceregistry"), false)? {
            if PyDict_Check(r.as_ptr()) == 0 {
                bail!(PyExc_TypeError, "_warnings.onceregistry must be a dict, not '{}'", type_name(r.as_ptr()));
            }
            setref(&raw mut st.once_registry, r.into_raw());
        }
        Ok(Owned::from_borrowed(st.once_registry))
    }
}

unsafe fn frame_filename(f: *mut PyFrameObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { (*crate::traceback::frame_code(f)).co_filename }
}

/// Whether a frame belongs to the import system, which warnings look through.
unsafe fn is_internal_frame(f: *mut PyFrameObject) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        if f.is_null() {
            return false;
        }
        let name = frame_filename(f);
        if name.is_null() || PyUnicode_Check(name) == 0 {
            return false;
        }
        let text = lossy(name);
        text.contains("importlib") && text.contains("_bootstrap")
    }
}

unsafe fn skip_by_prefix(f: *mut PyFrameObject, prefixes: Option<Borrowed<'_>>) -> bool {
    // SAFETY: [ARGS]
    unsafe {
        let Some(p) = prefixes else { return false };
        let name = frame_filename(f);
        if name.is_null() || PyUnicode_Check(name) == 0 {
            return false;
        }
        (0..PyTuple_GET_SIZE(p.ob())).any(|i| PyUnicode_Tailmatch(name, PyTuple_GET_ITEM(p.ob(), i), 0, Py_ssize_t::MAX, -1) == 1)
    }
}

/// Where a warning belongs: file, line, module, registry.
unsafe fn setup_context(mut level: Py_ssize_t, prefixes: Option<Borrowed<'_>>) -> PyResult<(Owned, c_int, Owned, Owned)> {
    // SAFETY: [GIL]
    unsafe {
        if let Some(p) = prefixes {
            for i in 0..PyTuple_GET_SIZE(p.ob()) {
                let item = PyTuple_GET_ITEM(p.ob(), i);
                if PyUnicode_Check(item) == 0 {
                    bail!(PyExc_TypeError, "Found non-str '{}' in skip_file_prefixes.", type_name(item));
                }
            }
        }
        type Frame = Option<Owned>;
        let ptr = |f: &Frame| f.as_ref().map_or(null_mut(), |f| f.as_ptr().cast::<PyFrameObject>());
        let back = |f: &Frame| Owned::from_owned_or_opt(PyFrame_GetBack(ptr(f).cast()).cast::<PyObject>());
        let mut f: Frame = Owned::from_owned_or_opt(crate::pystate::PyThreadState_GetFrame(current_tstate()).cast::<PyObject>());
        level -= 1;
        if level < 0 || is_internal_frame(ptr(&f)) {
            while level > 0 && f.is_some() {
                f = back(&f);
                level -= 1;
            }
        } else {
            while level > 0 && f.is_some() {
                loop {
                    f = back(&f);
                    if f.is_none() || !(is_internal_frame(ptr(&f)) || skip_by_prefix(ptr(&f), prefixes)) {
                        break;
                    }
                }
                level -= 1;
            }
        }
        let (globals, filename, lineno) = match &f {
            None => (Owned::from_borrowed(interp().sysdict), new_str("<sys>")?, 0),
            Some(_) => {
                let fr = ptr(&f);
                let g = own(PyFrame_GetGlobals(fr.cast()))?;
                (g, Owned::from_borrowed(frame_filename(fr)), PyFrame_GetLineNumber(fr.cast()))
            }
        };
        let registry = match dict_get(globals.as_ptr(), intern!("__warningregistry__"))? {
            Some(r) => r,
            None => {
                let r = own(PyDict_New())?;
                dict_set(globals.as_ptr(), intern!("__warningregistry__"), r.as_ptr())?;
                r
            }
        };
        let module = match dict_get(globals.as_ptr(), intern!("__name__"))? {
            Some(m) if m.as_ptr() == Py_None() || PyUnicode_Check(m.as_ptr()) != 0 => m,
            _ => new_str("<string>")?,
        };
        Ok((filename, lineno, module, registry))
    }
}

unsafe fn do_warn(message: *mut PyObject, category: *mut PyObject, level: Py_ssize_t, source: *mut PyObject, prefixes: Option<Borrowed<'_>>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let (filename, lineno, module, registry) = setup_context(level, prefixes)?;
        warn_explicit(category, message, filename.as_ptr(), lineno, module.as_ptr(), registry.as_ptr(), None, source)
    }
}

unsafe fn get_category(message: *mut PyObject, category: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let category = if flag(PyObject_IsInstance(message, PyExc_Warning))? {
            (*message).ob_type.cast()
        } else if category.is_null() || category == Py_None() {
            PyExc_UserWarning
        } else {
            category
        };
        if PyObject_IsSubclass(category, PyExc_Warning) <= 0 {
            PyErr_Clear();
            bail!(PyExc_TypeError, "category must be a Warning subclass, not '{}'", type_name(category));
        }
        Ok(Owned::from_borrowed(category))
    }
}

// ---- the module

fn warnings_warn(_: (), message: Borrowed<'_>, category: Borrowed<'_>, stacklevel: isize, source: Borrowed<'_>, prefixes: Option<Tuple<'_>>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let category = get_category(message.ob(), category.ob())?;
        let prefixes = prefixes.map(|t| t.0).filter(|t| PyTuple_GET_SIZE(t.ob()) > 0);
        let level = if prefixes.is_some() { stacklevel.max(2) } else { stacklevel };
        do_warn(message.ob(), category.as_ptr(), level, source.ob(), prefixes)
    }
}

/// The line of the source that a module's loader gives.
unsafe fn loader_source_line(globals: *mut PyObject, lineno: c_int) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let bootstrap = getattr(interp().importlib, intern!("_bootstrap_external"))?;
        let loader = call_method(bootstrap.as_ptr(), intern!("_bless_my_loader"), &[globals])?;
        let Some(name) = dict_get(globals, intern!("__name__"))? else { return Ok(None) };
        let Some(get_source) = getattr_opt(loader.as_ptr(), intern!("get_source"))? else { return Ok(None) };
        let source = call(get_source.as_ptr(), &[name.as_ptr()])?;
        if source.as_ptr() == Py_None() {
            return Ok(None);
        }
        let lines = own(PyUnicode_Splitlines(source.as_ptr(), 0))?;
        let line = PyList_GetItem(lines.as_ptr(), (lineno - 1) as Py_ssize_t);
        if line.is_null() {
            return Err(Raised::assume());
        }
        Ok(Some(Owned::from_borrowed(line)))
    }
}

#[allow(clippy::too_many_arguments, reason = "the parameters of warn_explicit()")]
fn warnings_warn_explicit(_: (), message: Borrowed<'_>, category: Borrowed<'_>, filename: Str<'_>, lineno: i32, module: Option<crate::sysmodule::KeepNone<'_>>, registry: Borrowed<'_>, module_globals: Borrowed<'_>, source: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let mut line = None;
        if !module_globals.is_none() {
            if PyDict_Check(module_globals.ob()) == 0 {
                bail!(PyExc_TypeError, "module_globals must be a dict, not '{}'", type_name(module_globals.ob()));
            }
            line = loader_source_line(module_globals.ob(), lineno)?;
        }
        let module = module.map_or(null_mut(), |m| m.0.ob());
        warn_explicit(category.ob(), message.ob(), filename.ob(), lineno, module, registry.ob(), line.as_ref(), source.ob())
    }
}

fn warnings_filters_mutated(_: ()) -> PyResult<()> {
    state()?.filters_version += 1;
    Ok(())
}

methods! {
    static METHODS = [
        "warn($module, /, message, category=None, stacklevel=1, source=None, *, skip_file_prefixes=<unrepresentable>)" => warnings_warn, "Warn, ignore or raise, as the filters say.";
        "warn_explicit($module, /, message, category, filename, lineno, module=<unrepresentable>, registry=None, module_globals=None, source=None)" => warnings_warn_explicit, "As warn(), with the place given.";
        "_filters_mutated($module, /)" => warnings_filters_mutated, "Tell that the filters have changed.";
    ];
}

fn exec(m: Borrowed<'_>) -> PyResult<()> {
    use taipan_clinic::module::add_object;
    let st = state()?;
    // SAFETY: [GIL]
    unsafe {
        add_object(m, c"filters", Ok(Owned::from_borrowed(st.filters)))?;
        add_object(m, c"_onceregistry", Ok(Owned::from_borrowed(st.once_registry)))?;
        add_object(m, c"_defaultaction", Ok(Owned::from_borrowed(st.default_action)))
    }
}

module! {
    /// The module `_warnings`.
    pub fn _PyWarnings_Init = "_warnings", "What the module warnings needs of the runtime.", methods: METHODS, exec: exec;
}

// ---- the C API

/// Warns with a text object; `source` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_WarnObject(category: *mut PyObject, message: *mut PyObject, level: Py_ssize_t, source: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let category = if category.is_null() { PyExc_RuntimeWarning } else { category };
        do_warn(message, category, level, source, None).into_c()
    }
}

/// Warns with a UTF-8 text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_WarnEx(category: *mut PyObject, text: *const c_char, level: Py_ssize_t) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        match own(PyUnicode_FromString(text)) {
            Ok(m) => _PyErr_WarnObject(category, m.as_ptr(), level, null_mut()),
            Err(_) => -1,
        }
    }
}

/// Warns about a given place; `module` and `registry` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_WarnExplicitObject(category: *mut PyObject, message: *mut PyObject, filename: *mut PyObject, lineno: c_int, module: *mut PyObject, registry: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let category = if category.is_null() { PyExc_RuntimeWarning } else { category };
        warn_explicit(category, message, filename, lineno, module, registry, None, null_mut()).into_c()
    }
}

/// Warns about a given place, with the module and the registry of the code that runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_WarnExplicitObjectWithContext(category: *mut PyObject, message: *mut PyObject, filename: *mut PyObject, lineno: c_int) -> c_int {
    // SAFETY: [ARGS]
    let r: PyResult<()> = (|| unsafe {
        let (_, _, module, registry) = setup_context(1, None)?;
        check_status(PyErr_WarnExplicitObject(category, message, filename, lineno, module.as_ptr(), registry.as_ptr()))
    })();
    r.into_c()
}

/// Warns about a given place; `module` and `registry` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyErr_WarnExplicit(category: *mut PyObject, text: *const c_char, filename: *const c_char, lineno: c_int, module: *const c_char, registry: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    let r: PyResult<()> = (|| unsafe {
        let message = own(PyUnicode_FromString(text))?;
        let filename = own(PyUnicode_DecodeFSDefault(filename))?;
        let module = if module.is_null() { None } else { Some(own(PyUnicode_FromString(module))?) };
        let m = module.as_ref().map_or(null_mut(), |m| m.as_ptr());
        check_status(PyErr_WarnExplicitObject(category, message.as_ptr(), filename.as_ptr(), lineno, m, registry))
    })();
    r.into_c()
}

/// Warns that a coroutine was never awaited, with the help of the module `warnings`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyWarnings_WarnUnawaitedCoroutine(coro: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        let mut warned = false;
        if let Ok(Some(f)) = warnings_attr(intern!("_warn_unawaited_coroutine"), true) {
            if call(f.as_ptr(), &[coro]).is_ok() {
                warned = true;
            }
        }
        if err_occurred() {
            PyErr_WriteUnraisable(coro);
        }
        if !warned {
            let name = getattr_opt(coro, intern!("__qualname__")).ok().flatten();
            let shown = name.and_then(|n| repr(n.as_ptr()).ok()).unwrap_or_else(|| "?".into());
            PyErr_Clear();
            let r = new_str(&format!("coroutine {shown} was never awaited"))
                .and_then(|m| check_status(_PyErr_WarnObject(PyExc_RuntimeWarning, m.as_ptr(), 1, coro)));
            if r.is_err() {
                PyErr_WriteUnraisable(coro);
            }
        }
    }
}

/// Warns that an asynchronous generator's method was never awaited.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyErr_WarnUnawaitedAgenMethod(agen: *mut PyObject, method: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        let name = getattr_opt(agen, intern!("__qualname__")).ok().flatten();
        let shown = name.and_then(|n| repr(n.as_ptr()).ok()).unwrap_or_else(|| "?".into());
        PyErr_Clear();
        let r = new_str(&format!("coroutine method {} of {shown} was never awaited", repr(method).unwrap_or_default()))
            .and_then(|m| check_status(_PyErr_WarnObject(PyExc_RuntimeWarning, m.as_ptr(), 1, agen)));
        if r.is_err() {
            PyErr_WriteUnraisable(agen);
        }
    }
}
