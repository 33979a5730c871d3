//! The `_random` module: the Mersenne Twister MT19937, number for number CPython's.

use crate::support::take;
use core::ffi::c_int;
use taipan_abi::*;
use taipan_clinic::module::add_type;
use taipan_clinic::{methods, module};
use taipan_objects::floatobject::float_from_f64;
use taipan_objects::longobject::{digits, long_from_bytes, long_from_i64, nat};
use taipan_objects::typeobject::TYPE_INIT;

const N: usize = 624;
const M: usize = 397;

#[repr(C)]
struct Random {
    ob_base: PyObject,
    index: i32,
    state: [u32; N],
}
type Rng<'a> = Borrowed<'a, Random>;

#[allow(clippy::mut_from_ref, reason = "[GIL] no reference is kept over a call that can run Python code")]
fn rng(slf: Rng<'_>) -> &mut Random {
    // SAFETY: [TYPE]
    unsafe { &mut *slf.as_ptr() }
}

impl Random {
    /// The next 32 random bits.
    #[inline]
    fn next(&mut self) -> u32 {
        if self.index as usize >= N {
            self.refill();
        }
        let mut y = self.state[self.index as usize];
        self.index += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    #[cold]
    fn refill(&mut self) {
        let twist = |upper: u32, lower: u32| {
            let y = (upper & 0x8000_0000) | (lower & 0x7fff_ffff);
            (y >> 1) ^ if y & 1 != 0 { 0x9908_b0df } else { 0 }
        };
        let mt = &mut self.state;
        for k in 0..N - M {
            mt[k] = mt[k + M] ^ twist(mt[k], mt[k + 1]);
        }
        for k in N - M..N - 1 {
            mt[k] = mt[k + M - N] ^ twist(mt[k], mt[k + 1]);
        }
        mt[N - 1] = mt[M - 1] ^ twist(mt[N - 1], mt[0]);
        self.index = 0;
    }

    fn init_genrand(&mut self, seed: u32) {
        self.state[0] = seed;
        for i in 1..N {
            let x = self.state[i - 1];
            self.state[i] = (x ^ (x >> 30)).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        self.index = N as i32;
    }

    /// Seeds with a key of at least one word.
    fn init_by_array(&mut self, key: &[u32]) {
        self.init_genrand(19_650_218);
        let mt = &mut self.state;
        let mut i = 1;
        let mut step = |f: &mut dyn FnMut(u32, u32, usize) -> u32| {
            let x = mt[i - 1];
            mt[i] = f(mt[i], x ^ (x >> 30), i);
            i += 1;
            if i >= N {
                mt[0] = mt[N - 1];
                i = 1;
            }
        };
        for k in 0..N.max(key.len()) {
            let j = k % key.len();
            step(&mut |m, x, _| (m ^ x.wrapping_mul(1_664_525)).wrapping_add(key[j]).wrapping_add(j as u32));
        }
        for _ in 0..N - 1 {
            step(&mut |m, x, i| (m ^ x.wrapping_mul(1_566_083_941)).wrapping_sub(i as u32));
        }
        mt[0] = 0x8000_0000;
    }

    /// Seeds from the system, or from clocks if it gives nothing.
    fn seed_from_system(&mut self) {
        let mut key = [0u32; N];
        // SAFETY: [ARGS] the buffer has the size given.
        let got = unsafe { libc::getrandom(key.as_mut_ptr().cast(), size_of_val(&key), libc::GRND_NONBLOCK) };
        if got == size_of_val(&key) as isize {
            return self.init_by_array(&key);
        }
        let nanos = |clock| {
            // SAFETY: [ARGS]
            unsafe {
                let mut ts: libc::timespec = core::mem::zeroed();
                libc::clock_gettime(clock, &mut ts);
                ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
            }
        };
        let (wall, steady) = (nanos(libc::CLOCK_REALTIME), nanos(libc::CLOCK_MONOTONIC));
        // SAFETY: a plain system call.
        let pid = unsafe { libc::getpid() } as u32;
        self.init_by_array(&[wall as u32, (wall >> 32) as u32, pid, steady as u32, (steady >> 32) as u32]);
    }
}

fn seed_with(slf: Rng<'_>, n: Option<Borrowed<'_>>) -> PyResult<()> {
    let Some(n) = n.filter(|n| !n.is_none()) else {
        rng(slf).seed_from_system();
        return Ok(());
    };
    // SAFETY: [TYPE] checked. The magnitude of an int, else the hash as an unsigned number.
    let words = unsafe {
        if PyLong_Check(n.ob()) != 0 {
            nat::from_digits(digits(n.ob().cast()))
        } else {
            let hash = PyObject_Hash(n.ob());
            if hash == -1 {
                return Err(Raised::assume());
            }
            vec![hash as u64]
        }
    };
    let mut key: Vec<u32> = words.iter().flat_map(|&w| [w as u32, (w >> 32) as u32]).collect();
    while key.len() > 1 && key.last() == Some(&0) {
        key.pop();
    }
    if key.is_empty() {
        key.push(0);
    }
    rng(slf).init_by_array(&key);
    Ok(())
}

fn random(slf: Rng<'_>) -> PyResult<Owned> {
    let r = rng(slf);
    let (a, b) = ((r.next() >> 5) as f64, (r.next() >> 6) as f64);
    // SAFETY: [GIL] 53 bits.
    unsafe { take(float_from_f64((a * 67_108_864.0 + b) * (1.0 / 9_007_199_254_740_992.0))) }
}
fn seed(slf: Rng<'_>, n: Option<Borrowed<'_>>) -> PyResult<()> {
    seed_with(slf, n)
}
fn getrandbits(slf: Rng<'_>, k: i64) -> PyResult<Owned> {
    if k < 0 {
        bail!(PyExc_ValueError, "number of bits must be non-negative");
    }
    // SAFETY: [GIL]
    unsafe {
        let r = rng(slf);
        if k == 0 {
            return take(long_from_i64(0));
        }
        if k <= 32 {
            return take(long_from_i64((r.next() >> (32 - k)) as i64));
        }
        let words = (k as usize).div_ceil(32);
        let mut bytes = Vec::new();
        if words > isize::MAX as usize / 4 || bytes.try_reserve_exact(words * 4).is_err() {
            PyErr_NoMemory();
            return Err(Raised::assume());
        }
        let spare = words * 32 - k as usize;
        for i in 0..words {
            let w = r.next();
            bytes.extend_from_slice(&if i + 1 == words { w >> spare } else { w }.to_le_bytes());
        }
        take(long_from_bytes(&bytes, true, false))
    }
}
fn getstate(slf: Rng<'_>) -> PyResult<Owned> {
    // SAFETY: [OWN] an unfinished tuple has NULL items only.
    unsafe {
        let tuple = take(PyTuple_New(N as isize + 1))?;
        for (i, &word) in slf.state.iter().enumerate() {
            PyTuple_SET_ITEM(tuple.as_ptr(), i as isize, take(long_from_i64(word as i64))?.into_raw());
        }
        PyTuple_SET_ITEM(tuple.as_ptr(), N as isize, take(long_from_i64(slf.index as i64))?.into_raw());
        Ok(tuple)
    }
}
fn setstate(slf: Rng<'_>, state: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [TYPE] checked.
    unsafe {
        if PyTuple_Check(state.ob()) == 0 {
            bail!(PyExc_TypeError, "state vector must be a tuple");
        }
        if PyTuple_GET_SIZE(state.ob()) != N as isize + 1 {
            bail!(PyExc_ValueError, "state vector is the wrong size");
        }
        let mut words = [0u32; N];
        for (i, word) in words.iter_mut().enumerate() {
            let n = PyLong_AsUnsignedLong(PyTuple_GET_ITEM(state.ob(), i as isize));
            if n == u64::MAX && err_occurred() {
                return Err(Raised::assume());
            }
            *word = n as u32;
        }
        let index = PyLong_AsLong(PyTuple_GET_ITEM(state.ob(), N as isize));
        if index == -1 && err_occurred() {
            return Err(Raised::assume());
        }
        if !(0..=N as i64).contains(&index) {
            bail!(PyExc_ValueError, "invalid state");
        }
        let r = rng(slf);
        r.state = words;
        r.index = index as i32;
        Ok(())
    }
}

unsafe extern "C" fn random_init(slf: *mut PyObject, args: *mut PyObject, kw: *mut PyObject) -> c_int {
    // SAFETY: [TYPE] called as tp_init. Subclasses with their own __init__ may take keywords.
    unsafe {
        let tp = type_of(slf);
        let plain = tp == &raw mut RANDOM || (*tp).tp_init.map(|f| f as usize) == Some(random_init as *const () as usize);
        if plain && _PyArg_NoKeywords(c"Random".as_ptr(), kw) == 0 {
            return -1;
        }
        if PyTuple_GET_SIZE(args) > 1 {
            let _ = raise!(PyExc_TypeError, "Random() requires 0 or 1 argument");
            return -1;
        }
        let n = if PyTuple_GET_SIZE(args) == 1 { Some(Borrowed::from_ptr(PyTuple_GET_ITEM(args, 0))) } else { None };
        seed_with(Borrowed::from_ptr(slf.cast()), n).into_c()
    }
}

methods! {
    static METHODS = [
        "random($self, /)" => random, "random() -> x in the interval [0, 1).";
        "seed($self, n=None, /)" => seed, "Start again from a seed, by default one from the system.";
        "getstate($self, /)" => getstate, "The state, as a tuple of ints.";
        "setstate($self, state, /)" => setstate, "Put back a state that getstate() gave.";
        "getrandbits($self, k, /)" => getrandbits, "An int of k random bits.";
    ];
}

static mut RANDOM: PyTypeObject = PyTypeObject {
    tp_name: c"_random.Random".as_ptr(),
    tp_basicsize: size_of::<Random>() as Py_ssize_t,
    tp_flags: Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    tp_doc: c"A generator of random numbers with its own state.".as_ptr(),
    tp_methods: (&raw mut METHODS).cast(),
    tp_init: Some(random_init),
    tp_new: Some(PyType_GenericNew),
    tp_free: Some(PyObject_Free),
    ..TYPE_INIT
};

methods! { static FUNCTIONS = []; }

module! {
    /// Entry point.
    pub fn PyInit__random = "_random", "The Mersenne Twister random number generator.", methods: FUNCTIONS, exec: exec;
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: [STATIC]
    unsafe { add_type(module, &raw mut RANDOM) }
}
