//! What instruction bodies say, as control flow. Two forms of the same thing:
//!
//! - stable Rust: a handler returns [`Next`] to the loop in `ceval`, which calls the next one through the table;
//! - feature `tailcall` (unstable `become` and the preserve-none convention): a handler jumps to the next one.
//!
//! The first argument of each macro, `[frame tstate this_instr next_instr sp locals oparg]`, is inserted by the generator.

/// Declares an instruction handler.
#[cfg(not(feature = "tailcall"))]
macro_rules! handler {
    (fn $name:ident($f:ident, $t:ident, $i:ident, $s:ident, $l:ident, $o:ident) $body:block) => {
        #[allow(missing_docs, reason = "the definition says what it does")]
        pub unsafe fn $name($f: Frame, $t: *mut PyThreadState, $i: *mut CodeUnit, $s: *mut StackRef, $l: *mut StackRef, $o: u32) -> Next $body
    };
}
#[cfg(feature = "tailcall")]
macro_rules! handler {
    (fn $name:ident($f:ident, $t:ident, $i:ident, $s:ident, $l:ident, $o:ident) $body:block) => {
        #[allow(missing_docs, reason = "the definition says what it does")]
        pub unsafe extern "rust-preserve-none" fn $name($f: Frame, $t: *mut PyThreadState, $i: *mut CodeUnit, $s: *mut StackRef, $l: *mut StackRef, $o: u32) -> Next $body
    };
}

/// Leaves the handler for another one with the same registers.
#[cfg(not(feature = "tailcall"))]
macro_rules! tail {
    ($target:expr, $f:expr, $t:expr, $i:expr, $s:expr, $l:expr, $o:expr) => { return $target($f, $t, $i, $s, $l, $o) };
}
#[cfg(feature = "tailcall")]
macro_rules! tail {
    ($target:expr, $f:expr, $t:expr, $i:expr, $s:expr, $l:expr, $o:expr) => { become $target($f, $t, $i, $s, $l, $o) };
}

/// Goes on with the instruction at `$ip`.
#[cfg(not(feature = "tailcall"))]
macro_rules! next {
    ($f:expr, $t:expr, $ip:expr, $s:expr, $l:expr) => { return Next { ip: $ip, sp: $s } };
}
#[cfg(feature = "tailcall")]
macro_rules! next {
    ($f:expr, $t:expr, $ip:expr, $s:expr, $l:expr) => {{
        let ip: *mut CodeUnit = $ip;
        let word = *ip;
        become crate::generated::generated_cases::TABLE[(word & 0xff) as usize]($f, $t, ip, $s, $l, (word >> 8) as u32)
    }};
}

/// Goes on in another frame, which is the thread's current one already.
#[cfg(not(feature = "tailcall"))]
macro_rules! enter_frame {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident] $frame:expr, $ip:expr, $sp:expr) => {
        return Next { ip: $ip.map_addr(|a| a | Next::FRAME_CHANGED), sp: $sp }
    };
}
#[cfg(feature = "tailcall")]
macro_rules! enter_frame {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident] $frame:expr, $ip:expr, $sp:expr) => {{
        let frame: Frame = $frame;
        let ip: *mut CodeUnit = $ip;
        let sp: *mut StackRef = $sp;
        let locals = frame.locals();
        next!(frame, $t, ip, sp, locals)
    }};
}

/// Leaves the interpreter loop with `$value`.
macro_rules! exit {
    ([$($r:ident)*] $value:expr) => { return Next { ip: core::ptr::without_provenance_mut(Next::EXIT), sp: core::mem::transmute::<StackRef, *mut StackRef>($value) } };
}
macro_rules! dispatch {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident]) => { next!($f, $t, $n, $s, $l) };
}
/// Runs the instruction at `this_instr` again, as it is in the code now.
macro_rules! restart {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident]) => { next!($f, $t, $i, $s, $l) };
}
macro_rules! dispatch_to {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident] $name:ident) => {
        tail!(crate::generated::generated_cases::$name, $f, $t, $i, $s, $l, $o)
    };
}
/// Runs the handler of `$opcode` for the instruction at hand.
macro_rules! dispatch_opcode {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident] $opcode:expr) => {
        tail!(crate::generated::generated_cases::TABLE[($opcode) as usize & 0xff], $f, $t, $i, $s, $l, $o)
    };
}
macro_rules! extended_arg {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident] $shifted:expr) => {{
        let word = *$n;
        let oparg = ($shifted) | (word >> 8) as u32;
        tail!(crate::generated::generated_cases::TABLE[(word & 0xff) as usize], $f, $t, $n, $s, $l, oparg)
    }};
}
macro_rules! error {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident]) => { tail!(crate::ceval::handle_error, $f, $t, $i, $s, $l, $o) };
}
macro_rules! error_if {
    ([$($r:ident)*] $cond:expr) => { if $cond { error!([$($r)*]) } };
}
/// An error after the body has consumed `$n` slots itself.
macro_rules! error_pop_if {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident] $count:expr, $cond:expr) => {
        if $cond {
            $s = $s.sub(($count) as usize);
            error!([$f $t $i $n $s $l $o])
        }
    };
}
/// An exception is set and its traceback entry for this frame exists.
macro_rules! unwind {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident]) => { tail!(crate::ceval::handle_unwind, $f, $t, $i, $s, $l, $o) };
}
macro_rules! deopt_if {
    ([$($r:ident)*] $head:ident; $cond:expr) => { if $cond { dispatch_to!([$($r)*] $head) } };
}
macro_rules! exit_if {
    ([$($r:ident)*] $head:ident; $cond:expr) => { if $cond { dispatch_to!([$($r)*] $head) } };
}
/// Counts down; at zero specialises the instruction and runs what it has become.
macro_rules! specialize {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident] $counter:ident, $call:expr) => {{
        let counter = $i.add(1);
        if crate::ceval_prelude::backoff_triggers(*counter) {
            $call;
            dispatch_opcode!([$f $t $i $n $s $l $o] *$i & 0xff)
        }
        *counter = crate::ceval_prelude::backoff_advance(*counter);
    }};
}
macro_rules! jump_by {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident] $count:expr) => { $n = $n.offset($count) };
}
macro_rules! check_eval_breaker {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident]) => {
        if crate::ceval_prelude::eval_breaker($t) & crate::ceval_prelude::EVAL_EVENTS_MASK != 0 && _Py_HandlePending($t) != 0 {
            error!([$f $t $i $n $s $l $o])
        }
    };
}
/// Enters a callee (new or resumed generator) after the check of the recursion depth.
macro_rules! push_frame {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident] $new:expr) => {{
        let new: Frame = $new;
        (*new).previous = $f;
        (*$t).current_frame = new;
        (*$t).py_recursion_remaining -= 1;
        if (*$t).py_recursion_remaining < 0 {
            tail!(crate::ceval::handle_recursion, new, $t, (*new).instr_ptr, new.saved_sp(), new.locals(), 0)
        }
        enter_frame!([$f $t $i $n $s $l $o] new, (*new).instr_ptr, new.saved_sp())
    }};
}
/// Enters a callee for which the recursion depth was checked and whose `previous` is set.
macro_rules! enter_new_frame {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident] $new:expr) => {{
        let new: Frame = $new;
        (*$t).current_frame = new;
        (*$t).py_recursion_remaining -= 1;
        enter_frame!([$f $t $i $n $s $l $o] new, (*new).instr_ptr, new.stack_base_on_data_stack())
    }};
}
macro_rules! konst {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident] $index:expr) => { tuple_item((*$f.code()).co_consts, ($index) as usize) };
}
macro_rules! name {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident] $index:expr) => { tuple_item((*$f.code()).co_names, ($index) as usize) };
}
macro_rules! local {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident] $index:expr) => { $l.add(($index) as usize) };
}
macro_rules! globals {
    ([$f:ident $($r:ident)*]) => { (*$f.func()).func_globals };
}
macro_rules! builtins {
    ([$f:ident $($r:ident)*]) => { (*$f.func()).func_builtins };
}
/// Reports a jump to the monitors, which may send it elsewhere.
macro_rules! instrumented_jump {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident] $target:expr, $event:expr) => {{
        let target: *mut CodeUnit = $target;
        $f.set_sp($s);
        let target = call_instrumentation_jump($t, $event, $f, $i, target);
        error_if!([$f $t $i $n $s $l $o] target.is_null());
        enter_frame!([$f $t $i $n $s $l $o] $f, target, $f.saved_sp())
    }};
}
/// After an event that may have set `f_lineno`.
macro_rules! reload_after_event {
    ([$f:ident $t:ident $i:ident $n:ident $s:ident $l:ident $o:ident]) => {
        if (*$f).instr_ptr != $i {
            enter_frame!([$f $t $i $n $s $l $o] $f, (*$f).instr_ptr, $f.saved_sp())
        }
    };
}
