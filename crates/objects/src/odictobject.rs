//! `collections.OrderedDict`: a dict whose order can be changed.
//!
//! The order is a doubly linked list of nodes. To find a key's node in constant time, `od_fast_nodes` has a slot for each
//! entry index of the dict's table; it is rebuilt when the dict has got another table. A node is taken out before its
//! key is, because deletion changes what the table's index says about colliding keys.

use crate::dictobject::{
    _PyDictView_New, _PyDictViewObject, DKIX_EMPTY, PyDict_Items, PyDict_Size, PyDict_Type, PyDictItems_Type,
    PyDictKeys_Type, PyDictValues_Type, PyObject_GenericGetDict, clear, copy, delitem_known_hash, dict_equal, dict_lookup,
    dict_pop_known_hash, dict_sizeof, dk_size, from_keys, getitem, hash_of, insertdict,
};
use crate::gc::{gc_new, gc_track, gc_untrack, is_tracked, trashcan_begin, trashcan_end};
use crate::typeobject::TYPE_INIT;
use core::ffi::{c_int, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::methods;

#[repr(C)]
struct Node {
    key: *mut PyObject,
    hash: Py_hash_t,
    next: *mut Node,
    prev: *mut Node,
}

/// An OrderedDict.
#[repr(C)]
pub struct PyODictObject {
    od_dict: PyDictObject,
    od_fast_nodes: *mut *mut Node,
    od_fast_nodes_size: Py_ssize_t,
    /// The table that `od_fast_nodes` belongs to.
    od_resize_sentinel: *mut PyDictKeysObject,
    /// Changes with the order.
    od_state: usize,
    od_first: *mut Node,
    od_last: *mut Node,
    od_inst_dict: *mut PyObject,
    od_weakreflist: *mut PyObject,
}

type Od = *mut PyODictObject;
type ODict<'a> = Borrowed<'a, PyODictObject>;

unsafe fn is_odict(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { is_instance_of(op, &raw mut PyODict_Type) }
}
unsafe fn is_exact(op: *mut PyObject) -> bool {
    // SAFETY: [ARGS]
    unsafe { (*op).ob_type == &raw mut PyODict_Type }
}

#[cold]
unsafe fn key_error(key: *mut PyObject) -> Raised {
    // SAFETY: [GIL]
    unsafe {
        if !err_occurred() {
            PyErr_SetObject(PyExc_KeyError, key);
        }
        Raised::assume()
    }
}

// ---- nodes -----------------------------------------------------------------------------------------------------

/// Entry index of `key`; of a new key, the index that it will get.
unsafe fn index_raw(od: Od, key: *mut PyObject, hash: Py_hash_t) -> PyResult<usize> {
    // SAFETY: [TYPE]
    unsafe {
        let keys = (*od).od_dict.ma_keys;
        let (ix, _) = dict_lookup(od.cast(), key, hash);
        match ix {
            DKIX_EMPTY => Ok((*keys).dk_nentries as usize),
            ix if ix < 0 => Err(Raised::assume()),
            ix => Ok(ix as usize),
        }
    }
}

/// Rebuilds the table of nodes for the dict's present table.
unsafe fn resize(od: Od) -> PyResult<()> {
    // SAFETY: [LAYOUT]
    unsafe {
        let size = dk_size((*od).od_dict.ma_keys);
        let table = PyMem_Calloc(size, size_of::<*mut Node>()).cast::<*mut Node>();
        if table.is_null() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        let mut node = (*od).od_first;
        while !node.is_null() {
            let i = match index_raw(od, (*node).key, (*node).hash) {
                Ok(i) if i < size => i,
                // A comparison has changed the dict under us.
                Ok(_) => {
                    PyMem_Free(table.cast());
                    bail!(PyExc_RuntimeError, "OrderedDict mutated during iteration");
                }
                Err(e) => {
                    PyMem_Free(table.cast());
                    return Err(e);
                }
            };
            *table.add(i) = node;
            node = (*node).next;
        }
        PyMem_Free((*od).od_fast_nodes.cast());
        (*od).od_fast_nodes = table;
        (*od).od_fast_nodes_size = size as Py_ssize_t;
        (*od).od_resize_sentinel = (*od).od_dict.ma_keys;
        Ok(())
    }
}

/// The slot of `key`'s node.
unsafe fn node_slot(od: Od, key: *mut PyObject, hash: Py_hash_t) -> PyResult<*mut *mut Node> {
    // SAFETY: [LAYOUT]
    unsafe {
        let keys = (*od).od_dict.ma_keys;
        if (*od).od_resize_sentinel != keys || (*od).od_fast_nodes_size != dk_size(keys) as Py_ssize_t {
            resize(od)?;
        }
        let i = index_raw(od, key, hash)?;
        if i as Py_ssize_t >= (*od).od_fast_nodes_size {
            bail!(PyExc_RuntimeError, "OrderedDict mutated during iteration");
        }
        Ok((*od).od_fast_nodes.add(i))
    }
}

unsafe fn find_node(od: Od, key: *mut PyObject, hash: Py_hash_t) -> PyResult<*mut Node> {
    // SAFETY: [LAYOUT]
    unsafe { if (*od).od_first.is_null() { Ok(null_mut()) } else { Ok(*node_slot(od, key, hash)?) } }
}

unsafe fn link(od: Od, node: *mut Node, last: bool) {
    // SAFETY: [LAYOUT] the node is in no list.
    unsafe {
        if last {
            (*node).prev = (*od).od_last;
            (*node).next = null_mut();
            if (*od).od_last.is_null() {
                (*od).od_first = node;
            } else {
                (*(*od).od_last).next = node;
            }
            (*od).od_last = node;
        } else {
            (*node).prev = null_mut();
            (*node).next = (*od).od_first;
            if (*od).od_first.is_null() {
                (*od).od_last = node;
            } else {
                (*(*od).od_first).prev = node;
            }
            (*od).od_first = node;
        }
        (*od).od_state = (*od).od_state.wrapping_add(1);
    }
}

unsafe fn unlink(od: Od, node: *mut Node) {
    // SAFETY: [LAYOUT]
    unsafe {
        let (prev, next) = ((*node).prev, (*node).next);
        if (*od).od_first == node {
            (*od).od_first = next;
        } else if !prev.is_null() {
            (*prev).next = next;
        }
        if (*od).od_last == node {
            (*od).od_last = prev;
        } else if !next.is_null() {
            (*next).prev = prev;
        }
        (*node).prev = null_mut();
        (*node).next = null_mut();
        (*od).od_state = (*od).od_state.wrapping_add(1);
    }
}

unsafe fn free_node(node: *mut Node) {
    // SAFETY: [OWN] unlinked.
    unsafe {
        let key = (*node).key;
        PyMem_Free(node.cast());
        Py_DECREF(key);
    }
}

/// Appends a node for a key that the dict has, unless there is one already.
unsafe fn add_new_node(od: Od, key: *mut PyObject, hash: Py_hash_t) -> PyResult<()> {
    // SAFETY: [LAYOUT]
    unsafe {
        let key = Owned::from_borrowed(key);
        let slot = node_slot(od, key.as_ptr(), hash)?;
        if !(*slot).is_null() {
            return Ok(());
        }
        let node = PyMem_Malloc(size_of::<Node>()).cast::<Node>();
        if node.is_null() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        node.write(Node { key: key.into_raw(), hash, next: null_mut(), prev: null_mut() });
        link(od, node, true);
        *slot = node;
        Ok(())
    }
}

/// Removes `key`'s node, if it has one: whether it had.
unsafe fn clear_node(od: Od, key: *mut PyObject, hash: Py_hash_t) -> PyResult<bool> {
    // SAFETY: [LAYOUT]
    unsafe {
        if (*od).od_first.is_null() {
            return Ok(false);
        }
        let slot = node_slot(od, key, hash)?;
        let node = *slot;
        if node.is_null() {
            return Ok(false);
        }
        *slot = null_mut();
        unlink(od, node);
        free_node(node);
        Ok(true)
    }
}

unsafe fn clear_nodes(od: Od) {
    // SAFETY: [LAYOUT]
    unsafe {
        PyMem_Free((*od).od_fast_nodes.cast());
        (*od).od_fast_nodes = null_mut();
        (*od).od_fast_nodes_size = 0;
        (*od).od_resize_sentinel = null_mut();
        let mut node = (*od).od_first;
        (*od).od_first = null_mut();
        (*od).od_last = null_mut();
        while !node.is_null() {
            let next = (*node).next;
            free_node(node);
            node = next;
        }
        (*od).od_state = (*od).od_state.wrapping_add(1);
    }
}

// ---- items -----------------------------------------------------------------------------------------------------

unsafe fn hash_key(key: *mut PyObject) -> PyResult<Py_hash_t> {
    // SAFETY: [ARGS]
    unsafe {
        let h = hash_of(key);
        if h == -1 { Err(Raised::assume()) } else { Ok(h) }
    }
}

unsafe fn set_item(od: Od, key: *mut PyObject, value: *mut PyObject, hash: Py_hash_t) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        Py_INCREF(key);
        Py_INCREF(value);
        if !insertdict(od.cast(), key, hash, value) {
            return Err(Raised::assume());
        }
        if let Err(e) = add_new_node(od, key, hash) {
            // Without a node the key must not stay.
            let exc = PyErr_GetRaisedException();
            let _ = delitem_known_hash(od.cast(), key, hash);
            _PyErr_ChainExceptions1(exc);
            return Err(e);
        }
        Ok(())
    }
}

unsafe fn del_item(od: Od, key: *mut PyObject) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let hash = hash_key(key)?;
        let key = Owned::from_borrowed(key);
        clear_node(od, key.as_ptr(), hash)?;
        delitem_known_hash(od.cast(), key.as_ptr(), hash)
    }
}

unsafe fn pop_key(od: Od, key: *mut PyObject, hash: Py_hash_t, default: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        if clear_node(od, key, hash)?
            && let Some(value) = dict_pop_known_hash(od.cast(), key, hash)?
        {
            return Ok(value);
        }
        if default.is_null() {
            return Err(key_error(key));
        }
        Ok(Owned::from_borrowed(default))
    }
}

unsafe extern "C" fn odict_mp_ass_sub(slf: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        if value.is_null() {
            return del_item(slf.cast(), key).into_c();
        }
        hash_key(key).and_then(|hash| set_item(slf.cast(), key, value, hash)).into_c()
    }
}

// ---- update, as collections.abc.MutableMapping has it ------------------------------------------------------------

unsafe fn add_pairs(slf: *mut PyObject, pairs: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let iterator = Owned::from_owned_or_err(PyObject_GetIter(pairs))?;
        while let Some(pair) = Owned::from_owned_or_opt(PyIter_Next(iterator.as_ptr())) {
            let it = Owned::from_owned_or_err(PyObject_GetIter(pair.as_ptr()))?;
            let next = |missing: &str| match Owned::from_owned_or_opt(PyIter_Next(it.as_ptr())) {
                Some(item) => Ok(item),
                None if err_occurred() => Err(Raised::assume()),
                None => bail!(PyExc_ValueError, "{}", missing),
            };
            let key = next("need more than 0 values to unpack")?;
            let value = next("need more than 1 value to unpack")?;
            if Owned::from_owned_or_opt(PyIter_Next(it.as_ptr())).is_some() {
                bail!(PyExc_ValueError, "too many values to unpack (expected 2)");
            }
            if err_occurred() {
                return Err(Raised::assume());
            }
            check_status(PyObject_SetItem(slf, key.as_ptr(), value.as_ptr()))?;
        }
        if err_occurred() {
            return Err(Raised::assume());
        }
        Ok(())
    }
}

unsafe fn optional_method(op: *mut PyObject, name: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe {
        let mut func = null_mut();
        check_status(PyObject_GetOptionalAttr(op, name, &mut func))?;
        Ok(Owned::from_owned_or_opt(func))
    }
}

unsafe fn mutablemapping_update_arg(slf: *mut PyObject, arg: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if PyDict_CheckExact(arg) != 0 {
            let items = Owned::from_owned_or_err(PyDict_Items(arg))?;
            return add_pairs(slf, items.as_ptr());
        }
        if let Some(func) = optional_method(arg, intern!("keys"))? {
            let keys = Owned::from_owned_or_err(PyObject_CallNoArgs(func.as_ptr()))?;
            drop(func);
            let iterator = Owned::from_owned_or_err(PyObject_GetIter(keys.as_ptr()))?;
            drop(keys);
            while let Some(key) = Owned::from_owned_or_opt(PyIter_Next(iterator.as_ptr())) {
                let value = Owned::from_owned_or_err(PyObject_GetItem(arg, key.as_ptr()))?;
                check_status(PyObject_SetItem(slf, key.as_ptr(), value.as_ptr()))?;
            }
            if err_occurred() {
                return Err(Raised::assume());
            }
            return Ok(());
        }
        if let Some(func) = optional_method(arg, intern!("items"))? {
            let items = Owned::from_owned_or_err(PyObject_CallNoArgs(func.as_ptr()))?;
            return add_pairs(slf, items.as_ptr());
        }
        add_pairs(slf, arg)
    }
}

unsafe fn mutablemapping_update(slf: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let n = if args.is_null() { 0 } else { PyTuple_GET_SIZE(args) };
        if n > 1 {
            bail!(PyExc_TypeError, "update() takes at most 1 positional argument ({n} given)");
        }
        if n == 1 {
            let other = Owned::from_borrowed(PyTuple_GET_ITEM(args, 0));
            mutablemapping_update_arg(slf, other.as_ptr())?;
        }
        if !kwargs.is_null() && PyDict_Size(kwargs) > 0 {
            let items = Owned::from_owned_or_err(PyDict_Items(kwargs))?;
            add_pairs(slf, items.as_ptr())?;
        }
        Ok(())
    }
}

unsafe extern "C" fn odict_update(slf: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { if mutablemapping_update(slf, args, kwargs).is_ok() { Py_None() } else { null_mut() } }
}

unsafe extern "C" fn odict_init(slf: *mut PyObject, args: *mut PyObject, kwargs: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        let n = PyTuple_GET_SIZE(args);
        if n > 1 {
            let _ = raise!(PyExc_TypeError, "expected at most 1 arguments, got {n}");
            return -1;
        }
        mutablemapping_update(slf, args, kwargs).into_c()
    }
}

// ---- slots ---------------------------------------------------------------------------------------------------------

unsafe extern "C" fn odict_or(left: *mut PyObject, right: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let (tp, other) = if is_odict(left) { ((*left).ob_type, right) } else { ((*right).ob_type, left) };
        if PyDict_Check(other) == 0 {
            return Py_NotImplemented();
        }
        let new = PyObject_CallOneArg(tp.cast(), left);
        if new.is_null() {
            return new;
        }
        let new = Owned::from_owned(new);
        match mutablemapping_update_arg(new.as_ptr(), right) {
            Ok(()) => new.into_raw(),
            Err(_) => null_mut(),
        }
    }
}

unsafe extern "C" fn odict_inplace_or(slf: *mut PyObject, other: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if mutablemapping_update_arg(slf, other).is_err() {
            return null_mut();
        }
        Py_INCREF(slf);
        slf
    }
}

unsafe extern "C" fn odict_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        let od: Od = slf.cast();
        gc_untrack(slf);
        if !trashcan_begin(slf, odict_dealloc) {
            return;
        }
        Py_XDECREF((*od).od_inst_dict);
        (*od).od_inst_dict = null_mut();
        if !(*od).od_weakreflist.is_null() {
            PyObject_ClearWeakRefs(slf);
        }
        clear_nodes(od);
        if let Some(dealloc) = (*(&raw mut PyDict_Type)).tp_dealloc {
            dealloc(slf);
        }
        trashcan_end();
    }
}

/// The type's name without its module.
unsafe fn short_name(tp: *mut PyTypeObject) -> String {
    // SAFETY: [ARGS]
    unsafe {
        let name = tp_name(tp);
        name.rsplit('.').next().unwrap_or_default().to_string()
    }
}

unsafe fn repr(slf: *mut PyObject) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let name = std::ffi::CString::new(short_name((*slf).ob_type)).unwrap_or_default();
        if (*slf.cast::<PyDictObject>()).ma_used == 0 {
            return Owned::from_owned_or_err(PyUnicode_FromFormat(c"%s()".as_ptr(), name.as_ptr()));
        }
        let dcopy = copy(slf)?;
        Owned::from_owned_or_err(PyUnicode_FromFormat(c"%s(%R)".as_ptr(), name.as_ptr(), dcopy.as_ptr()))
    }
}

unsafe extern "C" fn odict_repr(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe {
        let rc = Py_ReprEnter(slf);
        if rc != 0 {
            return if rc > 0 { PyUnicode_FromString(c"...".as_ptr()) } else { null_mut() };
        }
        let r = repr(slf).into_c();
        Py_ReprLeave(slf);
        r
    }
}

unsafe extern "C" fn odict_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let od: Od = slf.cast();
        py_visit!(visitor, arg; (*od).od_inst_dict);
        let mut node = (*od).od_first;
        while !node.is_null() {
            py_visit!(visitor, arg; (*node).key);
            node = (*node).next;
        }
        match (*(&raw mut PyDict_Type)).tp_traverse {
            Some(traverse) => traverse(slf, visitor, arg),
            None => 0,
        }
    }
}

unsafe extern "C" fn odict_tp_clear(slf: *mut PyObject) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let od: Od = slf.cast();
        setref(&raw mut (*od).od_inst_dict, null_mut());
        clear(slf.cast());
        clear_nodes(od);
        0
    }
}

/// Whether the keys are equal in order.
unsafe fn keys_equal(a: Od, b: Od) -> PyResult<bool> {
    // SAFETY: [TYPE] the nodes are valid as long as the states are the same.
    unsafe {
        let states = ((*a).od_state, (*b).od_state);
        let (mut na, mut nb) = ((*a).od_first, (*b).od_first);
        loop {
            if na.is_null() || nb.is_null() {
                return Ok(na.is_null() && nb.is_null());
            }
            let (ka, kb) = (Owned::from_borrowed((*na).key), Owned::from_borrowed((*nb).key));
            let res = PyObject_RichCompareBool(ka.as_ptr(), kb.as_ptr(), Py_EQ);
            check_status(res)?;
            if ((*a).od_state, (*b).od_state) != states {
                bail!(PyExc_RuntimeError, "OrderedDict mutated during iteration");
            }
            if res == 0 {
                return Ok(false);
            }
            na = (*na).next;
            nb = (*nb).next;
        }
    }
}

unsafe extern "C" fn odict_richcompare(v: *mut PyObject, w: *mut PyObject, op: c_int) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if !is_odict(v) || PyDict_Check(w) == 0 || (op != Py_EQ && op != Py_NE) {
            return Py_NotImplemented();
        }
        let equal = dict_equal(v.cast(), w.cast()).and_then(|same| {
            if same && is_odict(w) { keys_equal(v.cast(), w.cast()) } else { Ok(same) }
        });
        match equal {
            Ok(e) if e == (op == Py_EQ) => Py_True(),
            Ok(_) => Py_False(),
            Err(_) => null_mut(),
        }
    }
}

// ---- methods ---------------------------------------------------------------------------------------------------------

fn odict_fromkeys(cls: Borrowed<'_>, iterable: Borrowed<'_>, value: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [ARGS]
    unsafe { from_keys(cls.ob(), iterable.ob(), value.ob()) }
}

fn odict_sizeof(slf: ODict<'_>) -> PyResult<usize> {
    // SAFETY: [TYPE]
    unsafe {
        let mut res = dict_sizeof(slf.as_ptr().cast());
        res += slf.od_fast_nodes_size as usize * size_of::<*mut Node>();
        if !slf.od_first.is_null() {
            res += slf.od_dict.ma_used as usize * size_of::<Node>();
        }
        Ok(res)
    }
}

unsafe extern "C" {
    fn _PyObject_GetState(op: *mut PyObject) -> *mut PyObject;
}

fn odict_reduce(slf: ODict<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let state = Owned::from_owned_or_err(_PyObject_GetState(slf.ob()))?;
        let args = Owned::from_owned_or_err(PyTuple_New(0))?;
        let items = Owned::from_owned_or_err(PyObject_CallMethodNoArgs(slf.ob(), intern!("items")))?;
        let iter = Owned::from_owned_or_err(PyObject_GetIter(items.as_ptr()))?;
        let parts = [slf.ob_type().cast(), args.as_ptr(), state.as_ptr(), Py_None(), iter.as_ptr()];
        Owned::from_owned_or_err(_PyTuple_FromArray(parts.as_ptr(), 5))
    }
}

fn odict_setdefault(slf: ODict<'_>, key: Borrowed<'_>, default: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] __missing__ isn't asked.
    unsafe {
        if is_exact(slf.ob()) {
            if let Some(v) = getitem(slf.as_ptr().cast(), key.ob())? {
                return Ok(v);
            }
            set_item(slf.as_ptr(), key.ob(), default.ob(), hash_key(key.ob())?)?;
            return Ok(default.to_owned());
        }
        let exists = PySequence_Contains(slf.ob(), key.ob());
        check_status(exists)?;
        if exists != 0 {
            return Owned::from_owned_or_err(PyObject_GetItem(slf.ob(), key.ob()));
        }
        check_status(PyObject_SetItem(slf.ob(), key.ob(), default.ob()))?;
        Ok(default.to_owned())
    }
}

fn odict_pop(slf: ODict<'_>, key: Borrowed<'_>, default: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { pop_key(slf.as_ptr(), key.ob(), hash_key(key.ob())?, default.map_or(null_mut(), |d| d.ob())) }
}

fn odict_popitem(slf: ODict<'_>, last: bool) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let node = if last { slf.od_last } else { slf.od_first };
        if node.is_null() {
            bail!(PyExc_KeyError, "dictionary is empty");
        }
        let key = Owned::from_borrowed((*node).key);
        let value = pop_key(slf.as_ptr(), key.as_ptr(), (*node).hash, null_mut())?;
        let parts = [key.as_ptr(), value.as_ptr()];
        Owned::from_owned_or_err(_PyTuple_FromArray(parts.as_ptr(), 2))
    }
}

fn odict_clear(slf: ODict<'_>) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        clear(slf.as_ptr().cast());
        clear_nodes(slf.as_ptr());
    }
    Ok(())
}

fn odict_copy(slf: ODict<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE] a subclass's methods may change the dict, so the walk restarts from the key.
    unsafe {
        let od = slf.as_ptr();
        let exact = is_exact(slf.ob());
        let new = if exact {
            Owned::from_owned_or_err(PyODict_New())?
        } else {
            Owned::from_owned_or_err(PyObject_CallNoArgs(slf.ob_type().cast()))?
        };
        let mut node = (*od).od_first;
        while !node.is_null() {
            let key = Owned::from_borrowed((*node).key);
            let hash = (*node).hash;
            let state = (*od).od_state;
            if exact {
                let Some(value) = getitem(od.cast(), key.as_ptr())? else { return Err(key_error(key.as_ptr())) };
                set_item(new.as_ptr().cast(), key.as_ptr(), value.as_ptr(), hash)?;
            } else {
                let value = Owned::from_owned_or_err(PyObject_GetItem(slf.ob(), key.as_ptr()))?;
                check_status(PyObject_SetItem(new.as_ptr(), key.as_ptr(), value.as_ptr()))?;
            }
            if (*od).od_state != state {
                bail!(PyExc_RuntimeError, "OrderedDict mutated during iteration");
            }
            node = (*node).next;
        }
        Ok(new)
    }
}

fn odict_move_to_end(slf: ODict<'_>, key: Borrowed<'_>, last: bool) -> PyResult<()> {
    // SAFETY: [TYPE]
    unsafe {
        let od = slf.as_ptr();
        let end = if last { slf.od_last } else { slf.od_first };
        if end.is_null() {
            return Err(key_error(key.ob()));
        }
        if (*end).key == key.ob() {
            return Ok(());
        }
        let node = find_node(od, key.ob(), hash_key(key.ob())?)?;
        if node.is_null() {
            return Err(key_error(key.ob()));
        }
        let end = if last { (*od).od_last } else { (*od).od_first };
        if node != end {
            unlink(od, node);
            link(od, node, last);
        }
        Ok(())
    }
}

fn odict_reversed(slf: ODict<'_>) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe { odictiter_new(slf.as_ptr(), ITER_KEYS | ITER_REVERSED) }
}

macro_rules! views {
    ($($name:ident, $type:ident;)*) => { $(
        fn $name(slf: ODict<'_>) -> PyResult<Owned> {
            // SAFETY: [TYPE]
            unsafe { Owned::from_owned_or_err(_PyDictView_New(slf.ob(), &raw mut $type)) }
        }
    )* };
}
views! { odict_keys, PyODictKeys_Type; odict_values, PyODictValues_Type; odict_items, PyODictItems_Type; }

methods! {
    /// Methods of OrderedDict.
    static ODICT_METHODS = [
        class "fromkeys($type, /, iterable, value=None)" => odict_fromkeys,
            "A new ordered dictionary with the iterable's items as keys, all with the same value.";
        "__sizeof__($self, /)" => odict_sizeof, "Bytes of memory that the dictionary occupies.";
        "__reduce__($self, /)" => odict_reduce, "State for pickling.";
        "setdefault($self, /, key, default=None)" => odict_setdefault,
            "The value of key; if there is no such key it is added with the default first.";
        "pop($self, /, key, default=<unrepresentable>)" => odict_pop,
            "Remove the key and return its value.\n\nWithout such a key, return the default, or raise KeyError if there is none.";
        "popitem($self, /, last=True)" => odict_popitem,
            "Remove the last pair, or the first one, and return it as a tuple.";
        "keys($self, /)" => odict_keys, "A set-like view of the keys.";
        "values($self, /)" => odict_values, "A view of the values.";
        "items($self, /)" => odict_items, "A set-like view of the (key, value) pairs.";
        raw "update", PyMethodDefPointer { PyCFunctionWithKeywords: odict_update }, METH_VARARGS | METH_KEYWORDS,
            "od.update([E, ]**F) -> None.  Take over the entries of a mapping or of an iterable of pairs, then those of F.";
        "clear($self, /)" => odict_clear, "Remove everything.";
        "copy($self, /)" => odict_copy, "A shallow copy.";
        "__reversed__($self, /)" => odict_reversed, "An iterator over the keys, last first.";
        "move_to_end($self, /, key, last=True)" => odict_move_to_end,
            "Move an entry to the end, or to the beginning.\n\nRaises KeyError if there is no such key.";
    ];
}

static mut ODICT_GETSET: [PyGetSetDef; 2] = [
    PyGetSetDef {
        name: c"__dict__".as_ptr(),
        get: Some(PyObject_GenericGetDict),
        set: Some(PyObject_GenericSetDict),
        doc: core::ptr::null(),
        closure: null_mut(),
    },
    PyGetSetDef { name: core::ptr::null(), get: None, set: None, doc: core::ptr::null(), closure: null_mut() },
];
static mut ODICT_AS_NUMBER: PyNumberMethods = PyNumberMethods {
    nb_or: Some(odict_or),
    nb_inplace_or: Some(odict_inplace_or),
    // SAFETY: all-zero is valid: no functions.
    ..unsafe { core::mem::zeroed() }
};
static mut ODICT_AS_MAPPING: PyMappingMethods =
    PyMappingMethods { mp_length: None, mp_subscript: None, mp_ass_subscript: Some(odict_mp_ass_sub) };

/// The type `collections.OrderedDict`.
#[unsafe(no_mangle)]
pub static mut PyODict_Type: PyTypeObject = PyTypeObject {
    tp_name: c"collections.OrderedDict".as_ptr(),
    tp_basicsize: size_of::<PyODictObject>() as Py_ssize_t,
    tp_dealloc: Some(odict_dealloc),
    tp_repr: Some(odict_repr),
    tp_as_number: &raw mut ODICT_AS_NUMBER,
    tp_as_mapping: &raw mut ODICT_AS_MAPPING,
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    tp_doc: c"Dictionary whose order can be changed".as_ptr(),
    tp_traverse: Some(odict_traverse),
    tp_clear: Some(odict_tp_clear),
    tp_richcompare: Some(odict_richcompare),
    tp_weaklistoffset: offset_of!(PyODictObject, od_weakreflist) as Py_ssize_t,
    tp_iter: Some(odict_iter),
    tp_methods: (&raw mut ODICT_METHODS).cast(),
    tp_getset: (&raw mut ODICT_GETSET).cast(),
    tp_base: &raw mut PyDict_Type,
    tp_dictoffset: offset_of!(PyODictObject, od_inst_dict) as Py_ssize_t,
    tp_init: Some(odict_init),
    tp_alloc: Some(PyType_GenericAlloc),
    ..TYPE_INIT
};

// ---- iterators -----------------------------------------------------------------------------------------------------

const ITER_REVERSED: c_int = 1;
const ITER_KEYS: c_int = 2;
const ITER_VALUES: c_int = 4;
const ITER_ITEMS: c_int = ITER_KEYS | ITER_VALUES;

/// Remembers the current key rather than its node, which may be freed.
#[repr(C)]
struct odictiterobject {
    ob_base: PyObject,
    kind: c_int,
    di_odict: Od,
    di_size: Py_ssize_t,
    di_state: usize,
    di_current: *mut PyObject,
    di_result: *mut PyObject,
}

unsafe fn odictiter_new(od: Od, kind: c_int) -> PyResult<Owned> {
    // SAFETY: [TYPE]
    unsafe {
        let di = Owned::from_owned_or_err(gc_new::<odictiterobject>(&raw mut PyODictIter_Type))?;
        let p = di.as_ptr();
        (*p).kind = kind;
        (*p).di_result = null_mut();
        (*p).di_odict = null_mut();
        (*p).di_current = null_mut();
        if kind & ITER_ITEMS == ITER_ITEMS {
            let none = [Py_None(), Py_None()];
            (*p).di_result = Owned::from_owned_or_err(_PyTuple_FromArray(none.as_ptr(), 2))?.into_raw();
        }
        let node = if kind & ITER_REVERSED != 0 { (*od).od_last } else { (*od).od_first };
        if !node.is_null() {
            Py_INCREF((*node).key);
            (*p).di_current = (*node).key;
        }
        (*p).di_size = (*od).od_dict.ma_used;
        (*p).di_state = (*od).od_state;
        Py_INCREF(od.cast());
        (*p).di_odict = od;
        gc_track(p.cast());
        Ok(di.into_object())
    }
}

unsafe extern "C" fn odict_iter(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { odictiter_new(slf.cast(), ITER_KEYS).into_c() }
}

unsafe extern "C" fn odictiter_dealloc(slf: *mut PyObject) {
    // SAFETY: [TYPE]
    unsafe {
        gc_untrack(slf);
        let di: *mut odictiterobject = slf.cast();
        Py_XDECREF((*di).di_odict.cast());
        Py_XDECREF((*di).di_current);
        Py_XDECREF((*di).di_result);
        PyObject_GC_Del(slf.cast());
    }
}

unsafe extern "C" fn odictiter_traverse(slf: *mut PyObject, visitor: visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: [TYPE]
    unsafe {
        let di: *mut odictiterobject = slf.cast();
        py_visit!(visitor, arg; (*di).di_odict, (*di).di_current, (*di).di_result);
        0
    }
}

/// The current key; moves on to the next.
unsafe fn nextkey(di: *mut odictiterobject) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    unsafe {
        let od = (*di).di_odict;
        if od.is_null() {
            return Ok(None);
        }
        if (*di).di_current.is_null() {
            setref(&raw mut (*di).di_odict, null_mut());
            return Ok(None);
        }
        if (*od).od_state != (*di).di_state {
            setref(&raw mut (*di).di_odict, null_mut());
            bail!(PyExc_RuntimeError, "OrderedDict mutated during iteration");
        }
        if (*di).di_size != (*od).od_dict.ma_used {
            // -1 never matches again.
            (*di).di_size = -1;
            bail!(PyExc_RuntimeError, "OrderedDict changed size during iteration");
        }
        let key = Owned::from_borrowed((*di).di_current);
        let node = hash_key(key.as_ptr()).and_then(|hash| find_node(od, key.as_ptr(), hash));
        let node = match node {
            Ok(node) if !node.is_null() => node,
            _ => {
                let e = key_error(key.as_ptr());
                setref(&raw mut (*di).di_current, null_mut());
                return Err(e);
            }
        };
        let next = if (*di).kind & ITER_REVERSED != 0 { (*node).prev } else { (*node).next };
        let next_key = if next.is_null() { null_mut() } else { (*next).key };
        Py_XINCREF(next_key);
        setref(&raw mut (*di).di_current, next_key);
        Ok(Some(key))
    }
}

unsafe fn iternext(di: *mut odictiterobject) -> PyResult<Option<Owned>> {
    // SAFETY: [TYPE]
    unsafe {
        let Some(key) = nextkey(di)? else { return Ok(None) };
        if (*di).kind & ITER_VALUES == 0 {
            return Ok(Some(key));
        }
        let value = match getitem((*di).di_odict.cast(), key.as_ptr()) {
            Ok(Some(value)) => value,
            _ => {
                let e = key_error(key.as_ptr());
                setref(&raw mut (*di).di_current, null_mut());
                setref(&raw mut (*di).di_odict, null_mut());
                return Err(e);
            }
        };
        if (*di).kind & ITER_KEYS == 0 {
            return Ok(Some(value));
        }
        let result = (*di).di_result;
        if Py_REFCNT(result) == 1 {
            Py_INCREF(result);
            let old_key = PyTuple_GET_ITEM(result, 0);
            let old_value = PyTuple_GET_ITEM(result, 1);
            PyTuple_SET_ITEM(result, 0, key.into_raw());
            PyTuple_SET_ITEM(result, 1, value.into_raw());
            Py_DECREF(old_key);
            Py_DECREF(old_value);
            if !is_tracked(result) {
                gc_track(result);
            }
            return Ok(Some(Owned::from_owned(result)));
        }
        let parts = [key.as_ptr(), value.as_ptr()];
        Owned::from_owned_or_err(_PyTuple_FromArray(parts.as_ptr(), 2)).map(Some)
    }
}

unsafe extern "C" fn odictiter_iternext(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: [TYPE]
    unsafe { iternext(slf.cast()).into_c() }
}

fn odictiter_reduce(slf: Borrowed<'_, odictiterobject>) -> PyResult<Owned> {
    // SAFETY: [TYPE] a second iterator in the same state is run out in place of this one.
    unsafe {
        let list = if slf.di_odict.is_null() {
            Owned::from_owned_or_err(PyList_New(0))?
        } else {
            let twin = odictiter_new(slf.di_odict, slf.kind)?;
            let di: *mut odictiterobject = twin.as_ptr().cast();
            (*di).di_size = slf.di_size;
            (*di).di_state = slf.di_state;
            Py_XINCREF(slf.di_current);
            setref(&raw mut (*di).di_current, slf.di_current);
            Owned::from_owned_or_err(PySequence_List(twin.as_ptr()))?
        };
        let iter = Owned::from_owned_or_err(_PyEval_GetBuiltin(intern!("iter")))?;
        let list = [list.as_ptr()];
        let args = Owned::from_owned_or_err(_PyTuple_FromArray(list.as_ptr(), 1))?;
        let parts = [iter.as_ptr(), args.as_ptr()];
        Owned::from_owned_or_err(_PyTuple_FromArray(parts.as_ptr(), 2))
    }
}

methods! {
    static ODICTITER_METHODS = [
        "__reduce__($self, /)" => odictiter_reduce, "State for pickling.";
    ];
}

/// The iterator of OrderedDicts and their views.
#[unsafe(no_mangle)]
pub static mut PyODictIter_Type: PyTypeObject = PyTypeObject {
    tp_name: c"odict_iterator".as_ptr(),
    tp_basicsize: size_of::<odictiterobject>() as Py_ssize_t,
    tp_dealloc: Some(odictiter_dealloc),
    tp_getattro: Some(PyObject_GenericGetAttr),
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    tp_traverse: Some(odictiter_traverse),
    tp_iter: Some(PyObject_SelfIter),
    tp_iternext: Some(odictiter_iternext),
    tp_methods: (&raw mut ODICTITER_METHODS).cast(),
    ..TYPE_INIT
};

// ---- views -----------------------------------------------------------------------------------------------------------

macro_rules! view_types {
    ($($(#[$m:meta])* $type:ident, $base:ident, $text:literal, $iter:ident, $reversed:ident, $methods:ident, $kind:expr;)*) => { $(
        unsafe extern "C" fn $iter(slf: *mut PyObject) -> *mut PyObject {
            // SAFETY: [TYPE]
            unsafe {
                let d = (*slf.cast::<_PyDictViewObject>()).dv_dict;
                if d.is_null() { Py_None() } else { odictiter_new(d.cast(), $kind).into_c() }
            }
        }
        fn $reversed(slf: Borrowed<'_, _PyDictViewObject>) -> PyResult<Owned> {
            // SAFETY: [TYPE]
            unsafe {
                if slf.dv_dict.is_null() {
                    return Ok(Owned::from_borrowed(Py_None()));
                }
                odictiter_new(slf.dv_dict.cast(), $kind | ITER_REVERSED)
            }
        }
        methods! {
            static $methods = [
                "__reversed__($self, /)" => $reversed, "An iterator in the opposite order.";
            ];
        }
        $(#[$m])*
        #[unsafe(no_mangle)]
        pub static mut $type: PyTypeObject = PyTypeObject {
            tp_name: $text.as_ptr(),
            tp_iter: Some($iter),
            tp_methods: (&raw mut $methods).cast(),
            tp_base: &raw mut $base,
            ..TYPE_INIT
        };
    )* };
}
view_types! {
    /// The type of `od.keys()`.
    PyODictKeys_Type, PyDictKeys_Type, c"odict_keys", odictkeys_iter, odictkeys_reversed, ODICTKEYS_METHODS, ITER_KEYS;
    /// The type of `od.items()`.
    PyODictItems_Type, PyDictItems_Type, c"odict_items", odictitems_iter, odictitems_reversed, ODICTITEMS_METHODS, ITER_ITEMS;
    /// The type of `od.values()`.
    PyODictValues_Type, PyDictValues_Type, c"odict_values", odictvalues_iter, odictvalues_reversed, ODICTVALUES_METHODS, ITER_VALUES;
}

// ---- C API -----------------------------------------------------------------------------------------------------------

/// A new, empty OrderedDict.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyODict_New() -> *mut PyObject {
    // SAFETY: [GIL]
    unsafe {
        match (*(&raw mut PyDict_Type)).tp_new {
            Some(new) => new(&raw mut PyODict_Type, null_mut(), null_mut()),
            None => null_mut(),
        }
    }
}

/// `od[key] = value`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyODict_SetItem(od: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { hash_key(key).and_then(|hash| set_item(od.cast(), key, value, hash)).into_c() }
}

/// `del od[key]`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyODict_DelItem(od: *mut PyObject, key: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe { del_item(od.cast(), key).into_c() }
}
