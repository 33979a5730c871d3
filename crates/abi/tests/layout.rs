//! Every size and offset that a C extension can see, compared with CPython's.
//!
//! Two comparisons: with the recorded table `layout.tsv` (read from CPython 3.13.5's debug information), always; and with
//! what a C compiler makes of the real headers, where `TAIPAN_HEADERS` names their folder (`scripts/test` sets it).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use taipan_abi::*;

/// (C type, field or `*` for the whole, offset, name in layout.tsv)
type Row = (&'static str, &'static str, usize, &'static str);

macro_rules! rows {
    ($($rust:ty, $c:literal, $tsv:literal: $($field:ident),*;)*) => {
        vec![$(
            ($c, "*", size_of::<$rust>(), $tsv),
            $( ($c, stringify!($field), core::mem::offset_of!($rust, $field), $tsv), )*
        )*]
    };
}

fn ours() -> Vec<Row> {
    rows! {
        PyObject, "PyObject", "_object": ob_refcnt, ob_type;
        PyVarObject, "PyVarObject", "PyVarObject": ob_base, ob_size;
        PyTypeObject, "PyTypeObject", "_typeobject": tp_name, tp_basicsize, tp_itemsize, tp_dealloc, tp_vectorcall_offset, tp_getattr,
            tp_setattr, tp_as_async, tp_repr, tp_as_number, tp_as_sequence, tp_as_mapping, tp_hash, tp_call, tp_str, tp_getattro,
            tp_setattro, tp_as_buffer, tp_flags, tp_doc, tp_traverse, tp_clear, tp_richcompare, tp_weaklistoffset, tp_iter,
            tp_iternext, tp_methods, tp_members, tp_getset, tp_base, tp_dict, tp_descr_get, tp_descr_set, tp_dictoffset, tp_init,
            tp_alloc, tp_new, tp_free, tp_is_gc, tp_bases, tp_mro, tp_cache, tp_subclasses, tp_weaklist, tp_del, tp_version_tag,
            tp_finalize, tp_vectorcall;
        PyHeapTypeObject, "PyHeapTypeObject", "_heaptypeobject": as_async, as_number, as_mapping, as_sequence, as_buffer, ht_name,
            ht_slots, ht_qualname, ht_cached_keys, ht_module;
        PyNumberMethods, "PyNumberMethods", "PyNumberMethods": nb_add, nb_index, nb_matrix_multiply, nb_inplace_matrix_multiply;
        PySequenceMethods, "PySequenceMethods", "PySequenceMethods": sq_length, sq_item, sq_contains, sq_inplace_repeat;
        PyMappingMethods, "PyMappingMethods", "PyMappingMethods": mp_length, mp_subscript, mp_ass_subscript;
        PyAsyncMethods, "PyAsyncMethods", "PyAsyncMethods": am_await, am_aiter, am_anext, am_send;
        PyBufferProcs, "PyBufferProcs", "PyBufferProcs": bf_getbuffer, bf_releasebuffer;
        Py_buffer, "Py_buffer", "Py_buffer": buf, obj, len, itemsize, readonly, ndim, format, shape, strides, suboffsets, internal;
        PyLongObject, "PyLongObject", "_longobject":;
        PyFloatObject, "PyFloatObject", "PyFloatObject": ob_fval;
        PyComplexObject, "PyComplexObject", "PyComplexObject": cval;
        PyASCIIObject, "PyASCIIObject", "PyASCIIObject": length, hash, state;
        PyCompactUnicodeObject, "PyCompactUnicodeObject", "PyCompactUnicodeObject": utf8_length, utf8;
        PyUnicodeObject, "PyUnicodeObject", "PyUnicodeObject": data;
        PyBytesObject, "PyBytesObject", "PyBytesObject": ob_shash, ob_sval;
        PyByteArrayObject, "PyByteArrayObject", "PyByteArrayObject": ob_alloc, ob_bytes, ob_start, ob_exports;
        PyTupleObject, "PyTupleObject", "PyTupleObject": ob_item;
        PyListObject, "PyListObject", "PyListObject": ob_item, allocated;
        PyDictObject, "PyDictObject", "PyDictObject": ma_used, ma_version_tag, ma_keys, ma_values;
        PyDictKeysObject, "struct _dictkeysobject", "_dictkeysobject": dk_refcnt, dk_log2_size, dk_log2_index_bytes, dk_kind, dk_version,
            dk_usable, dk_nentries;
        PyDictValues, "struct _dictvalues", "_dictvalues": capacity, size, embedded, valid, values;
        PySetObject, "PySetObject", "PySetObject": fill, used, mask, table, hash, finger, smalltable, weakreflist;
        setentry, "setentry", "setentry": key, hash;
        PySliceObject, "PySliceObject", "PySliceObject": start, stop, step;
        PyCellObject, "PyCellObject", "PyCellObject": ob_ref;
        PyMethodObject, "PyMethodObject", "PyMethodObject": im_func, im_self, im_weakreflist, vectorcall;
        PyInstanceMethodObject, "PyInstanceMethodObject", "PyInstanceMethodObject": func;
        PyCFunctionObject, "PyCFunctionObject", "PyCFunctionObject": m_ml, m_self, m_module, m_weakreflist, vectorcall;
        PyCMethodObject, "PyCMethodObject", "PyCMethodObject": func, mm_class;
        PyFunctionObject, "PyFunctionObject", "PyFunctionObject": func_globals, func_builtins, func_name, func_qualname, func_code,
            func_defaults, func_kwdefaults, func_closure, func_doc, func_dict, func_weakreflist, func_module, func_annotations,
            func_typeparams, vectorcall, func_version;
        PyModuleObject, "PyModuleObject", "PyModuleObject": md_dict, md_def, md_state, md_weaklist, md_name;
        PyModuleDef, "PyModuleDef", "PyModuleDef": m_base, m_name, m_doc, m_size, m_methods, m_slots, m_traverse, m_clear, m_free;
        PyMethodDef, "PyMethodDef", "PyMethodDef": ml_name, ml_meth, ml_flags, ml_doc;
        PyMemberDef, "PyMemberDef", "PyMemberDef": name, offset, flags, doc;
        PyGetSetDef, "PyGetSetDef", "PyGetSetDef": name, get, set, doc, closure;
        PyType_Slot, "PyType_Slot", "PyType_Slot": slot, pfunc;
        PyType_Spec, "PyType_Spec", "PyType_Spec": name, basicsize, itemsize, flags, slots;
        PyWeakReference, "PyWeakReference", "_PyWeakReference": wr_object, wr_callback, hash, wr_prev, wr_next, vectorcall;
        _PyManagedBufferObject, "_PyManagedBufferObject", "_PyManagedBufferObject": flags, exports, master;
        PyMemoryViewObject, "PyMemoryViewObject", "PyMemoryViewObject": mbuf, hash, flags, exports, view, weakreflist, ob_array;
        PyDescrObject, "PyDescrObject", "PyDescrObject": d_type, d_name, d_qualname;
        PyMethodDescrObject, "PyMethodDescrObject", "PyMethodDescrObject": d_method, vectorcall;
        PyMemberDescrObject, "PyMemberDescrObject", "PyMemberDescrObject": d_member;
        PyGetSetDescrObject, "PyGetSetDescrObject", "PyGetSetDescrObject": d_getset;
        PyWrapperDescrObject, "PyWrapperDescrObject", "PyWrapperDescrObject": d_base, d_wrapped;
        wrapperbase, "struct wrapperbase", "wrapperbase": name, offset, function, wrapper, doc, flags, name_strobj;
        PyBaseExceptionObject, "PyBaseExceptionObject", "PyBaseExceptionObject": dict, args, notes, traceback, context, cause, suppress_context;
        PySyntaxErrorObject, "PySyntaxErrorObject", "PySyntaxErrorObject": msg, filename, lineno, offset, end_lineno, end_offset, text, print_file_and_line;
        PyImportErrorObject, "PyImportErrorObject", "PyImportErrorObject": msg, name, path, name_from;
        PyUnicodeErrorObject, "PyUnicodeErrorObject", "PyUnicodeErrorObject": encoding, object, start, end, reason;
        PySystemExitObject, "PySystemExitObject", "PySystemExitObject": code;
        PyOSErrorObject, "PyOSErrorObject", "PyOSErrorObject": myerrno, strerror, filename, filename2, written;
        PyStopIterationObject, "PyStopIterationObject", "PyStopIterationObject": value;
        PyNameErrorObject, "PyNameErrorObject", "PyNameErrorObject": name;
        PyAttributeErrorObject, "PyAttributeErrorObject", "PyAttributeErrorObject": obj, name;
        PyTracebackObject, "PyTracebackObject", "_traceback": tb_next, tb_frame, tb_lasti, tb_lineno;
        PyFrameObject, "PyFrameObject", "_frame": f_back, f_frame, f_trace, f_lineno, f_trace_lines, f_trace_opcodes, f_extra_locals,
            f_locals_cache, _f_frame_data;
        _PyInterpreterFrame, "_PyInterpreterFrame", "_PyInterpreterFrame": f_executable, previous, f_funcobj, f_globals, f_builtins, f_locals,
            frame_obj, instr_ptr, stacktop, return_offset, owner, localsplus;
        PyGenObject, "PyGenObject", "PyGenObject": gi_weakreflist, gi_name, gi_qualname, gi_exc_state, gi_origin_or_finalizer,
            gi_hooks_inited, gi_closed, gi_running_async, gi_frame_state, gi_iframe;
        _PyErr_StackItem, "_PyErr_StackItem", "_err_stackitem": exc_value, previous_item;
        PyThreadState, "PyThreadState", "_ts": prev, next, interp, eval_breaker, _status, _whence, state, py_recursion_remaining,
            py_recursion_limit, c_recursion_remaining, recursion_headroom, tracing, what_event, current_frame, c_profilefunc,
            c_tracefunc, c_profileobj, c_traceobj, current_exception, exc_info, dict, gilstate_counter, async_exc, thread_id,
            native_thread_id, delete_later, critical_section, coroutine_origin_tracking_depth, async_gen_firstiter,
            async_gen_finalizer, context, context_ver, id, datastack_chunk, datastack_top, datastack_limit, exc_state,
            previous_executor, dict_global_version, threading_local_key, threading_local_sentinel;
        PyCodeObject, "PyCodeObject", "": co_consts, co_names, co_exceptiontable, co_flags, co_argcount, co_posonlyargcount,
            co_kwonlyargcount, co_stacksize, co_firstlineno, co_nlocalsplus, co_framesize, co_nlocals, co_ncellvars, co_nfreevars,
            co_version, co_localsplusnames, co_localspluskinds, co_filename, co_name, co_qualname, co_linetable, co_weakreflist,
            co_executors, _co_cached, _co_instrumentation_version, _co_monitoring, _co_firsttraceable, co_extra, co_code_adaptive;
        _PyUnicodeWriter, "_PyUnicodeWriter", "_PyUnicodeWriter": buffer, data, kind, maxchar, size, pos, min_length, min_char;
        _PyNamespaceObject, "", "_PyNamespaceObject": ns_dict;
        PyStatus, "PyStatus", "PyStatus":;
        PyConfig, "PyConfig", "PyConfig":;
        PyPreConfig, "PyPreConfig", "PyPreConfig":;
        PyDateTime_Date, "PyDateTime_Date", "PyDateTime_Date": data;
        PyDateTime_DateTime, "PyDateTime_DateTime", "PyDateTime_DateTime": data, fold, tzinfo;
        PyDateTime_Time, "PyDateTime_Time", "PyDateTime_Time": data, fold, tzinfo;
        PyDateTime_Delta, "PyDateTime_Delta", "PyDateTime_Delta": days, seconds, microseconds;
    }
}

#[test]
fn recorded_table() {
    let table: BTreeMap<(&str, &str), (i64, i64)> = include_str!("layout.tsv")
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| {
            let mut f = l.split('\t');
            let (name, field) = (f.next()?, f.next()?);
            Some(((name, field), (f.next()?.parse().ok()?, f.next()?.parse().ok()?)))
        })
        .collect();
    let (mut compared, mut wrong) = (0, String::new());
    for (c, field, value, name) in ours() {
        if let Some(&(offset, size)) = table.get(&(name, field)) {
            let want = if field == "*" { size } else { offset };
            if want < 0 {
                continue;
            }
            compared += 1;
            if want as usize != value {
                let _ = writeln!(wrong, "{c}.{field}: {value}, CPython has {want}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(compared > 300, "only {compared} rows compared");
}

#[test]
fn real_headers() {
    let Some(headers) = std::env::var_os("TAIPAN_HEADERS") else {
        eprintln!("real_headers: NOT RUN: TAIPAN_HEADERS is not set (scripts/test sets it)");
        return;
    };
    let mut source = String::from(
        "#define Py_BUILD_CORE 1\n#include <Python.h>\n#include <stddef.h>\n#include <stdio.h>\n#include <datetime.h>\n\
         #include <internal/pycore_dict.h>\n#include <internal/pycore_frame.h>\n#include <internal/pycore_memoryobject.h>\n\
         #include <internal/pycore_descrobject.h>\nint main(void) {\n",
    );
    let rows: Vec<Row> = ours().into_iter().filter(|r| !r.0.is_empty()).collect();
    for (c, field, ..) in &rows {
        if *field == "*" {
            let _ = writeln!(source, "printf(\"%zu\\n\", sizeof({c}));");
        } else {
            let _ = writeln!(source, "printf(\"%zu\\n\", offsetof({c}, {field}));");
        }
    }
    source.push_str("return 0; }\n");
    let dir = std::env::temp_dir().join(format!("taipan-layout-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a temporary folder");
    let (file, program) = (dir.join("probe.c"), dir.join("probe"));
    std::fs::write(&file, source).expect("room for a small file");
    let include = std::path::Path::new(&headers);
    let compiled = std::process::Command::new("cc")
        .arg("-w")
        .arg("-I")
        .arg(include)
        .arg("-I")
        .arg(include.join("internal"))
        .arg(&file)
        .arg("-o")
        .arg(&program)
        .output()
        .expect("a C compiler");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let printed = std::process::Command::new(&program).output().expect("the probe runs");
    let text = String::from_utf8_lossy(&printed.stdout).into_owned();
    let values: Vec<usize> = text.lines().filter_map(|l| l.parse().ok()).collect();
    let _ = std::fs::remove_dir_all(&dir);
    assert_eq!(values.len(), rows.len());
    let wrong: String = rows
        .iter()
        .zip(&values)
        .filter(|((.., value, _), real)| value != *real)
        .map(|((c, field, value, _), real)| format!("{c}.{field}: {value}, the headers say {real}\n"))
        .collect();
    assert!(wrong.is_empty(), "{wrong}");
}
