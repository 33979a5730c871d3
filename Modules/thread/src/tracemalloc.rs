//! The `_tracemalloc` module: where the memory in use was allocated.

use taipan_clinic::support::*;
use taipan_abi::*;
use taipan_clinic::{methods, module};
use taipan_python::tracemalloc;

fn is_tracing(_: ()) -> PyResult<bool> {
    Ok(tracemalloc::is_tracing())
}
fn clear_traces(_: ()) -> PyResult<()> {
    tracemalloc::clear_traces();
    Ok(())
}
fn get_traces(_: ()) -> PyResult<Owned> {
    tracemalloc::get_traces()
}
fn get_object_traceback(_: (), obj: Borrowed<'_>) -> PyResult<Option<Owned>> {
    // SAFETY: [ARGS]
    unsafe { tracemalloc::object_traceback(obj.ob()) }
}
fn start(_: (), nframe: i32) -> PyResult<()> {
    tracemalloc::start(nframe)
}
fn stop(_: ()) -> PyResult<()> {
    tracemalloc::stop();
    Ok(())
}
fn get_traceback_limit(_: ()) -> PyResult<usize> {
    Ok(tracemalloc::traceback_limit())
}
fn get_tracemalloc_memory(_: ()) -> PyResult<usize> {
    Ok(tracemalloc::tracemalloc_memory())
}
fn get_traced_memory(_: ()) -> PyResult<Owned> {
    let (now, peak) = tracemalloc::traced_memory();
    tuple(vec![int(now as i64)?, int(peak as i64)?])
}
fn reset_peak(_: ()) -> PyResult<()> {
    tracemalloc::reset_peak();
    Ok(())
}

methods! {
    static METHODS = [
        "is_tracing($module, /)" => is_tracing, "Whether allocations are traced.";
        "clear_traces($module, /)" => clear_traces, "Forget all traces.";
        "_get_traces($module, /)" => get_traces, "All traces: tuples (domain, size, traceback, number of frames).";
        "_get_object_traceback($module, obj, /)" => get_object_traceback, "Where an object was allocated, or None.";
        "start($module, nframe=1, /)" => start, "Start tracing; of each block nframe frames are kept.";
        "stop($module, /)" => stop, "Stop tracing and forget all traces.";
        "get_traceback_limit($module, /)" => get_traceback_limit, "How many frames of each block are kept.";
        "get_tracemalloc_memory($module, /)" => get_tracemalloc_memory, "Bytes that the traces take.";
        "get_traced_memory($module, /)" => get_traced_memory, "Bytes in use now and at most, as a pair.";
        "reset_peak($module, /)" => reset_peak, "Take what is in use now as the most there was.";
    ];
}

fn exec(_: Borrowed<'_>) -> PyResult<()> {
    Ok(())
}

module! {
    /// Entry point.
    pub fn PyInit__tracemalloc = "_tracemalloc", "Tracing of memory allocations.", methods: METHODS, exec: exec;
}
