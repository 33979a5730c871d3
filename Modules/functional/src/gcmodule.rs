//! The `gc` module: the cycle collector's controls.

use taipan_abi::*;
use taipan_clinic::{Args, methods, module, module::add_int, module::add_object};
use taipan_objects::gc::{self, GC};

fn state() -> &'static mut gc::Collector {
    // SAFETY: [GIL] no reference is kept over a call into Python.
    unsafe { &mut *(&raw mut GC) }
}

fn enable(_: ()) -> PyResult<()> {
    state().enabled = true;
    Ok(())
}
fn disable(_: ()) -> PyResult<()> {
    state().enabled = false;
    Ok(())
}
fn isenabled(_: ()) -> PyResult<bool> {
    Ok(state().enabled)
}

fn collect(_: (), generation: i32) -> PyResult<isize> {
    if !(0..3).contains(&generation) {
        bail!(PyExc_ValueError, "invalid generation");
    }
    // SAFETY: [GIL] no exception is set.
    Ok(unsafe { gc::collect(generation as usize, true) })
}

fn set_debug(_: (), flags: i32) -> PyResult<()> {
    state().debug = flags;
    Ok(())
}
fn get_debug(_: ()) -> PyResult<i32> {
    Ok(state().debug)
}

fn set_threshold(_: (), threshold0: i32, threshold1: Option<i32>, threshold2: Option<i32>) -> PyResult<()> {
    let t = &mut state().threshold;
    t[0] = threshold0 as isize;
    if let Some(n) = threshold1 {
        t[1] = n as isize;
    }
    if let Some(n) = threshold2 {
        t[2] = n as isize;
    }
    Ok(())
}

fn triple(values: [isize; 3]) -> PyResult<Owned> {
    // SAFETY: [GIL] [OWN]
    unsafe {
        let t = Owned::from_owned_or_err(PyTuple_New(3))?;
        for (i, v) in values.into_iter().enumerate() {
            PyTuple_SET_ITEM(t.as_ptr(), i as Py_ssize_t, Owned::from_owned_or_err(PyLong_FromSsize_t(v))?.into_raw());
        }
        Ok(t)
    }
}

fn get_threshold(_: ()) -> PyResult<Owned> {
    triple(state().threshold)
}
fn get_count(_: ()) -> PyResult<Owned> {
    triple(state().count)
}

fn list_from(objects: impl IntoIterator<Item = *mut PyObject>) -> PyResult<Owned> {
    // SAFETY: [GIL] appending runs no Python code, so the pointers stay valid.
    unsafe {
        let list = Owned::from_owned_or_err(PyList_New(0))?;
        for op in objects {
            if op != list.as_ptr() {
                check_status(PyList_Append(list.as_ptr(), op))?;
            }
        }
        Ok(list)
    }
}

fn get_objects(_: (), generation: Option<isize>) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let number = Owned::from_owned_or_err(PyLong_FromSsize_t(generation.unwrap_or(-1)))?;
        audit(c"gc.get_objects", number.as_ptr())?;
    }
    match generation {
        None => list_from(gc::objects(None)),
        Some(g) if g < 0 => bail!(PyExc_ValueError, "generation parameter cannot be negative"),
        Some(g) if g >= 3 => {
            bail!(PyExc_ValueError, "generation parameter must be less than the number of available generations (3)")
        }
        Some(g) => list_from(gc::objects(Some(g as usize))),
    }
}

unsafe fn audit(event: &core::ffi::CStr, value: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let args = Owned::from_owned_or_err(_PyTuple_FromArray([value].as_ptr(), 1))?;
        check_status(PySys_AuditTuple(event.as_ptr(), args.as_ptr()))
    }
}

unsafe extern "C" {
    fn PySys_AuditTuple(event: *const core::ffi::c_char, args: *mut PyObject) -> core::ffi::c_int;
}

unsafe extern "C" fn collect_referent(op: *mut PyObject, arg: *mut core::ffi::c_void) -> core::ffi::c_int {
    // SAFETY: arg is the vector that gathers.
    unsafe { (*arg.cast::<Vec<*mut PyObject>>()).push(op) };
    0
}

fn get_referents(_: (), objs: Args<'_>) -> PyResult<Owned> {
    let args = objs.to_tuple()?;
    // SAFETY: live.
    unsafe { audit(c"gc.get_referents", args.as_ptr())? };
    drop(args);
    let mut found: Vec<*mut PyObject> = Vec::new();
    for op in objs.iter() {
        // SAFETY: [TYPE-READY] the objects are complete.
        unsafe {
            if PyObject_IS_GC(op.ob()) != 0
                && let Some(traverse) = (*op.ob_type()).tp_traverse
            {
                traverse(op.ob(), collect_referent, (&raw mut found).cast());
            }
        }
    }
    list_from(found)
}

unsafe extern "C" fn refers_to(op: *mut PyObject, arg: *mut core::ffi::c_void) -> core::ffi::c_int {
    // SAFETY: arg is the slice of targets.
    unsafe { (*arg.cast::<&[*mut PyObject]>()).contains(&op) as core::ffi::c_int }
}

fn get_referrers(_: (), objs: Args<'_>) -> PyResult<Owned> {
    let args = objs.to_tuple()?;
    // SAFETY: live.
    unsafe { audit(c"gc.get_referrers", args.as_ptr())? };
    // It refers to all of them and must be gone.
    drop(args);
    let targets: &[*mut PyObject] = objs.0;
    let mut found = Vec::new();
    for op in gc::objects(None) {
        // SAFETY: [TYPE-READY] tracked objects can be traversed.
        unsafe {
            if let Some(traverse) = (*type_of(op)).tp_traverse
                && traverse(op, refers_to, (&raw const targets).cast_mut().cast()) != 0
            {
                found.push(op);
            }
        }
    }
    list_from(found)
}

fn get_stats(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL]
    unsafe {
        let list = Owned::from_owned_or_err(PyList_New(0))?;
        for s in state().stats {
            let d = Owned::from_owned_or_err(PyDict_New())?;
            for (name, v) in [(c"collections", s.collections), (c"collected", s.collected), (c"uncollectable", s.uncollectable)] {
                let v = Owned::from_owned_or_err(PyLong_FromSsize_t(v))?;
                check_status(PyDict_SetItemString(d.as_ptr(), name.as_ptr(), v.as_ptr()))?;
            }
            check_status(PyList_Append(list.as_ptr(), d.as_ptr()))?;
        }
        Ok(list)
    }
}

fn is_tracked(_: (), obj: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    Ok(unsafe { PyObject_IS_GC(obj.ob()) != 0 && gc::is_tracked(obj.ob()) })
}
fn is_finalized(_: (), obj: Borrowed<'_>) -> PyResult<bool> {
    // SAFETY: [ARGS]
    Ok(unsafe { PyObject_IS_GC(obj.ob()) != 0 && gc::is_finalized(obj.ob()) })
}
fn freeze(_: ()) -> PyResult<()> {
    gc::freeze(true);
    Ok(())
}
fn unfreeze(_: ()) -> PyResult<()> {
    gc::freeze(false);
    Ok(())
}
fn get_freeze_count(_: ()) -> PyResult<isize> {
    Ok(gc::objects(Some(3)).len() as isize)
}

methods! {
    static METHODS = [
        "enable($module, /)" => enable, "Turn automatic collection on.";
        "disable($module, /)" => disable, "Turn automatic collection off.";
        "isenabled($module, /)" => isenabled, "Whether automatic collection is on.";
        "set_debug($module, flags, /)" => set_debug, "Set the flags of what the collector reports to stderr.";
        "get_debug($module, /)" => get_debug, "The debugging flags.";
        "get_count($module, /)" => get_count, "The current collection counts, as a triple.";
        nosig "set_threshold($module, threshold0, threshold1=<unrepresentable>, threshold2=<unrepresentable>, /)" => set_threshold, "Set the collection thresholds; a first one of 0 turns collection off.";
        "get_threshold($module, /)" => get_threshold, "The collection thresholds, as a triple.";
        "collect($module, /, generation=2)" => collect, "Collect a generation and the younger ones now; returns how many unreachable objects were found.";
        "get_objects($module, /, generation=None)" => get_objects, "The objects that the collector tracks, of one generation or of all.";
        "get_stats($module, /)" => get_stats, "A list of dicts with figures of each generation.";
        "is_tracked($module, obj, /)" => is_tracked, "Whether the collector tracks the object.";
        "is_finalized($module, obj, /)" => is_finalized, "Whether the object's finaliser has run.";
        "get_referrers($module, /, *objs)" => get_referrers, "Tracked objects that refer directly to any of the objects.";
        "get_referents($module, /, *objs)" => get_referents, "What the objects refer to directly.";
        "freeze($module, /)" => freeze, "Take all tracked objects out of future collections.";
        "unfreeze($module, /)" => unfreeze, "Put frozen objects back into the oldest generation.";
        "get_freeze_count($module, /)" => get_freeze_count, "How many objects are frozen.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [GIL] the lists live as long as the collector.
    unsafe {
        if state().garbage.is_null() {
            state().garbage = Owned::from_owned_or_err(PyList_New(0))?.into_raw();
        }
        if state().callbacks.is_null() {
            state().callbacks = Owned::from_owned_or_err(PyList_New(0))?.into_raw();
        }
        add_object(module, c"garbage", Ok(Owned::from_borrowed(state().garbage)))?;
        add_object(module, c"callbacks", Ok(Owned::from_borrowed(state().callbacks)))?;
    }
    add_int(module, c"DEBUG_STATS", gc::DEBUG_STATS as i64)?;
    add_int(module, c"DEBUG_COLLECTABLE", gc::DEBUG_COLLECTABLE as i64)?;
    add_int(module, c"DEBUG_UNCOLLECTABLE", gc::DEBUG_UNCOLLECTABLE as i64)?;
    add_int(module, c"DEBUG_SAVEALL", gc::DEBUG_SAVEALL as i64)?;
    add_int(module, c"DEBUG_LEAK", (gc::DEBUG_COLLECTABLE | gc::DEBUG_UNCOLLECTABLE | gc::DEBUG_SAVEALL) as i64)
}

module! {
    /// Entry point.
    pub fn PyInit_gc = "gc", "Controls of the cycle collector.", methods: METHODS, exec: exec;
}
