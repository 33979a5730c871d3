//! The iterator protocol.

use super::*;

unsafe extern "C" {
    fn _PyObject_NextNotImplemented(op: *mut PyObject) -> *mut PyObject;
    fn _PyGen_FetchStopIterationValue(pvalue: *mut *mut PyObject) -> c_int;
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GetIter(o: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let Some(f) = (*(*o).ob_type).tp_iter else {
            if sequence::PySequence_Check(o) != 0 {
                return PySeqIter_New(o);
            }
            return type_error!("'{}' object is not iterable", o);
        };
        let res = f(o);
        if !res.is_null() && PyIter_Check(res) == 0 {
            let _ = raise!(PyExc_TypeError, "iter() returned non-iterator of type '{}'", name100(res));
            Py_DECREF(res);
            return null_mut();
        }
        res
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyObject_GetAIter(o: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        let Some(f) = slot!(o, tp_as_async, am_aiter) else {
            return type_error!("'{}' object is not an async iterable", o);
        };
        let it = f(o);
        if !it.is_null() && PyAIter_Check(it) == 0 {
            let _ = raise!(PyExc_TypeError, "aiter() returned not an async iterator of type '{}'", name100(it));
            Py_DECREF(it);
            return null_mut();
        }
        it
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyIter_Check(o: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        (*(*o).ob_type)
            .tp_iternext
            .is_some_and(|f| !core::ptr::fn_addr_eq(f, _PyObject_NextNotImplemented as iternextfunc)) as c_int
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyAIter_Check(o: *mut PyObject) -> c_int {
    // SAFETY: [ARGS]
    unsafe {
        slot!(o, tp_as_async, am_anext)
            .is_some_and(|f| !core::ptr::fn_addr_eq(f, _PyObject_NextNotImplemented as unaryfunc)) as c_int
    }
}

/// Next item; NULL without an exception at the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyIter_Next(iter: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS] callers have checked that it is an iterator.
    unsafe {
        let Some(next) = (*(*iter).ob_type).tp_iternext else {
            return type_error!("'{}' object is not an iterator", iter);
        };
        let result = next(iter);
        if result.is_null() {
            let ts = current_tstate();
            if !(*ts).current_exception.is_null() && PyErr_ExceptionMatches(PyExc_StopIteration) != 0 {
                PyErr_Clear();
            }
        }
        result
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyIter_Send(
    iter: *mut PyObject,
    arg: *mut PyObject,
    result: *mut *mut PyObject,
) -> PySendResult {
    // SAFETY: [ARGS]
    unsafe {
        if let Some(send) = slot!(iter, tp_as_async, am_send) {
            return send(iter, arg, result);
        }
        *result = if arg == Py_None() && PyIter_Check(iter) != 0 {
            match (*(*iter).ob_type).tp_iternext {
                Some(next) => next(iter),
                None => null_mut(),
            }
        } else {
            PyObject_CallMethodOneArg(iter, intern!("send"), arg)
        };
        if !(*result).is_null() {
            return PySendResult::PYGEN_NEXT;
        }
        if _PyGen_FetchStopIterationValue(result) == 0 {
            return PySendResult::PYGEN_RETURN;
        }
        PySendResult::PYGEN_ERROR
    }
}
