//! Monitoring of running code (PEP 669): which instructions report events, and reporting them.
//!
//! An event that instructions cause is reported by an instrumented form of the instruction, which takes its place in
//! the code. Three layers may lie over an instruction, outermost first: `INSTRUMENTED_LINE`, `INSTRUMENTED_INSTRUCTION`,
//! and the instrumented form of the instruction itself; each layer remembers what it covers in [`CoMonitoring`].
//!
//! [VERSION] The upper bits of `eval_breaker` are a version that grows whenever the set of wanted events changes; code
//! whose own version differs is brought up to date by RESUME before it runs.
//!
//! Contract of all functions here: [GIL] [FRAME]; negative or NULL results mean that an exception is set.

#![allow(clippy::missing_safety_doc, reason = "one contract for the file, see its top")]

use crate::ceval_prelude::*;
use crate::codeobject::{CO_NO_MONITORING_EVENTS, bytes_of, code_addr2line};
use crate::generated::opcode_metadata::{CACHES, DEOPT};
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicUsize, Ordering};

macro_rules! events {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        $( #[doc = concat!("Event `", $text, "`.")] pub const $name: c_int = $number; )*
        /// Names of the events by number.
        pub const EVENT_NAMES: [&str; EVENTS] = [$($text),*];
    };
}
events! {
    PY_MONITORING_EVENT_PY_START = 0, "PY_START";
    PY_MONITORING_EVENT_PY_RESUME = 1, "PY_RESUME";
    PY_MONITORING_EVENT_PY_RETURN = 2, "PY_RETURN";
    PY_MONITORING_EVENT_PY_YIELD = 3, "PY_YIELD";
    PY_MONITORING_EVENT_CALL = 4, "CALL";
    PY_MONITORING_EVENT_LINE = 5, "LINE";
    PY_MONITORING_EVENT_INSTRUCTION = 6, "INSTRUCTION";
    PY_MONITORING_EVENT_JUMP = 7, "JUMP";
    PY_MONITORING_EVENT_BRANCH = 8, "BRANCH";
    PY_MONITORING_EVENT_STOP_ITERATION = 9, "STOP_ITERATION";
    PY_MONITORING_EVENT_RAISE = 10, "RAISE";
    PY_MONITORING_EVENT_EXCEPTION_HANDLED = 11, "EXCEPTION_HANDLED";
    PY_MONITORING_EVENT_PY_UNWIND = 12, "PY_UNWIND";
    PY_MONITORING_EVENT_PY_THROW = 13, "PY_THROW";
    PY_MONITORING_EVENT_RERAISE = 14, "RERAISE";
    PY_MONITORING_EVENT_C_RETURN = 15, "C_RETURN";
    PY_MONITORING_EVENT_C_RAISE = 16, "C_RAISE";
}

/// Events that instructions report: they can be set for one code object, and disabled at one place.
pub const LOCAL_EVENTS: usize = 10;
/// Events that are set one by one; C_RETURN and C_RAISE come with CALL.
pub const UNGROUPED_EVENTS: usize = 15;
/// All events.
pub const EVENTS: usize = 17;
/// All tools; the last two are `sys.setprofile` and `sys.settrace`.
pub const TOOL_IDS: usize = 8;
/// Tool of `sys.setprofile`.
pub const SYS_PROFILE_ID: usize = 6;
/// Tool of `sys.settrace`.
pub const SYS_TRACE_ID: usize = 7;
/// The version's lowest bit, above the eval breaker's events.
const VERSION_INCREMENT: usize = 1 << 8;

/// Returned by a callback that wants no more events from a place.
#[unsafe(no_mangle)]
pub static mut _PyInstrumentation_DISABLE: PyObject = immortal_head(&raw mut PyBaseObject_Type);
/// Stands for the first argument of a call that has none.
#[unsafe(no_mangle)]
pub static mut _PyInstrumentation_MISSING: PyObject = immortal_head(&raw mut PyBaseObject_Type);

fn missing() -> *mut PyObject {
    &raw mut _PyInstrumentation_MISSING
}

/// What the interpreter knows of tools and the events they want.
pub struct MonitoringState {
    /// Tools (a bit each) that want an event everywhere.
    pub tools: [u8; UNGROUPED_EVENTS],
    /// Callbacks by tool and event, NULL if there is none.
    pub callables: [[*mut PyObject; EVENTS]; TOOL_IDS],
    /// Names of tools in use.
    pub tool_names: [*mut PyObject; TOOL_IDS],
    last_restart_version: usize,
}

impl MonitoringState {
    /// Of an interpreter without tools.
    pub const fn new() -> Self {
        MonitoringState {
            tools: [0; UNGROUPED_EVENTS],
            callables: [[null_mut(); EVENTS]; TOOL_IDS],
            tool_names: [null_mut(); TOOL_IDS],
            last_restart_version: 0,
        }
    }
    /// Releases the tools of an interpreter that ends.
    pub fn clear(&mut self) {
        self.tools = [0; UNGROUPED_EVENTS];
        for p in self.callables.iter_mut().flatten().chain(&mut self.tool_names) {
            // SAFETY: [OWN] the place is empty before the object is released.
            unsafe { Py_XDECREF(core::mem::replace(p, null_mut())) };
        }
    }
}
impl Default for MonitoringState {
    fn default() -> Self {
        Self::new()
    }
}

/// The running interpreter's.
static mut STATE: MonitoringState = MonitoringState::new();

/// Exchanges the tools and the version when another interpreter runs.
pub fn swap_monitoring(other: &mut MonitoringState, version: &mut usize) {
    core::mem::swap(state(), other);
    *version = VERSION.swap(*version, Ordering::Relaxed);
}

static VERSION: AtomicUsize = AtomicUsize::new(0);

/// The interpreter's monitoring state.
pub fn state<'a>() -> &'a mut MonitoringState {
    // SAFETY: [GIL] no reference is kept across a call of Python code.
    unsafe { &mut *(&raw mut STATE) }
}

/// The current version ([VERSION]); a thread that takes the GIL copies it into its eval breaker.
pub fn instrumentation_version() -> usize {
    VERSION.load(Ordering::Relaxed)
}

/// Copies the current version into a thread's eval breaker, as each new thread must do.
pub unsafe fn sync_version(tstate: *mut PyThreadState) {
    let version = instrumentation_version();
    // SAFETY: [GIL] other threads set event bits meanwhile.
    let breaker = unsafe { AtomicUsize::from_ptr(&raw mut (*tstate).eval_breaker) };
    let _ = breaker.fetch_update(Ordering::SeqCst, Ordering::Relaxed, |old| Some(old & EVAL_EVENTS_MASK | version));
}

/// Calls `f` for each thread of the interpreter.
pub unsafe fn each_thread(tstate: *mut PyThreadState, mut f: impl FnMut(*mut PyThreadState)) {
    // SAFETY: [GIL]
    unsafe {
        let mut thread: *mut PyThreadState = PyInterpreterState_ThreadHead((*tstate).interp.cast()).cast();
        while !thread.is_null() {
            f(thread);
            thread = PyThreadState_Next(thread.cast()).cast();
        }
    }
}

unsafe fn set_global_version(tstate: *mut PyThreadState, version: usize) {
    VERSION.store(version, Ordering::Relaxed);
    // SAFETY: file contract.
    unsafe {
        sync_version(tstate);
        each_thread(tstate, |t| sync_version(t));
    }
}

type LocalMonitors = [u8; LOCAL_EVENTS];

/// A place where a line may begin, and the opcode there; zero where none begins.
#[derive(Clone, Copy)]
struct Line {
    line: i32,
    original: u8,
}

/// What monitoring keeps for a code object (`_co_monitoring`).
pub struct CoMonitoring {
    /// Tools that want an event of this code.
    local: LocalMonitors,
    /// What the code is instrumented for.
    active: LocalMonitors,
    /// With several tools: those that have not disabled the event at each instruction.
    tools: Option<Vec<u8>>,
    lines: Option<Vec<Line>>,
    line_tools: Option<Vec<u8>>,
    instruction_opcodes: Option<Vec<u8>>,
    instruction_tools: Option<Vec<u8>>,
}

unsafe fn monitoring<'a>(code: *mut PyCodeObject) -> Option<&'a mut CoMonitoring> {
    // SAFETY: [GIL] made by `allocate`.
    unsafe { (*code)._co_monitoring.cast::<CoMonitoring>().as_mut() }
}

unsafe fn allocate<'a>(code: *mut PyCodeObject) -> &'a mut CoMonitoring {
    // SAFETY: [GIL]
    unsafe {
        if (*code)._co_monitoring.is_null() {
            (*code)._co_monitoring = Box::into_raw(Box::new(CoMonitoring {
                local: [0; LOCAL_EVENTS],
                active: [0; LOCAL_EVENTS],
                tools: None,
                lines: None,
                line_tools: None,
                instruction_opcodes: None,
                instruction_tools: None,
            }))
            .cast();
        }
        &mut *(*code)._co_monitoring.cast()
    }
}

/// Frees what a code object had.
pub unsafe fn free_monitoring_data(data: *mut c_void) {
    if !data.is_null() {
        // SAFETY: made by `allocate`.
        drop(unsafe { Box::from_raw(data.cast::<CoMonitoring>()) });
    }
}

// ---- opcodes and their instrumented forms

const PAIRS: [(u8, u8); 17] = [
    (RESUME, INSTRUMENTED_RESUME),
    (RETURN_VALUE, INSTRUMENTED_RETURN_VALUE),
    (RETURN_CONST, INSTRUMENTED_RETURN_CONST),
    (CALL, INSTRUMENTED_CALL),
    (CALL_KW, INSTRUMENTED_CALL_KW),
    (CALL_FUNCTION_EX, INSTRUMENTED_CALL_FUNCTION_EX),
    (YIELD_VALUE, INSTRUMENTED_YIELD_VALUE),
    (JUMP_FORWARD, INSTRUMENTED_JUMP_FORWARD),
    (JUMP_BACKWARD, INSTRUMENTED_JUMP_BACKWARD),
    (POP_JUMP_IF_FALSE, INSTRUMENTED_POP_JUMP_IF_FALSE),
    (POP_JUMP_IF_TRUE, INSTRUMENTED_POP_JUMP_IF_TRUE),
    (POP_JUMP_IF_NONE, INSTRUMENTED_POP_JUMP_IF_NONE),
    (POP_JUMP_IF_NOT_NONE, INSTRUMENTED_POP_JUMP_IF_NOT_NONE),
    (FOR_ITER, INSTRUMENTED_FOR_ITER),
    (END_FOR, INSTRUMENTED_END_FOR),
    (END_SEND, INSTRUMENTED_END_SEND),
    (LOAD_SUPER_ATTR, INSTRUMENTED_LOAD_SUPER_ATTR),
];

/// The plain opcode of an instrumented one, zero for others; the instrumented one of a plain one.
const fn tables() -> ([u8; 256], [u8; 256]) {
    let (mut plain, mut instrumented) = ([0; 256], [0; 256]);
    let mut i = 0;
    while i < PAIRS.len() {
        plain[PAIRS[i].1 as usize] = PAIRS[i].0;
        instrumented[PAIRS[i].0 as usize] = PAIRS[i].1;
        i += 1;
    }
    (plain, instrumented)
}
static TABLES: ([u8; 256], [u8; 256]) = tables();

fn de_instrumented(opcode: u8) -> u8 {
    match TABLES.0[opcode as usize] {
        0 => DEOPT[opcode as usize],
        plain => plain,
    }
}

/// The event that a plain instruction reports.
fn event_of(opcode: u8, oparg: u32) -> Option<usize> {
    Some(match opcode {
        RESUME => (oparg > 0) as c_int,
        RETURN_VALUE | RETURN_CONST => PY_MONITORING_EVENT_PY_RETURN,
        CALL | CALL_KW | CALL_FUNCTION_EX | LOAD_SUPER_ATTR => PY_MONITORING_EVENT_CALL,
        YIELD_VALUE => PY_MONITORING_EVENT_PY_YIELD,
        JUMP_FORWARD | JUMP_BACKWARD => PY_MONITORING_EVENT_JUMP,
        POP_JUMP_IF_FALSE | POP_JUMP_IF_TRUE | POP_JUMP_IF_NONE | POP_JUMP_IF_NOT_NONE | FOR_ITER => {
            PY_MONITORING_EVENT_BRANCH
        }
        END_FOR | END_SEND => PY_MONITORING_EVENT_STOP_ITERATION,
        _ => return None,
    } as usize)
}

/// The opcode at unit `i` under all layers of monitoring and specialisation.
pub unsafe fn base_opcode(code: *mut PyCodeObject, i: usize) -> u8 {
    // SAFETY: [LAYOUT]
    unsafe {
        let mut opcode = opcode_of(code.code_start().add(i));
        if opcode >= MIN_INSTRUMENTED_OPCODE
            && let Some(data) = monitoring(code)
        {
            if opcode == INSTRUMENTED_LINE {
                opcode = data.lines.as_ref().map_or(NOP, |l| l[i].original);
            }
            if opcode == INSTRUMENTED_INSTRUCTION {
                opcode = data.instruction_opcodes.as_ref().map_or(NOP, |o| o[i]);
            }
        }
        de_instrumented(opcode)
    }
}

/// Units of the instruction at `i`.
unsafe fn instruction_length(code: *mut PyCodeObject, i: usize) -> usize {
    // SAFETY: [LAYOUT]
    unsafe { 1 + CACHES[base_opcode(code, i) as usize] as usize }
}

/// Gives `f` the innermost place where the opcode at `i` is kept.
unsafe fn with_inner_opcode<R>(code: *mut PyCodeObject, i: usize, below_instruction: bool, f: impl FnOnce(&mut u8) -> R) -> R {
    // SAFETY: [LAYOUT]
    unsafe {
        let mut place: *mut u8 = code.code_start().add(i).cast();
        if let Some(data) = monitoring(code) {
            if *place == INSTRUMENTED_LINE
                && let Some(lines) = &mut data.lines
            {
                place = &raw mut lines[i].original;
            }
            if below_instruction
                && *place == INSTRUMENTED_INSTRUCTION
                && let Some(opcodes) = &mut data.instruction_opcodes
            {
                place = &raw mut opcodes[i];
            }
        }
        f(&mut *place)
    }
}

/// Starts the adaptive counter of the instruction at `i` again.
unsafe fn reset_counter(code: *mut PyCodeObject, i: usize, opcode: u8) {
    if CACHES[opcode as usize] > 0 {
        // SAFETY: [LAYOUT]
        unsafe { *code.code_start().add(i + 1) = 1 << 4 | 1 };
    }
}

unsafe fn instrument(code: *mut PyCodeObject, i: usize) {
    // SAFETY: file contract.
    unsafe {
        let plain = with_inner_opcode(code, i, true, |opcode| {
            if *opcode >= MIN_INSTRUMENTED_OPCODE {
                return None;
            }
            let plain = DEOPT[*opcode as usize];
            *opcode = TABLES.1[plain as usize];
            Some(plain)
        });
        if let Some(plain) = plain {
            reset_counter(code, i, plain);
        }
    }
}

unsafe fn de_instrument(code: *mut PyCodeObject, i: usize) {
    // SAFETY: file contract.
    unsafe {
        let plain = with_inner_opcode(code, i, true, |opcode| {
            let plain = TABLES.0[*opcode as usize];
            if plain != 0 {
                *opcode = plain;
            }
            plain
        });
        if plain != 0 {
            reset_counter(code, i, plain);
        }
    }
}

unsafe fn instrument_line(code: *mut PyCodeObject, i: usize) {
    // SAFETY: file contract.
    unsafe {
        let ip = code.code_start().add(i);
        let opcode = opcode_of(ip);
        if opcode == INSTRUMENTED_LINE {
            return;
        }
        if let Some(lines) = monitoring(code).and_then(|d| d.lines.as_mut()) {
            lines[i].original = DEOPT[opcode as usize];
            set_opcode(ip, INSTRUMENTED_LINE);
        }
    }
}

unsafe fn de_instrument_line(code: *mut PyCodeObject, i: usize) {
    // SAFETY: file contract.
    unsafe {
        let ip = code.code_start().add(i);
        if opcode_of(ip) != INSTRUMENTED_LINE {
            return;
        }
        let Some(data) = monitoring(code) else { return };
        let Some(lines) = &mut data.lines else { return };
        let original = lines[i].original;
        set_opcode(ip, original);
        if original == INSTRUMENTED_INSTRUCTION {
            // A thread may still be inside the line event: it must find something that it can run.
            lines[i].original = data.instruction_opcodes.as_ref().map_or(NOP, |o| o[i]);
        }
        reset_counter(code, i, original);
    }
}

unsafe fn instrument_instruction(code: *mut PyCodeObject, i: usize) {
    // SAFETY: file contract.
    unsafe {
        let covered = with_inner_opcode(code, i, false, |opcode| {
            if *opcode == INSTRUMENTED_INSTRUCTION {
                return None;
            }
            let covered = DEOPT[*opcode as usize];
            *opcode = INSTRUMENTED_INSTRUCTION;
            Some(covered)
        });
        if let (Some(covered), Some(data)) = (covered, monitoring(code))
            && let Some(opcodes) = &mut data.instruction_opcodes
        {
            opcodes[i] = covered;
        }
    }
}

unsafe fn de_instrument_instruction(code: *mut PyCodeObject, i: usize) {
    // SAFETY: file contract.
    unsafe {
        let covered = monitoring(code).and_then(|d| d.instruction_opcodes.as_ref()).map_or(NOP, |o| o[i]);
        let changed = with_inner_opcode(code, i, false, |opcode| {
            let is = *opcode == INSTRUMENTED_INSTRUCTION;
            if is {
                *opcode = covered;
            }
            is
        });
        if changed {
            reset_counter(code, i, covered);
        }
    }
}

/// A layer of monitoring at an instruction.
#[derive(Clone, Copy)]
enum Layer {
    Event(usize),
    Line,
    Instruction,
}

impl Layer {
    fn event(self) -> usize {
        match self {
            Layer::Event(e) => e,
            Layer::Line => PY_MONITORING_EVENT_LINE as usize,
            Layer::Instruction => PY_MONITORING_EVENT_INSTRUCTION as usize,
        }
    }
    fn tools(self, data: &mut CoMonitoring) -> Option<&mut Vec<u8>> {
        match self {
            Layer::Event(_) => data.tools.as_mut(),
            Layer::Line => data.line_tools.as_mut(),
            Layer::Instruction => data.instruction_tools.as_mut(),
        }
    }
    unsafe fn insert(self, code: *mut PyCodeObject, i: usize) {
        // SAFETY: file contract.
        unsafe {
            match self {
                Layer::Event(_) => instrument(code, i),
                Layer::Line => instrument_line(code, i),
                Layer::Instruction => instrument_instruction(code, i),
            }
        }
    }
    unsafe fn take_out(self, code: *mut PyCodeObject, i: usize) {
        // SAFETY: file contract.
        unsafe {
            match self {
                Layer::Event(_) => de_instrument(code, i),
                Layer::Line => de_instrument_line(code, i),
                Layer::Instruction => de_instrument_instruction(code, i),
            }
        }
    }
}

unsafe fn add_tools(code: *mut PyCodeObject, i: usize, layer: Layer, tools: u8) {
    // SAFETY: file contract.
    unsafe {
        if let Some(table) = monitoring(code).and_then(|d| layer.tools(d)) {
            table[i] |= tools;
        }
        layer.insert(code, i);
    }
}

unsafe fn remove_tools(code: *mut PyCodeObject, i: usize, layer: Layer, tools: u8) {
    // SAFETY: file contract.
    unsafe {
        let Some(data) = monitoring(code) else { return };
        let left = match layer.tools(data) {
            Some(table) => {
                table[i] &= !tools;
                table[i]
            }
            // There is one tool at most.
            None => data.active[layer.event()] & !tools,
        };
        if left == 0 {
            layer.take_out(code, i);
        }
    }
}

// ---- bringing code up to date

/// Line of each unit, and the opcodes of those that may begin one.
unsafe fn compute_lines(code: *mut PyCodeObject) -> Vec<Line> {
    // SAFETY: [LAYOUT]
    unsafe {
        let len = code.code_len();
        let mut lines = vec![Line { line: -1, original: 0 }; len];
        for entry in crate::codeobject::LocationIter::of_code(code) {
            for unit in entry.start / 2..entry.end / 2 {
                if let Some(slot) = lines.get_mut(unit as usize) {
                    slot.line = entry.line;
                }
            }
        }
        let mut current = -1;
        let mut i = (*code)._co_firsttraceable as usize;
        while i < len {
            let opcode = base_opcode(code, i);
            // These follow a jump or set up the frame: a line never begins at them.
            if !matches!(opcode, END_ASYNC_FOR | END_FOR | END_SEND | RESUME) {
                if lines[i].line != current && lines[i].line >= 0 {
                    lines[i].original = opcode;
                }
                current = lines[i].line;
            }
            i += instruction_length(code, i);
        }
        mark_jump_targets(code, &mut lines);
        mark_handlers(code, &mut lines);
        lines
    }
}

unsafe fn mark_jump_targets(code: *mut PyCodeObject, lines: &mut [Line]) {
    // SAFETY: [LAYOUT]
    unsafe {
        let len = code.code_len();
        let mut i = (*code)._co_firsttraceable as usize;
        let mut oparg = 0usize;
        while i < len {
            let opcode = base_opcode(code, i);
            oparg = oparg << 8 | oparg_of(code.code_start().add(i)) as usize;
            i += instruction_length(code, i);
            if opcode == EXTENDED_ARG {
                continue;
            }
            let target = match opcode {
                POP_JUMP_IF_FALSE | POP_JUMP_IF_TRUE | POP_JUMP_IF_NONE | POP_JUMP_IF_NOT_NONE | JUMP_FORWARD => Some(i + oparg),
                // Past END_FOR or END_SEND.
                FOR_ITER | SEND => Some(i + oparg + 1),
                JUMP_BACKWARD | JUMP_BACKWARD_NO_INTERRUPT => i.checked_sub(oparg),
                _ => None,
            };
            oparg = 0;
            if let Some(t) = target.filter(|t| lines.get(*t).is_some_and(|l| l.line >= 0)) {
                lines[t].original = base_opcode(code, t);
            }
        }
    }
}

unsafe fn mark_handlers(code: *mut PyCodeObject, lines: &mut [Line]) {
    // SAFETY: [ARGS]
    unsafe {
        let table = bytes_of((*code).co_exceptiontable);
        let mut position = 0;
        let mut varint = || {
            let mut value = 0usize;
            loop {
                let b = *table.get(position)?;
                position += 1;
                value = value << 6 | (b & 63) as usize;
                if b & 64 == 0 {
                    return Some(value);
                }
            }
        };
        while let (Some(_), Some(_), Some(handler), Some(_)) = (varint(), varint(), varint(), varint()) {
            if lines.get(handler).is_some_and(|l| l.line >= 0) {
                let opcode = base_opcode(code, handler);
                if opcode != END_ASYNC_FOR {
                    lines[handler].original = opcode;
                }
            }
        }
    }
}

/// Has the tables that the wanted events need.
unsafe fn update_data(code: *mut PyCodeObject, wanted: &LocalMonitors) {
    // SAFETY: file contract.
    unsafe {
        let data = allocate(code);
        let len = code.code_len();
        let several = wanted.iter().any(|t| t.count_ones() > 1);
        if several && data.tools.is_none() {
            let active = data.active;
            let mut tools = vec![0; len];
            let mut i = 0;
            while i < len {
                let instrumented = with_inner_opcode(code, i, true, |o| *o >= MIN_INSTRUMENTED_OPCODE);
                let opcode = base_opcode(code, i);
                if instrumented && let Some(event) = event_of(opcode, oparg_of(code.code_start().add(i))) {
                    tools[i] = active[event];
                }
                i += instruction_length(code, i);
            }
            data.tools = Some(tools);
        }
        let line_tools = wanted[PY_MONITORING_EVENT_LINE as usize];
        if line_tools != 0 {
            if data.lines.is_none() {
                data.lines = Some(compute_lines(code));
            }
            if several && data.line_tools.is_none() {
                data.line_tools = Some(vec![line_tools; len]);
            }
        }
        if wanted[PY_MONITORING_EVENT_INSTRUCTION as usize] != 0 {
            if data.instruction_opcodes.is_none() {
                let opcodes = (0..len).map(|i| DEOPT[opcode_of(code.code_start().add(i)) as usize]).collect();
                data.instruction_opcodes = Some(opcodes);
            }
            if several && data.instruction_tools.is_none() {
                data.instruction_tools = Some(vec![0; len]);
            }
        }
    }
}

unsafe fn force_instrument(code: *mut PyCodeObject) {
    // SAFETY: file contract.
    unsafe {
        if (*code).co_flags & CO_NO_MONITORING_EVENTS != 0 {
            (*code)._co_instrumentation_version = instrumentation_version();
            return;
        }
        let local = monitoring(code).map_or([0; LOCAL_EVENTS], |d| d.local);
        let mut wanted = local;
        for (event, tools) in wanted.iter_mut().enumerate() {
            *tools |= state().tools[event];
        }
        if (*code)._co_monitoring.is_null() && wanted == [0; LOCAL_EVENTS] {
            (*code)._co_instrumentation_version = instrumentation_version();
            return;
        }
        update_data(code, &wanted);
        let data = allocate(code);
        let restarted = state().last_restart_version > (*code)._co_instrumentation_version;
        let difference = |a: &LocalMonitors, b: &LocalMonitors| core::array::from_fn::<u8, LOCAL_EVENTS, _>(|e| a[e] & !b[e]);
        let (removed, new) =
            if restarted { (data.active, wanted) } else { (difference(&data.active, &wanted), difference(&wanted, &data.active)) };
        if removed != [0; LOCAL_EVENTS] {
            apply(code, |layer, i| match removed[layer.event()] {
                0 => {}
                tools => remove_tools(code, i, layer, tools),
            });
        }
        data.active = wanted;
        if new != [0; LOCAL_EVENTS] {
            apply(code, |layer, i| match new[layer.event()] {
                0 => {}
                tools => add_tools(code, i, layer, tools),
            });
        }
        (*code)._co_instrumentation_version = instrumentation_version();
    }
}

/// Calls `f` for each layer that each instruction can have: all events first, then lines, then instructions.
unsafe fn apply(code: *mut PyCodeObject, mut f: impl FnMut(Layer, usize)) {
    // SAFETY: file contract.
    unsafe {
        let len = code.code_len();
        let first = (*code)._co_firsttraceable as usize;
        for pass in 0..3 {
            let mut i = first;
            while i < len {
                let opcode = base_opcode(code, i);
                let length = instruction_length(code, i);
                match pass {
                    0 => {
                        if let Some(event) = event_of(opcode, oparg_of(code.code_start().add(i))) {
                            f(Layer::Event(event), i);
                        }
                    }
                    1 => {
                        let begins = monitoring(code).and_then(|d| d.lines.as_ref()).is_some_and(|l| l[i].original != 0);
                        if begins {
                            f(Layer::Line, i);
                        }
                    }
                    _ => {
                        if opcode != RESUME && opcode != END_FOR {
                            f(Layer::Instruction, i);
                        }
                    }
                }
                i += length;
            }
        }
    }
}

/// Brings code up to date ([VERSION]).
pub unsafe fn _Py_Instrument(code: *mut PyCodeObject, _interp: *mut PyInterpreterState) -> c_int {
    // SAFETY: file contract.
    unsafe {
        sync_version(current_tstate());
        if (*code)._co_instrumentation_version != instrumentation_version() {
            force_instrument(code);
        }
        0
    }
}

unsafe fn instrument_all_executing_code(tstate: *mut PyThreadState) {
    // SAFETY: [GIL] no thread changes its frames meanwhile.
    unsafe {
        each_thread(tstate, |thread| {
            let mut frame = (*thread).current_frame;
            while !frame.is_null() {
                if frame.owner() != FRAME_OWNED_BY_CSTACK {
                    _Py_Instrument(frame.code(), (*tstate).interp);
                }
                frame = (*frame).previous;
            }
        });
    }
}

fn too_often() -> Raised {
    raise!(PyExc_OverflowError, "events set too many times")
}

/// Whether the tool has been given a name; the last two always are in use.
fn check_tool(tool: usize) -> PyResult<()> {
    if tool < SYS_PROFILE_ID && state().tool_names[tool].is_null() {
        bail!(PyExc_ValueError, "tool {tool} is not in use");
    }
    Ok(())
}

/// Sets the events (a bit each) that a tool wants everywhere.
pub unsafe fn set_events(tool: usize, events: u32) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        check_tool(tool)?;
        if get_events(tool) == events {
            return Ok(());
        }
        let tstate = current_tstate();
        let version = instrumentation_version().wrapping_add(VERSION_INCREMENT) & 0xffff_ffff;
        for event in 0..UNGROUPED_EVENTS {
            let tools = &mut state().tools[event];
            *tools = *tools & !(1 << tool) | ((events >> event & 1) as u8) << tool;
        }
        if version == 0 {
            return Err(too_often());
        }
        set_global_version(tstate, version);
        instrument_all_executing_code(tstate);
        Ok(())
    }
}

/// The events that a tool wants everywhere.
pub fn get_events(tool: usize) -> u32 {
    (0..UNGROUPED_EVENTS).filter(|e| state().tools[*e] >> tool & 1 != 0).fold(0, |set, e| set | 1 << e)
}

/// Sets the events that a tool wants of one code object.
pub unsafe fn set_local_events(code: *mut PyCodeObject, tool: usize, events: u32) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        if (*code)._co_firsttraceable as usize >= code.code_len() {
            PyErr_Format(PyExc_SystemError, c"cannot instrument shim code object '%U'".as_ptr(), (*code).co_name);
            return Err(Raised::assume());
        }
        check_tool(tool)?;
        if get_local_events(code, tool) == events {
            return Ok(());
        }
        let data = allocate(code);
        for (event, tools) in data.local.iter_mut().enumerate() {
            *tools = *tools & !(1 << tool) | ((events >> event & 1) as u8) << tool;
        }
        force_instrument(code);
        Ok(())
    }
}

/// The events that a tool wants of one code object.
pub unsafe fn get_local_events(code: *mut PyCodeObject, tool: usize) -> u32 {
    // SAFETY: file contract.
    unsafe {
        let Some(data) = monitoring(code) else { return 0 };
        (0..LOCAL_EVENTS).filter(|e| data.local[*e] >> tool & 1 != 0).fold(0, |set, e| set | 1 << e)
    }
}

/// Takes back everything that callbacks have disabled.
pub unsafe fn restart_events() -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        let restart = instrumentation_version() + VERSION_INCREMENT;
        let new = restart + VERSION_INCREMENT;
        if new > 0xffff_ffff {
            return Err(too_often());
        }
        let tstate = current_tstate();
        state().last_restart_version = restart;
        set_global_version(tstate, new);
        instrument_all_executing_code(tstate);
        Ok(())
    }
}

/// Sets the callback of a tool for an event (NULL: none), and returns the old one, which the caller then owns.
pub unsafe fn register_callback(tool: usize, event: usize, callback: *mut PyObject) -> *mut PyObject {
    // SAFETY: [ARGS]
    unsafe { core::mem::replace(&mut state().callables[tool][event], Py_XNewRef(callback)) }
}

// ---- reporting

/// What a callback said.
#[derive(PartialEq, Eq)]
enum Answer {
    Continue,
    Disable,
}

/// Calls the callback of one tool; `args` has a free slot before it.
unsafe fn call_one(tstate: *mut PyThreadState, args: *const *mut PyObject, nargs: usize, tool: usize, event: usize) -> PyResult<Answer> {
    // SAFETY: [ARGS]
    unsafe {
        let callback = state().callables[tool][event];
        if callback.is_null() {
            return Ok(Answer::Continue);
        }
        let callback = Owned::from_borrowed(callback);
        let old_what = (*tstate).what_event;
        (*tstate).what_event = event as c_int;
        (*tstate).tracing += 1;
        let res = PyObject_Vectorcall(callback.as_ptr(), args, nargs | PY_VECTORCALL_ARGUMENTS_OFFSET, null_mut());
        (*tstate).tracing -= 1;
        (*tstate).what_event = old_what;
        let res = Owned::from_owned_or_err(res)?;
        Ok(if res.as_ptr() == &raw mut _PyInstrumentation_DISABLE { Answer::Disable } else { Answer::Continue })
    }
}

/// The tools in a set, the highest first.
fn each_tool(mut tools: u8) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        if tools == 0 {
            return None;
        }
        let tool = 7 - tools.leading_zeros() as usize;
        tools &= !(1 << tool);
        Some(tool)
    })
}

/// Reports an event to all tools that want it at unit `offset`.
unsafe fn call_vector(tstate: *mut PyThreadState, event: c_int, frame: Frame, instr: *mut CodeUnit, extra: &[*mut PyObject]) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        if (*tstate).tracing != 0 {
            return Ok(());
        }
        let code = frame.code();
        let event = event as usize;
        let offset = instr.offset_from(code.code_start()) as usize;
        let offset_object = Owned::from_owned_or_err(PyLong_FromSize_t(offset * 2))?;
        let mut args = [null_mut(), code.cast(), offset_object.as_ptr(), null_mut(), null_mut()];
        args[3..3 + extra.len()].copy_from_slice(extra);
        // C_RETURN and C_RAISE go to those who want CALL here.
        let local = if event >= UNGROUPED_EVENTS { PY_MONITORING_EVENT_CALL as usize } else { event };
        let tools = if local >= LOCAL_EVENTS {
            state().tools[local]
        } else {
            match monitoring(code) {
                Some(data) => data.tools.as_ref().map_or(data.active[local], |t| t[offset]),
                None => 0,
            }
        };
        for tool in each_tool(tools) {
            if call_one(tstate, args.as_ptr().add(1), 2 + extra.len(), tool, event)? == Answer::Disable {
                if event >= LOCAL_EVENTS {
                    return Err(cannot_disable(tool, event));
                }
                remove_tools(code, offset, Layer::Event(event), 1 << tool);
            }
        }
        Ok(())
    }
}

/// The event has no place where it could be disabled.
pub unsafe fn cannot_disable(tool: usize, event: usize) -> Raised {
    // SAFETY: [OWN]
    unsafe {
        let old = core::mem::replace(&mut state().callables[tool][event], null_mut());
        Py_XDECREF(old);
    }
    raise!(PyExc_ValueError, "Cannot disable {} events. Callback removed.", EVENT_NAMES[event])
}

/// Runs `report` with the exception that is set put aside (it gets that exception); keeps whichever is newer.
unsafe fn with_exception_aside(report: impl FnOnce(*mut PyObject) -> PyResult<()>) -> PyResult<()> {
    // SAFETY: [EXC]
    unsafe {
        let exc = PyErr_GetRaisedException();
        let result = report(exc);
        if result.is_ok() {
            PyErr_SetRaisedException(exc);
        } else {
            Py_XDECREF(exc);
        }
        result
    }
}

/// Reports an event without further arguments.
pub unsafe fn call_instrumentation(tstate: *mut PyThreadState, event: c_int, frame: Frame, instr: *mut CodeUnit) -> c_int {
    // SAFETY: file contract.
    unsafe { call_vector(tstate, event, frame, instr, &[]).into_c() }
}

/// Reports an event with one further argument.
pub unsafe fn call_instrumentation_arg(tstate: *mut PyThreadState, event: c_int, frame: Frame, instr: *mut CodeUnit, arg: *mut PyObject) -> c_int {
    // SAFETY: file contract.
    unsafe { call_vector(tstate, event, frame, instr, &[arg]).into_c() }
}

/// Reports a jump or branch; returns where to go on.
pub unsafe fn call_instrumentation_jump(
    tstate: *mut PyThreadState,
    event: c_int,
    frame: Frame,
    instr: *mut CodeUnit,
    target: *mut CodeUnit,
) -> *mut CodeUnit {
    // SAFETY: file contract.
    unsafe {
        let to = target.offset_from(frame.code().code_start()) * 2;
        let Ok(to) = Owned::from_owned_or_err(PyLong_FromSsize_t(to)) else { return null_mut() };
        if call_vector(tstate, event, frame, instr, &[to.as_ptr()]).is_err() {
            return null_mut();
        }
        if (*frame).instr_ptr != instr { (*frame).instr_ptr } else { target }
    }
}

/// Reports an instruction; returns the opcode to run.
pub unsafe fn call_instrumentation_instruction(tstate: *mut PyThreadState, frame: Frame, instr: *mut CodeUnit) -> c_int {
    // SAFETY: file contract.
    unsafe {
        let code = frame.code();
        let i = instr.offset_from(code.code_start()) as usize;
        let Some(data) = monitoring(code) else { fatal_error(c"instruction event without data") };
        let opcode = data.instruction_opcodes.as_ref().map_or(NOP, |o| o[i]) as c_int;
        if (*tstate).tracing != 0 {
            return opcode;
        }
        let event = PY_MONITORING_EVENT_INSTRUCTION as usize;
        let tools = data.instruction_tools.as_ref().map_or(state().tools[event] | data.local[event], |t| t[i]);
        let Ok(offset) = Owned::from_owned_or_err(PyLong_FromSize_t(i * 2)) else { return -1 };
        let args = [null_mut(), code.cast(), offset.as_ptr()];
        for tool in each_tool(tools) {
            match call_one(tstate, args.as_ptr().add(1), 2, tool, event) {
                Err(_) => return -1,
                Ok(Answer::Disable) => remove_tools(code, i, Layer::Instruction, 1 << tool),
                Ok(Answer::Continue) => {}
            }
        }
        opcode
    }
}

/// Reports that a line begins, unless the instruction at `previous` was on it; returns the opcode to run.
pub unsafe fn call_instrumentation_line(tstate: *mut PyThreadState, frame: Frame, instr: *mut CodeUnit, previous: *mut CodeUnit) -> c_int {
    // SAFETY: file contract.
    unsafe {
        let code = frame.code();
        let i = instr.offset_from(code.code_start()) as usize;
        let original = || monitoring(code).and_then(|d| d.lines.as_ref()).map_or(NOP, |l| l[i].original) as c_int;
        if (*tstate).tracing != 0 {
            return original();
        }
        let Some(data) = monitoring(code) else { fatal_error(c"line event without data") };
        let Some(lines) = &data.lines else { fatal_error(c"line event without lines") };
        let line = lines[i].line;
        let before = usize::try_from(previous.offset_from(code.code_start())).ok().and_then(|p| lines.get(p));
        if before.is_some_and(|l| l.line == line) {
            // After RESUME the line still has to be reported: nothing else reports it.
            let opcode = opcode_of(previous);
            if opcode != RESUME && opcode != RESUME_CHECK && opcode != INSTRUMENTED_RESUME {
                return original();
            }
        }
        let event = PY_MONITORING_EVENT_LINE as usize;
        let mut tools = data.line_tools.as_ref().map_or(state().tools[event] | data.local[event], |t| t[i]);
        if tools & 1 << SYS_TRACE_ID != 0 {
            if trace_line_directly(tstate, frame, line) != 0 {
                return -1;
            }
            tools &= !(1 << SYS_TRACE_ID);
        }
        if tools != 0 {
            let Ok(line_object) = Owned::from_owned_or_err(PyLong_FromLong(line as _)) else { return -1 };
            let args = [null_mut(), code.cast(), line_object.as_ptr()];
            for tool in each_tool(tools) {
                match call_one(tstate, args.as_ptr().add(1), 2, tool, event) {
                    Err(_) => return -1,
                    Ok(Answer::Disable) => remove_tools(code, i, Layer::Line, 1 << tool),
                    Ok(Answer::Continue) => {}
                }
            }
        }
        original()
    }
}

/// A line event for `sys.settrace`, without a boxed line number.
unsafe fn trace_line_directly(tstate: *mut PyThreadState, frame: Frame, line: c_int) -> c_int {
    const PyTrace_LINE: c_int = 2;
    // SAFETY: file contract.
    unsafe {
        let Some(trace) = (*tstate).c_tracefunc else { return 0 };
        let object = frame_get_frame_object(frame);
        if object.is_null() {
            return -1;
        }
        if (*object).f_trace_lines == 0 {
            return 0;
        }
        let old_what = (*tstate).what_event;
        (*tstate).what_event = PY_MONITORING_EVENT_LINE;
        (*tstate).tracing += 1;
        Py_INCREF(object.cast());
        (*object).f_lineno = line;
        let status = trace((*tstate).c_traceobj, object, PyTrace_LINE, Py_None());
        (*object).f_lineno = 0;
        (*tstate).tracing -= 1;
        (*tstate).what_event = old_what;
        Py_DECREF(object.cast());
        status
    }
}

/// The line that monitoring has recorded for unit `i`.
pub unsafe fn original_line(code: *mut PyCodeObject, i: c_int) -> Option<c_int> {
    // SAFETY: file contract.
    unsafe { monitoring(code)?.lines.as_ref()?.get(i as usize).map(|l| l.line) }
}

/// The line of unit `i` (for trace functions).
pub unsafe fn line_of(code: *mut PyCodeObject, i: c_int) -> c_int {
    // SAFETY: file contract.
    unsafe { original_line(code, i).unwrap_or_else(|| code_addr2line(code, i * 2)) }
}

// ---- events of exceptions

unsafe fn wanted_anywhere(event: c_int) -> bool {
    state().tools[event as usize] != 0
}

/// Reports the exception that is set.
unsafe fn monitor_exception(tstate: *mut PyThreadState, frame: Frame, instr: *mut CodeUnit, event: c_int) -> PyResult<()> {
    // SAFETY: file contract.
    unsafe {
        if (*frame.code()).co_flags & CO_NO_MONITORING_EVENTS != 0 {
            return Ok(());
        }
        with_exception_aside(|exc| call_vector(tstate, event, frame, instr, &[exc]))
    }
}

macro_rules! exception_events {
    ($($(#[$doc:meta])* $name:ident: $event:ident;)*) => { $(
        $(#[$doc])*
        #[inline]
        pub unsafe fn $name(tstate: *mut PyThreadState, frame: Frame, instr: *mut CodeUnit) {
            // SAFETY: file contract.
            unsafe {
                if wanted_anywhere($event) {
                    // A failing callback has replaced the exception.
                    let _ = monitor_exception(tstate, frame, instr, $event);
                }
            }
        }
    )* };
}
exception_events! {
    /// An exception is raised.
    monitor_raise: PY_MONITORING_EVENT_RAISE;
    /// An exception is raised again.
    monitor_reraise: PY_MONITORING_EVENT_RERAISE;
    /// An exception leaves a frame.
    monitor_unwind: PY_MONITORING_EVENT_PY_UNWIND;
    /// An exception is thrown into a generator.
    monitor_throw: PY_MONITORING_EVENT_PY_THROW;
}

/// A handler has been found.
#[inline]
pub unsafe fn monitor_handled(tstate: *mut PyThreadState, frame: Frame, instr: *mut CodeUnit, exc: *mut PyObject) -> c_int {
    // SAFETY: file contract.
    unsafe {
        if !wanted_anywhere(PY_MONITORING_EVENT_EXCEPTION_HANDLED) {
            return 0;
        }
        call_vector(tstate, PY_MONITORING_EVENT_EXCEPTION_HANDLED, frame, instr, &[exc]).into_c()
    }
}

unsafe fn monitor_stop_iteration(tstate: *mut PyThreadState, frame: Frame, instr: *mut CodeUnit, value: *mut PyObject) -> c_int {
    // SAFETY: file contract.
    unsafe {
        let event = PY_MONITORING_EVENT_STOP_ITERATION;
        let wanted = monitoring(frame.code()).map_or(state().tools[event as usize], |d| d.active[event as usize]);
        if wanted == 0 {
            return 0;
        }
        PyErr_SetObject(PyExc_StopIteration, value);
        if monitor_exception(tstate, frame, instr, event).is_err() {
            return -1;
        }
        PyErr_Clear();
        0
    }
}

/// A generator that a loop iterated is exhausted.
pub unsafe fn monitor_end_for(tstate: *mut PyThreadState, frame: Frame, instr: *mut CodeUnit, receiver: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: file contract.
    unsafe { if Py_TYPE(receiver) == &raw mut PyGen_Type { monitor_stop_iteration(tstate, frame, instr, value) } else { 0 } }
}

/// A generator or coroutine that was awaited has returned.
pub unsafe fn monitor_end_send(tstate: *mut PyThreadState, frame: Frame, instr: *mut CodeUnit, receiver: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: file contract.
    unsafe {
        let tp = Py_TYPE(receiver);
        if tp == &raw mut PyGen_Type || tp == &raw mut PyCoro_Type { monitor_stop_iteration(tstate, frame, instr, value) } else { 0 }
    }
}

// ---- events of calls

/// Reports the call whose callable is at `base`.
pub unsafe fn monitor_call(tstate: *mut PyThreadState, frame: Frame, instr: *mut CodeUnit, base: *mut StackRef, oparg: u32) -> c_int {
    // SAFETY: file contract.
    unsafe {
        let (args, nargs) = call_args(base, oparg);
        let arg = if nargs == 0 { missing() } else { (*args).as_ptr() };
        call_vector(tstate, PY_MONITORING_EVENT_CALL, frame, instr, &[(*base).as_ptr(), arg]).into_c()
    }
}

/// Reports how a native call ended; the result, or NULL if a callback failed.
unsafe fn monitor_return(tstate: *mut PyThreadState, frame: Frame, instr: *mut CodeUnit, callable: *mut PyObject, arg: *mut PyObject, res: *mut PyObject) -> *mut PyObject {
    // SAFETY: file contract.
    unsafe {
        if res.is_null() {
            let _ = with_exception_aside(|_| call_vector(tstate, PY_MONITORING_EVENT_C_RAISE, frame, instr, &[callable, arg]));
        } else if call_vector(tstate, PY_MONITORING_EVENT_C_RETURN, frame, instr, &[callable, arg]).is_err() {
            Py_DECREF(res);
            return null_mut();
        }
        res
    }
}

/// Calls a native callable and reports how that ended.
pub unsafe fn vectorcall_monitored(
    tstate: *mut PyThreadState,
    frame: Frame,
    instr: *mut CodeUnit,
    callable: *mut PyObject,
    args: *mut StackRef,
    nargs: usize,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: file contract.
    unsafe {
        let res = vectorcall(callable, args, nargs, kwnames);
        let arg = if nargs == 0 { missing() } else { (*args).as_ptr() };
        monitor_return(tstate, frame, instr, callable, arg, res)
    }
}

/// `callable(*args, **kwargs)`, reported.
pub unsafe fn call_ex_monitored(
    tstate: *mut PyThreadState,
    frame: Frame,
    instr: *mut CodeUnit,
    callable: *mut PyObject,
    args: *mut PyObject,
    kwargs: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: file contract.
    unsafe {
        let arg = if ob_size(args) > 0 { tuple_item(args, 0) } else { missing() };
        if call_vector(tstate, PY_MONITORING_EVENT_CALL, frame, instr, &[callable, arg]).is_err() {
            return null_mut();
        }
        let res = PyObject_Call(callable, args, kwargs);
        let tp = Py_TYPE(callable);
        if tp == &raw mut PyFunction_Type || tp == &raw mut PyMethod_Type {
            return res;
        }
        monitor_return(tstate, frame, instr, callable, arg, res)
    }
}

/// LOAD_SUPER_ATTR, reported as the call of `super` that it is.
#[allow(clippy::too_many_arguments, reason = "an instruction's operands")]
pub unsafe fn load_super_attr_instrumented(
    tstate: *mut PyThreadState,
    frame: Frame,
    instr: *mut CodeUnit,
    global_super: *mut PyObject,
    class: *mut PyObject,
    slf: *mut PyObject,
    two_args: bool,
    name: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: file contract.
    unsafe {
        let arg = if two_args { class } else { missing() };
        if call_vector(tstate, PY_MONITORING_EVENT_CALL, frame, instr, &[global_super, arg]).is_err() {
            return null_mut();
        }
        let args = [class, slf];
        let object = PyObject_Vectorcall(global_super, args.as_ptr(), if two_args { 2 } else { 0 }, null_mut());
        let object = monitor_return(tstate, frame, instr, global_super, arg, object);
        if object.is_null() {
            return null_mut();
        }
        let attr = PyObject_GetAttr(object, name);
        Py_DECREF(object);
        attr
    }
}

/// Turns reports of single instructions for `sys.settrace` on or off in a frame's code.
pub unsafe fn set_opcode_trace(f: *mut PyFrameObject, on: bool) -> c_int {
    // SAFETY: file contract.
    unsafe {
        let code = (*f).f_frame.code();
        let events = get_local_events(code, SYS_TRACE_ID);
        let bit = 1 << PY_MONITORING_EVENT_INSTRUCTION;
        let wanted = if on { events | bit } else { events & !bit };
        if wanted == events { 0 } else { set_local_events(code, SYS_TRACE_ID, wanted).into_c() }
    }
}

/// Reports an event of code that is not ours (`PyMonitoring_*`), to the tools in `active`.
pub unsafe fn fire_event(
    active: &mut u8,
    codelike: *mut PyObject,
    offset: i32,
    first: Option<*mut PyObject>,
    extra: &[*mut PyObject],
    event: c_int,
) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        if offset < 0 {
            bail!(PyExc_ValueError, "offset must be non-negative");
        }
        let tstate = current_tstate();
        let event = event as usize;
        let offset_object = match first {
            Some(object) => Owned::from_borrowed(object),
            None => Owned::from_owned_or_err(PyLong_FromLong(offset as _))?,
        };
        let mut args = [null_mut(), codelike, offset_object.as_ptr(), null_mut(), null_mut()];
        args[3..3 + extra.len()].copy_from_slice(extra);
        for tool in each_tool(*active) {
            if call_one(tstate, args.as_ptr().add(1), 2 + extra.len(), tool, event)? == Answer::Disable {
                if event >= LOCAL_EVENTS {
                    return Err(cannot_disable(tool, event));
                }
                *active &= !(1 << tool);
            }
        }
        Ok(())
    }
}

/// As [`fire_event`] for the exception that is set.
pub unsafe fn fire_exception_event(active: &mut u8, codelike: *mut PyObject, offset: i32, event: c_int) -> PyResult<()> {
    // SAFETY: [EXC]
    unsafe {
        if !err_occurred() {
            bail!(PyExc_ValueError, "Firing event {event} with no exception set");
        }
        with_exception_aside(|exc| fire_event(active, codelike, offset, None, &[exc], event))
    }
}
