//! From C calling conventions to the typed Rust function and back.

use crate::from_arg::{Args, FromArg, Kwargs, Where};
use crate::signature::Sig;
use core::ptr::null_mut;
use taipan_abi::*;

/// What a native function may return.
pub trait IntoReturn {
    /// The new reference that C expects, NULL with an exception set.
    fn into_return(self) -> *mut PyObject;
}
impl<T> IntoReturn for PyResult<Owned<T>> {
    #[inline(always)]
    fn into_return(self) -> *mut PyObject {
        self.into_c()
    }
}
/// `()` is `None`.
impl IntoReturn for PyResult<()> {
    #[inline(always)]
    fn into_return(self) -> *mut PyObject {
        // SAFETY: None is immortal.
        if self.is_ok() { unsafe { Py_None() } } else { null_mut() }
    }
}
impl IntoReturn for PyResult<bool> {
    #[inline(always)]
    fn into_return(self) -> *mut PyObject {
        // SAFETY: True and False are immortal.
        match self {
            Ok(b) => unsafe { if b { Py_True() } else { Py_False() } },
            Err(_) => null_mut(),
        }
    }
}
macro_rules! returns {
    ($($t:ty => $f:ident as $c:ty;)*) => { $(
        impl IntoReturn for PyResult<$t> {
            #[inline]
            fn into_return(self) -> *mut PyObject {
                // SAFETY: [GIL]
                match self { Ok(v) => unsafe { $f(v as $c) }, Err(_) => null_mut() }
            }
        }
    )* };
}
returns! {
    isize => PyLong_FromSsize_t as isize; usize => PyLong_FromSize_t as usize; f64 => PyFloat_FromDouble as f64;
    i32 => PyLong_FromLong as i64; i64 => PyLong_FromLongLong as i64; u32 => PyLong_FromUnsignedLong as u64;
    u64 => PyLong_FromUnsignedLongLong as u64;
}
impl IntoReturn for PyResult<String> {
    fn into_return(self) -> *mut PyObject {
        match self {
            // SAFETY: [GIL] a String is UTF-8.
            Ok(s) => unsafe { PyUnicode_FromStringAndSize(s.as_ptr().cast(), s.len() as Py_ssize_t) },
            Err(_) => null_mut(),
        }
    }
}
impl IntoReturn for PyResult<&'static str> {
    fn into_return(self) -> *mut PyObject {
        match self {
            // SAFETY: [GIL] a str is UTF-8.
            Ok(s) => unsafe { PyUnicode_FromStringAndSize(s.as_ptr().cast(), s.len() as Py_ssize_t) },
            Err(_) => null_mut(),
        }
    }
}
/// `Ok(None)` is Python's `None`.
impl<T> IntoReturn for PyResult<Option<Owned<T>>> {
    fn into_return(self) -> *mut PyObject {
        match self {
            Ok(Some(o)) => o.into_raw_object(),
            // SAFETY: None is immortal.
            Ok(None) => unsafe { Py_None() },
            Err(_) => null_mut(),
        }
    }
}

/// What the first parameter, `$self`, may be.
pub trait FromSelf<'a> {
    /// Takes the receiver; its type is certain, because the descriptor checked it.
    ///
    /// # Safety
    /// `slf` is of the type that the method table belongs to.
    unsafe fn from_self(slf: *mut PyObject) -> Self;
}
impl<'a, T> FromSelf<'a> for Borrowed<'a, T> {
    #[inline(always)]
    unsafe fn from_self(slf: *mut PyObject) -> Self {
        // SAFETY: [TYPE] by contract.
        unsafe { Borrowed::from_ptr(slf.cast()) }
    }
}
/// Static methods and functions that don't look at their module.
impl<'a> FromSelf<'a> for () {
    #[inline(always)]
    unsafe fn from_self(_: *mut PyObject) -> Self {}
}

/// The arguments of one call: bound slots, and the raw vector for `*args` and `**kwargs`.
#[derive(Clone, Copy)]
pub struct Call<'c> {
    /// One slot a parameter, NULL if absent.
    pub slots: &'c [*mut PyObject],
    /// The raw arguments.
    pub args: *const *mut PyObject,
    /// How many of them are positional.
    pub nargs: usize,
    /// Names of the keywords, or NULL.
    pub kwnames: *mut PyObject,
}

/// How the parameter at `index` of a signature is fetched from a [`Call`].
pub trait FromCall<'a>: Sized {
    /// Converts the argument.
    ///
    /// # Safety
    /// The call's arguments stay alive for `'a`.
    unsafe fn from_call(call: &Call<'_>, sig: &Sig<'_>, index: usize) -> PyResult<Self>;
}
impl<'a, T: FromArg<'a>> FromCall<'a> for T {
    #[inline(always)]
    unsafe fn from_call(call: &Call<'_>, sig: &Sig<'_>, index: usize) -> PyResult<Self> {
        let at = Where {
            fname: sig.name,
            param: &sig.params[index],
            index,
            posonly: index < sig.posonly,
            single: sig.params.len() == 1,
        };
        // SAFETY: [ARGS]
        unsafe { T::from_arg(call.slots[index], at) }
    }
}
impl<'a> FromCall<'a> for Args<'a> {
    #[inline(always)]
    unsafe fn from_call(call: &Call<'_>, sig: &Sig<'_>, _: usize) -> PyResult<Self> {
        // SAFETY: [ARGS] nargs objects lie there.
        unsafe {
            let skip = sig.positional.min(call.nargs);
            let n = call.nargs - skip;
            if n == 0 {
                return Ok(Args(&[]));
            }
            Ok(Args(core::slice::from_raw_parts(call.args.add(skip), n)))
        }
    }
}
impl<'a> FromCall<'a> for Kwargs<'a> {
    unsafe fn from_call(call: &Call<'_>, sig: &Sig<'_>, _: usize) -> PyResult<Self> {
        let names: Vec<&'static str> = sig.params[sig.posonly..].iter().map(|p| p.name).collect();
        let taken: &'a [&'static str] = if sig.params.len() - sig.posonly <= 1 {
            &[]
        } else {
            // The names of a signature are few and fixed; functions that mix named and free keywords are rare.
            Box::leak(names.into_boxed_slice())
        };
        // SAFETY: [ARGS] values follow the positional arguments.
        Ok(Kwargs::new(call.kwnames, unsafe { call.args.add(call.nargs) }, taken))
    }
}

/// A typed Rust function that a method table can name; `M` only tells the implementations apart.
pub trait NativeFn<M>: Copy {
    /// Converts the arguments and calls.
    ///
    /// # Safety
    /// `slf` fits the function's first parameter and `call` matches `sig`.
    unsafe fn invoke(self, slf: *mut PyObject, call: &Call<'_>, sig: &Sig<'_>) -> *mut PyObject;
}

macro_rules! arity {
    ($($a:ident $i:literal),*) => {
        impl<'a, Func, S, R, $($a),*> NativeFn<(&'a (), S, R, $($a,)*)> for Func
        where
            Func: Fn(S, $($a),*) -> R + Copy,
            S: FromSelf<'a>,
            R: IntoReturn,
            $($a: FromCall<'a>,)*
        {
            #[inline(always)]
            #[allow(non_snake_case, unused_variables, reason = "generated for each arity")]
            unsafe fn invoke(self, slf: *mut PyObject, call: &Call<'_>, sig: &Sig<'_>) -> *mut PyObject {
                // SAFETY: [ARGS]
                unsafe {
                    $( let $a = match $a::from_call(call, sig, $i) { Ok(v) => v, Err(_) => return null_mut() }; )*
                    self(S::from_self(slf), $($a),*).into_return()
                }
            }
        }
    };
}
arity!();
arity!(A0 0);
arity!(A0 0, A1 1);
arity!(A0 0, A1 1, A2 2);
arity!(A0 0, A1 1, A2 2, A3 3);
arity!(A0 0, A1 1, A2 2, A3 3, A4 4);
arity!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5);
arity!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6);
arity!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6, A7 7);
arity!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6, A7 7, A8 8);
arity!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6, A7 7, A8 8, A9 9);
arity!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6, A7 7, A8 8, A9 9, A10 10);
arity!(A0 0, A1 1, A2 2, A3 3, A4 4, A5 5, A6 6, A7 7, A8 8, A9 9, A10 10, A11 11);

/// Entry of a METH_NOARGS function.
#[inline(always)]
pub unsafe fn call_noargs<M>(f: impl NativeFn<M>, sig: &Sig<'_>, slf: *mut PyObject) -> *mut PyObject {
    let call = Call { slots: &[], args: core::ptr::null(), nargs: 0, kwnames: null_mut() };
    // SAFETY: [ARGS] no parameters.
    unsafe { f.invoke(slf, &call, sig) }
}

/// Entry of a METH_O function.
#[inline(always)]
pub unsafe fn call_o<M>(f: impl NativeFn<M>, sig: &Sig<'_>, slf: *mut PyObject, arg: *mut PyObject) -> *mut PyObject {
    let slots = [arg];
    let call = Call { slots: &slots, args: slots.as_ptr(), nargs: 1, kwnames: null_mut() };
    // SAFETY: [ARGS] one parameter.
    unsafe { f.invoke(slf, &call, sig) }
}

/// Entry of METH_FASTCALL functions, with keywords or without.
#[inline(always)]
pub unsafe fn call_fast<M, const N: usize>(
    f: impl NativeFn<M>,
    sig: &Sig<'_>,
    slf: *mut PyObject,
    args: *const *mut PyObject,
    nargs: Py_ssize_t,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    let nargs = nargs as usize;
    let mut slots = [null_mut(); N];
    // SAFETY: [ARGS] `slots` has a slot for each parameter.
    unsafe {
        if kwnames.is_null() && nargs == sig.positional && N == nargs {
            // All given by position: nothing to bind.
            core::ptr::copy_nonoverlapping(args, slots.as_mut_ptr(), N);
        } else if kwnames.is_null() && N == sig.positional && nargs >= sig.required && nargs < N {
            // The rest have defaults.
            core::ptr::copy_nonoverlapping(args, slots.as_mut_ptr(), nargs);
        } else if crate::bind(sig, args, nargs, kwnames, &mut slots).is_err() {
            return null_mut();
        }
        let call = Call { slots: &slots, args, nargs, kwnames };
        f.invoke(slf, &call, sig)
    }
}

/// The keywords that a constructor looks at. One whose parameters are all positional-only refuses keywords for its own class,
/// and for subclasses that are initialised as that is; other subclasses' `__init__` may know what to do with them.
///
/// # Safety
/// Called from `entry`, which is the `tp_new` of `tp` or of one of its bases; `kwargs` is a dict or NULL.
pub unsafe fn keywords_for_new(sig: &Sig<'_>, tp: *mut PyTypeObject, entry: newfunc, kwargs: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe {
        if kwargs.is_null() || sig.varkw || sig.posonly + (sig.varargs as usize) != sig.params.len() || PyDict_Size(kwargs) == 0 {
            return kwargs;
        }
        let mut owner = tp;
        let mut base = tp;
        while !base.is_null() {
            if (*base).tp_new.is_some_and(|f| f as usize == entry as usize) {
                owner = base;
            }
            base = (*base).tp_base;
        }
        let same = (*tp).tp_init.map(|f| f as usize) == (*owner).tp_init.map(|f| f as usize);
        if same { kwargs } else { null_mut() }
    }
}

/// For `tp_new` and `tp_init`: binds a tuple and a dict to a signature, then hands the slots to `f`.
///
/// # Safety
/// `args` is a tuple, `kwargs` a dict or NULL.
pub unsafe fn with_tuple_dict<R>(
    sig: &Sig<'_>,
    args: *mut PyObject,
    kwargs: *mut PyObject,
    f: impl FnOnce(&Call<'_>) -> PyResult<R>,
) -> PyResult<R> {
    /// Signatures with more parameters than this bind to slots on the heap.
    const INLINE: usize = 12;
    // SAFETY: [ARGS] all that is borrowed belongs to args and kwargs, which outlive the call.
    unsafe {
        let n = PyTuple_GET_SIZE(args) as usize;
        let items: *const *mut PyObject = (&raw const (*args.cast::<PyTupleObject>()).ob_item).cast();
        let mut vector = Vec::new();
        let mut names = None;
        if !kwargs.is_null() && PyDict_Size(kwargs) > 0 {
            vector.extend_from_slice(core::slice::from_raw_parts(items, n));
            let mut keys = Vec::new();
            let (mut pos, mut key, mut value) = (0, null_mut(), null_mut());
            while PyDict_Next(kwargs, &mut pos, &mut key, &mut value) != 0 {
                if PyUnicode_Check(key) == 0 {
                    bail!(PyExc_TypeError, "keywords must be strings");
                }
                keys.push(key);
                vector.push(value);
            }
            names = Some(Owned::from_owned_or_err(_PyTuple_FromArray(keys.as_ptr(), keys.len() as Py_ssize_t))?);
        }
        let kwnames = names.as_ref().map_or(null_mut(), |t| t.as_ptr());
        let vector = if kwnames.is_null() { items } else { vector.as_ptr() };
        let mut inline = [null_mut(); INLINE];
        let mut heap;
        let slots = match inline.get_mut(..sig.params.len()) {
            Some(slots) => slots,
            None => {
                heap = vec![null_mut(); sig.params.len()];
                &mut heap[..]
            }
        };
        crate::bind(sig, vector, n, kwnames, slots)?;
        f(&Call { slots, args: vector, nargs: n, kwnames })
    }
}
