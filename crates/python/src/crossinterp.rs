//! Data that travels between interpreters, and running code in another interpreter.
//!
//! An object is not handed over: what it stands for is written into a `_PyCrossInterpreterData`, from which the other
//! interpreter makes its own object. A registry tells for each type how.

use crate::pystate::{PyInterpreterState_GetID, _PyInterpreterState_LookUpID, interp};
use crate::util::*;
use core::ffi::{c_char, c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;

unsafe extern "C" {
    static mut PyExc_InterpreterError: *mut PyObject;
    fn PyWeakref_NewRef(op: *mut PyObject, callback: *mut PyObject) -> *mut PyObject;
    fn PyWeakref_GetRef(r: *mut PyObject, op: *mut *mut PyObject) -> c_int;
    fn PyType_GetModuleName(tp: *mut PyTypeObject) -> *mut PyObject;
}

/// `_PyCrossInterpreterData`, as extensions know it.
#[repr(C)]
pub struct CrossData {
    /// What the object stands for; NULL where `new_object` says it all.
    pub data: *mut c_void,
    /// The object, while the data lies in it; owned.
    pub obj: *mut PyObject,
    /// The interpreter that the data is released in.
    pub interpid: i64,
    /// Makes an object of it in the running interpreter.
    pub new_object: Option<unsafe extern "C" fn(*mut CrossData) -> *mut PyObject>,
    /// Frees `data`.
    pub free: Option<unsafe extern "C" fn(*mut c_void)>,
}

/// Writes what an object stands for into the data.
pub type GetData = unsafe extern "C" fn(*mut PyThreadState, *mut PyObject, *mut CrossData) -> c_int;

// ---- which types travel

struct Entry {
    class: *mut PyTypeObject,
    /// Of a heap type, which may go away.
    weak: Option<Owned>,
    uses: usize,
    getdata: GetData,
}

/// The types that extensions have registered, beside those of the runtime.
pub struct Registry(Vec<Entry>);

impl Registry {
    /// Without entries.
    pub const fn new() -> Self {
        Registry(Vec::new())
    }
    /// Forgets all.
    pub fn clear(&mut self) {
        drop(core::mem::take(&mut self.0));
    }
    fn find(&mut self, class: *mut PyTypeObject) -> Option<usize> {
        let mut gone = Vec::new();
        self.0.retain_mut(|e| {
            let Some(weak) = &e.weak else { return true };
            let mut live = null_mut();
            // SAFETY: [GIL] a weak reference.
            let found = unsafe { PyWeakref_GetRef(weak.as_ptr(), &mut live) };
            // SAFETY: [OWN]
            drop(unsafe { Owned::<PyObject>::from_owned_or_opt(live) });
            if found <= 0 {
                gone.extend(e.weak.take());
            }
            found > 0
        });
        drop(gone);
        self.0.iter().position(|e| e.class == class)
    }
}
impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

/// Static types registered by extensions, for all interpreters.
static mut GLOBAL: Registry = Registry::new();

fn registry_of(class: *mut PyTypeObject) -> &'static mut Registry {
    // SAFETY: [GIL]
    unsafe {
        if (*class).tp_flags & Py_TPFLAGS_HEAPTYPE != 0 {
            &mut interp().xidata
        } else {
            &mut *(&raw mut GLOBAL)
        }
    }
}

fn builtin_getdata(class: *mut PyTypeObject) -> Option<GetData> {
    let table: [(*mut PyTypeObject, GetData); 7] = [
        // SAFETY: [IMMORTAL]
        (unsafe { (*Py_None()).ob_type }, none_shared),
        (&raw mut PyLong_Type, long_shared),
        (&raw mut PyBytes_Type, bytes_shared),
        (&raw mut PyUnicode_Type, str_shared),
        (&raw mut PyBool_Type, bool_shared),
        (&raw mut PyFloat_Type, float_shared),
        (&raw mut PyTuple_Type, tuple_shared),
    ];
    table.iter().find(|(t, _)| *t == class).map(|&(_, f)| f)
}

/// How objects of the type of `op` travel, `None` if they don't.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCrossInterpreterData_Lookup(op: *mut PyObject) -> Option<GetData> {
    // SAFETY: [ARGS]
    let class = unsafe { (*op).ob_type };
    builtin_getdata(class).or_else(|| {
        let registry = registry_of(class);
        registry.find(class).map(|i| registry.0[i].getdata)
    })
}

/// Registers how objects of a type travel. The type is not kept alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCrossInterpreterData_RegisterClass(class: *mut PyTypeObject, getdata: Option<GetData>) -> c_int {
    // SAFETY: [ARGS]
    let r = (|| unsafe {
        if PyType_Check(class.cast()) == 0 {
            bail!(PyExc_ValueError, "only classes may be registered");
        }
        let Some(getdata) = getdata else { bail!(PyExc_ValueError, "missing 'getdata' func") };
        let registry = registry_of(class);
        if let Some(i) = registry.find(class) {
            registry.0[i].uses += 1;
            return Ok(());
        }
        let weak = if (*class).tp_flags & Py_TPFLAGS_HEAPTYPE != 0 { Some(own(PyWeakref_NewRef(class.cast(), null_mut()))?) } else { None };
        registry_of(class).0.push(Entry { class, weak, uses: 1, getdata });
        Ok(())
    })();
    r.into_c()
}

/// Takes back one registration of a type; 1 if there was one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCrossInterpreterData_UnregisterClass(class: *mut PyTypeObject) -> c_int {
    let registry = registry_of(class);
    let Some(i) = registry.find(class) else { return 0 };
    registry.0[i].uses -= 1;
    if registry.0[i].uses == 0 {
        drop(registry.0.remove(i));
    }
    1
}

/// The running interpreter's `NotShareableError`, made on first use; lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_GetNotShareableError() -> *mut PyObject {
    let place = &raw mut interp().published.not_shareable_error;
    // SAFETY: [GIL] the interpreter's state stays where it is.
    unsafe {
        if (*place).is_null() {
            *place = PyErr_NewException(c"interpreters.NotShareableError".as_ptr(), PyExc_ValueError, null_mut());
        }
        *place
    }
}

unsafe fn not_shareable(op: *mut PyObject) {
    // SAFETY: [ARGS]
    unsafe {
        let class = _PyXI_GetNotShareableError();
        if !class.is_null() {
            PyErr_Format(class, c"%S does not support cross-interpreter data".as_ptr(), op);
        }
    }
}

/// 0 if an object can travel, else NotShareableError.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_CheckCrossInterpreterData(op: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if _PyCrossInterpreterData_Lookup(op).is_some() {
            return 0;
        }
        not_shareable(op);
        -1
    }
}

// ---- the data

const EMPTY: CrossData = CrossData { data: null_mut(), obj: null_mut(), interpid: -1, new_object: None, free: None };

/// New data without content, to be freed by [`_PyCrossInterpreterData_Free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCrossInterpreterData_New() -> *mut CrossData {
    // SAFETY: checked before use.
    unsafe {
        let data = PyMem_RawMalloc(size_of::<CrossData>()).cast::<CrossData>();
        if data.is_null() {
            PyErr_NoMemory();
        } else {
            data.write(EMPTY);
        }
        data
    }
}

unsafe fn clear(data: *mut CrossData) {
    // SAFETY: [ARGS] each part is taken out before it is released.
    unsafe {
        let p = core::mem::replace(&mut (*data).data, null_mut());
        if !p.is_null()
            && let Some(free) = (*data).free
        {
            free(p);
        }
        Py_CLEAR(&raw mut (*data).obj);
    }
}

/// Releases the content, in the interpreter that it comes from.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCrossInterpreterData_Clear(_interp: *mut PyInterpreterState, data: *mut CrossData) {
    // SAFETY: [ARGS]
    unsafe { clear(data) }
}

/// Releases the content and frees the data.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCrossInterpreterData_Free(data: *mut CrossData) {
    // SAFETY: [ARGS]
    unsafe {
        clear(data);
        PyMem_RawFree(data.cast());
    }
}

/// Fills data in. `obj`, which may be NULL, is kept until it is released.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCrossInterpreterData_Init(
    data: *mut CrossData,
    interp: *mut PyInterpreterState,
    shared: *mut c_void,
    obj: *mut PyObject,
    new_object: Option<unsafe extern "C" fn(*mut CrossData) -> *mut PyObject>,
) {
    // SAFETY: [ARGS]
    unsafe {
        Py_XINCREF(obj);
        let interpid = if interp.is_null() { -1 } else { PyInterpreterState_GetID(interp) };
        data.write(CrossData { data: shared, obj, interpid, new_object, free: None });
    }
}

/// As [`_PyCrossInterpreterData_Init`] with `size` bytes of memory; -1 without exception when there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCrossInterpreterData_InitWithSize(
    data: *mut CrossData,
    interp: *mut PyInterpreterState,
    size: usize,
    obj: *mut PyObject,
    new_object: Option<unsafe extern "C" fn(*mut CrossData) -> *mut PyObject>,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        _PyCrossInterpreterData_Init(data, interp, null_mut(), obj, new_object);
        (*data).data = PyMem_RawMalloc(size);
        if (*data).data.is_null() {
            return -1;
        }
        (*data).free = Some(PyMem_RawFree);
        0
    }
}

/// Writes what an object stands for into `data`; NotShareableError if it can't travel.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObject_GetCrossInterpreterData(op: *mut PyObject, data: *mut CrossData) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        data.write(EMPTY);
        let hold = Owned::from_borrowed(op);
        let Some(getdata) = _PyCrossInterpreterData_Lookup(op) else {
            not_shareable(op);
            return -1;
        };
        let ts = current_tstate();
        if getdata(ts, hold.as_ptr(), data) != 0 {
            return -1;
        }
        (*data).interpid = PyInterpreterState_GetID((*ts).interp);
        if (*data).new_object.is_none() {
            let _ = raise!(PyExc_SystemError, "missing new_object func");
            with_saved_exception(|| release(data, false));
            return -1;
        }
        0
    }
}

/// An object of the running interpreter for the data.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCrossInterpreterData_NewObject(data: *mut CrossData) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match (*data).new_object {
            Some(f) => f(data),
            None => {
                let _ = raise!(PyExc_SystemError, "missing new_object func");
                null_mut()
            }
        }
    }
}

unsafe extern "C" fn call_clear(data: *mut c_void) -> c_int {
    // SAFETY: [ARGS] queued by release.
    unsafe { clear(data.cast()) };
    0
}

/// Releases the content in its interpreter, at once or at that one's next check; -1 with an exception if it has ended.
unsafe fn release(data: *mut CrossData, rawfree: bool) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if ((*data).data.is_null() || (*data).free.is_none()) && (*data).obj.is_null() {
            (*data).data = null_mut();
            if rawfree {
                PyMem_RawFree(data.cast());
            }
            return 0;
        }
        let ip = _PyInterpreterState_LookUpID((*data).interpid);
        if ip.is_null() {
            if rawfree {
                PyMem_RawFree(data.cast());
            }
            return -1;
        }
        call_in(ip, call_clear, data.cast(), rawfree)
    }
}

/// Calls `func(arg)` in an interpreter: now if it runs, else at its next check. With `rawfree` the argument is freed after it.
unsafe fn call_in(ip: *mut PyInterpreterState, func: unsafe extern "C" fn(*mut c_void) -> c_int, arg: *mut c_void, rawfree: bool) -> c_int {
    const PENDING_RAWFREE: c_int = 2;
    // SAFETY: [ARGS]
    unsafe {
        if ip == (*current_tstate()).interp {
            let r = func(arg);
            if rawfree {
                PyMem_RawFree(arg);
            }
            return r;
        }
        // A full queue: the memory is lost, as CPython does it.
        crate::ceval_gil::_PyEval_AddPendingCall(ip, func, arg, if rawfree { PENDING_RAWFREE } else { 0 });
        0
    }
}

/// Calls `func(arg)` in an interpreter: now if it runs, else at its next check.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_CallInInterpreter(ip: *mut PyInterpreterState, func: unsafe extern "C" fn(*mut c_void) -> c_int, arg: *mut c_void) -> c_int {
    // SAFETY: [ARGS]
    unsafe { call_in(ip, func, arg, false) }
}

/// As [`_Py_CallInInterpreter`]; then `arg` is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_CallInInterpreterAndRawFree(
    ip: *mut PyInterpreterState,
    func: unsafe extern "C" fn(*mut c_void) -> c_int,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: [ARGS]
    unsafe { call_in(ip, func, arg, true) }
}

/// Releases the content in its interpreter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCrossInterpreterData_Release(data: *mut CrossData) -> c_int {
    // SAFETY: [ARGS]
    unsafe { release(data, false) }
}

/// Releases the content in its interpreter, then frees the data.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCrossInterpreterData_ReleaseAndRawFree(data: *mut CrossData) -> c_int {
    // SAFETY: [ARGS]
    unsafe { release(data, true) }
}

// ---- the types of the runtime

unsafe extern "C" fn new_none(_: *mut CrossData) -> *mut PyObject {
    none().into_raw()
}
unsafe extern "C" fn none_shared(ts: *mut PyThreadState, _: *mut PyObject, data: *mut CrossData) -> c_int {
    // SAFETY: [ARGS]
    unsafe { _PyCrossInterpreterData_Init(data, (*ts).interp, null_mut(), null_mut(), Some(new_none)) };
    0
}

unsafe extern "C" fn new_bool(data: *mut CrossData) -> *mut PyObject {
    // SAFETY: [ARGS]
    crate::util::new_bool(unsafe { !(*data).data.is_null() }).into_raw()
}
unsafe extern "C" fn bool_shared(ts: *mut PyThreadState, op: *mut PyObject, data: *mut CrossData) -> c_int {
    // SAFETY: [ARGS]
    unsafe { _PyCrossInterpreterData_Init(data, (*ts).interp, (op == Py_True()) as usize as *mut c_void, null_mut(), Some(new_bool)) };
    0
}

unsafe extern "C" fn new_long(data: *mut CrossData) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { PyLong_FromSsize_t((*data).data as Py_ssize_t) }
}
unsafe extern "C" fn long_shared(ts: *mut PyThreadState, op: *mut PyObject, data: *mut CrossData) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyLong_AsSsize_t(op);
        if n == -1 && err_occurred() {
            if PyErr_ExceptionMatches(PyExc_OverflowError) != 0 {
                let _ = raise!(PyExc_OverflowError, "try sending as bytes");
            }
            return -1;
        }
        _PyCrossInterpreterData_Init(data, (*ts).interp, n as *mut c_void, null_mut(), Some(new_long));
        0
    }
}

unsafe extern "C" fn new_float(data: *mut CrossData) -> *mut PyObject {
    // SAFETY: [ARGS] the bits of the number.
    unsafe { PyFloat_FromDouble(f64::from_bits(*(*data).data.cast::<u64>())) }
}
unsafe extern "C" fn float_shared(ts: *mut PyThreadState, op: *mut PyObject, data: *mut CrossData) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        if _PyCrossInterpreterData_InitWithSize(data, (*ts).interp, 8, null_mut(), Some(new_float)) < 0 {
            PyErr_NoMemory();
            return -1;
        }
        *(*data).data.cast::<u64>() = PyFloat_AsDouble(op).to_bits();
        0
    }
}

// A str and bytes never change: their content is copied when the other object is made, and they are kept until then.
unsafe extern "C" fn new_bytes(data: *mut CrossData) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let source = (*data).obj;
        PyBytes_FromStringAndSize(PyBytes_AsString(source), PyBytes_Size(source))
    }
}
unsafe extern "C" fn bytes_shared(ts: *mut PyThreadState, op: *mut PyObject, data: *mut CrossData) -> c_int {
    // SAFETY: [ARGS]
    unsafe { _PyCrossInterpreterData_Init(data, (*ts).interp, null_mut(), op, Some(new_bytes)) };
    0
}
unsafe extern "C" fn new_unicode(data: *mut CrossData) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let source = (*data).obj;
        PyUnicode_FromKindAndData(PyUnicode_KIND(source) as c_int, PyUnicode_DATA(source), PyUnicode_GET_LENGTH(source))
    }
}
unsafe extern "C" fn str_shared(ts: *mut PyThreadState, op: *mut PyObject, data: *mut CrossData) -> c_int {
    // SAFETY: [ARGS]
    unsafe { _PyCrossInterpreterData_Init(data, (*ts).interp, null_mut(), op, Some(new_unicode)) };
    0
}

/// The items of a tuple that travels.
type Items = Vec<*mut CrossData>;

unsafe extern "C" fn free_items(p: *mut c_void) {
    // SAFETY: [OWN] made by tuple_shared.
    unsafe {
        for item in *Box::from_raw(p.cast::<Items>()) {
            if release(item, true) < 0 {
                PyErr_Clear();
            }
        }
    }
}
unsafe extern "C" fn new_tuple(data: *mut CrossData) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let items = &*(*data).data.cast::<Items>();
        let all: PyResult<Vec<Owned>> = items.iter().map(|&i| own(_PyCrossInterpreterData_NewObject(i))).collect();
        all.and_then(|all| {
            let raw: Vec<*mut PyObject> = all.iter().map(|o| o.as_ptr()).collect();
            tuple(&raw)
        })
        .into_c()
    }
}
unsafe extern "C" fn tuple_shared(ts: *mut PyThreadState, op: *mut PyObject, data: *mut CrossData) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyTuple_GET_SIZE(op);
        let mut items: Box<Items> = Box::default();
        for i in 0..n {
            let item = _PyCrossInterpreterData_New();
            let mut status = -1;
            if !item.is_null() && Py_EnterRecursiveCall(c" while sharing a tuple".as_ptr()) == 0 {
                status = _PyObject_GetCrossInterpreterData(PyTuple_GET_ITEM(op, i), item);
                Py_LeaveRecursiveCall();
            }
            if status < 0 {
                PyMem_RawFree(item.cast());
                with_saved_exception(|| free_items(Box::into_raw(items).cast()));
                return -1;
            }
            items.push(item);
        }
        _PyCrossInterpreterData_Init(data, (*ts).interp, Box::into_raw(items).cast(), op, Some(new_tuple));
        (*data).free = Some(free_items);
        0
    }
}

// ---- exceptions

/// What is told of an exception where its object can't go.
#[derive(Default)]
pub(crate) struct ExcInfo {
    pub name: Option<String>,
    pub qualname: Option<String>,
    pub module: Option<String>,
    pub msg: Option<String>,
    pub errdisplay: Option<String>,
}

pub(crate) unsafe fn copy_text(op: *mut PyObject) -> PyResult<String> {
    // SAFETY: [ARGS]
    let text = unsafe { utf8(op)? };
    if text.contains('\0') {
        bail!(PyExc_ValueError, "found embedded NULL character");
    }
    Ok(text.to_string())
}

/// The report that the module `traceback` makes of an exception, without its last end of line.
unsafe fn error_display(exc: *mut PyObject) -> PyResult<String> {
    // SAFETY: [ARGS]
    unsafe {
        let module = import(c"traceback")?;
        let class = getattr(module.as_ptr(), intern!("TracebackException"))?;
        let create = getattr(class.as_ptr(), intern!("from_exception"))?;
        let kwargs = own(PyDict_New())?;
        dict_set_str(kwargs.as_ptr(), "save_exc_type", Py_False())?;
        dict_set_str(kwargs.as_ptr(), "lookup_lines", Py_False())?;
        let args = tuple(&[exc])?;
        let report = own(PyObject_Call(create.as_ptr(), args.as_ptr(), kwargs.as_ptr()))?;
        let lines = call_method(report.as_ptr(), intern!("format"), &[])?;
        let empty = new_str("")?;
        let text = own(PyUnicode_Join(empty.as_ptr(), lines.as_ptr()))?;
        let mut text = copy_text(text.as_ptr())?;
        if text.ends_with('\n') {
            text.pop();
        }
        Ok(text)
    }
}

impl ExcInfo {
    /// Of an exception or a snapshot; on failure what went wrong, with an exception set.
    pub unsafe fn of(op: *mut PyObject) -> Result<ExcInfo, &'static str> {
        // SAFETY: [ARGS]
        unsafe {
            if PyExceptionInstance_Check(op) != 0 || PyExceptionClass_Check(op) != 0 { ExcInfo::of_exception(op) } else { ExcInfo::of_snapshot(op) }
        }
    }

    /// Of an exception; on failure what went wrong, with an exception set.
    unsafe fn of_exception(exc: *mut PyObject) -> Result<ExcInfo, &'static str> {
        // SAFETY: [ARGS]
        unsafe {
            let mut info = ExcInfo::default();
            if PyErr_GivenExceptionMatches(exc, PyExc_MemoryError) != 0 {
                return Ok(info);
            }
            let class = (*exc).ob_type;
            let text = |op: *mut PyObject| own(op).and_then(|o| copy_text(o.as_ptr())).map_err(|_| "error while initializing exception type snapshot");
            info.name = Some(text(PyType_GetName(class))?);
            info.qualname = Some(text(PyType_GetQualName(class))?);
            info.module = Some(text(PyType_GetModuleName(class))?);
            let msg = own(PyObject_Str(exc)).map_err(|_| "error while formatting exception")?;
            info.msg = Some(copy_text(msg.as_ptr()).map_err(|_| "error while copying exception message")?);
            match error_display(exc) {
                Ok(t) => info.errdisplay = Some(t),
                Err(e) => e.clear(),
            }
            Ok(info)
        }
    }

    /// Of an object that [`ExcInfo::as_object`] made.
    unsafe fn of_snapshot(op: *mut PyObject) -> Result<ExcInfo, &'static str> {
        // SAFETY: [ARGS]
        unsafe {
            let class = getattr(op, intern!("type")).map_err(|_| "exception snapshot missing 'type' attribute")?;
            let of_class = |n| getattr(class.as_ptr(), n).and_then(|o| copy_text(o.as_ptr())).map_err(|_| "error while initializing exception type snapshot");
            let of = |n, missing, bad| getattr(op, n).map_err(|_| missing).and_then(|o| copy_text(o.as_ptr()).map_err(|_| bad));
            Ok(ExcInfo {
                name: Some(of_class(intern!("__name__"))?),
                qualname: Some(of_class(intern!("__qualname__"))?),
                module: Some(of_class(intern!("__module__"))?),
                msg: Some(of(intern!("msg"), "exception snapshot missing 'msg' attribute", "error while copying exception message")?),
                errdisplay: Some(of(intern!("errdisplay"), "exception snapshot missing 'errdisplay' attribute", "error while copying exception error display")?),
            })
        }
    }

    pub fn formatted(&self) -> Option<String> {
        let Some(name) = self.qualname.as_ref().or(self.name.as_ref()) else { return self.msg.clone() };
        let mut text = match self.module.as_deref() {
            None | Some("builtins" | "__main__") => name.clone(),
            Some(m) => format!("{m}.{name}"),
        };
        if let Some(msg) = &self.msg {
            text = format!("{text}: {msg}");
        }
        Some(text)
    }

    /// A namespace with `type`, `msg`, `formatted` and `errdisplay`.
    pub fn as_object(&self) -> PyResult<Owned> {
        // SAFETY: [GIL]
        unsafe {
            let ns = own(_PyNamespace_New(null_mut()))?;
            let set = |o: &Owned, name: *mut PyObject, v: &Option<String>| -> PyResult<()> {
                let v = v.as_ref().map_or_else(|| Ok(none()), |t| new_str(t))?;
                check_status(PyObject_SetAttr(o.as_ptr(), name, v.as_ptr()))
            };
            let mut class = none();
            if self.name.is_some() || self.qualname.is_some() || self.module.is_some() {
                class = own(_PyNamespace_New(null_mut()))?;
                for (name, v) in [(intern!("__name__"), &self.name), (intern!("__qualname__"), &self.qualname), (intern!("__module__"), &self.module)] {
                    if v.is_some() {
                        set(&class, name, v)?;
                    }
                }
            }
            check_status(PyObject_SetAttr(ns.as_ptr(), intern!("type"), class.as_ptr()))?;
            set(&ns, intern!("msg"), &self.msg)?;
            set(&ns, intern!("formatted"), &self.formatted())?;
            if self.errdisplay.is_some() {
                set(&ns, intern!("errdisplay"), &self.errdisplay)?;
            }
            Ok(ns)
        }
    }

    /// Raises it as an exception of `class`.
    unsafe fn apply(&self, class: *mut PyObject) {
        // SAFETY: [ARGS]
        unsafe {
            let text = self.formatted().map_or_else(|| Ok(none()), |t| new_str(&t));
            let Ok(text) = text else { return };
            PyErr_SetObject(class, text.as_ptr());
            let Some(display) = &self.errdisplay else { return };
            with_saved_exception_object(|exc| {
                let r = new_str(display).and_then(|d| check_status(PyObject_SetAttr(exc, intern!("_errdisplay"), d.as_ptr())));
                if let Err(e) = r {
                    e.clear();
                }
            });
        }
    }
}

/// Lends the exception that is set to `f`, which may raise and clear others.
unsafe fn with_saved_exception_object(f: impl FnOnce(*mut PyObject)) {
    // SAFETY: [EXC]
    unsafe {
        let exc = PyErr_GetRaisedException();
        f(exc);
        PyErr_SetRaisedException(exc);
    }
}

/// A snapshot of an exception, or of a snapshot: what `_interpreters.capture_exception` gives.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_CaptureException(exc: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        match ExcInfo::of(exc) {
            Ok(info) => info.as_object().into_c(),
            Err(text) => {
                PyErr_Clear();
                let _ = raise!(PyExc_Exception, "{text}");
                null_mut()
            }
        }
    }
}

// ---- running code in another interpreter

/// Why a session failed.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Code {
    Uncaught,
    Other,
    NoMemory,
    AlreadyRunning,
    MainNamespace,
    ApplyNamespace,
    NotShareable,
}

/// A failure on its way to the interpreter that asked.
pub(crate) struct Failure {
    pub code: Code,
    pub info: ExcInfo,
}

impl Failure {
    /// Of the exception that is set, which goes.
    pub unsafe fn capture(code: Code) -> Failure {
        // SAFETY: [EXC]
        unsafe {
            let exc = PyErr_GetRaisedException();
            let exc: Option<Owned> = Owned::from_owned_or_opt(exc);
            let Some(exc) = exc.filter(|_| code != Code::AlreadyRunning) else { return Failure { code, info: ExcInfo::default() } };
            match ExcInfo::of_exception(exc.as_ptr()) {
                Ok(info) => Failure { code, info },
                Err(text) => {
                    let code = if PyErr_ExceptionMatches(PyExc_MemoryError) != 0 { Code::NoMemory } else { Code::Other };
                    PyErr_Clear();
                    crate::errln!("RunFailedError: script raised an uncaught exception ({text})");
                    Failure { code, info: ExcInfo::default() }
                }
            }
        }
    }

    /// The snapshot of what code raised; an exception for what kept it from running.
    pub unsafe fn apply(self) -> PyResult<Owned> {
        // SAFETY: [GIL]
        unsafe {
            match self.code {
                Code::Uncaught => return self.info.as_object(),
                Code::NotShareable => {
                    let class = _PyXI_GetNotShareableError();
                    if !class.is_null() {
                        let text = self.info.msg.as_deref().unwrap_or("object does not support cross-interpreter data");
                        let _ = raise_str(class, text);
                    }
                    return Err(Raised::assume());
                }
                Code::NoMemory => {
                    PyErr_NoMemory();
                }
                Code::Other => PyErr_SetNone(PyExc_InterpreterError),
                Code::AlreadyRunning => {
                    let _ = raise_str(PyExc_InterpreterError, "interpreter already running");
                }
                Code::MainNamespace => {
                    let _ = raise_str(PyExc_InterpreterError, "failed to get __main__ namespace");
                }
                Code::ApplyNamespace => {
                    let _ = raise_str(PyExc_InterpreterError, "failed to apply namespace to __main__");
                }
            }
            if self.info.name.is_some() || self.info.msg.is_some() {
                let exc = PyErr_GetRaisedException();
                self.info.apply(PyExc_InterpreterError);
                let context = PyErr_GetRaisedException();
                PyException_SetContext(exc, context);
                PyErr_SetRaisedException(exc);
            }
            Err(Raised::assume())
        }
    }
}

/// The data of an object, to be released by the caller.
pub(crate) unsafe fn data_of(op: *mut PyObject) -> PyResult<*mut CrossData> {
    // SAFETY: [ARGS]
    unsafe {
        let data = _PyCrossInterpreterData_New();
        if data.is_null() {
            return Err(Raised::assume());
        }
        if _PyObject_GetCrossInterpreterData(op, data) != 0 {
            PyMem_RawFree(data.cast());
            return Err(Raised::assume());
        }
        Ok(data)
    }
}

/// Names with values on their way to another interpreter; NULL stands for no value.
pub struct Namespace(pub(crate) Vec<(String, *mut CrossData)>);

impl Namespace {
    /// Of a dict; `None` if it is empty.
    pub(crate) unsafe fn of(dict: *mut PyObject) -> PyResult<Option<Namespace>> {
        // SAFETY: [ARGS]
        unsafe {
            if dict.is_null() || dict == Py_None() {
                return Ok(None);
            }
            if (*dict).ob_type != &raw mut PyDict_Type {
                bail!(PyExc_TypeError, "expected a dict");
            }
            let mut ns = Namespace(Vec::new());
            let copy = own(PyDict_Copy(dict))?;
            let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
            while PyDict_Next(copy.as_ptr(), &mut pos, &mut key, &mut value) != 0 {
                let name = copy_text(key)?;
                ns.0.push((name, data_of(value)?));
            }
            Ok(if ns.0.is_empty() { None } else { Some(ns) })
        }
    }
    /// Sets the names in a dict of the running interpreter; those without value to `default`, which may be NULL if there are
    /// none.
    pub(crate) unsafe fn apply(&self, dict: *mut PyObject, default: *mut PyObject) -> PyResult<()> {
        // SAFETY: [ARGS]
        unsafe {
            for (name, data) in &self.0 {
                let value = if !data.is_null() {
                    own(_PyCrossInterpreterData_NewObject(*data))?
                } else if default.is_null() {
                    bail!(PyExc_SystemError, "no value and no default for {name}");
                } else {
                    Owned::from_borrowed(default)
                };
                dict_set_str(dict, name, value.as_ptr())?;
            }
            Ok(())
        }
    }
}
impl Namespace {
    /// Releases the values.
    pub(crate) fn forget_values(&mut self) {
        with_saved_exception(|| {
            for (_, data) in &mut self.0 {
                let data = core::mem::replace(data, null_mut());
                // SAFETY: [OWN]
                unsafe {
                    if !data.is_null() && release(data, true) < 0 {
                        PyErr_Clear();
                    }
                }
            }
        });
    }
}
impl Drop for Namespace {
    fn drop(&mut self) {
        self.forget_values();
    }
}

/// `NotShareableError`, for text that C code formats.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyXI_SetNotShareable(text: *const c_char) {
    // SAFETY: [ARGS]
    unsafe {
        let class = _PyXI_GetNotShareableError();
        if !class.is_null() {
            PyErr_SetString(class, text);
        }
    }
}
