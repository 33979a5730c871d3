//! The table macros: methods, attributes, members, and constructors.

/// One `PyMethodDef` from a signature, a typed function and a docstring; see the crate's page.
#[macro_export]
macro_rules! method {
    ($sig:literal => $f:expr, $doc:literal, $extra:expr) => {{
        use $crate::abi::{PyMethodDef, PyMethodDefPointer, PyObject, Py_ssize_t};
        const N: usize = $crate::signature::count($sig);
        static SIG: $crate::Signature<N> = $crate::Signature::parse($sig);
        static NAME: [u8; $crate::signature::name_len($sig) + 1] = $crate::signature::name_bytes($sig);
        // SAFETY: entry points are called by the C API's convention with the GIL held.
        unsafe extern "C" fn noargs(slf: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe { $crate::invoke::call_noargs($f, &SIG.erase(), slf) }
        }
        unsafe extern "C" fn fast(slf: *mut PyObject, args: *mut *mut PyObject, n: Py_ssize_t) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe { $crate::invoke::call_fast::<_, N>($f, &SIG.erase(), slf, args, n, ::core::ptr::null_mut()) }
        }
        unsafe extern "C" fn fastkw(slf: *mut PyObject, args: *const *mut PyObject, n: Py_ssize_t, kw: *mut PyObject) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe { $crate::invoke::call_fast::<_, N>($f, &SIG.erase(), slf, args, n, kw) }
        }
        unsafe extern "C" fn o(slf: *mut PyObject, arg: *mut PyObject) -> *mut PyObject {
            // SAFETY: [ARGS]
            unsafe { $crate::invoke::call_o($f, &SIG.erase(), slf, arg) }
        }
        use $crate::signature::Convention;
        const CONVENTION: Convention = $crate::Signature::<N>::parse($sig).convention();
        PyMethodDef {
            ml_name: NAME.as_ptr().cast(),
            ml_meth: match CONVENTION {
                Convention::NoArgs => PyMethodDefPointer { PyCFunction: noargs },
                Convention::O => PyMethodDefPointer { PyCFunction: o },
                Convention::Fast => PyMethodDefPointer { PyCFunctionFast: fast },
                Convention::FastKeywords => PyMethodDefPointer { PyCFunctionFastWithKeywords: fastkw },
            },
            ml_flags: ($extra) | match CONVENTION {
                Convention::NoArgs => $crate::abi::METH_NOARGS,
                Convention::O => $crate::abi::METH_O,
                Convention::Fast => $crate::abi::METH_FASTCALL,
                Convention::FastKeywords => $crate::abi::METH_FASTCALL | $crate::abi::METH_KEYWORDS,
            },
            ml_doc: ::core::concat!($sig, "\n--\n\n", $doc, "\0").as_ptr().cast(),
        }
    }};
    (nosig $sig:literal => $f:expr, $doc:literal) => {{
        let mut def = $crate::method!($sig => $f, $doc, 0);
        def.ml_doc = ::core::concat!($doc, "\0").as_ptr().cast();
        def
    }};
}

/// A NULL-terminated, static table of methods; see the crate's page. A line may start with `class`, `static` or
/// `coexist`; with `nosig` the signature isn't shown. `raw NAME, C_FUNCTION, FLAGS, DOC` takes a hand-written C entry.
#[macro_export]
macro_rules! methods {
    ($(#[$m:meta])* $vis:vis static $name:ident = [ $($rest:tt)* ];) => {
        $crate::methods!(@munch [$(#[$m])* $vis $name] [] $($rest)*);
    };
    (@munch $head:tt [$($done:tt)*] class $sig:literal => $f:expr, $doc:literal; $($rest:tt)*) => {
        $crate::methods!(@munch $head [$($done)* {$crate::method!($sig => $f, $doc, $crate::abi::METH_CLASS)}] $($rest)*);
    };
    (@munch $head:tt [$($done:tt)*] static $sig:literal => $f:expr, $doc:literal; $($rest:tt)*) => {
        $crate::methods!(@munch $head [$($done)* {$crate::method!($sig => $f, $doc, $crate::abi::METH_STATIC)}] $($rest)*);
    };
    (@munch $head:tt [$($done:tt)*] coexist $sig:literal => $f:expr, $doc:literal; $($rest:tt)*) => {
        $crate::methods!(@munch $head [$($done)* {$crate::method!($sig => $f, $doc, $crate::abi::METH_COEXIST)}] $($rest)*);
    };
    (@munch $head:tt [$($done:tt)*] nosig $sig:literal => $f:expr, $doc:literal; $($rest:tt)*) => {
        $crate::methods!(@munch $head [$($done)* {$crate::method!(nosig $sig => $f, $doc)}] $($rest)*);
    };
    (@munch $head:tt [$($done:tt)*] raw $cname:literal, $f:expr, $flags:expr, $doc:literal; $($rest:tt)*) => {
        $crate::methods!(@munch $head [$($done)* {$crate::abi::PyMethodDef {
            ml_name: ::core::concat!($cname, "\0").as_ptr().cast(),
            ml_meth: $f,
            ml_flags: $flags,
            ml_doc: ::core::concat!($doc, "\0").as_ptr().cast(),
        }}] $($rest)*);
    };
    (@munch $head:tt [$($done:tt)*] $sig:literal => $f:expr, $doc:literal; $($rest:tt)*) => {
        $crate::methods!(@munch $head [$($done)* {$crate::method!($sig => $f, $doc, 0)}] $($rest)*);
    };
    (@munch [$(#[$m:meta])* $vis:vis $name:ident] [$({$($item:tt)*})*]) => {
        $(#[$m])*
        $vis static mut $name: [$crate::abi::PyMethodDef; { let n: usize = 1 $(+ { $crate::methods!(@one $($item)*) })*; n }] =
            [$($($item)*,)* $crate::abi::PyMethodDef::zeroed()];
    };
    (@one $($t:tt)*) => { 1 };
}

/// A NULL-terminated, static table of computed attributes:
/// `"name" => getter [, setter], "doc";` with `fn getter(Borrowed<T>) -> PyResult<..>` and
/// `fn setter(Borrowed<T>, Option<Borrowed>) -> PyResult<()>` (`None` deletes).
#[macro_export]
macro_rules! getset {
    ($(#[$m:meta])* $vis:vis static $name:ident = [ $($rest:tt)* ];) => {
        $crate::getset!(@munch [$(#[$m])* $vis $name] [] $($rest)*);
    };
    (@munch $head:tt [$($done:tt)*] $attr:literal => $get:expr, $doc:literal; $($rest:tt)*) => {
        $crate::getset!(@munch $head [$($done)* {$crate::abi::PyGetSetDef {
            name: ::core::concat!($attr, "\0").as_ptr().cast(),
            get: Some({
                unsafe extern "C" fn get(slf: *mut $crate::abi::PyObject, _: *mut ::core::ffi::c_void) -> *mut $crate::abi::PyObject {
                    // SAFETY: [TYPE] the descriptor checked the receiver.
                    $crate::IntoReturn::into_return($get(unsafe { $crate::abi::Borrowed::from_ptr(slf.cast()) }))
                }
                get
            }),
            set: None,
            doc: $crate::getset!(@doc $doc),
            closure: ::core::ptr::null_mut(),
        }}] $($rest)*);
    };
    (@munch $head:tt [$($done:tt)*] $attr:literal => $get:expr, $set:expr, $doc:literal; $($rest:tt)*) => {
        $crate::getset!(@munch $head [$($done)* {$crate::abi::PyGetSetDef {
            name: ::core::concat!($attr, "\0").as_ptr().cast(),
            get: Some({
                unsafe extern "C" fn get(slf: *mut $crate::abi::PyObject, _: *mut ::core::ffi::c_void) -> *mut $crate::abi::PyObject {
                    // SAFETY: [TYPE] the descriptor checked the receiver.
                    $crate::IntoReturn::into_return($get(unsafe { $crate::abi::Borrowed::from_ptr(slf.cast()) }))
                }
                get
            }),
            set: Some({
                unsafe extern "C" fn set(slf: *mut $crate::abi::PyObject, value: *mut $crate::abi::PyObject, _: *mut ::core::ffi::c_void) -> ::core::ffi::c_int {
                    // SAFETY: [TYPE] the descriptor checked the receiver.
                    let (slf, value) = unsafe { ($crate::abi::Borrowed::from_ptr(slf.cast()), $crate::abi::Borrowed::from_ptr_or_opt(value)) };
                    let done: $crate::abi::PyResult<()> = $set(slf, value);
                    $crate::abi::IntoC::into_c(done)
                }
                set
            }),
            doc: $crate::getset!(@doc $doc),
            closure: ::core::ptr::null_mut(),
        }}] $($rest)*);
    };
    (@munch [$(#[$m:meta])* $vis:vis $name:ident] [$({$($item:tt)*})*]) => {
        $(#[$m])*
        $vis static mut $name: [$crate::abi::PyGetSetDef; { let n: usize = 1 $(+ { $crate::methods!(@one $($item)*) })*; n }] =
            [$($($item)*,)* $crate::getset!(@end)];
    };
    (@doc $doc:literal) => { if $doc.is_empty() { ::core::ptr::null() } else { ::core::concat!($doc, "\0").as_ptr().cast() } };
    (@end) => { $crate::abi::PyGetSetDef { name: ::core::ptr::null(), get: None, set: None, doc: ::core::ptr::null(), closure: ::core::ptr::null_mut() } };
}

/// A NULL-terminated, static table of members: `"name", TYPE_CODE, offset, FLAGS, "doc";`.
#[macro_export]
macro_rules! members {
    ($(#[$m:meta])* $vis:vis static $name:ident = [ $($attr:literal, $type:expr, $offset:expr, $flags:expr, $doc:literal;)* ];) => {
        $(#[$m])*
        $vis static mut $name: [$crate::abi::PyMemberDef; { let n: usize = 1 $(+ { $crate::methods!(@one $attr) })*; n }] = [
            $($crate::abi::PyMemberDef {
                name: ::core::concat!($attr, "\0").as_ptr().cast(),
                type_code: $type,
                offset: $offset as $crate::abi::Py_ssize_t,
                flags: $flags,
                doc: $crate::getset!(@doc $doc),
            },)*
            $crate::abi::PyMemberDef { name: ::core::ptr::null(), type_code: 0, offset: 0, flags: 0, doc: ::core::ptr::null() },
        ];
    };
}

/// A constructor slot from a signature and a typed function: an expression of type `newfunc`.
/// `constructor!("float(x=0, /)" => float_new)` with `fn float_new(tp: Borrowed<PyTypeObject>, x: Option<Borrowed>) -> PyResult<Owned>`.
#[macro_export]
macro_rules! constructor {
    ($sig:literal => $f:expr) => {{
        unsafe extern "C" fn entry(tp: *mut $crate::abi::PyTypeObject, args: *mut $crate::abi::PyObject, kwargs: *mut $crate::abi::PyObject) -> *mut $crate::abi::PyObject {
            const N: usize = $crate::signature::count($sig);
            static SIG: $crate::Signature<N> = $crate::Signature::parse($sig);
            // SAFETY: [ARGS] called as tp_new.
            unsafe {
                let sig = SIG.erase();
                let kwargs = $crate::invoke::keywords_for_new(&sig, tp, entry, kwargs);
                let r = $crate::invoke::with_tuple_dict(&sig, args, kwargs, |call| {
                    Ok($crate::NativeFn::invoke($f, tp.cast(), call, &sig))
                });
                r.unwrap_or(::core::ptr::null_mut())
            }
        }
        entry
    }};
}

/// An initialiser slot from a signature and a typed function: an expression of type `initproc`.
/// `initializer!("list(iterable=(), /)" => list_init)` with `fn list_init(slf: Borrowed<PyListObject>, iterable: Option<Borrowed>) -> PyResult<()>`.
#[macro_export]
macro_rules! initializer {
    ($sig:literal => $f:expr) => {{
        unsafe extern "C" fn entry(slf: *mut $crate::abi::PyObject, args: *mut $crate::abi::PyObject, kwargs: *mut $crate::abi::PyObject) -> ::core::ffi::c_int {
            const N: usize = $crate::signature::count($sig);
            static SIG: $crate::Signature<N> = $crate::Signature::parse($sig);
            // SAFETY: [ARGS] called as tp_init; the function returns None, which is immortal.
            unsafe {
                let sig = SIG.erase();
                let r = $crate::invoke::with_tuple_dict(&sig, args, kwargs, |call| {
                    Ok($crate::NativeFn::invoke($f, slf, call, &sig))
                });
                match r { Ok(p) if !p.is_null() => 0, _ => -1 }
            }
        }
        entry
    }};
}

#[cfg(test)]
mod tests {
    use taipan_abi::*;

    fn one(_: Borrowed<'_>, _item: Borrowed<'_>) -> PyResult<Owned> {
        bail!(PyExc_TypeError, "never called");
    }
    fn two(_: Borrowed<'_, PyListObject>, _index: isize, _rest: crate::Args<'_>) -> PyResult<()> {
        Ok(())
    }
    fn kw(_: (), _key: Option<Borrowed<'_>>, _reverse: bool) -> PyResult<bool> {
        Ok(true)
    }
    fn name(_: Borrowed<'_>) -> PyResult<Owned> {
        bail!(PyExc_TypeError, "never called");
    }
    methods! {
        /// A table.
        static TABLE = [
            "one($self, object, /)" => one, "Doc.";
            "two($self, index=-1, /, *args)" => two, "Doc.";
            static "kw(*, key=None, reverse=False)" => kw, "Doc.";
        ];
    }
    getset! { static ATTRS = [ "name" => name, "Doc."; ]; }

    // Only the declarations are tried here: calling needs the runtime, whose symbols other crates define.
    #[allow(dead_code, reason = "type-checks the macros")]
    fn tables() -> (*const PyMethodDef, *const PyGetSetDef) {
        (core::ptr::addr_of!(TABLE).cast(), core::ptr::addr_of!(ATTRS).cast())
    }
}
