//! The `itertools` module.

use crate::support::{Slf, call1, int, iter, new, next, truth, tuple};
use crate::{instance, iterator_type};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{constructor, methods, module};
use taipan_objects::typeobject::TYPE_INIT;

type Tp<'a> = Borrowed<'a, PyTypeObject>;
type Next = PyResult<Option<Owned>>;

/// Takes the object of a field that is known to be set.
unsafe fn lent(p: *mut PyObject) -> Owned {
    // SAFETY: [ARGS] not NULL.
    unsafe { Owned::from_borrowed(p) }
}

/// Items of a list or tuple in a field, without a check: these pools are private.
unsafe fn pool_item(pool: *mut PyObject, i: usize) -> Owned {
    // SAFETY: [ARGS] pool is a tuple with that item.
    unsafe { Owned::from_borrowed(PyTuple_GET_ITEM(pool, i as Py_ssize_t)) }
}

fn to_tuple(iterable: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(PySequence_Tuple(iterable.ob())) }
}

// ---- accumulate ----------------------------------------------------------------------------------------------------------

instance! { struct Accumulate { total, it, func, initial; } }

fn accumulate_new(tp: Tp<'_>, iterable: Borrowed<'_>, func: Option<Borrowed<'_>>, initial: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let it = iter(iterable)?;
    let a = new::<Accumulate>(tp)?;
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        let p = a.as_ptr();
        (*p).it = it.into_raw();
        (*p).func = func.map_or(null_mut(), |f| f.to_owned().into_raw());
        (*p).initial = initial.map_or(null_mut(), |i| i.to_owned().into_raw());
    }
    Ok(a.into_object())
}

unsafe fn accumulate_next(mut s: Slf<Accumulate>) -> Next {
    // SAFETY: [TYPE]
    unsafe {
        if !s.initial.is_null() {
            s.total = core::mem::replace(&mut s.initial, null_mut());
            return Ok(Some(lent(s.total)));
        }
        let Some(value) = next(s.it)? else { return Ok(None) };
        if s.total.is_null() {
            s.total = value.clone().into_raw();
            return Ok(Some(value));
        }
        let total = if s.func.is_null() {
            Owned::from_owned_or_err(PyNumber_Add(s.total, value.as_ptr()))?
        } else {
            let args = [s.total, value.as_ptr()];
            Owned::from_owned_or_err(PyObject_Vectorcall(s.func, args.as_ptr(), 2, null_mut()))?
        };
        setref(&raw mut s.total, total.clone().into_raw());
        Ok(Some(total))
    }
}

iterator_type! { ACCUMULATE, "itertools.accumulate", Accumulate,
    new: Some(constructor!("accumulate(iterable, func=None, *, initial=None)" => accumulate_new)),
    next: accumulate_next, methods: null_mut(), "Running totals, of sums or of another binary function." }

// ---- batched -------------------------------------------------------------------------------------------------------------

instance! { struct Batched { it; n: isize, strict: bool } }

fn batched_new(tp: Tp<'_>, iterable: Borrowed<'_>, n: isize, strict: bool) -> PyResult<Owned> {
    if n < 1 {
        bail!(PyExc_ValueError, "n must be at least one");
    }
    let it = iter(iterable)?;
    let b = new::<Batched>(tp)?;
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        (*b.as_ptr()).it = it.into_raw();
        (*b.as_ptr()).n = n;
        (*b.as_ptr()).strict = strict;
    }
    Ok(b.into_object())
}

unsafe fn batched_next(mut s: Slf<Batched>) -> Next {
    // SAFETY: [TYPE]
    unsafe {
        if s.it.is_null() {
            return Ok(None);
        }
        let it = lent(s.it);
        let mut items = Vec::new();
        while (items.len() as isize) < s.n {
            match next(it.as_ptr()) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(e) => {
                    setref(&raw mut s.it, null_mut());
                    return Err(e);
                }
            }
        }
        if items.is_empty() {
            setref(&raw mut s.it, null_mut());
            return Ok(None);
        }
        if (items.len() as isize) < s.n && s.strict {
            setref(&raw mut s.it, null_mut());
            bail!(PyExc_ValueError, "batched(): incomplete batch");
        }
        tuple(items).map(Some)
    }
}

iterator_type! { BATCHED, "itertools.batched", Batched,
    new: Some(constructor!("batched(iterable, n, *, strict=False)" => batched_new)),
    next: batched_next, methods: null_mut(), "Items in tuples of length n; the last may be shorter." }

// ---- chain ----------------------------------------------------------------------------------------------------------------

instance! { struct Chain { source, active; } }

fn chain_from(tp: Tp<'_>, source: Owned) -> PyResult<Owned> {
    let c = new::<Chain>(tp)?;
    // SAFETY: [OWN] a fresh instance.
    unsafe { (*c.as_ptr()).source = source.into_raw() };
    Ok(c.into_object())
}

unsafe extern "C" fn chain_new(tp: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    unsafe {
        if tp == &raw mut CHAIN && _PyArg_NoKeywords(c"chain".as_ptr(), kwargs) == 0 {
            return null_mut();
        }
        let make = || chain_from(Borrowed::from_ptr(tp), iter(Borrowed::from_ptr(args))?);
        make().into_c()
    }
}

fn chain_from_iterable(tp: Tp<'_>, iterable: Borrowed<'_>) -> PyResult<Owned> {
    chain_from(tp, iter(iterable)?)
}

unsafe fn chain_next(mut s: Slf<Chain>) -> Next {
    // SAFETY: [TYPE]
    unsafe {
        while !s.source.is_null() {
            if s.active.is_null() {
                let iterable = match next(s.source) {
                    Ok(Some(i)) => i,
                    Ok(None) => {
                        setref(&raw mut s.source, null_mut());
                        return Ok(None);
                    }
                    Err(e) => {
                        setref(&raw mut s.source, null_mut());
                        return Err(e);
                    }
                };
                match iter(iterable.borrow()) {
                    Ok(it) => s.active = it.into_raw(),
                    Err(e) => {
                        setref(&raw mut s.source, null_mut());
                        return Err(e);
                    }
                }
            }
            let active = lent(s.active);
            if let Some(item) = next(active.as_ptr())? {
                return Ok(Some(item));
            }
            setref(&raw mut s.active, null_mut());
        }
        Ok(None)
    }
}

methods! {
    static CHAIN_METHODS = [
        class "from_iterable($type, iterable, /)" => chain_from_iterable, "Chain the iterables that an iterable yields.";
        class "__class_getitem__($type, object, /)" => class_getitem, "See PEP 585.";
    ];
}
fn class_getitem(tp: Borrowed<'_>, item: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(Py_GenericAlias(tp.ob(), item.ob())) }
}

iterator_type! { CHAIN, "itertools.chain", Chain, new: Some(chain_new), next: chain_next,
    methods: (&raw mut CHAIN_METHODS).cast(), "The items of the first iterable, then of the next, until all are exhausted." }

// ---- compress --------------------------------------------------------------------------------------------------------------

instance! { struct Compress { data, selectors; } }

fn compress_new(tp: Tp<'_>, data: Borrowed<'_>, selectors: Borrowed<'_>) -> PyResult<Owned> {
    let (d, s) = (iter(data)?, iter(selectors)?);
    let c = new::<Compress>(tp)?;
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        (*c.as_ptr()).data = d.into_raw();
        (*c.as_ptr()).selectors = s.into_raw();
    }
    Ok(c.into_object())
}

unsafe fn compress_next(s: Slf<Compress>) -> Next {
    // SAFETY: [TYPE]
    unsafe {
        loop {
            let Some(datum) = next(s.data)? else { return Ok(None) };
            let Some(selector) = next(s.selectors)? else { return Ok(None) };
            if truth(selector.as_ptr())? {
                return Ok(Some(datum));
            }
        }
    }
}

iterator_type! { COMPRESS, "itertools.compress", Compress,
    new: Some(constructor!("compress(data, selectors)" => compress_new)),
    next: compress_next, methods: null_mut(), "The data items whose selector is true." }

// ---- count ------------------------------------------------------------------------------------------------------------------

instance! {
    /// In fast mode `cnt` counts in a machine word and `long_cnt` is NULL; in slow mode `cnt` stays at the maximum.
    struct Count { long_cnt, long_step; cnt: isize }
}

fn count_new(tp: Tp<'_>, start: Option<Borrowed<'_>>, step: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        for arg in [start, step].into_iter().flatten() {
            if PyNumber_Check(arg.ob()) == 0 {
                bail!(PyExc_TypeError, "a number is required");
            }
        }
        let mut cnt = 0;
        let mut fast = true;
        if let Some(s) = start {
            if PyLong_Check(s.ob()) != 0 {
                cnt = PyLong_AsSsize_t(s.ob());
                if cnt == -1 && err_occurred() {
                    PyErr_Clear();
                    fast = false;
                }
            } else {
                fast = false;
            }
        }
        let step_object = match step {
            Some(s) => s.to_owned(),
            None => int(1)?,
        };
        if fast {
            let one = PyLong_Check(step_object.as_ptr()) != 0 && {
                let v = PyLong_AsLong(step_object.as_ptr());
                if v == -1 && err_occurred() {
                    PyErr_Clear();
                }
                v == 1
            };
            fast = one && cnt != isize::MAX;
        }
        let c = new::<Count>(tp)?;
        let p = c.as_ptr();
        (*p).long_step = step_object.into_raw();
        if fast {
            (*p).cnt = cnt;
        } else {
            (*p).cnt = isize::MAX;
            (*p).long_cnt = match start {
                Some(s) => s.to_owned().into_raw(),
                None => int(0)?.into_raw(),
            };
        }
        Ok(c.into_object())
    }
}

unsafe fn count_next(mut s: Slf<Count>) -> Next {
    // SAFETY: [TYPE]
    unsafe {
        if s.cnt != isize::MAX {
            let v = int(s.cnt)?;
            s.cnt += 1;
            return Ok(Some(v));
        }
        if s.long_cnt.is_null() {
            s.long_cnt = int(isize::MAX)?.into_raw();
        }
        let next = Owned::from_owned_or_err(PyNumber_Add(s.long_cnt, s.long_step))?;
        let current = core::mem::replace(&mut s.long_cnt, next.into_raw());
        Ok(Some(Owned::from_owned(current)))
    }
}

unsafe extern "C" fn count_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let s = &*slf.cast::<Count>();
        let name = libc::strrchr((*type_of(slf)).tp_name, b'.' as i32);
        let name = if name.is_null() { (*type_of(slf)).tp_name } else { name.add(1) };
        if s.long_cnt.is_null() {
            return PyUnicode_FromFormat(c"%s(%zd)".as_ptr(), name, s.cnt);
        }
        if PyLong_Check(s.long_step) != 0 {
            let one = PyLong_AsLong(s.long_step);
            if one == -1 && err_occurred() {
                PyErr_Clear();
            }
            if one == 1 {
                return PyUnicode_FromFormat(c"%s(%R)".as_ptr(), name, s.long_cnt);
            }
        }
        PyUnicode_FromFormat(c"%s(%R, %R)".as_ptr(), name, s.long_cnt, s.long_step)
    }
}

iterator_type! { COUNT, "itertools.count", Count,
    new: Some(constructor!("count(start=None, step=None)" => count_new)),
    next: count_next, methods: null_mut(), "Numbers from start on, step apart, without end." }

// ---- cycle -------------------------------------------------------------------------------------------------------------------

instance! { struct Cycle { it, saved; index: isize } }

fn cycle_new(tp: Tp<'_>, iterable: Borrowed<'_>) -> PyResult<Owned> {
    let it = iter(iterable)?;
    let c = new::<Cycle>(tp)?;
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        (*c.as_ptr()).saved = Owned::from_owned_or_err(PyList_New(0))?.into_raw();
        (*c.as_ptr()).it = it.into_raw();
    }
    Ok(c.into_object())
}

unsafe fn cycle_next(mut s: Slf<Cycle>) -> Next {
    // SAFETY: [TYPE]
    unsafe {
        if !s.it.is_null() {
            let it = lent(s.it);
            if let Some(item) = next(it.as_ptr())? {
                check_status(PyList_Append(s.saved, item.as_ptr()))?;
                return Ok(Some(item));
            }
            setref(&raw mut s.it, null_mut());
        }
        let n = PyList_Size(s.saved);
        if n == 0 {
            return Ok(None);
        }
        let item = lent(PyList_GET_ITEM(s.saved, s.index));
        s.index += 1;
        if s.index >= n {
            s.index = 0;
        }
        Ok(Some(item))
    }
}

iterator_type! { CYCLE, "itertools.cycle", Cycle, new: Some(constructor!("cycle(iterable, /)" => cycle_new)),
    next: cycle_next, methods: null_mut(), "The items of an iterable, over and over." }

// ---- dropwhile, takewhile, filterfalse ------------------------------------------------------------------------------------------

instance! { struct While { func, it; done: bool } }

fn while_new(tp: Tp<'_>, predicate: Borrowed<'_>, iterable: Borrowed<'_>) -> PyResult<Owned> {
    let it = iter(iterable)?;
    let w = new::<While>(tp)?;
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        (*w.as_ptr()).func = predicate.to_owned().into_raw();
        (*w.as_ptr()).it = it.into_raw();
    }
    Ok(w.into_object())
}

unsafe fn dropwhile_next(mut s: Slf<While>) -> Next {
    // SAFETY: [TYPE]
    unsafe {
        loop {
            let Some(item) = next(s.it)? else { return Ok(None) };
            if s.done {
                return Ok(Some(item));
            }
            if !truth(call1(s.func, item.as_ptr())?.as_ptr())? {
                s.done = true;
                return Ok(Some(item));
            }
        }
    }
}

unsafe fn takewhile_next(mut s: Slf<While>) -> Next {
    // SAFETY: [TYPE]
    unsafe {
        if s.done {
            return Ok(None);
        }
        let Some(item) = next(s.it)? else { return Ok(None) };
        if truth(call1(s.func, item.as_ptr())?.as_ptr())? {
            return Ok(Some(item));
        }
        s.done = true;
        Ok(None)
    }
}

unsafe fn filterfalse_next(s: Slf<While>) -> Next {
    // SAFETY: [TYPE]
    unsafe {
        let plain = s.func == Py_None() || s.func == (&raw mut PyBool_Type).cast();
        loop {
            let Some(item) = next(s.it)? else { return Ok(None) };
            let yes = if plain { truth(item.as_ptr())? } else { truth(call1(s.func, item.as_ptr())?.as_ptr())? };
            if !yes {
                return Ok(Some(item));
            }
        }
    }
}

iterator_type! { DROPWHILE, "itertools.dropwhile", While, new: Some(constructor!("dropwhile(predicate, iterable, /)" => while_new)),
    next: dropwhile_next, methods: null_mut(), "The items from the first for which the predicate is false." }
iterator_type! { TAKEWHILE, "itertools.takewhile", While, new: Some(constructor!("takewhile(predicate, iterable, /)" => while_new)),
    next: takewhile_next, methods: null_mut(), "The items up to the first for which the predicate is false." }
iterator_type! { FILTERFALSE, "itertools.filterfalse", While, new: Some(constructor!("filterfalse(function, iterable, /)" => while_new)),
    next: filterfalse_next, methods: null_mut(), "The items for which the function is false." }

// ---- groupby ---------------------------------------------------------------------------------------------------------------------

instance! { struct GroupBy { it, keyfunc, tgtkey, currkey, currvalue; currgrouper: *const Grouper } }
instance! { struct Grouper { parent, tgtkey; } }

fn groupby_new(tp: Tp<'_>, iterable: Borrowed<'_>, key: Option<Borrowed<'_>>) -> PyResult<Owned> {
    let it = iter(iterable)?;
    let g = new::<GroupBy>(tp)?;
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        (*g.as_ptr()).keyfunc = key.map_or(null_mut(), |k| k.to_owned().into_raw());
        (*g.as_ptr()).it = it.into_raw();
    }
    Ok(g.into_object())
}

/// Reads the next item and its key; `false` at the end.
unsafe fn groupby_step(s: *mut GroupBy) -> PyResult<bool> {
    // SAFETY: [TYPE] fields are replaced one at a time, as keys' destructors may run code.
    unsafe {
        let Some(value) = next((*s).it)? else { return Ok(false) };
        let key = if (*s).keyfunc.is_null() { value.clone() } else { call1((*s).keyfunc, value.as_ptr())? };
        let old_value = core::mem::replace(&mut (*s).currvalue, value.into_raw());
        let old_key = core::mem::replace(&mut (*s).currkey, key.into_raw());
        Py_XDECREF(old_value);
        Py_XDECREF(old_key);
        Ok(true)
    }
}

unsafe fn same(a: *mut PyObject, b: *mut PyObject) -> PyResult<bool> {
    // SAFETY: [ARGS] held during the comparison.
    unsafe {
        let (a, b) = (lent(a), lent(b));
        let r = PyObject_RichCompareBool(a.as_ptr(), b.as_ptr(), Py_EQ);
        check_status(r)?;
        Ok(r > 0)
    }
}

unsafe fn groupby_next(g: Slf<GroupBy>) -> Next {
    let s: *mut GroupBy = g.0;
    // SAFETY: [TYPE]
    unsafe {
        (*s).currgrouper = core::ptr::null();
        // Skip the rest of the current group.
        loop {
            if !(*s).currkey.is_null() {
                if (*s).tgtkey.is_null() {
                    break;
                }
                if !same((*s).tgtkey, (*s).currkey)? {
                    break;
                }
            }
            if !groupby_step(s)? {
                return Ok(None);
            }
        }
        let key = lent((*s).currkey);
        setref(&raw mut (*s).tgtkey, key.clone().into_raw());
        let grouper = new::<Grouper>(Borrowed::from_ptr(&raw mut GROUPER))?;
        (*grouper.as_ptr()).parent = lent(s.cast()).into_raw();
        (*grouper.as_ptr()).tgtkey = key.clone().into_raw();
        (*s).currgrouper = grouper.as_ptr();
        tuple(vec![key, grouper.into_object()]).map(Some)
    }
}

unsafe fn grouper_next(g: Slf<Grouper>) -> Next {
    // SAFETY: [TYPE] the parent is a groupby.
    unsafe {
        let p = g.parent.cast::<GroupBy>();
        if (*p).currgrouper != g.0.cast_const() {
            return Ok(None);
        }
        if (*p).currvalue.is_null() && !groupby_step(p)? {
            return Ok(None);
        }
        if !same(g.tgtkey, (*p).currkey)? {
            return Ok(None);
        }
        let value = core::mem::replace(&mut (*p).currvalue, null_mut());
        setref(&raw mut (*p).currkey, null_mut());
        if value.is_null() {
            return Ok(None);
        }
        Ok(Some(Owned::from_owned(value)))
    }
}

iterator_type! { GROUPBY, "itertools.groupby", GroupBy, new: Some(constructor!("groupby(iterable, key=None)" => groupby_new)),
    next: groupby_next, methods: null_mut(), "Consecutive keys and groups of an iterable." }
iterator_type! { GROUPER, "itertools._grouper", Grouper, new: None, next: grouper_next, methods: null_mut(), "One group of a groupby." }

// ---- islice ------------------------------------------------------------------------------------------------------------------------

instance! { struct Islice { it; next: isize, stop: isize, step: isize, cnt: isize } }

unsafe extern "C" fn islice_new(tp: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    unsafe {
        if tp == &raw mut ISLICE && _PyArg_NoKeywords(c"islice".as_ptr(), kwargs) == 0 {
            return null_mut();
        }
        let n = PyTuple_GET_SIZE(args);
        if _PyArg_CheckPositional(c"islice".as_ptr(), n, 2, 4) == 0 {
            return null_mut();
        }
        let make = || -> PyResult<Owned> {
            let index = |i: Py_ssize_t, absent: isize, what: &str| -> PyResult<isize> {
                let arg = if i < n { PyTuple_GET_ITEM(args, i) } else { Py_None() };
                if arg == Py_None() {
                    return Ok(absent);
                }
                let v = PyNumber_AsSsize_t(arg, PyExc_OverflowError);
                if v == -1 && err_occurred() {
                    PyErr_Clear();
                    return Ok(-2);
                }
                if v < 0 {
                    return Ok(-2);
                }
                let _ = what;
                Ok(v)
            };
            let (start, stop, step) = if n == 2 { (0, index(1, -1, "stop")?, 1) } else { (index(1, 0, "start")?, index(2, -1, "stop")?, index(3, 1, "step")?) };
            if n == 2 && stop == -2 {
                bail!(PyExc_ValueError, "Stop argument for islice() must be None or an integer: 0 <= x <= sys.maxsize.");
            }
            if start == -2 || stop == -2 {
                bail!(PyExc_ValueError, "Indices for islice() must be None or an integer: 0 <= x <= sys.maxsize.");
            }
            if step < 1 {
                bail!(PyExc_ValueError, "Step for islice() must be a positive integer or None.");
            }
            let it = iter(Borrowed::from_ptr(PyTuple_GET_ITEM(args, 0)))?;
            let s = new::<Islice>(Borrowed::from_ptr(tp))?;
            let p = s.as_ptr();
            (*p).it = it.into_raw();
            (*p).next = start;
            (*p).stop = stop;
            (*p).step = step;
            Ok(s.into_object())
        };
        make().into_c()
    }
}

unsafe fn islice_next(mut s: Slf<Islice>) -> Next {
    // SAFETY: [TYPE]
    unsafe {
        if s.it.is_null() {
            return Ok(None);
        }
        let it = lent(s.it);
        while s.cnt < s.next {
            if next(it.as_ptr())?.is_none() {
                setref(&raw mut s.it, null_mut());
                return Ok(None);
            }
            s.cnt += 1;
        }
        if s.stop != -1 && s.cnt >= s.stop {
            setref(&raw mut s.it, null_mut());
            return Ok(None);
        }
        let Some(item) = next(it.as_ptr())? else {
            setref(&raw mut s.it, null_mut());
            return Ok(None);
        };
        s.cnt += 1;
        let old = s.next;
        s.next = s.next.wrapping_add(s.step);
        if s.next < old || (s.stop != -1 && s.next > s.stop) {
            s.next = s.stop;
        }
        Ok(Some(item))
    }
}

iterator_type! { ISLICE, "itertools.islice", Islice, new: Some(islice_new), next: islice_next, methods: null_mut(),
    "islice(iterable, stop) or islice(iterable, start, stop[, step])\n--\n\nSelected items of an iterable, as a slice selects them." }

// ---- pairwise ------------------------------------------------------------------------------------------------------------------------

instance! { struct Pairwise { it, old; } }

fn pairwise_new(tp: Tp<'_>, iterable: Borrowed<'_>) -> PyResult<Owned> {
    let it = iter(iterable)?;
    let p = new::<Pairwise>(tp)?;
    // SAFETY: [OWN] a fresh instance.
    unsafe { (*p.as_ptr()).it = it.into_raw() };
    Ok(p.into_object())
}

unsafe fn pairwise_next(s: Slf<Pairwise>) -> Next {
    let s: *mut Pairwise = s.0;
    // SAFETY: [TYPE] the iterator may call back into this very object.
    unsafe {
        if (*s).it.is_null() {
            return Ok(None);
        }
        if (*s).old.is_null() {
            let it = lent((*s).it);
            let Some(first) = next(it.as_ptr())? else {
                setref(&raw mut (*s).it, null_mut());
                return Ok(None);
            };
            setref(&raw mut (*s).old, first.into_raw());
            if (*s).it.is_null() {
                setref(&raw mut (*s).old, null_mut());
                return Ok(None);
            }
        }
        let old = lent((*s).old);
        let it = lent((*s).it);
        let Some(item) = next(it.as_ptr())? else {
            setref(&raw mut (*s).it, null_mut());
            setref(&raw mut (*s).old, null_mut());
            return Ok(None);
        };
        setref(&raw mut (*s).old, item.clone().into_raw());
        tuple(vec![old, item]).map(Some)
    }
}

iterator_type! { PAIRWISE, "itertools.pairwise", Pairwise, new: Some(constructor!("pairwise(iterable, /)" => pairwise_new)),
    next: pairwise_next, methods: null_mut(), "Overlapping pairs of successive items." }

// ---- starmap --------------------------------------------------------------------------------------------------------------------------

instance! { struct Starmap { func, it; } }

fn starmap_new(tp: Tp<'_>, function: Borrowed<'_>, iterable: Borrowed<'_>) -> PyResult<Owned> {
    let it = iter(iterable)?;
    let s = new::<Starmap>(tp)?;
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        (*s.as_ptr()).func = function.to_owned().into_raw();
        (*s.as_ptr()).it = it.into_raw();
    }
    Ok(s.into_object())
}

unsafe fn starmap_next(mut s: Slf<Starmap>) -> Next {
    // SAFETY: [TYPE]
    unsafe {
        let Some(args) = next(s.it)? else { return Ok(None) };
        let args = if PyTuple_CheckExact(args.as_ptr()) != 0 { args } else { to_tuple(args.borrow())? };
        Owned::from_owned_or_err(PyObject_Call(s.func, args.as_ptr(), null_mut())).map(Some)
    }
}

iterator_type! { STARMAP, "itertools.starmap", Starmap, new: Some(constructor!("starmap(function, iterable, /)" => starmap_new)),
    next: starmap_next, methods: null_mut(), "The function called with each item as its arguments." }

// ---- repeat --------------------------------------------------------------------------------------------------------------------------

instance! { struct Repeat { element; cnt: isize } }

fn repeat_new(tp: Tp<'_>, object: Borrowed<'_>, times: Option<isize>) -> PyResult<Owned> {
    let r = new::<Repeat>(tp)?;
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        (*r.as_ptr()).element = object.to_owned().into_raw();
        (*r.as_ptr()).cnt = times.map_or(-1, |n| n.max(0));
    }
    Ok(r.into_object())
}

unsafe fn repeat_next(mut s: Slf<Repeat>) -> Next {
    if s.cnt == 0 {
        return Ok(None);
    }
    if s.cnt > 0 {
        s.cnt -= 1;
    }
    // SAFETY: [TYPE]
    Ok(Some(unsafe { lent(s.element) }))
}

fn repeat_len(slf: Borrowed<'_, Repeat>) -> PyResult<isize> {
    if slf.cnt == -1 {
        bail!(PyExc_TypeError, "len() of unsized object");
    }
    Ok(slf.cnt)
}

unsafe extern "C" fn repeat_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let s = &*slf.cast::<Repeat>();
        let name = libc::strrchr((*type_of(slf)).tp_name, b'.' as i32);
        let name = if name.is_null() { (*type_of(slf)).tp_name } else { name.add(1) };
        if s.cnt == -1 {
            return PyUnicode_FromFormat(c"%s(%R)".as_ptr(), name, s.element);
        }
        PyUnicode_FromFormat(c"%s(%R, %zd)".as_ptr(), name, s.element, s.cnt)
    }
}

methods! { static REPEAT_METHODS = [ "__length_hint__($self, /)" => repeat_len, "How many repetitions are left."; ]; }

iterator_type! { REPEAT, "itertools.repeat", Repeat, new: Some(constructor!("repeat(object, times=<unrepresentable>)" => repeat_new)),
    next: repeat_next, methods: (&raw mut REPEAT_METHODS).cast(), "The object again and again, without end or a number of times." }

// ---- zip_longest ------------------------------------------------------------------------------------------------------------------------

instance! { struct ZipLongest { its, fillvalue; active: isize } }

unsafe extern "C" fn zip_longest_new(tp: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    unsafe {
        let make = || -> PyResult<Owned> {
            let mut fill = lent(Py_None());
            if !kwargs.is_null() && PyDict_Size(kwargs) > 0 {
                let given = PyDict_GetItemWithError(kwargs, intern!("fillvalue"));
                if given.is_null() || PyDict_Size(kwargs) > 1 {
                    bail!(PyExc_TypeError, "zip_longest() got an unexpected keyword argument");
                }
                fill = lent(given);
            }
            let n = PyTuple_GET_SIZE(args);
            let mut its = Vec::new();
            for i in 0..n {
                its.push(iter(Borrowed::from_ptr(PyTuple_GET_ITEM(args, i)))?);
            }
            // A list, whose exhausted iterators become None.
            let list = Owned::from_owned_or_err(PyList_New(n))?;
            for (i, it) in its.into_iter().enumerate() {
                PyList_SET_ITEM(list.as_ptr(), i as Py_ssize_t, it.into_raw());
            }
            let z = new::<ZipLongest>(Borrowed::from_ptr(tp))?;
            (*z.as_ptr()).its = list.into_raw();
            (*z.as_ptr()).fillvalue = fill.into_raw();
            (*z.as_ptr()).active = n;
            Ok(z.into_object())
        };
        make().into_c()
    }
}

unsafe fn zip_longest_next(mut s: Slf<ZipLongest>) -> Next {
    let s: *mut ZipLongest = s.0;
    // SAFETY: [TYPE] the list keeps its length.
    unsafe {
        if (*s).active == 0 {
            return Ok(None);
        }
        let its = lent((*s).its);
        let n = PyList_Size(its.as_ptr());
        let mut row = Vec::with_capacity(n as usize);
        for i in 0..n {
            let it = lent(PyList_GET_ITEM(its.as_ptr(), i));
            if it.as_ptr() == Py_None() {
                row.push(lent((*s).fillvalue));
                continue;
            }
            match next(it.as_ptr()) {
                Ok(Some(item)) => row.push(item),
                Ok(None) => {
                    (*s).active -= 1;
                    if (*s).active == 0 {
                        return Ok(None);
                    }
                    check_status(PyList_SetItem(its.as_ptr(), i, lent(Py_None()).into_raw()))?;
                    row.push(lent((*s).fillvalue));
                }
                Err(e) => {
                    (*s).active = 0;
                    return Err(e);
                }
            }
        }
        tuple(row).map(Some)
    }
}

iterator_type! { ZIP_LONGEST, "itertools.zip_longest", ZipLongest, new: Some(zip_longest_new), next: zip_longest_next,
    methods: null_mut(), "zip_longest(*iterables, fillvalue=None)\n--\n\nTuples of the iterables' items, filled up to the longest." }

// ---- product, combinations, permutations ---------------------------------------------------------------------------------------------------

/// State of the combinatoric iterators: pools, indices, and whether the first result has been given.
#[repr(C)]
struct Combinatoric {
    ob_base: PyObject,
    /// A tuple: of pools for `product`, else the one pool.
    pools: *mut PyObject,
    indices: *mut Vec<usize>,
    cycles: *mut Vec<usize>,
    r: usize,
    started: bool,
    stopped: bool,
}

impl Combinatoric {
    unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
        // SAFETY: [TYPE]
        unsafe { visit((*slf.cast::<Self>()).pools, visitor, arg) }
    }
    unsafe extern "C" fn dealloc(slf: *mut PyObject) {
        // SAFETY: [OWN]
        unsafe {
            PyObject_GC_UnTrack(slf.cast());
            let s = slf.cast::<Self>();
            Py_XDECREF((*s).pools);
            for v in [(*s).indices, (*s).cycles] {
                if !v.is_null() {
                    drop(Box::from_raw(v));
                }
            }
            if let Some(free) = (*type_of(slf)).tp_free {
                free(slf.cast());
            }
        }
    }
    fn make(tp: Tp<'_>, pools: Owned, indices: Vec<usize>, cycles: Vec<usize>, r: usize, stopped: bool) -> PyResult<Owned> {
        let c = new::<Combinatoric>(tp)?;
        // SAFETY: [OWN] a fresh instance.
        unsafe {
            let p = c.as_ptr();
            (*p).pools = pools.into_raw();
            (*p).indices = Box::into_raw(Box::new(indices));
            (*p).cycles = Box::into_raw(Box::new(cycles));
            (*p).r = r;
            (*p).stopped = stopped;
        }
        Ok(c.into_object())
    }
    unsafe fn selected(&self) -> Next {
        // SAFETY: [TYPE] indices are in range.
        unsafe { tuple((&*self.indices)[..self.r].iter().map(|&i| pool_item(self.pools, i)).collect()).map(Some) }
    }
}

unsafe extern "C" fn product_new(tp: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    unsafe {
        let make = || -> PyResult<Owned> {
            let mut repeat = 1;
            if !kwargs.is_null() && PyDict_Size(kwargs) > 0 {
                let given = PyDict_GetItemWithError(kwargs, intern!("repeat"));
                if given.is_null() || PyDict_Size(kwargs) > 1 {
                    bail!(PyExc_TypeError, "product() got an unexpected keyword argument");
                }
                repeat = PyNumber_AsSsize_t(given, PyExc_OverflowError);
                if repeat == -1 && err_occurred() {
                    return Err(Raised::assume());
                }
                if repeat < 0 {
                    bail!(PyExc_ValueError, "repeat argument cannot be negative");
                }
            }
            let n = if repeat == 0 { 0 } else { PyTuple_GET_SIZE(args) };
            let Some(total) = (n as usize).checked_mul(repeat as usize).filter(|&t| t < isize::MAX as usize / 16) else {
                bail!(PyExc_OverflowError, "repeat argument too large");
            };
            let mut pools = Vec::new();
            for i in 0..n {
                pools.push(to_tuple(Borrowed::from_ptr(PyTuple_GET_ITEM(args, i)))?);
            }
            let mut all = Vec::new();
            if all.try_reserve_exact(total).is_err() {
                PyErr_NoMemory();
                return Err(Raised::assume());
            }
            for i in 0..total {
                all.push(pools[i % n as usize].clone());
            }
            Combinatoric::make(Borrowed::from_ptr(tp), tuple(all)?, vec![0; total], Vec::new(), total, false)
        };
        make().into_c()
    }
}

unsafe fn product_next(mut s: Slf<Combinatoric>) -> Next {
    // SAFETY: [TYPE] pools is a tuple of tuples.
    unsafe {
        if s.stopped {
            return Ok(None);
        }
        let pools = s.pools;
        let indices = &mut *s.indices;
        let pools = s.pools;
        let size = |i: usize| PyTuple_GET_SIZE(PyTuple_GET_ITEM(pools, i as Py_ssize_t)) as usize;
        if !s.started {
            s.started = true;
            if (0..indices.len()).any(|i| size(i) == 0) {
                s.stopped = true;
                return Ok(None);
            }
        } else {
            let mut i = indices.len();
            loop {
                if i == 0 {
                    s.stopped = true;
                    return Ok(None);
                }
                i -= 1;
                indices[i] += 1;
                if indices[i] < size(i) {
                    break;
                }
                indices[i] = 0;
            }
        }
        let items = indices.iter().enumerate().map(|(i, &k)| pool_item(PyTuple_GET_ITEM(pools, i as Py_ssize_t), k)).collect();
        tuple(items).map(Some)
    }
}

fn pool_and_r(iterable: Borrowed<'_>, r: isize) -> PyResult<(Owned, usize, usize)> {
    let pool = to_tuple(iterable)?;
    if r < 0 {
        bail!(PyExc_ValueError, "r must be non-negative");
    }
    // SAFETY: [TYPE] a tuple.
    let n = unsafe { PyTuple_GET_SIZE(pool.as_ptr()) } as usize;
    Ok((pool, n, r as usize))
}

fn combinations_new(tp: Tp<'_>, iterable: Borrowed<'_>, r: isize) -> PyResult<Owned> {
    let (pool, n, r) = pool_and_r(iterable, r)?;
    Combinatoric::make(tp, pool, if r > n { Vec::new() } else { (0..r).collect() }, Vec::new(), r, r > n)
}

unsafe fn combinations_next(mut s: Slf<Combinatoric>) -> Next {
    // SAFETY: [TYPE]
    unsafe {
        if s.stopped {
            return Ok(None);
        }
        let n = PyTuple_GET_SIZE(s.pools) as usize;
        if s.started {
            let indices = &mut *s.indices;
            // The rightmost index that has room to the right.
            let Some(i) = (0..s.r).rev().find(|&i| indices[i] != i + n - s.r) else {
                s.stopped = true;
                return Ok(None);
            };
            indices[i] += 1;
            for j in i + 1..s.r {
                indices[j] = indices[j - 1] + 1;
            }
        }
        s.started = true;
        s.selected()
    }
}

fn cwr_new(tp: Tp<'_>, iterable: Borrowed<'_>, r: isize) -> PyResult<Owned> {
    let (pool, n, r) = pool_and_r(iterable, r)?;
    Combinatoric::make(tp, pool, vec![0; r], Vec::new(), r, n == 0 && r > 0)
}

unsafe fn cwr_next(mut s: Slf<Combinatoric>) -> Next {
    // SAFETY: [TYPE]
    unsafe {
        if s.stopped {
            return Ok(None);
        }
        let n = PyTuple_GET_SIZE(s.pools) as usize;
        if s.started {
            let indices = &mut *s.indices;
            let Some(i) = (0..s.r).rev().find(|&i| indices[i] != n - 1) else {
                s.stopped = true;
                return Ok(None);
            };
            let v = indices[i] + 1;
            indices[i..].fill(v);
        }
        s.started = true;
        s.selected()
    }
}

fn permutations_new(tp: Tp<'_>, iterable: Borrowed<'_>, r: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe {
        let pool = to_tuple(iterable)?;
        let n = PyTuple_GET_SIZE(pool.as_ptr()) as usize;
        let r = match r {
            None => n as isize,
            Some(r) if PyLong_Check(r.ob()) == 0 => bail!(PyExc_TypeError, "Expected int as r"),
            Some(r) => {
                let v = PyLong_AsSsize_t(r.ob());
                if v == -1 && err_occurred() {
                    return Err(Raised::assume());
                }
                v
            }
        };
        if r < 0 {
            bail!(PyExc_ValueError, "r must be non-negative");
        }
        let r = r as usize;
        let cycles = if r > n { Vec::new() } else { (0..r).map(|i| n - i).collect() };
        Combinatoric::make(tp, pool, (0..n).collect(), cycles, r, r > n)
    }
}

unsafe fn permutations_next(mut s: Slf<Combinatoric>) -> Next {
    // SAFETY: [TYPE]
    unsafe {
        if s.stopped {
            return Ok(None);
        }
        if s.started {
            let (indices, cycles) = (&mut *s.indices, &mut *s.cycles);
            let n = indices.len();
            let mut i = s.r;
            loop {
                if i == 0 {
                    s.stopped = true;
                    return Ok(None);
                }
                i -= 1;
                cycles[i] -= 1;
                if cycles[i] == 0 {
                    indices[i..].rotate_left(1);
                    cycles[i] = n - i;
                } else {
                    indices.swap(i, n - cycles[i]);
                    break;
                }
            }
        }
        s.started = true;
        s.selected()
    }
}

iterator_type! { PRODUCT, "itertools.product", Combinatoric, new: Some(product_new), next: product_next, methods: null_mut(),
    "product(*iterables, repeat=1)\n--\n\nThe Cartesian product of the iterables, like nested for loops." }
iterator_type! { COMBINATIONS, "itertools.combinations", Combinatoric, new: Some(constructor!("combinations(iterable, r)" => combinations_new)),
    next: combinations_next, methods: null_mut(), "The r-length subsequences of an iterable's items." }
iterator_type! { CWR, "itertools.combinations_with_replacement", Combinatoric,
    new: Some(constructor!("combinations_with_replacement(iterable, r)" => cwr_new)),
    next: cwr_next, methods: null_mut(), "The r-length subsequences of an iterable's items, each usable several times." }
iterator_type! { PERMUTATIONS, "itertools.permutations", Combinatoric, new: Some(constructor!("permutations(iterable, r=None)" => permutations_new)),
    next: permutations_next, methods: null_mut(), "The r-length orderings of an iterable's items." }

// ---- tee -----------------------------------------------------------------------------------------------------------------------------------

const LINKCELLS: usize = 57;

/// A link of the queue that the iterators of one `tee` share.
#[repr(C)]
struct TeeData {
    ob_base: PyObject,
    it: *mut PyObject,
    next: *mut PyObject,
    numread: usize,
    running: bool,
    values: [*mut PyObject; LINKCELLS],
}
#[repr(C)]
struct Tee {
    ob_base: PyObject,
    data: *mut TeeData,
    index: usize,
    weakreflist: *mut PyObject,
}

unsafe fn tee_data_new(it: *mut PyObject) -> PyResult<Owned<TeeData>> {
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        let d = new::<TeeData>(Borrowed::from_ptr(&raw mut TEE_DATA))?;
        (*d.as_ptr()).it = lent(it).into_raw();
        Ok(d)
    }
}

impl TeeData {
    unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
        // SAFETY: [TYPE]
        unsafe {
            let d = slf.cast::<TeeData>();
            py_visit!(visitor, arg; (*d).it, (*d).next);
            for i in 0..(*d).numread {
                py_visit!(visitor, arg; (*d).values[i]);
            }
        }
        0
    }
    unsafe extern "C" fn clear(slf: *mut PyObject) -> c_int {
        // SAFETY: [TYPE] a long chain of links is released link by link, not recursively.
        unsafe {
            let d = slf.cast::<TeeData>();
            setref(&raw mut (*d).it, null_mut());
            let n = core::mem::replace(&mut (*d).numread, 0);
            for i in 0..n {
                setref(&raw mut (*d).values[i], null_mut());
            }
            let mut next = core::mem::replace(&mut (*d).next, null_mut());
            while !next.is_null() && Py_REFCNT(next) == 1 {
                let after = core::mem::replace(&mut (*next.cast::<TeeData>()).next, null_mut());
                Py_DECREF(next);
                next = after;
            }
            Py_XDECREF(next);
        }
        0
    }
    unsafe extern "C" fn dealloc(slf: *mut PyObject) {
        // SAFETY: [OWN]
        unsafe {
            PyObject_GC_UnTrack(slf.cast());
            Self::clear(slf);
            PyObject_GC_Del(slf.cast());
        }
    }
    unsafe fn item(d: *mut TeeData, i: usize) -> Next {
        // SAFETY: [TYPE]
        unsafe {
            if i < (*d).numread {
                return Ok(Some(lent((*d).values[i])));
            }
            if (*d).running {
                bail!(PyExc_RuntimeError, "cannot re-enter the tee iterator");
            }
            (*d).running = true;
            let got = next((*d).it);
            (*d).running = false;
            let Some(value) = got? else { return Ok(None) };
            (*d).values[i] = value.clone().into_raw();
            (*d).numread += 1;
            Ok(Some(value))
        }
    }
    unsafe fn link(d: *mut TeeData) -> PyResult<Owned<TeeData>> {
        // SAFETY: [TYPE]
        unsafe {
            if (*d).next.is_null() {
                (*d).next = tee_data_new((*d).it)?.into_raw().cast();
            }
            Ok(lent((*d).next).cast())
        }
    }
}

impl Tee {
    unsafe extern "C" fn traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
        // SAFETY: [TYPE]
        unsafe { visit((*slf.cast::<Tee>()).data, visitor, arg) }
    }
    unsafe extern "C" fn dealloc(slf: *mut PyObject) {
        // SAFETY: [OWN]
        unsafe {
            PyObject_GC_UnTrack(slf.cast());
            let t = slf.cast::<Tee>();
            if !(*t).weakreflist.is_null() {
                PyObject_ClearWeakRefs(slf);
            }
            Py_XDECREF((*t).data.cast());
            PyObject_GC_Del(slf.cast());
        }
    }
}

unsafe fn tee_next(mut t: Slf<Tee>) -> Next {
    // SAFETY: [TYPE]
    unsafe {
        if t.index >= LINKCELLS {
            let link = TeeData::link(t.data)?;
            setref(&raw mut t.data, link.into_raw());
            t.index = 0;
        }
        let data = Owned::from_borrowed(t.data);
        let value = TeeData::item(data.as_ptr(), t.index)?;
        if value.is_some() {
            t.index += 1;
        }
        Ok(value)
    }
}

fn tee_copy(slf: Borrowed<'_, Tee>) -> PyResult<Owned> {
    // SAFETY: [OWN] a fresh instance.
    unsafe {
        let t = new::<Tee>(Borrowed::from_ptr(slf.ob_type()))?;
        (*t.as_ptr()).data = Owned::from_borrowed(slf.data).into_raw();
        (*t.as_ptr()).index = slf.index;
        Ok(t.into_object())
    }
}

fn tee_from_iterable(iterable: Borrowed<'_>) -> PyResult<Owned> {
    let it = iter(iterable)?;
    // SAFETY: [TYPE]
    unsafe {
        if type_of(it.as_ptr()) == &raw mut TEE {
            return tee_copy(it.borrow().cast());
        }
        let data = tee_data_new(it.as_ptr())?;
        let t = new::<Tee>(Borrowed::from_ptr(&raw mut TEE))?;
        (*t.as_ptr()).data = data.into_raw();
        Ok(t.into_object())
    }
}

fn tee_new(_: Tp<'_>, iterable: Borrowed<'_>) -> PyResult<Owned> {
    tee_from_iterable(iterable)
}

fn tee(_: (), iterable: Borrowed<'_>, n: isize) -> PyResult<Owned> {
    if n < 0 {
        bail!(PyExc_ValueError, "n must be >= 0");
    }
    if n == 0 {
        return tuple(Vec::new());
    }
    let it = iter(iterable)?;
    // SAFETY: [ARGS]
    unsafe {
        let mut copy = null_mut();
        check_status(PyObject_GetOptionalAttr(it.as_ptr(), intern!("__copy__"), &mut copy))?;
        let (first, copy) = match Owned::from_owned_or_opt(copy) {
            Some(c) => (it, c),
            None => {
                let t = tee_from_iterable(it.borrow())?;
                let c = Owned::from_owned_or_err(PyObject_GetAttr(t.as_ptr(), intern!("__copy__")))?;
                (t, c)
            }
        };
        let mut all = vec![first];
        for _ in 1..n {
            all.push(Owned::from_owned_or_err(PyObject_CallNoArgs(copy.as_ptr()))?);
        }
        tuple(all)
    }
}

methods! { static TEE_METHODS = [ "__copy__($self, /)" => tee_copy, "An independent iterator at the same place."; ]; }

iterator_type! { TEE_PLAIN, "itertools._tee", Tee, new: Some(constructor!("_tee(iterable, /)" => tee_new)), next: tee_next,
    methods: (&raw mut TEE_METHODS).cast(), "One of the iterators of a tee." }
static mut TEE: PyTypeObject = TYPE_INIT;
static mut TEE_DATA: PyTypeObject = PyTypeObject {
    tp_name: c"itertools._tee_dataobject".as_ptr(),
    tp_basicsize: size_of::<TeeData>() as Py_ssize_t,
    tp_dealloc: Some(TeeData::dealloc),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"A link of a tee's queue.".as_ptr(),
    tp_traverse: Some(TeeData::traverse),
    tp_clear: Some(TeeData::clear),
    tp_alloc: Some(PyType_GenericAlloc),
    tp_free: Some(PyObject_GC_Del),
    ..TYPE_INIT
};

// ---- the module ------------------------------------------------------------------------------------------------------------------------------

methods! { static METHODS = [ "tee($module, iterable, n=2, /)" => tee, "n independent iterators over one iterable."; ]; }

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [STATIC] run once, before the types are used.
    unsafe {
        if TEE.tp_name.is_null() {
            // Weak references to the iterators of a tee are allowed; they can't be subclassed.
            core::ptr::copy_nonoverlapping(&raw const TEE_PLAIN, &raw mut TEE, 1);
            TEE.tp_weaklistoffset = core::mem::offset_of!(Tee, weakreflist) as Py_ssize_t;
            TEE.tp_flags &= !Py_TPFLAGS_BASETYPE;
        }
        COUNT.tp_repr = Some(count_repr);
        REPEAT.tp_repr = Some(repeat_repr);
        check_status(PyType_Ready(&raw mut TEE_DATA))?;
        for tp in [
            &raw mut ACCUMULATE, &raw mut BATCHED, &raw mut COMBINATIONS, &raw mut CWR, &raw mut CYCLE, &raw mut DROPWHILE,
            &raw mut TAKEWHILE, &raw mut ISLICE, &raw mut STARMAP, &raw mut CHAIN, &raw mut COMPRESS, &raw mut FILTERFALSE,
            &raw mut COUNT, &raw mut ZIP_LONGEST, &raw mut PAIRWISE, &raw mut PERMUTATIONS, &raw mut PRODUCT, &raw mut REPEAT,
            &raw mut GROUPBY, &raw mut GROUPER, &raw mut TEE, &raw mut TEE_DATA,
        ] {
            taipan_clinic::module::add_type(module, tp)?;
        }
    }
    Ok(())
}

module! {
    /// Entry point.
    pub fn PyInit_itertools = "itertools", "Building blocks for fast iteration.", methods: METHODS, exec: exec;
}

