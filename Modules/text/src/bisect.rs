//! The `_bisect` module: binary search in sorted sequences.

use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{methods, module};

fn less(a: &Owned, b: &Owned) -> PyResult<bool> {
    // SAFETY: both held.
    let r = unsafe { PyObject_RichCompareBool(a.as_ptr(), b.as_ptr(), Py_LT) };
    check_status(r)?;
    Ok(r > 0)
}

/// Where `x` (a key already) belongs in `a`; `right` puts it after equal items.
fn search(a: Borrowed<'_>, x: &Owned, lo: isize, hi: Option<isize>, key: Option<Borrowed<'_>>, right: bool) -> PyResult<isize> {
    if lo < 0 {
        bail!(PyExc_ValueError, "lo must be non-negative");
    }
    // SAFETY: [ARGS]
    unsafe {
        let mut lo = lo;
        let mut hi = match hi {
            Some(h) => h,
            None => {
                let n = PySequence_Size(a.ob());
                if n < 0 {
                    return Err(Raised::assume());
                }
                n
            }
        };
        while lo < hi {
            let mid = ((lo as usize + hi as usize) / 2) as isize;
            let mut item = Owned::from_owned_or_err(PySequence_GetItem(a.ob(), mid))?;
            if let Some(k) = key {
                item = Owned::from_owned_or_err(PyObject_CallOneArg(k.ob(), item.as_ptr()))?;
            }
            if right {
                if less(x, &item)? { hi = mid } else { lo = mid + 1 }
            } else if less(&item, x)? {
                lo = mid + 1;
            } else {
                hi = mid;
            }
        }
        Ok(lo)
    }
}

fn bisect_right(_: (), a: Borrowed<'_>, x: Borrowed<'_>, lo: isize, hi: Option<isize>, key: Option<Borrowed<'_>>) -> PyResult<isize> {
    search(a, &x.to_owned(), lo, hi, key, true)
}
fn bisect_left(_: (), a: Borrowed<'_>, x: Borrowed<'_>, lo: isize, hi: Option<isize>, key: Option<Borrowed<'_>>) -> PyResult<isize> {
    search(a, &x.to_owned(), lo, hi, key, false)
}
fn insort(a: Borrowed<'_>, x: Borrowed<'_>, lo: isize, hi: Option<isize>, key: Option<Borrowed<'_>>, right: bool) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let k = match key {
            Some(k) => Owned::from_owned_or_err(PyObject_CallOneArg(k.ob(), x.ob()))?,
            None => x.to_owned(),
        };
        let at = search(a, &k, lo, hi, key, right)?;
        if PyList_CheckExact(a.ob()) != 0 {
            return check_status(PyList_Insert(a.ob(), at, x.ob()));
        }
        let index = Owned::from_owned_or_err(PyLong_FromSsize_t(at))?;
        let args = [a.ob(), index.as_ptr(), x.ob()];
        Owned::from_owned_or_err(PyObject_VectorcallMethod(intern!("insert"), args.as_ptr(), 3, null_mut())).map(|_| ())
    }
}
fn insort_right(_: (), a: Borrowed<'_>, x: Borrowed<'_>, lo: isize, hi: Option<isize>, key: Option<Borrowed<'_>>) -> PyResult<()> {
    insort(a, x, lo, hi, key, true)
}
fn insort_left(_: (), a: Borrowed<'_>, x: Borrowed<'_>, lo: isize, hi: Option<isize>, key: Option<Borrowed<'_>>) -> PyResult<()> {
    insort(a, x, lo, hi, key, false)
}

methods! {
    static METHODS = [
        "bisect_right($module, /, a, x, lo=0, hi=None, *, key=None)" => bisect_right, "Where x belongs in the sorted sequence a, after items equal to it.";
        "bisect_left($module, /, a, x, lo=0, hi=None, *, key=None)" => bisect_left, "Where x belongs in the sorted sequence a, before items equal to it.";
        "insort_right($module, /, a, x, lo=0, hi=None, *, key=None)" => insort_right, "Insert x into the sorted list a, after items equal to it.";
        "insort_left($module, /, a, x, lo=0, hi=None, *, key=None)" => insort_left, "Insert x into the sorted list a, before items equal to it.";
    ];
}
fn exec(_: Borrowed<'_>) -> PyResult<()> {
    Ok(())
}
module! {
    /// Entry point.
    pub fn PyInit__bisect = "_bisect", "Binary search in sorted sequences.", methods: METHODS, exec: exec;
}
