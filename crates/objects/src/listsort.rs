//! `list.sort`: a stable, adaptive merge sort (timsort's galloping merges with powersort's merge order). Comparisons are
//! specialised by what a look over the keys finds out about their types.

use crate::tupleobject::tuple_items;
use core::ptr::null_mut;
use taipan_abi::*;

type Ob = *mut PyObject;

/// Consecutive wins of one run after which a merge starts to gallop.
const MIN_GALLOP: isize = 7;
/// Runs shorter than about this are made longer by insertion.
const MAX_MINRUN: usize = 64;

// --- Comparisons ----------------------------------------------------------------------------------------------------

/// How keys are compared.
trait Less {
    /// `a < b`.
    unsafe fn lt(&self, a: Ob, b: Ob) -> PyResult<bool>;
}

#[inline]
unsafe fn truth(r: core::ffi::c_int) -> PyResult<bool> {
    // SAFETY: [EXC] the comparison's convention.
    if r < 0 { Err(unsafe { Raised::assume() }) } else { Ok(r > 0) }
}

/// Nothing is known about the keys.
struct AnyLess;
impl Less for AnyLess {
    unsafe fn lt(&self, a: Ob, b: Ob) -> PyResult<bool> {
        // SAFETY: [ARGS]
        unsafe { truth(PyObject_RichCompareBool(a, b, Py_LT)) }
    }
}

/// All keys had one type, whose slot this is; a class may still be assigned to during the sort.
struct SlotLess(richcmpfunc);
impl Less for SlotLess {
    #[inline]
    unsafe fn lt(&self, a: Ob, b: Ob) -> PyResult<bool> {
        // SAFETY: [ARGS] the slot is checked anew.
        unsafe {
            if (*(*a).ob_type).tp_richcompare.is_none_or(|f| f as usize != self.0 as usize) {
                return AnyLess.lt(a, b);
            }
            let r = (self.0)(a, b, Py_LT);
            if r == Py_NotImplemented() {
                Py_DECREF(r);
                return AnyLess.lt(a, b);
            }
            if r == Py_True() {
                return Ok(true);
            }
            if r == Py_False() {
                return Ok(false);
            }
            let r = Owned::from_owned_or_err(r)?;
            truth(PyObject_IsTrue(r.as_ptr()))
        }
    }
}

/// All keys are exact `str` with one byte a character.
struct LatinLess;
impl Less for LatinLess {
    #[inline]
    unsafe fn lt(&self, a: Ob, b: Ob) -> PyResult<bool> {
        // SAFETY: [TYPE]
        unsafe { Ok(latin_bytes(a) < latin_bytes(b)) }
    }
}

#[inline]
unsafe fn latin_bytes<'a>(op: Ob) -> &'a [u8] {
    // SAFETY: [TYPE] a str of kind 1.
    unsafe { core::slice::from_raw_parts(PyUnicode_DATA(op).cast(), PyUnicode_GET_LENGTH(op) as usize) }
}

/// All keys are exact `int` of at most one digit.
struct LongLess;
impl Less for LongLess {
    #[inline]
    unsafe fn lt(&self, a: Ob, b: Ob) -> PyResult<bool> {
        // SAFETY: [TYPE]
        unsafe { Ok(crate::longobject::compact_value(a.cast()) < crate::longobject::compact_value(b.cast())) }
    }
}

/// All keys are exact `float`.
struct FloatLess;
impl Less for FloatLess {
    #[inline]
    unsafe fn lt(&self, a: Ob, b: Ob) -> PyResult<bool> {
        // SAFETY: [TYPE]
        unsafe { Ok((*a.cast::<PyFloatObject>()).ob_fval < (*b.cast::<PyFloatObject>()).ob_fval) }
    }
}

/// All keys are exact, non-empty tuples whose first items compare by `C`.
struct TupleLess<C>(C);
impl<C: Less> Less for TupleLess<C> {
    unsafe fn lt(&self, a: Ob, b: Ob) -> PyResult<bool> {
        // SAFETY: [TYPE]
        unsafe {
            let (n, m) = (Py_SIZE(a), Py_SIZE(b));
            let (x, y) = (tuple_items(a), tuple_items(b));
            let mut i = 0;
            while i < n.min(m) as usize {
                if !truth(PyObject_RichCompareBool(*x.add(i), *y.add(i), Py_EQ))? {
                    break;
                }
                i += 1;
            }
            if i as isize >= n || i as isize >= m {
                return Ok(n < m);
            }
            if i == 0 { self.0.lt(*x, *y) } else { AnyLess.lt(*x.add(i), *y.add(i)) }
        }
    }
}

/// What all keys have in common.
enum Keys {
    Any,
    Slot(richcmpfunc),
    Latin,
    Long,
    Float,
}

unsafe fn classify(mut items: impl Iterator<Item = Ob>) -> Keys {
    // SAFETY: [ARGS] items are live.
    unsafe {
        let Some(first) = items.next() else { return Keys::Any };
        let tp = (*first).ob_type;
        let is_str = tp == &raw mut PyUnicode_Type;
        let is_int = tp == &raw mut PyLong_Type;
        let special = |op: Ob| {
            if is_str {
                PyUnicode_KIND(op) == PyUnicode_1BYTE_KIND
            } else if is_int {
                crate::longobject::is_compact(op.cast())
            } else {
                true
            }
        };
        let mut all = special(first);
        for op in items {
            if (*op).ob_type != tp {
                return Keys::Any;
            }
            all = all && special(op);
        }
        match (*tp).tp_richcompare {
            _ if is_str && all => Keys::Latin,
            _ if is_int && all => Keys::Long,
            _ if tp == &raw mut PyFloat_Type => Keys::Float,
            Some(f) => Keys::Slot(f),
            None => Keys::Any,
        }
    }
}

// --- The sort -------------------------------------------------------------------------------------------------------

/// A position in the keys and, when there is a key function, in the values that move along with them.
#[derive(Clone, Copy)]
struct Place {
    keys: *mut Ob,
    values: *mut Ob,
}

impl Place {
    #[inline]
    unsafe fn add(self, n: isize) -> Place {
        // SAFETY: [ARGS] within the arrays.
        unsafe {
            Place {
                keys: self.keys.offset(n),
                values: if self.values.is_null() { self.values } else { self.values.offset(n) },
            }
        }
    }
    #[inline]
    unsafe fn key(self, i: isize) -> Ob {
        // SAFETY: [ARGS]
        unsafe { *self.keys.offset(i) }
    }
    /// Copies one entry.
    #[inline]
    unsafe fn set(self, src: Place) {
        // SAFETY: [ARGS]
        unsafe {
            *self.keys = *src.keys;
            if !self.values.is_null() {
                *self.values = *src.values;
            }
        }
    }
    /// Copies `n` entries; the ranges may overlap.
    #[inline]
    unsafe fn copy(self, src: Place, n: isize) {
        // SAFETY: [ARGS]
        unsafe {
            core::ptr::copy(src.keys, self.keys, n as usize);
            if !self.values.is_null() {
                core::ptr::copy(src.values, self.values, n as usize);
            }
        }
    }
    unsafe fn reverse(self, n: isize) {
        // SAFETY: [ARGS]
        unsafe {
            core::slice::from_raw_parts_mut(self.keys, n as usize).reverse();
            if !self.values.is_null() {
                core::slice::from_raw_parts_mut(self.values, n as usize).reverse();
            }
        }
    }
}

/// A sorted run that waits to be merged; `power` belongs to the boundary with the next one.
#[derive(Clone, Copy)]
struct Run {
    base: Place,
    len: isize,
    power: u32,
}

struct MergeState<'c, C> {
    less: &'c C,
    min_gallop: isize,
    start: Place,
    listlen: isize,
    pending: Vec<Run>,
    temp: Vec<Ob>,
}

/// What is left of a merge: `na` entries at `a`, `nb` at `b`, and where the next one goes.
struct Merging {
    a: Place,
    na: isize,
    b: Place,
    nb: isize,
    dest: Place,
}

impl<C: Less> MergeState<'_, C> {
    #[inline]
    unsafe fn lt(&self, a: Ob, b: Ob) -> PyResult<bool> {
        // SAFETY: [ARGS]
        unsafe { self.less.lt(a, b) }
    }

    /// Room for `n` entries outside the list.
    fn temp(&mut self, n: isize) -> Place {
        let n = n as usize;
        let with_values = !self.start.values.is_null();
        let need = if with_values { 2 * n } else { n };
        if self.temp.len() < need {
            self.temp.clear();
            self.temp.resize(need, null_mut());
        }
        let keys = self.temp.as_mut_ptr();
        // SAFETY: within the vector.
        Place { keys, values: if with_values { unsafe { keys.add(n) } } else { null_mut() } }
    }

    /// Sorts `n` entries of which the first `sorted` are in order already.
    unsafe fn binarysort(&self, lo: Place, n: isize, sorted: isize) -> PyResult<()> {
        // SAFETY: [ARGS] entries move only after all comparisons of a step.
        unsafe {
            for i in sorted.max(1)..n {
                let pivot = lo.key(i);
                let (mut left, mut right) = (0, i);
                while left < right {
                    let mid = (left + right) >> 1;
                    if self.lt(pivot, lo.key(mid))? {
                        right = mid;
                    } else {
                        left = mid + 1;
                    }
                }
                core::slice::from_raw_parts_mut(lo.keys.offset(left), (i - left + 1) as usize).rotate_right(1);
                if !lo.values.is_null() {
                    core::slice::from_raw_parts_mut(lo.values.offset(left), (i - left + 1) as usize).rotate_right(1);
                }
            }
            Ok(())
        }
    }

    /// Length of the run at `lo`; a strictly descending one is turned around.
    unsafe fn count_run(&self, lo: Place, n: isize) -> PyResult<isize> {
        // SAFETY: [ARGS]
        unsafe {
            if n < 2 {
                return Ok(n);
            }
            let descending = self.lt(lo.key(1), lo.key(0))?;
            let mut i = 2;
            while i < n && self.lt(lo.key(i), lo.key(i - 1))? == descending {
                i += 1;
            }
            if descending {
                lo.reverse(i);
            }
            Ok(i)
        }
    }

    /// The leftmost place for `key` in the sorted `a[..n]`, searched outwards from `hint`.
    unsafe fn gallop_left(&self, key: Ob, a: Place, n: isize, hint: isize) -> PyResult<isize> {
        // SAFETY: [ARGS] 0 <= hint < n.
        unsafe {
            let (mut last, mut ofs) = (0isize, 1isize);
            let (mut lo, hi);
            if self.lt(a.key(hint), key)? {
                let max = n - hint;
                while ofs < max && self.lt(a.key(hint + ofs), key)? {
                    last = ofs;
                    ofs = ofs.saturating_mul(2).saturating_add(1);
                }
                (lo, hi) = (last + hint, ofs.min(max) + hint);
            } else {
                let max = hint + 1;
                while ofs < max && !self.lt(a.key(hint - ofs), key)? {
                    last = ofs;
                    ofs = ofs.saturating_mul(2).saturating_add(1);
                }
                (lo, hi) = (hint - ofs.min(max), hint - last);
            }
            // a[lo] < key <= a[hi].
            let mut hi = hi;
            lo += 1;
            while lo < hi {
                let mid = lo + ((hi - lo) >> 1);
                if self.lt(a.key(mid), key)? {
                    lo = mid + 1;
                } else {
                    hi = mid;
                }
            }
            Ok(hi)
        }
    }

    /// The rightmost place for `key` in the sorted `a[..n]`, searched outwards from `hint`.
    unsafe fn gallop_right(&self, key: Ob, a: Place, n: isize, hint: isize) -> PyResult<isize> {
        // SAFETY: [ARGS] 0 <= hint < n.
        unsafe {
            let (mut last, mut ofs) = (0isize, 1isize);
            let (mut lo, hi);
            if self.lt(key, a.key(hint))? {
                let max = hint + 1;
                while ofs < max && self.lt(key, a.key(hint - ofs))? {
                    last = ofs;
                    ofs = ofs.saturating_mul(2).saturating_add(1);
                }
                (lo, hi) = (hint - ofs.min(max), hint - last);
            } else {
                let max = n - hint;
                while ofs < max && !self.lt(key, a.key(hint + ofs))? {
                    last = ofs;
                    ofs = ofs.saturating_mul(2).saturating_add(1);
                }
                (lo, hi) = (last + hint, ofs.min(max) + hint);
            }
            // a[lo] <= key < a[hi].
            let mut hi = hi;
            lo += 1;
            while lo < hi {
                let mid = lo + ((hi - lo) >> 1);
                if self.lt(key, a.key(mid))? {
                    hi = mid;
                } else {
                    lo = mid + 1;
                }
            }
            Ok(hi)
        }
    }

    /// Merges neighbours of which the left is the shorter: it moves to temporary memory and the merge goes forwards.
    unsafe fn merge_lo(&mut self, a: Place, na: isize, b: Place, nb: isize) -> PyResult<()> {
        // SAFETY: [ARGS] whatever happens, what is left at `a` goes back, so that no entry is lost.
        unsafe {
            let temp = self.temp(na);
            temp.copy(a, na);
            let mut m = Merging { a: temp, na, b, nb, dest: a };
            let done = self.merge_lo_loop(&mut m);
            if done.is_ok() && m.na == 1 && m.nb > 0 {
                // The last entry of the left run is the greatest of all.
                m.dest.copy(m.b, m.nb);
                m.dest.add(m.nb).set(m.a);
            } else if m.na > 0 {
                m.dest.copy(m.a, m.na);
            }
            done
        }
    }

    unsafe fn merge_lo_loop(&mut self, m: &mut Merging) -> PyResult<()> {
        // SAFETY: [ARGS] as merge_lo.
        unsafe {
            macro_rules! take_b {
                () => {
                    m.dest.set(m.b);
                    m.dest = m.dest.add(1);
                    m.b = m.b.add(1);
                    m.nb -= 1;
                    if m.nb == 0 {
                        return Ok(());
                    }
                };
            }
            macro_rules! take_a {
                () => {
                    m.dest.set(m.a);
                    m.dest = m.dest.add(1);
                    m.a = m.a.add(1);
                    m.na -= 1;
                    if m.na == 1 {
                        return Ok(());
                    }
                };
            }
            take_b!();
            if m.na == 1 {
                return Ok(());
            }
            let mut min_gallop = self.min_gallop;
            loop {
                let (mut acount, mut bcount) = (0, 0);
                while acount < min_gallop && bcount < min_gallop {
                    if self.lt(m.b.key(0), m.a.key(0))? {
                        take_b!();
                        bcount += 1;
                        acount = 0;
                    } else {
                        take_a!();
                        acount += 1;
                        bcount = 0;
                    }
                }
                min_gallop += 1;
                loop {
                    min_gallop -= (min_gallop > 1) as isize;
                    self.min_gallop = min_gallop;
                    acount = self.gallop_right(m.b.key(0), m.a, m.na, 0)?;
                    if acount > 0 {
                        m.dest.copy(m.a, acount);
                        m.dest = m.dest.add(acount);
                        m.a = m.a.add(acount);
                        m.na -= acount;
                        // na == 0 only if the comparison is inconsistent.
                        if m.na <= 1 {
                            return Ok(());
                        }
                    }
                    take_b!();
                    bcount = self.gallop_left(m.a.key(0), m.b, m.nb, 0)?;
                    if bcount > 0 {
                        m.dest.copy(m.b, bcount);
                        m.dest = m.dest.add(bcount);
                        m.b = m.b.add(bcount);
                        m.nb -= bcount;
                        if m.nb == 0 {
                            return Ok(());
                        }
                    }
                    take_a!();
                    if acount < MIN_GALLOP && bcount < MIN_GALLOP {
                        break;
                    }
                }
                min_gallop += 1;
                self.min_gallop = min_gallop;
            }
        }
    }

    /// Merges neighbours of which the right is the shorter: it moves to temporary memory and the merge goes backwards.
    /// In [`Merging`] the places then point at the last entry of what is left.
    unsafe fn merge_hi(&mut self, a: Place, na: isize, b: Place, nb: isize) -> PyResult<()> {
        // SAFETY: [ARGS] as merge_lo.
        unsafe {
            let temp = self.temp(nb);
            temp.copy(b, nb);
            let mut m = Merging { a: a.add(na - 1), na, b: temp.add(nb - 1), nb, dest: b.add(nb - 1) };
            let done = self.merge_hi_loop(&mut m);
            if done.is_ok() && m.nb == 1 && m.na > 0 {
                // The first entry of the right run is the least of all.
                m.dest.add(1 - m.na).copy(m.a.add(1 - m.na), m.na);
                m.dest.add(-m.na).set(m.b);
            } else if m.nb > 0 {
                m.dest.add(1 - m.nb).copy(temp, m.nb);
            }
            done
        }
    }

    unsafe fn merge_hi_loop(&mut self, m: &mut Merging) -> PyResult<()> {
        // SAFETY: [ARGS] as merge_hi.
        unsafe {
            macro_rules! take_a {
                () => {
                    m.dest.set(m.a);
                    m.dest = m.dest.add(-1);
                    m.a = m.a.add(-1);
                    m.na -= 1;
                    if m.na == 0 {
                        return Ok(());
                    }
                };
            }
            macro_rules! take_b {
                () => {
                    m.dest.set(m.b);
                    m.dest = m.dest.add(-1);
                    m.b = m.b.add(-1);
                    m.nb -= 1;
                    if m.nb == 1 {
                        return Ok(());
                    }
                };
            }
            take_a!();
            if m.nb == 1 {
                return Ok(());
            }
            let mut min_gallop = self.min_gallop;
            loop {
                let (mut acount, mut bcount) = (0, 0);
                while acount < min_gallop && bcount < min_gallop {
                    if self.lt(m.b.key(0), m.a.key(0))? {
                        take_a!();
                        acount += 1;
                        bcount = 0;
                    } else {
                        take_b!();
                        bcount += 1;
                        acount = 0;
                    }
                }
                min_gallop += 1;
                loop {
                    min_gallop -= (min_gallop > 1) as isize;
                    self.min_gallop = min_gallop;
                    let base = m.a.add(1 - m.na);
                    acount = m.na - self.gallop_right(m.b.key(0), base, m.na, m.na - 1)?;
                    if acount > 0 {
                        m.dest = m.dest.add(-acount);
                        m.a = m.a.add(-acount);
                        m.dest.add(1).copy(m.a.add(1), acount);
                        m.na -= acount;
                        if m.na == 0 {
                            return Ok(());
                        }
                    }
                    take_b!();
                    let base = m.b.add(1 - m.nb);
                    bcount = m.nb - self.gallop_left(m.a.key(0), base, m.nb, m.nb - 1)?;
                    if bcount > 0 {
                        m.dest = m.dest.add(-bcount);
                        m.b = m.b.add(-bcount);
                        m.dest.add(1).copy(m.b.add(1), bcount);
                        m.nb -= bcount;
                        // nb == 0 only if the comparison is inconsistent.
                        if m.nb <= 1 {
                            return Ok(());
                        }
                    }
                    take_a!();
                    if acount < MIN_GALLOP && bcount < MIN_GALLOP {
                        break;
                    }
                }
                min_gallop += 1;
                self.min_gallop = min_gallop;
            }
        }
    }

    /// Merges the pending runs `i` and `i + 1`.
    unsafe fn merge_at(&mut self, i: usize) -> PyResult<()> {
        // SAFETY: [ARGS] the runs are neighbours.
        unsafe {
            let (Run { base: mut a, len: mut na, .. }, Run { base: b, len: mut nb, power }) = (self.pending[i], self.pending[i + 1]);
            self.pending[i].len = na + nb;
            self.pending[i].power = power;
            self.pending.remove(i + 1);
            let k = self.gallop_right(b.key(0), a, na, 0)?;
            a = a.add(k);
            na -= k;
            if na == 0 {
                return Ok(());
            }
            nb = self.gallop_left(a.key(na - 1), b, nb, nb - 1)?;
            if nb <= 0 {
                return Ok(());
            }
            if na <= nb { self.merge_lo(a, na, b, nb) } else { self.merge_hi(a, na, b, nb) }
        }
    }

    /// Powersort's rule: merges what lies deeper in the ideal merge tree than the boundary to the new run of `n2` entries.
    unsafe fn found_new_run(&mut self, n2: isize) -> PyResult<()> {
        // SAFETY: [ARGS]
        unsafe {
            let Some(top) = self.pending.last() else { return Ok(()) };
            let s1 = top.base.keys.offset_from(self.start.keys);
            let power = powerloop(s1, top.len, n2, self.listlen);
            while self.pending.len() > 1 && self.pending[self.pending.len() - 2].power > power {
                self.merge_at(self.pending.len() - 2)?;
            }
            if let Some(top) = self.pending.last_mut() {
                top.power = power;
            }
            Ok(())
        }
    }

    unsafe fn sort(&mut self) -> PyResult<()> {
        // SAFETY: [ARGS]
        unsafe {
            let mut remaining = self.listlen;
            let minrun = compute_minrun(remaining as usize) as isize;
            let mut lo = self.start;
            while remaining > 0 {
                let mut n = self.count_run(lo, remaining)?;
                if n < minrun {
                    let force = remaining.min(minrun);
                    self.binarysort(lo, force, n)?;
                    n = force;
                }
                self.found_new_run(n)?;
                self.pending.push(Run { base: lo, len: n, power: 0 });
                lo = lo.add(n);
                remaining -= n;
            }
            while self.pending.len() > 1 {
                let mut n = self.pending.len() - 2;
                if n > 0 && self.pending[n - 1].len < self.pending[n + 1].len {
                    n -= 1;
                }
                self.merge_at(n)?;
            }
            Ok(())
        }
    }
}

/// Depth, in the ideal binary merge tree over `n` entries, of the boundary between the run of `n1` at `s1` and its
/// successor of `n2`: the first bit in which the runs' midpoints, as fractions of `n`, differ.
fn powerloop(s1: isize, n1: isize, n2: isize, n: isize) -> u32 {
    let mut a = 2 * s1 + n1;
    let mut b = a + n1 + n2;
    let mut result = 0;
    loop {
        result += 1;
        if a >= n {
            a -= n;
            b -= n;
        } else if b >= n {
            return result;
        }
        a <<= 1;
        b <<= 1;
    }
}

/// A run length such that `n` divided by it is a power of two or a bit less.
fn compute_minrun(mut n: usize) -> usize {
    let mut r = 0;
    while n >= MAX_MINRUN {
        r |= n & 1;
        n >>= 1;
    }
    n + r
}

unsafe fn sort_with<C: Less>(less: C, start: Place, n: isize) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe { MergeState { less: &less, min_gallop: MIN_GALLOP, start, listlen: n, pending: Vec::new(), temp: Vec::new() }.sort() }
}

unsafe fn sort_keys(start: Place, n: isize) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let keys = core::slice::from_raw_parts(start.keys, n as usize);
        let in_tuples = keys.iter().all(|&k| PyTuple_CheckExact(k) != 0 && Py_SIZE(k) > 0);
        if in_tuples {
            return match classify(keys.iter().map(|&k| *tuple_items(k))) {
                Keys::Any => sort_with(TupleLess(AnyLess), start, n),
                Keys::Slot(f) => sort_with(TupleLess(SlotLess(f)), start, n),
                Keys::Latin => sort_with(TupleLess(LatinLess), start, n),
                Keys::Long => sort_with(TupleLess(LongLess), start, n),
                Keys::Float => sort_with(TupleLess(FloatLess), start, n),
            };
        }
        match classify(keys.iter().copied()) {
            Keys::Any => sort_with(AnyLess, start, n),
            Keys::Slot(f) => sort_with(SlotLess(f), start, n),
            Keys::Latin => sort_with(LatinLess, start, n),
            Keys::Long => sort_with(LongLess, start, n),
            Keys::Float => sort_with(FloatLess, start, n),
        }
    }
}

/// `list.sort`; `key` may be NULL. While it runs the list looks empty, and it is an error to change it.
///
/// # Safety
/// `slf` is a list.
pub unsafe fn list_sort_impl(slf: *mut PyListObject, key: Ob, reverse: bool) -> PyResult<()> {
    // SAFETY: [ARGS] the items are ours between taking them out of the list and putting them back.
    unsafe {
        let n = (*slf).ob_base.ob_size;
        let (items, allocated) = ((*slf).ob_item, (*slf).allocated);
        (*slf).ob_base.ob_size = 0;
        (*slf).ob_item = null_mut();
        (*slf).allocated = -1;

        let result = sort_detached(items, n, key, reverse);

        let modified = (*slf).allocated != -1;
        let intruders = ((*slf).ob_item, (*slf).ob_base.ob_size);
        (*slf).ob_item = items;
        (*slf).ob_base.ob_size = n;
        (*slf).allocated = allocated;
        let result = match result {
            Ok(()) if modified => Err(raise!(PyExc_ValueError, "list modified during sort")),
            r => r,
        };
        if !intruders.0.is_null() {
            for i in 0..intruders.1 as usize {
                Py_XDECREF(*intruders.0.add(i));
            }
            PyMem_Free(intruders.0.cast());
        }
        result
    }
}

unsafe fn sort_detached(items: *mut Ob, n: isize, key: Ob, reverse: bool) -> PyResult<()> {
    // SAFETY: [ARGS]
    unsafe {
        let mut keys: Vec<Ob> = Vec::new();
        let mut result = Ok(());
        let start = if key.is_null() {
            Place { keys: items, values: null_mut() }
        } else {
            keys.reserve_exact(n as usize);
            for i in 0..n as usize {
                let k = PyObject_CallOneArg(key, *items.add(i));
                if k.is_null() {
                    result = Err(Raised::assume());
                    break;
                }
                keys.push(k);
            }
            Place { keys: keys.as_mut_ptr(), values: items }
        };
        if result.is_ok() && n > 1 {
            // Turning the list around before and after keeps a descending sort stable.
            if reverse {
                start.reverse(n);
            }
            result = sort_keys(start, n);
            if reverse {
                start.reverse(n);
            }
        }
        for k in keys {
            Py_DECREF(k);
        }
        result
    }
}

