//! The `itertools` module.

mod combinatoric;
mod tee;

use crate::support::{Slf, call1, int, iter, new, next, truth, tuple};
use crate::{instance, iterator_type};
use core::ffi::{c_int, c_long};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{constructor, methods, module};

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

/// The warning that goes with pickling and copying.
fn deprecated() -> PyResult<()> {
    let text = c"Pickle, copy, and deepcopy support will be removed from itertools in Python 3.14.";
    // SAFETY: [GIL]
    unsafe { check_status(PyErr_WarnEx(PyExc_DeprecationWarning, text.as_ptr(), 1)) }
}

/// `Py_BuildValue`, after the warning of [`deprecated`].
macro_rules! reduced {
    ($format:literal $(, $arg:expr)*) => {{
        deprecated()?;
        // SAFETY: [ARGS] the arguments are what the format says.
        #[allow(unused_unsafe, reason = "some uses stand in unsafe blocks")]
        let made = unsafe { Owned::from_owned_or_err(Py_BuildValue($format.as_ptr() $(, $arg)*)) };
        made
    }};
}

unsafe fn check_tuple(state: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [ARGS]
    if unsafe { PyTuple_Check(state.ob()) } == 0 {
        bail!(PyExc_TypeError, "state is not a tuple");
    }
    Ok(())
}

/// Whether keywords must be refused: by the class itself, and by subclasses that don't initialise anew.
unsafe fn refuses_keywords(tp: *mut PyTypeObject, own: *mut PyTypeObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { tp == own || (*tp).tp_init.map(|f| f as usize) == (*own).tp_init.map(|f| f as usize) }
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

fn accumulate_reduce(slf: Borrowed<'_, Accumulate>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let (a, tp) = (slf.as_ptr(), slf.ob_type());
        let none = Py_None();
        let func = if (*a).func.is_null() { none } else { (*a).func };
        let chained = |first: *mut PyObject| Owned::from_owned_or_err(PyObject_CallFunction((&raw mut CHAIN).cast(), c"(O)O".as_ptr(), first, (*a).it));
        if !(*a).initial.is_null() {
            let it = chained((*a).initial)?;
            return reduced!(c"O(OO)O", tp, it.as_ptr(), func, none);
        }
        if (*a).total == none {
            // A total of None can't be told from none at all: start one item earlier, and skip it.
            let it = chained(none)?;
            let it = Owned::from_owned_or_err(PyObject_CallFunction(tp.cast(), c"OO".as_ptr(), it.as_ptr(), func))?;
            return reduced!(c"O(OiO)", &raw mut ISLICE, it.as_ptr(), 1, none);
        }
        reduced!(c"O(OO)O", tp, (*a).it, func, if (*a).total.is_null() { none } else { (*a).total })
    }
}
fn accumulate_setstate(slf: Borrowed<'_, Accumulate>, state: Borrowed<'_>) -> PyResult<()> {
    deprecated()?;
    // SAFETY: [TYPE]
    unsafe { setref(&raw mut (*slf.as_ptr()).total, state.to_owned().into_raw()) };
    Ok(())
}
methods! {
    static ACCUMULATE_METHODS = [
        "__reduce__($self, /)" => accumulate_reduce, "For pickle and copy.";
        "__setstate__($self, object, /)" => accumulate_setstate, "For pickle and copy.";
    ];
}
iterator_type! { ACCUMULATE, "itertools.accumulate", Accumulate,
    new: Some(constructor!("accumulate(iterable, func=None, *, initial=None)" => accumulate_new)),
    next: accumulate_next, methods: (&raw mut ACCUMULATE_METHODS).cast(), "accumulate(iterable, func=None, *, initial=None)\n--\n\nRunning totals, of sums or of another binary function." }

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
    next: batched_next, methods: null_mut(), "batched(iterable, n, *, strict=False)\n--\n\nItems in tuples of length n; the last may be shorter, unless strict is true.\n\n>>> list(batched(range(5), 2))\n[(0, 1), (2, 3), (4,)]" }

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
        if refuses_keywords(tp, &raw mut CHAIN) && _PyArg_NoKeywords(c"chain".as_ptr(), kwargs) == 0 {
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

fn chain_reduce(slf: Borrowed<'_, Chain>) -> PyResult<Owned> {
    let tp = slf.ob_type();
    if slf.source.is_null() {
        return reduced!(c"O()", tp);
    }
    if slf.active.is_null() {
        return reduced!(c"O()(O)", tp, slf.source);
    }
    reduced!(c"O()(OO)", tp, slf.source, slf.active)
}
fn chain_setstate(slf: Borrowed<'_, Chain>, state: Borrowed<'_>) -> PyResult<()> {
    deprecated()?;
    // SAFETY: [TYPE]
    unsafe {
        check_tuple(state)?;
        let (mut source, mut active): (*mut PyObject, *mut PyObject) = (null_mut(), null_mut());
        if PyArg_ParseTuple(state.ob(), c"O|O".as_ptr(), &raw mut source, &raw mut active) == 0 {
            return Err(Raised::assume());
        }
        if PyIter_Check(source) == 0 || (!active.is_null() && PyIter_Check(active) == 0) {
            bail!(PyExc_TypeError, "Arguments must be iterators.");
        }
        Py_XINCREF(active);
        setref(&raw mut (*slf.as_ptr()).source, lent(source).into_raw());
        setref(&raw mut (*slf.as_ptr()).active, active);
        Ok(())
    }
}

methods! {
    static CHAIN_METHODS = [
        class "from_iterable($type, iterable, /)" => chain_from_iterable, "Chain the iterables that an iterable yields.";
        "__reduce__($self, /)" => chain_reduce, "For pickle and copy.";
        "__setstate__($self, object, /)" => chain_setstate, "For pickle and copy.";
        class "__class_getitem__($type, object, /)" => class_getitem, "See PEP 585.";
    ];
}
fn class_getitem(tp: Borrowed<'_>, item: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { Owned::from_owned_or_err(Py_GenericAlias(tp.ob(), item.ob())) }
}

iterator_type! { CHAIN, "itertools.chain", Chain, new: Some(chain_new), next: chain_next,
    methods: (&raw mut CHAIN_METHODS).cast(), "chain(*iterables)\n--\n\nThe items of the first iterable, then of the next, until all are exhausted." }

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

fn compress_reduce(slf: Borrowed<'_, Compress>) -> PyResult<Owned> {
    reduced!(c"O(OO)", slf.ob_type(), slf.data, slf.selectors)
}
methods! {
    static COMPRESS_METHODS = [
        "__reduce__($self, /)" => compress_reduce, "For pickle and copy.";
    ];
}
iterator_type! { COMPRESS, "itertools.compress", Compress,
    new: Some(constructor!("compress(data, selectors)" => compress_new)),
    next: compress_next, methods: (&raw mut COMPRESS_METHODS).cast(), "compress(data, selectors)\n--\n\nThe data items whose selector is true." }

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

fn count_reduce(slf: Borrowed<'_, Count>) -> PyResult<Owned> {
    let tp = slf.ob_type();
    if slf.cnt != isize::MAX {
        return reduced!(c"O(n)", tp, slf.cnt);
    }
    let count = if slf.long_cnt.is_null() { int(isize::MAX)? } else {
        // SAFETY: [TYPE]
        unsafe { lent(slf.long_cnt) }
    };
    reduced!(c"O(OO)", tp, count.as_ptr(), slf.long_step)
}
methods! {
    static COUNT_METHODS = [
        "__reduce__($self, /)" => count_reduce, "For pickle and copy.";
    ];
}
iterator_type! { COUNT, "itertools.count", Count,
    new: Some(constructor!("count(start=None, step=None)" => count_new)),
    next: count_next, methods: (&raw mut COUNT_METHODS).cast(), "count(start=0, step=1)\n--\n\nNumbers from start on, step apart, without end." }

// ---- cycle -------------------------------------------------------------------------------------------------------------------

instance! {
    /// `replays`: what `it` yields is in `saved` already, as after unpickling.
    struct Cycle { it, saved; index: isize, replays: bool }
}

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
                if !s.replays {
                    check_status(PyList_Append(s.saved, item.as_ptr()))?;
                }
                return Ok(Some(item));
            }
            setref(&raw mut s.it, null_mut());
        }
        let n = PyList_Size(s.saved);
        if n == 0 {
            return Ok(None);
        }
        if s.index >= n {
            // Somebody has shortened the list.
            s.index = 0;
        }
        let item = lent(PyList_GET_ITEM(s.saved, s.index));
        s.index += 1;
        if s.index >= n {
            s.index = 0;
        }
        Ok(Some(item))
    }
}

fn cycle_reduce(slf: Borrowed<'_, Cycle>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if !slf.it.is_null() {
            return reduced!(c"O(O)(OO)", slf.ob_type(), slf.it, slf.saved, if slf.replays { Py_True() } else { Py_False() });
        }
        let it = iter(Borrowed::from_ptr(slf.saved))?;
        if slf.index != 0 {
            let index = int(slf.index)?;
            Owned::from_owned_or_err(PyObject_CallMethodOneArg(it.as_ptr(), intern!("__setstate__"), index.as_ptr()))?;
        }
        reduced!(c"O(O)(OO)", slf.ob_type(), it.as_ptr(), slf.saved, Py_True())
    }
}
fn cycle_setstate(slf: Borrowed<'_, Cycle>, state: Borrowed<'_>) -> PyResult<()> {
    deprecated()?;
    // SAFETY: [TYPE]
    unsafe {
        check_tuple(state)?;
        let (mut saved, mut replays): (*mut PyObject, c_int) = (null_mut(), 0);
        if PyArg_ParseTuple(state.ob(), c"O!i".as_ptr(), &raw mut PyList_Type, &raw mut saved, &raw mut replays) == 0 {
            return Err(Raised::assume());
        }
        let c = slf.as_ptr();
        setref(&raw mut (*c).saved, lent(saved).into_raw());
        (*c).replays = replays != 0;
        (*c).index = 0;
        Ok(())
    }
}
methods! {
    static CYCLE_METHODS = [
        "__reduce__($self, /)" => cycle_reduce, "For pickle and copy.";
        "__setstate__($self, object, /)" => cycle_setstate, "For pickle and copy.";
    ];
}
iterator_type! { CYCLE, "itertools.cycle", Cycle, new: Some(constructor!("cycle(iterable, /)" => cycle_new)),
    next: cycle_next, methods: (&raw mut CYCLE_METHODS).cast(), "cycle(iterable, /)\n--\n\nThe items of an iterable, over and over." }

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

fn while_reduce(slf: Borrowed<'_, While>) -> PyResult<Owned> {
    reduced!(c"O(OO)l", slf.ob_type(), slf.func, slf.it, slf.done as c_long)
}
fn while_setstate(slf: Borrowed<'_, While>, state: Borrowed<'_>) -> PyResult<()> {
    deprecated()?;
    // SAFETY: [TYPE]
    unsafe { (*slf.as_ptr()).done = truth(state.ob())? };
    Ok(())
}
fn filterfalse_reduce(slf: Borrowed<'_, While>) -> PyResult<Owned> {
    reduced!(c"O(OO)", slf.ob_type(), slf.func, slf.it)
}
methods! {
    static DROPWHILE_METHODS = [
        "__reduce__($self, /)" => while_reduce, "For pickle and copy.";
        "__setstate__($self, object, /)" => while_setstate, "For pickle and copy.";
    ];
}
methods! {
    static TAKEWHILE_METHODS = [
        "__reduce__($self, /)" => while_reduce, "For pickle and copy.";
        "__setstate__($self, object, /)" => while_setstate, "For pickle and copy.";
    ];
}
methods! {
    static FILTERFALSE_METHODS = [
        "__reduce__($self, /)" => filterfalse_reduce, "For pickle and copy.";
    ];
}
iterator_type! { DROPWHILE, "itertools.dropwhile", While, new: Some(constructor!("dropwhile(predicate, iterable, /)" => while_new)),
    next: dropwhile_next, methods: (&raw mut DROPWHILE_METHODS).cast(), "dropwhile(predicate, iterable, /)\n--\n\nThe items from the first for which the predicate is false." }
iterator_type! { TAKEWHILE, "itertools.takewhile", While, new: Some(constructor!("takewhile(predicate, iterable, /)" => while_new)),
    next: takewhile_next, methods: (&raw mut TAKEWHILE_METHODS).cast(), "takewhile(predicate, iterable, /)\n--\n\nThe items up to the first for which the predicate is false." }
iterator_type! { FILTERFALSE, "itertools.filterfalse", While, new: Some(constructor!("filterfalse(function, iterable, /)" => while_new)),
    next: filterfalse_next, methods: (&raw mut FILTERFALSE_METHODS).cast(), "filterfalse(function, iterable, /)\n--\n\nThe items for which the function is false." }

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

fn groupby_reduce(slf: Borrowed<'_, GroupBy>) -> PyResult<Owned> {
    // SAFETY: [IMMORTAL] None.
    let key = if slf.keyfunc.is_null() { unsafe { Py_None() } } else { slf.keyfunc };
    if slf.tgtkey.is_null() || slf.currkey.is_null() || slf.currvalue.is_null() {
        return reduced!(c"O(OO)", slf.ob_type(), slf.it, key);
    }
    reduced!(c"O(OO)(OOO)", slf.ob_type(), slf.it, key, slf.currkey, slf.currvalue, slf.tgtkey)
}
fn groupby_setstate(slf: Borrowed<'_, GroupBy>, state: Borrowed<'_>) -> PyResult<()> {
    deprecated()?;
    // SAFETY: [TYPE]
    unsafe {
        check_tuple(state)?;
        let (mut key, mut value, mut target): (*mut PyObject, *mut PyObject, *mut PyObject) = (null_mut(), null_mut(), null_mut());
        if PyArg_ParseTuple(state.ob(), c"OOO".as_ptr(), &raw mut key, &raw mut value, &raw mut target) == 0 {
            return Err(Raised::assume());
        }
        let g = slf.as_ptr();
        setref(&raw mut (*g).currkey, lent(key).into_raw());
        setref(&raw mut (*g).currvalue, lent(value).into_raw());
        setref(&raw mut (*g).tgtkey, lent(target).into_raw());
        Ok(())
    }
}
fn grouper_reduce(slf: Borrowed<'_, Grouper>) -> PyResult<Owned> {
    // SAFETY: [TYPE] the parent is a groupby.
    unsafe {
        if (*slf.parent.cast::<GroupBy>()).currgrouper != slf.as_ptr().cast_const() {
            let iter = Owned::from_owned_or_err(_PyEval_GetBuiltin(intern!("iter")))?;
            return reduced!(c"O(())", iter.as_ptr());
        }
        reduced!(c"O(OO)", slf.ob_type(), slf.parent, slf.tgtkey)
    }
}
fn grouper_new(tp: Tp<'_>, parent: Borrowed<'_>, tgtkey: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] checked.
    unsafe {
        if PyObject_TypeCheck(parent.ob(), &raw mut GROUPBY) == 0 {
            bail!(PyExc_TypeError, "_grouper() argument 1 must be itertools.groupby, not {}", type_name(parent.ob()));
        }
        let grouper = new::<Grouper>(tp)?;
        (*grouper.as_ptr()).parent = parent.to_owned().into_raw();
        (*grouper.as_ptr()).tgtkey = tgtkey.to_owned().into_raw();
        (*parent.ob().cast::<GroupBy>()).currgrouper = grouper.as_ptr();
        Ok(grouper.into_object())
    }
}
unsafe extern "C" {
    fn _PyEval_GetBuiltin(name: *mut PyObject) -> *mut PyObject;
}
methods! {
    static GROUPBY_METHODS = [
        "__reduce__($self, /)" => groupby_reduce, "For pickle and copy.";
        "__setstate__($self, object, /)" => groupby_setstate, "For pickle and copy.";
    ];
}
methods! {
    static GROUPER_METHODS = [
        "__reduce__($self, /)" => grouper_reduce, "For pickle and copy.";
    ];
}
iterator_type! { GROUPBY, "itertools.groupby", GroupBy, new: Some(constructor!("groupby(iterable, key=None)" => groupby_new)),
    next: groupby_next, methods: (&raw mut GROUPBY_METHODS).cast(), "groupby(iterable, key=None)\n--\n\nConsecutive keys and groups of an iterable." }
iterator_type! { GROUPER, "itertools._grouper", Grouper, new: Some(constructor!("_grouper(parent, tgtkey, /)" => grouper_new)),
    next: grouper_next, methods: (&raw mut GROUPER_METHODS).cast(), "One group of a groupby." }

// ---- islice ------------------------------------------------------------------------------------------------------------------------

instance! { struct Islice { it; next: isize, stop: isize, step: isize, cnt: isize } }

unsafe extern "C" fn islice_new(tp: *mut PyTypeObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] called as tp_new.
    unsafe {
        if refuses_keywords(tp, &raw mut ISLICE) && _PyArg_NoKeywords(c"islice".as_ptr(), kwargs) == 0 {
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

fn islice_reduce(slf: Borrowed<'_, Islice>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if slf.it.is_null() {
            let empty = Owned::from_owned_or_err(PyList_New(0))?;
            let it = iter(empty.borrow())?;
            return reduced!(c"O(On)n", slf.ob_type(), it.as_ptr(), 0isize, 0isize);
        }
        let stop = if slf.stop == -1 { lent(Py_None()) } else { int(slf.stop)? };
        reduced!(c"O(OnOn)n", slf.ob_type(), slf.it, slf.next, stop.as_ptr(), slf.step, slf.cnt)
    }
}
fn islice_setstate(slf: Borrowed<'_, Islice>, state: Borrowed<'_>) -> PyResult<()> {
    deprecated()?;
    // SAFETY: [TYPE]
    unsafe {
        let count = PyLong_AsSsize_t(state.ob());
        if count == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        (*slf.as_ptr()).cnt = count;
        Ok(())
    }
}
methods! {
    static ISLICE_METHODS = [
        "__reduce__($self, /)" => islice_reduce, "For pickle and copy.";
        "__setstate__($self, object, /)" => islice_setstate, "For pickle and copy.";
    ];
}
iterator_type! { ISLICE, "itertools.islice", Islice, new: Some(islice_new), next: islice_next, methods: (&raw mut ISLICE_METHODS).cast(),
    "islice(iterable, stop) or islice(iterable, start, stop[, step])\n\nSelected items of an iterable, as a slice selects them." }

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
    next: pairwise_next, methods: null_mut(), "pairwise(iterable, /)\n--\n\nOverlapping pairs of successive items." }

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

unsafe fn starmap_next(s: Slf<Starmap>) -> Next {
    // SAFETY: [TYPE]
    unsafe {
        let Some(args) = next(s.it)? else { return Ok(None) };
        let args = if PyTuple_CheckExact(args.as_ptr()) != 0 { args } else { to_tuple(args.borrow())? };
        Owned::from_owned_or_err(PyObject_Call(s.func, args.as_ptr(), null_mut())).map(Some)
    }
}

fn starmap_reduce(slf: Borrowed<'_, Starmap>) -> PyResult<Owned> {
    reduced!(c"O(OO)", slf.ob_type(), slf.func, slf.it)
}
methods! {
    static STARMAP_METHODS = [
        "__reduce__($self, /)" => starmap_reduce, "For pickle and copy.";
    ];
}
iterator_type! { STARMAP, "itertools.starmap", Starmap, new: Some(constructor!("starmap(function, iterable, /)" => starmap_new)),
    next: starmap_next, methods: (&raw mut STARMAP_METHODS).cast(), "starmap(function, iterable, /)\n--\n\nThe function called with each item as its arguments." }

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

fn repeat_reduce(slf: Borrowed<'_, Repeat>) -> PyResult<Owned> {
    if slf.cnt >= 0 {
        return reduced!(c"O(On)", slf.ob_type(), slf.element, slf.cnt);
    }
    reduced!(c"O(O)", slf.ob_type(), slf.element)
}

methods! {
    static REPEAT_METHODS = [
        "__length_hint__($self, /)" => repeat_len, "How many repetitions are left.";
        "__reduce__($self, /)" => repeat_reduce, "For pickle and copy.";
    ];
}

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

unsafe fn zip_longest_next(s: Slf<ZipLongest>) -> Next {
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

fn zip_longest_reduce(slf: Borrowed<'_, ZipLongest>) -> PyResult<Owned> {
    // SAFETY: [TYPE] exhausted iterators become empty tuples.
    unsafe {
        let empty = tuple(Vec::new())?;
        let its = (0..PyList_Size(slf.its)).map(|i| {
            let it = PyList_GET_ITEM(slf.its, i);
            if it == Py_None() { empty.clone() } else { lent(it) }
        });
        let its = tuple(its.collect::<Vec<_>>())?;
        reduced!(c"OOO", slf.ob_type(), its.as_ptr(), slf.fillvalue)
    }
}
fn zip_longest_setstate(slf: Borrowed<'_, ZipLongest>, state: Borrowed<'_>) -> PyResult<()> {
    deprecated()?;
    // SAFETY: [TYPE]
    unsafe { setref(&raw mut (*slf.as_ptr()).fillvalue, state.to_owned().into_raw()) };
    Ok(())
}
methods! {
    static ZIP_LONGEST_METHODS = [
        "__reduce__($self, /)" => zip_longest_reduce, "For pickle and copy.";
        "__setstate__($self, object, /)" => zip_longest_setstate, "For pickle and copy.";
    ];
}
iterator_type! { ZIP_LONGEST, "itertools.zip_longest", ZipLongest, new: Some(zip_longest_new), next: zip_longest_next,
    methods: (&raw mut ZIP_LONGEST_METHODS).cast(), "zip_longest(*iterables, fillvalue=None)\n--\n\nTuples of the iterables' items, filled up to the longest." }

// ---- the module ------------------------------------------------------------------------------------------------------------------------------

methods! { static METHODS = [ "tee($module, iterable, n=2, /)" => tee::tee, "n independent iterators over one iterable."; ]; }

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [STATIC] run once, before the types are used.
    unsafe {
        tee::prepare();
        COUNT.tp_repr = Some(count_repr);
        REPEAT.tp_repr = Some(repeat_repr);
        check_status(PyType_Ready(&raw mut tee::TEE_DATA))?;
        for tp in [
            &raw mut ACCUMULATE, &raw mut BATCHED, &raw mut combinatoric::COMBINATIONS, &raw mut combinatoric::CWR, &raw mut CYCLE, &raw mut DROPWHILE,
            &raw mut TAKEWHILE, &raw mut ISLICE, &raw mut STARMAP, &raw mut CHAIN, &raw mut COMPRESS, &raw mut FILTERFALSE,
            &raw mut COUNT, &raw mut ZIP_LONGEST, &raw mut PAIRWISE, &raw mut combinatoric::PERMUTATIONS, &raw mut combinatoric::PRODUCT, &raw mut REPEAT,
            &raw mut GROUPBY, &raw mut GROUPER, &raw mut tee::TEE, &raw mut tee::TEE_DATA,
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

