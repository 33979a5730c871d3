//! `ZoneInfo` and the module `_zoneinfo`.

use super::cache::{State, clear, free, import, new_weak_cache, traverse};
use super::zone::{Info, Zone};
use crate::datetime::{shift, tzinfo_of};
use crate::support::*;
use crate::{unary_slot, varkw};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::module::heap_subtype;
use taipan_clinic::{constructor, members, methods};
use taipan_objects::typeobject::TYPE_INIT;

/// Where a zone is from.
#[derive(Clone, Copy, PartialEq)]
#[repr(u8)]
enum Source {
    NoCache,
    Cache,
    File,
}

/// A `ZoneInfo`.
#[repr(C)]
pub struct ZoneInfo {
    ob_base: PyObject,
    key: *mut PyObject,
    /// What the file it was read from says of itself, or NULL.
    file: *mut PyObject,
    weakreflist: *mut PyObject,
    zone: Option<Box<Zone>>,
    source: Source,
}
type Z<'a> = Borrowed<'a, ZoneInfo>;
type Cls<'a> = Borrowed<'a, PyTypeObject>;

/// The state of the module that a class is from.
fn state<'a>(tp: *mut PyTypeObject) -> PyResult<&'a mut State> {
    // SAFETY: [TYPE] the class is ZoneInfo or derived from it.
    unsafe {
        let module = PyType_GetModuleByDef(tp, &raw mut DEF);
        if module.is_null() {
            return Err(Raised::assume());
        }
        match PyModule_GetState(module).cast::<State>().as_mut() {
            Some(state) if !state.tp.is_null() => Ok(state),
            _ => bail!(PyExc_SystemError, "_zoneinfo is not initialised"),
        }
    }
}

fn make(tp: *mut PyTypeObject, zone: Zone, key: *mut PyObject, source: Source) -> PyResult<Owned> {
    // SAFETY: [OWN] a fresh, zeroed instance.
    unsafe {
        let alloc = (*tp).tp_alloc.unwrap_or(PyType_GenericAlloc);
        let op = Owned::from_owned_or_err(alloc(tp, 0))?.cast::<ZoneInfo>();
        let z = op.as_ptr();
        (*z).key = Py_NewRef(key);
        (*z).zone = Some(Box::new(zone));
        (*z).source = source;
        Ok(op.into_object())
    }
}

/// A zone from the files of time zones.
fn load(tp: *mut PyTypeObject, key: *mut PyObject, source: Source) -> PyResult<Owned> {
    let state = state(tp)?;
    // SAFETY: [ARGS]
    unsafe {
        let path = Owned::from_owned_or_err(PyObject_CallOneArg(state.find_tzfile, key))?;
        let file = if path.as_ptr() == none() {
            call_method1(state.common, intern!("load_tzdata"), key)?
        } else {
            call(state.open, vec![path, string("rb")?], 0)?
        };
        let zone = Zone::load(state, file.as_ptr());
        let failure = if zone.is_err() { PyErr_GetRaisedException() } else { null_mut() };
        let closed = call_method0(file.as_ptr(), intern!("close"));
        if !failure.is_null() {
            _PyErr_ChainExceptions1(failure);
        }
        let zone = zone?;
        closed?;
        make(tp, zone, key, source)
    }
}

fn zoneinfo_new(cls: Cls<'_>, key: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS] a receiver that is a type.
    unsafe {
        let tp = cls.as_ptr();
        if let Some(found) = state(tp)?.find(tp, key.ob())? {
            return Ok(found);
        }
        let weak = state(tp)?.weak_cache(tp)?;
        let mut zone = call_method1(weak.as_ptr(), intern!("get"), key.ob())?;
        if zone.as_ptr() == none() {
            let fresh = load(tp, key.ob(), Source::NoCache)?;
            let args = [weak.as_ptr(), key.ob(), fresh.as_ptr()];
            zone = Owned::from_owned_or_err(PyObject_VectorcallMethod(intern!("setdefault"), args.as_ptr(), 3, null_mut()))?;
            if !is_instance_of(zone.as_ptr(), state(tp)?.tp) {
                let text = c"Unexpected instance of %T in %s weak cache for key %R";
                PyErr_Format(PyExc_RuntimeError, text.as_ptr(), zone.as_ptr(), (*tp).tp_name, key.ob());
                return Err(Raised::assume());
            }
            (*zone.as_ptr().cast::<ZoneInfo>()).source = Source::Cache;
        }
        state(tp)?.keep(tp, key.ob(), zone.as_ptr());
        Ok(zone)
    }
}

fn no_cache(cls: Cls<'_>, key: Borrowed<'_>) -> PyResult<Owned> {
    load(cls.as_ptr(), key.ob(), Source::NoCache)
}
fn from_file(cls: Cls<'_>, file_obj: Borrowed<'_>, key: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS] a fresh instance.
    unsafe {
        let repr = Owned::from_owned_or_err(PyObject_Repr(file_obj.ob()))?;
        let zone = Zone::load(state(cls.as_ptr())?, file_obj.ob())?;
        let op = make(cls.as_ptr(), zone, key.map_or(none(), |k| k.ob()), Source::File)?;
        (*op.as_ptr().cast::<ZoneInfo>()).file = repr.into_raw();
        Ok(op)
    }
}
fn clear_cache(cls: Cls<'_>, only_keys: Option<Borrowed<'_>>) -> PyResult<()> {
    let tp = cls.as_ptr();
    let weak = state(tp)?.weak_cache(tp)?;
    // SAFETY: [ARGS]
    unsafe {
        match only_keys.filter(|keys| keys.ob() != none()) {
            None => {
                call_method0(weak.as_ptr(), intern!("clear"))?;
                state(tp)?.forget_all(tp);
            }
            Some(keys) => {
                let keys = Owned::from_owned_or_err(PyObject_GetIter(keys.ob()))?;
                while let Some(key) = taipan_clinic::support::next(keys.as_ptr())? {
                    state(tp)?.forget(tp, key.as_ptr())?;
                    let args = [weak.as_ptr(), key.as_ptr(), none()];
                    Owned::from_owned_or_err(PyObject_VectorcallMethod(intern!("pop"), args.as_ptr(), 3, null_mut()))?;
                }
            }
        }
    }
    Ok(())
}

/// Asks the zone.
fn ask(slf: Z<'_>, dt: Borrowed<'_>, what: impl Fn(&Info) -> &Owned) -> PyResult<Owned> {
    Ok(zone(&slf)?.find(dt.ob())?.map_or_else(none_owned, |info| what(info).clone()))
}
fn zone<'a>(slf: &'a Z<'_>) -> PyResult<&'a Zone> {
    match &slf.zone {
        Some(zone) => Ok(zone),
        None => bail!(PyExc_SystemError, "ZoneInfo without time zone"),
    }
}
fn utcoffset(slf: Z<'_>, dt: Borrowed<'_>) -> PyResult<Owned> {
    ask(slf, dt, |info| &info.utcoff)
}
fn dst(slf: Z<'_>, dt: Borrowed<'_>) -> PyResult<Owned> {
    ask(slf, dt, |info| &info.dstoff)
}
fn tzname(slf: Z<'_>, dt: Borrowed<'_>) -> PyResult<Owned> {
    ask(slf, dt, |info| &info.name)
}
fn fromutc(slf: Z<'_>, dt: Borrowed<'_>) -> PyResult<Owned> {
    if !is_datetime(dt.ob()) {
        bail!(PyExc_TypeError, "fromutc: argument must be a datetime");
    }
    if tzinfo_of(dt.ob()) != slf.ob() {
        bail!(PyExc_ValueError, "fromutc: dt.tzinfo is not self");
    }
    let (info, fold) = zone(&slf)?.find_utc(dt.ob())?;
    // SAFETY: [ARGS] a datetime that nobody else has is changed in place.
    unsafe {
        if type_of(dt.ob()) == &raw mut DATETIME {
            let local = shift(dt.ob(), info.utcoff.as_ptr(), 1)?;
            (*local.as_ptr().cast::<PyDateTime_DateTime>()).fold = fold as u8;
            return Ok(local);
        }
        let local = Owned::from_owned_or_err(PyNumber_Add(dt.ob(), info.utcoff.as_ptr()))?;
        if !fold {
            return Ok(local);
        }
        let replace = Owned::from_owned_or_err(PyObject_GetAttr(local.as_ptr(), intern!("replace")))?;
        call(replace.as_ptr(), Vec::new(), 1)
    }
}

fn repr(slf: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE] the formats' arguments fit them.
    unsafe {
        let z = slf.cast::<ZoneInfo>();
        let name = (*type_of(slf)).tp_name;
        Owned::from_owned_or_err(if (*z).key != none() || (*z).file.is_null() {
            PyUnicode_FromFormat(c"%s(key=%R)".as_ptr(), name, (*z).key)
        } else {
            PyUnicode_FromFormat(c"%s.from_file(%U)".as_ptr(), name, (*z).file)
        })
    }
}
fn str(slf: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let key = (*slf.cast::<ZoneInfo>()).key;
        if key != none() { Ok(own(key)) } else { repr(slf) }
    }
}
/// Zones are pickled by key: other data may be found where they are unpickled. What was read from a file has none.
fn reduce(slf: Z<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        if slf.source == Source::File {
            let error = import(c"pickle", c"PicklingError")?;
            PyErr_SetString(error.as_ptr(), c"Cannot pickle a ZoneInfo file from a file stream.".as_ptr());
            return Err(Raised::assume());
        }
        let constructor = Owned::from_owned_or_err(PyObject_GetAttrString(slf.ob(), c"_unpickle".as_ptr()))?;
        let args = tuple(vec![own(slf.key), int((slf.source == Source::Cache) as i64)?])?;
        tuple(vec![constructor, args])
    }
}
fn unpickle(cls: Cls<'_>, key: Borrowed<'_>, from_cache: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS] the low byte is what counts.
    let from_cache = unsafe { PyLong_AsUnsignedLongMask(from_cache.ob()) } as u8;
    if err_occurred() {
        // SAFETY: [EXC]
        return Err(unsafe { Raised::assume() });
    }
    if from_cache != 0 { zoneinfo_new(cls, key) } else { no_cache(cls, key) }
}
fn init_subclass(cls: *mut PyObject, _: *mut PyObject, _: *mut PyObject) -> PyResult<Owned> {
    let cache = new_weak_cache()?;
    // SAFETY: [ARGS]
    unsafe { check_status(PyObject_SetAttrString(cls, c"_weak_cache".as_ptr(), cache.as_ptr()))? };
    Ok(none_owned())
}

unsafe extern "C" fn zoneinfo_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        py_visit!(visitor, arg; type_of(slf), (*slf.cast::<ZoneInfo>()).key);
    }
    0
}
unsafe extern "C" fn zoneinfo_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [OWN] what others may still call says None.
    unsafe {
        let z = slf.cast::<ZoneInfo>();
        setref(&raw mut (*z).key, Py_NewRef(none()));
        setref(&raw mut (*z).file, null_mut());
    }
    0
}
unsafe extern "C" fn zoneinfo_dealloc(slf: *mut PyObject) {
    // SAFETY: [OWN]
    unsafe {
        PyObject_GC_UnTrack(slf.cast());
        let z = slf.cast::<ZoneInfo>();
        if !(*z).weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        drop((*z).zone.take());
        Py_XDECREF((*z).key);
        Py_XDECREF((*z).file);
        let tp = type_of(slf);
        if let Some(free) = (*tp).tp_free {
            free(slf.cast());
        }
        Py_DECREF(tp.cast());
    }
}

methods! {
    static ZONEINFO_METHODS = [
        class "clear_cache($type, /, *, only_keys=None)" => clear_cache, "Forget the zones that exist, or some of them.";
        class "no_cache($type, /, key)" => no_cache, "A new instance, whether there is one or not.";
        class "from_file($type, file_obj, /, key=None)" => from_file, "A zone from a file object.";
        "utcoffset($self, dt, /)" => utcoffset, "The offset from UTC at a datetime, as timedelta.";
        "dst($self, dt, /)" => dst, "The part of the offset that is daylight saving at a datetime, as timedelta.";
        "tzname($self, dt, /)" => tzname, "The abbreviated name of the time zone at a datetime.";
        "fromutc($self, object, /)" => fromutc, "The local time of a datetime in UTC.";
        "__reduce__($self, /)" => reduce, "For pickling.";
        class "_unpickle($type, key, from_cache, /)" => unpickle, "For unpickling.";
        raw "__init_subclass__", varkw!(init_subclass), METH_VARARGS | METH_KEYWORDS | METH_CLASS, "Gives a subclass its cache.";
    ];
}
members! {
    static MEMBERS = [
        "key", Py_T_OBJECT_EX, core::mem::offset_of!(ZoneInfo, key), Py_READONLY, "";
    ];
}
static mut ZONEINFO: PyTypeObject = PyTypeObject {
    tp_name: c"zoneinfo.ZoneInfo".as_ptr(),
    tp_basicsize: size_of::<ZoneInfo>() as Py_ssize_t,
    tp_dealloc: Some(zoneinfo_dealloc),
    tp_repr: unary_slot!(repr),
    tp_str: unary_slot!(str),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    tp_traverse: Some(zoneinfo_traverse),
    tp_clear: Some(zoneinfo_clear),
    tp_weaklistoffset: core::mem::offset_of!(ZoneInfo, weakreflist) as Py_ssize_t,
    tp_methods: (&raw mut ZONEINFO_METHODS).cast(),
    tp_members: (&raw mut MEMBERS).cast(),
    tp_new: Some(constructor!("ZoneInfo(key)" => zoneinfo_new)),
    ..TYPE_INIT
};

unsafe extern "C" fn exec(module: *mut PyObject) -> c_int {
    let run = || -> PyResult<()> {
        // SAFETY: [ARGS] the module was made from the definition below; its state is zeroed.
        unsafe {
            // The base is ready once its module has been imported.
            import(c"_datetime", c"tzinfo")?;
            let m = Borrowed::from_ptr(module);
            let tp = heap_subtype(m, &raw mut ZONEINFO, &raw mut TZINFO)?;
            let Some(state) = PyModule_GetState(module).cast::<State>().as_mut() else {
                bail!(PyExc_SystemError, "_zoneinfo has no state");
            };
            state.init(tp)?;
            check_status(PyModule_AddObjectRef(module, c"ZoneInfo".as_ptr(), tp.cast()))
        }
    };
    run().into_c()
}

methods! { static METHODS = []; }
static mut SLOTS: [PyModuleDef_Slot; 4] = [
    PyModuleDef_Slot { slot: Py_mod_exec, value: exec as *mut c_void },
    PyModuleDef_Slot { slot: Py_mod_multiple_interpreters, value: Py_MOD_PER_INTERPRETER_GIL_SUPPORTED },
    PyModuleDef_Slot { slot: Py_mod_gil, value: Py_MOD_GIL_NOT_USED },
    PyModuleDef_Slot { slot: 0, value: null_mut() },
];
static mut DEF: PyModuleDef = PyModuleDef {
    m_base: PyModuleDef_HEAD_INIT,
    m_name: c"_zoneinfo".as_ptr(),
    m_doc: c"Native implementation of the zoneinfo module".as_ptr(),
    m_size: size_of::<State>() as Py_ssize_t,
    m_methods: (&raw mut METHODS).cast(),
    m_slots: (&raw mut SLOTS).cast(),
    m_traverse: Some(traverse),
    m_clear: Some(clear),
    m_free: Some(free),
};

/// Entry point.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInit__zoneinfo() -> *mut PyObject {
    // SAFETY: [GIL] the definition is static.
    unsafe { PyModuleDef_Init(&raw mut DEF) }
}
