//! The module `time`.

use crate::support::*;
use core::ffi::{CStr, c_char, c_int};
use core::ptr::null_mut;
use taipan_abi::*;
use taipan_clinic::{Args, Str, methods, module, module::add_object};

const NS: i64 = 1_000_000_000;
/// `_PyTime_ROUND_FLOOR`.
const ROUND_FLOOR: c_int = 0;
/// `_PyTime_ROUND_UP`, which a timeout uses.
const ROUND_TIMEOUT: c_int = 3;

unsafe extern "C" {
    fn _PyTime_FromSecondsObject(t: *mut i64, obj: *mut PyObject, round: c_int) -> c_int;
    fn _PyTime_FromLong(t: *mut i64, obj: *mut PyObject) -> c_int;
    fn _PyTime_ObjectToTime_t(obj: *mut PyObject, sec: *mut libc::time_t, round: c_int) -> c_int;
    fn wcsftime(s: *mut libc::wchar_t, max: usize, format: *const libc::wchar_t, tm: *const libc::tm) -> usize;
    fn tzset();
}

fn read_clock(id: libc::clockid_t) -> PyResult<i64> {
    // SAFETY: plain system call.
    unsafe {
        let mut ts: libc::timespec = core::mem::zeroed();
        check(libc::clock_gettime(id, &mut ts))?;
        match ts.tv_sec.checked_mul(NS).and_then(|n| n.checked_add(ts.tv_nsec)) {
            Some(n) => Ok(n),
            None => bail!(PyExc_OverflowError, "timestamp too large to convert to C PyTime_t"),
        }
    }
}

/// Nanoseconds as seconds; whole seconds divide exactly.
fn seconds(t: i64) -> f64 {
    if t % NS == 0 { (t / NS) as f64 } else { t as f64 / 1e9 }
}

macro_rules! clocks {
    ($($name:ident $name_ns:ident $id:ident;)*) => { $(
        fn $name(_: ()) -> PyResult<f64> {
            Ok(seconds(read_clock(libc::$id)?))
        }
        fn $name_ns(_: ()) -> PyResult<i64> {
            read_clock(libc::$id)
        }
    )* };
}
clocks! {
    time_time time_time_ns CLOCK_REALTIME;
    time_monotonic time_monotonic_ns CLOCK_MONOTONIC;
    time_perf_counter time_perf_counter_ns CLOCK_MONOTONIC;
    time_process_time time_process_time_ns CLOCK_PROCESS_CPUTIME_ID;
    time_thread_time time_thread_time_ns CLOCK_THREAD_CPUTIME_ID;
}

/// The number of a clock.
#[derive(Clone, Copy)]
struct ClockId(libc::clockid_t);
impl<'a> taipan_clinic::FromArg<'a> for ClockId {
    unsafe fn from_arg(arg: *mut PyObject, _: taipan_clinic::from_arg::Where<'_>) -> PyResult<Self> {
        // SAFETY: [ARGS]
        unsafe {
            as_int(arg).map(ClockId).map_err(|e| {
                e.clear();
                raise!(PyExc_TypeError, "clk_id should be integer, not {}", crate::path::short_type_name(arg))
            })
        }
    }
}

fn time_clock_gettime(_: (), clk_id: ClockId) -> PyResult<f64> {
    // SAFETY: plain system call.
    unsafe {
        let mut ts: libc::timespec = core::mem::zeroed();
        check(libc::clock_gettime(clk_id.0, &mut ts))?;
        Ok(ts.tv_sec as f64 + ts.tv_nsec as f64 * 1e-9)
    }
}
fn time_clock_gettime_ns(_: (), clk_id: ClockId) -> PyResult<i64> {
    read_clock(clk_id.0)
}
fn clock_settime(id: c_int, t: i64) -> PyResult<()> {
    let ts = libc::timespec { tv_sec: t.div_euclid(NS), tv_nsec: t.rem_euclid(NS) };
    // SAFETY: plain system call.
    check(unsafe { libc::clock_settime(id, &ts) }).map(drop)
}
fn time_clock_settime(_: (), clk_id: i32, time: Borrowed<'_>) -> PyResult<()> {
    let mut t = 0;
    // SAFETY: live.
    check_status(unsafe { _PyTime_FromSecondsObject(&mut t, time.ob(), ROUND_FLOOR) })?;
    clock_settime(clk_id, t)
}
fn time_clock_settime_ns(_: (), clk_id: i32, time: Borrowed<'_>) -> PyResult<()> {
    let mut t = 0;
    // SAFETY: live.
    check_status(unsafe { _PyTime_FromLong(&mut t, time.ob()) })?;
    clock_settime(clk_id, t)
}
fn resolution(id: libc::clockid_t) -> PyResult<f64> {
    // SAFETY: plain system call.
    unsafe {
        let mut ts: libc::timespec = core::mem::zeroed();
        check(libc::clock_getres(id, &mut ts))?;
        Ok(ts.tv_sec as f64 + ts.tv_nsec as f64 * 1e-9)
    }
}
/// The one argument of a function that shows no signature.
fn one<'a>(args: Args<'a>, fname: &str) -> PyResult<Borrowed<'a>> {
    match args.iter().next() {
        Some(a) if args.len() == 1 => Ok(a),
        _ => bail!(PyExc_TypeError, "{fname}() takes exactly 1 argument ({} given)", args.len()),
    }
}
fn time_clock_getres(_: (), args: Args<'_>) -> PyResult<f64> {
    // SAFETY: live.
    resolution(unsafe { tm_int(one(args, "clock_getres")?.ob())? })
}
fn time_pthread_getcpuclockid(_: (), args: Args<'_>) -> PyResult<i32> {
    let mut id = 0;
    let arg = one(args, "pthread_getcpuclockid")?;
    // SAFETY: live.
    let thread_id = unsafe {
        if PyLong_Check(arg.ob()) == 0 {
            bail!(PyExc_TypeError, "pthread_getcpuclockid() argument 1 must be int, not {}", type_name(arg.ob()));
        }
        PyLong_AsUnsignedLongMask(arg.ob())
    };
    // SAFETY: the caller vouches for the thread, as in CPython.
    let e = unsafe { libc::pthread_getcpuclockid(thread_id, &mut id) };
    if e != 0 { Err(posix_error_from(e)) } else { Ok(id) }
}

fn time_get_clock_info(_: (), args: Args<'_>) -> PyResult<Owned> {
    let name = one(args, "get_clock_info")?;
    // SAFETY: live.
    let name = unsafe {
        if PyUnicode_Check(name.ob()) == 0 {
            bail!(PyExc_TypeError, "get_clock_info() argument 1 must be str, not {}", type_name(name.ob()));
        }
        text(name.ob())?
    };
    let (id, implementation, monotonic, adjustable) = match name {
        "time" => (libc::CLOCK_REALTIME, "clock_gettime(CLOCK_REALTIME)", false, true),
        "monotonic" | "perf_counter" => (libc::CLOCK_MONOTONIC, "clock_gettime(CLOCK_MONOTONIC)", true, false),
        "process_time" => (libc::CLOCK_PROCESS_CPUTIME_ID, "clock_gettime(CLOCK_PROCESS_CPUTIME_ID)", true, false),
        "thread_time" => (libc::CLOCK_THREAD_CPUTIME_ID, "clock_gettime(CLOCK_THREAD_CPUTIME_ID)", true, false),
        _ => bail!(PyExc_ValueError, "unknown clock"),
    };
    // SAFETY: [GIL]
    unsafe {
        let dict = own(PyDict_New())?;
        let set = |key: &CStr, value: Owned| check_status(PyDict_SetItemString(dict.as_ptr(), key.as_ptr(), value.as_ptr()));
        set(c"implementation", string(implementation)?)?;
        set(c"monotonic", boolean(monotonic))?;
        set(c"adjustable", boolean(adjustable))?;
        set(c"resolution", float(resolution(id)?)?)?;
        own(_PyNamespace_New(dict.as_ptr()))
    }
}

fn time_sleep(_: (), seconds: Borrowed<'_>) -> PyResult<()> {
    // SAFETY: live; plain system calls.
    unsafe {
        audit(c"time.sleep", &[seconds.ob()])?;
        let mut timeout = 0;
        check_status(_PyTime_FromSecondsObject(&mut timeout, seconds.ob(), ROUND_TIMEOUT))?;
        if timeout < 0 {
            bail!(PyExc_ValueError, "sleep length must be non-negative");
        }
        let deadline = read_clock(libc::CLOCK_MONOTONIC)?.saturating_add(timeout);
        let ts = libc::timespec { tv_sec: deadline / NS, tv_nsec: deadline % NS };
        loop {
            let e = allow_threads(|| libc::clock_nanosleep(libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, &ts, null_mut()));
            match e {
                0 => return Ok(()),
                libc::EINTR => check_signals()?,
                _ => return Err(posix_error_from(e)),
            }
        }
    }
}

// ---- struct_time

/// `time.struct_time`.
pub static STRUCT_TIME: StructType = StructType::new(
    c"time.struct_time",
    c"A point in time as gmtime(), localtime() and strptime() return it and asctime(),\nmktime() and strftime() accept it: a sequence of 9 integers.\n\nThe year is the actual one, months and days count from 1, and the week starts\nwith Monday, which is 0.",
    &[
        (c"tm_year", c"year, for example, 1993"),
        (c"tm_mon", c"month of year, range [1, 12]"),
        (c"tm_mday", c"day of month, range [1, 31]"),
        (c"tm_hour", c"hours, range [0, 23]"),
        (c"tm_min", c"minutes, range [0, 59]"),
        (c"tm_sec", c"seconds, range [0, 61])"),
        (c"tm_wday", c"day of week, range [0, 6], Monday is 0"),
        (c"tm_yday", c"day of year, range [1, 366]"),
        (c"tm_isdst", c"1 if summer time is in effect, 0 if not, and -1 if unknown"),
        (c"tm_zone", c"abbreviation of timezone name"),
        (c"tm_gmtoff", c"offset from UTC in seconds"),
    ],
    9,
);

fn decode_locale(p: *const c_char) -> PyResult<Owned> {
    // SAFETY: NUL-terminated text of the C library.
    unsafe { own(PyUnicode_DecodeLocale(p, c"surrogateescape".as_ptr())) }
}

fn tmtotuple(p: &libc::tm) -> PyResult<Owned> {
    let n = |v: c_int| int(v as i64);
    STRUCT_TIME.build([
        int(p.tm_year as i64 + 1900)?,
        n(p.tm_mon + 1)?,
        n(p.tm_mday)?,
        n(p.tm_hour)?,
        n(p.tm_min)?,
        n(p.tm_sec)?,
        n((p.tm_wday + 6) % 7)?,
        n(p.tm_yday + 1)?,
        n(p.tm_isdst)?,
        decode_locale(p.tm_zone)?,
        int(p.tm_gmtoff)?,
    ])
}

/// Seconds since the epoch, now if none are given.
fn when(seconds: Option<Borrowed<'_>>) -> PyResult<libc::time_t> {
    match seconds.filter(|s| !s.is_none()) {
        // SAFETY: plain call.
        None => Ok(unsafe { libc::time(null_mut()) }),
        Some(s) => {
            let mut t = 0;
            // SAFETY: live.
            check_status(unsafe { _PyTime_ObjectToTime_t(s.ob(), &mut t, ROUND_FLOOR) })?;
            Ok(t)
        }
    }
}
fn broken_down(t: libc::time_t, utc: bool) -> PyResult<libc::tm> {
    // SAFETY: plain calls.
    unsafe {
        let mut tm: libc::tm = core::mem::zeroed();
        set_errno(0);
        let p = if utc { libc::gmtime_r(&t, &mut tm) } else { libc::localtime_r(&t, &mut tm) };
        if p.is_null() {
            if errno() == 0 {
                set_errno(libc::EINVAL);
            }
            return Err(posix_error());
        }
        Ok(tm)
    }
}
fn time_gmtime(_: (), seconds: Option<Borrowed<'_>>) -> PyResult<Owned> {
    tmtotuple(&broken_down(when(seconds)?, true)?)
}
fn time_localtime(_: (), seconds: Option<Borrowed<'_>>) -> PyResult<Owned> {
    tmtotuple(&broken_down(when(seconds)?, false)?)
}

/// An argument of format unit `i`.
unsafe fn tm_int(op: *mut PyObject) -> PyResult<c_int> {
    // SAFETY: live.
    unsafe {
        let n = as_long(op)?;
        if n > c_int::MAX as i64 {
            bail!(PyExc_OverflowError, "signed integer is greater than maximum");
        }
        if n < c_int::MIN as i64 {
            bail!(PyExc_OverflowError, "signed integer is less than minimum");
        }
        Ok(n as c_int)
    }
}

/// The system's record of a tuple or struct_time. The name of the zone is lent by the tuple.
unsafe fn gettmarg(args: Borrowed<'_>, fname: &str) -> PyResult<libc::tm> {
    // SAFETY: live.
    unsafe {
        let mut p: libc::tm = core::mem::zeroed();
        let t = args.ob();
        if PyTuple_Check(t) == 0 {
            bail!(PyExc_TypeError, "Tuple or struct_time argument required");
        }
        if PyTuple_Size(t) != 9 {
            bail!(PyExc_TypeError, "{fname}(): illegal time tuple argument");
        }
        let mut v = [0; 9];
        for (i, slot) in v.iter_mut().enumerate() {
            *slot = tm_int(PyTuple_GetItem(t, i as Py_ssize_t))?;
        }
        let [y, mon, mday, hour, min, sec, wday, yday, isdst] = v;
        if y < c_int::MIN + 1900 {
            bail!(PyExc_OverflowError, "year out of range");
        }
        p.tm_year = y - 1900;
        p.tm_mon = mon.wrapping_sub(1);
        p.tm_mday = mday;
        p.tm_hour = hour;
        p.tm_min = min;
        p.tm_sec = sec;
        p.tm_wday = wday.wrapping_add(1) % 7;
        p.tm_yday = yday.wrapping_sub(1);
        p.tm_isdst = isdst;
        if args.ob_type() == STRUCT_TIME.get()? {
            let zone = PyStructSequence_GetItem(t, 9);
            if zone != Py_None() {
                p.tm_zone = PyUnicode_AsUTF8(zone);
                if p.tm_zone.is_null() {
                    return Err(Raised::assume());
                }
            }
            let offset = PyStructSequence_GetItem(t, 10);
            if offset != Py_None() {
                p.tm_gmtoff = as_long(offset)?;
            }
        }
        Ok(p)
    }
}

/// Fields must be in their ranges; zero is good for what starts with one.
fn checktm(b: &mut libc::tm) -> PyResult<()> {
    if b.tm_mon == -1 {
        b.tm_mon = 0;
    } else if !(0..=11).contains(&b.tm_mon) {
        bail!(PyExc_ValueError, "month out of range");
    }
    if b.tm_mday == 0 {
        b.tm_mday = 1;
    } else if !(0..=31).contains(&b.tm_mday) {
        bail!(PyExc_ValueError, "day of month out of range");
    }
    if !(0..=23).contains(&b.tm_hour) {
        bail!(PyExc_ValueError, "hour out of range");
    }
    if !(0..=59).contains(&b.tm_min) {
        bail!(PyExc_ValueError, "minute out of range");
    }
    if !(0..=61).contains(&b.tm_sec) {
        bail!(PyExc_ValueError, "seconds out of range");
    }
    if b.tm_wday < 0 {
        bail!(PyExc_ValueError, "day of week out of range");
    }
    if b.tm_yday == -1 {
        b.tm_yday = 0;
    } else if !(0..=365).contains(&b.tm_yday) {
        bail!(PyExc_ValueError, "day of year out of range");
    }
    Ok(())
}

/// A tuple's record, checked; the local time now without a tuple.
unsafe fn checked_or_now(tup: Option<Borrowed<'_>>, fname: &str) -> PyResult<libc::tm> {
    match tup {
        // SAFETY: live.
        Some(t) => unsafe {
            let mut tm = gettmarg(t, fname)?;
            checktm(&mut tm)?;
            Ok(tm)
        },
        None => broken_down(when(None)?, false),
    }
}

fn asctime(t: &libc::tm) -> PyResult<String> {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    Ok(format!(
        "{} {}{:3} {:02}:{:02}:{:02} {}",
        DAYS[t.tm_wday.rem_euclid(7) as usize],
        MONTHS[t.tm_mon.rem_euclid(12) as usize],
        t.tm_mday,
        t.tm_hour,
        t.tm_min,
        t.tm_sec,
        1900 + t.tm_year as i64
    ))
}
fn time_asctime(_: (), tuple: Option<Borrowed<'_>>) -> PyResult<String> {
    // SAFETY: live.
    asctime(&unsafe { checked_or_now(tuple, "asctime")? })
}
fn time_ctime(_: (), seconds: Option<Borrowed<'_>>) -> PyResult<String> {
    asctime(&broken_down(when(seconds)?, false)?)
}

fn time_mktime(_: (), tuple: Borrowed<'_>) -> PyResult<f64> {
    // SAFETY: live; plain call.
    unsafe {
        let mut tm = gettmarg(tuple, "mktime")?;
        // Success sets the day of the week: the time just before the epoch is -1 too.
        tm.tm_wday = -1;
        let t = libc::mktime(&mut tm);
        if t == -1 && tm.tm_wday == -1 {
            bail!(PyExc_OverflowError, "mktime argument out of range");
        }
        Ok(t as f64)
    }
}

/// Formats by the C library; a result of nothing is believed once the buffer is large.
fn format_time(format: &[libc::wchar_t], tm: &libc::tm, out: &mut Vec<libc::wchar_t>) {
    let mut z = format.to_vec();
    z.push(0);
    let mut size = 1024;
    loop {
        let mut buf = vec![0; size];
        // SAFETY: the buffer has the size told, the format is NUL-terminated.
        let n = unsafe { wcsftime(buf.as_mut_ptr(), size, z.as_ptr(), tm) };
        if n > 0 || size >= 256 * format.len() {
            out.extend_from_slice(&buf[..n]);
            return;
        }
        size *= 2;
    }
}

fn time_strftime(_: (), format: Str<'_>, tuple: Option<Borrowed<'_>>) -> PyResult<Owned> {
    // SAFETY: live.
    unsafe {
        let mut tm = checked_or_now(tuple, "strftime")?;
        tm.tm_isdst = tm.tm_isdst.clamp(-1, 1);
        let f = format.ob();
        let n = PyUnicode_GetLength(f);
        let chars: Vec<u32> = (0..n).map(|i| PyUnicode_ReadChar(f, i)).collect();
        let mut out: Vec<libc::wchar_t> = Vec::new();
        let mut i = 0;
        // The C library is given only what it can't misunderstand: ASCII without NUL, directive by directive.
        while i < chars.len() {
            let start = i;
            while i < chars.len() && chars[i] != 0 && chars[i] < 128 {
                i += 1;
            }
            if start < i {
                let part: Vec<libc::wchar_t> = chars[start..i].iter().map(|&c| c as libc::wchar_t).collect();
                format_time(&part, &tm, &mut out);
            }
            while i < chars.len() && chars[i] != '%' as u32 {
                out.push(chars[i] as libc::wchar_t);
                i += 1;
            }
        }
        let raw: Vec<u32> = out.into_iter().map(|c| c as u32).collect();
        own(PyUnicode_FromKindAndData(4, raw.as_ptr().cast(), raw.len() as Py_ssize_t))
    }
}

fn time_strptime(_: (), args: Args<'_>) -> PyResult<Owned> {
    // SAFETY: live.
    unsafe {
        let f = own(_PyImport_GetModuleAttrString(c"_strptime".as_ptr(), c"_strptime_time".as_ptr()))?;
        call(f.as_ptr(), args.0)
    }
}

/// Sets `timezone`, `altzone`, `daylight` and `tzname` from what winter and summer have this year.
fn init_timezone(module: Borrowed<'_>) -> PyResult<()> {
    const YEAR: i64 = (365 * 24 + 6) * 3600;
    // SAFETY: plain call.
    let t = unsafe { libc::time(null_mut()) } / YEAR * YEAR;
    let zone = |t: i64| -> PyResult<(i64, Vec<u8>)> {
        let tm = broken_down(t, false)?;
        // SAFETY: NUL-terminated text of the C library.
        let name = unsafe { if tm.tm_zone.is_null() { b"   " } else { c_bytes(tm.tm_zone) } };
        Ok((-tm.tm_gmtoff, name[..name.len().min(9)].to_vec()))
    };
    let (january, july) = (zone(t)?, zone(t + YEAR / 2)?);
    const MAX: i64 = 48 * 3600;
    if january.0.abs() > MAX || july.0.abs() > MAX {
        bail!(PyExc_RuntimeError, "invalid GMT offset");
    }
    // South of the equator summer time is in January.
    let (standard, summer) = if january.0 < july.0 { (july, january) } else { (january, july) };
    let name = |b: &[u8]| string(&String::from_utf8_lossy(b));
    add_ints(
        module,
        &[("timezone", standard.0), ("altzone", summer.0), ("daylight", (standard.0 != summer.0) as i64)],
    )?;
    add_object(module, c"tzname", tuple([name(&standard.1)?, name(&summer.1)?]))
}

fn time_tzset(_: ()) -> PyResult<()> {
    // SAFETY: [GIL] nobody changes the environment meanwhile.
    unsafe {
        let m = own(PyImport_ImportModule(c"time".as_ptr()))?;
        tzset();
        init_timezone(m.borrow())
    }
}

methods! {
    static METHODS = [
        "time($self, /)" => time_time, "The time in seconds since the epoch, with fractions.";
        "time_ns($self, /)" => time_time_ns, "The time in nanoseconds since the epoch.";
        "clock_gettime($module, clk_id, /)" => time_clock_gettime, "The time of a clock in seconds.";
        "clock_gettime_ns($module, clk_id, /)" => time_clock_gettime_ns, "The time of a clock in nanoseconds.";
        "clock_settime($module, clk_id, time, /)" => time_clock_settime, "clock_settime(clk_id, time)\n\nSet the time of a clock.";
        "clock_settime_ns($module, clk_id, time, /)" => time_clock_settime_ns, "clock_settime_ns(clk_id, time)\n\nSet the time of a clock in nanoseconds.";
        "clock_getres($module, /, *args)" => time_clock_getres, "clock_getres(clk_id) -> floating-point number\n\nThe resolution of a clock.";
        "pthread_getcpuclockid($module, /, *args)" => time_pthread_getcpuclockid, "pthread_getcpuclockid(thread_id) -> int\n\nThe clock of a thread's processor time.";
        "sleep($self, object, /)" => time_sleep, "Wait for a number of seconds, which may have fractions.";
        "gmtime($module, seconds=None, /)" => time_gmtime, "gmtime([seconds]) -> struct_time\n\nUniversal time of a number of seconds since the epoch, now by default.";
        "localtime($module, seconds=None, /)" => time_localtime, "localtime([seconds]) -> struct_time\n\nLocal time of a number of seconds since the epoch, now by default.";
        "asctime($module, tuple=<unrepresentable>, /)" => time_asctime, "asctime([tuple]) -> string\n\nA time as text, like 'Sat Jun 06 16:26:11 1998'; the local time now by default.";
        "ctime($module, seconds=None, /)" => time_ctime, "ctime(seconds) -> string\n\nSeconds since the epoch as text in local time.";
        "mktime($self, object, /)" => time_mktime, "Seconds since the epoch of a local time.";
        "strftime($module, format, tuple=<unrepresentable>, /)" => time_strftime, "strftime(format[, tuple]) -> string\n\nA time formatted by directives like %Y-%m-%d %H:%M:%S; the local time now by default.";
        "strptime($module, /, *args)" => time_strptime, "strptime(string, format) -> struct_time\n\nRead a time from text by the directives of strftime().";
        "tzset($self, /)" => time_tzset, "Set the local time zone from os.environ['TZ'].";
        "monotonic($self, /)" => time_monotonic, "A clock that never goes back, in seconds.";
        "monotonic_ns($self, /)" => time_monotonic_ns, "A clock that never goes back, in nanoseconds.";
        "process_time($self, /)" => time_process_time, "Processor time of the process in seconds.";
        "process_time_ns($self, /)" => time_process_time_ns, "Processor time of the process in nanoseconds.";
        "thread_time($self, /)" => time_thread_time, "Processor time of the thread in seconds.";
        "thread_time_ns($self, /)" => time_thread_time_ns, "Processor time of the thread in nanoseconds.";
        "perf_counter($self, /)" => time_perf_counter, "The most precise clock, for measurements, in seconds.";
        "perf_counter_ns($self, /)" => time_perf_counter_ns, "The most precise clock, for measurements, in nanoseconds.";
        "get_clock_info($module, /, *args)" => time_get_clock_info, "get_clock_info(name: str) -> dict\n\nWhat is known about a clock.";
    ];
}

const CONSTANTS: &[(&str, i64)] = crate::libc_constants! {
    CLOCK_REALTIME CLOCK_MONOTONIC CLOCK_MONOTONIC_RAW CLOCK_PROCESS_CPUTIME_ID CLOCK_THREAD_CPUTIME_ID CLOCK_BOOTTIME
    CLOCK_TAI
};

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    init_timezone(module)?;
    add_ints(module, CONSTANTS)?;
    add_ints(module, &[("_STRUCT_TM_ITEMS", 11)])?;
    STRUCT_TIME.add_to(module)?;
    Ok(())
}

module! {
    /// Entry point, once the table is ready.
    fn taipan_time_module_init = "time", "Clocks, sleeping, and times as text and as tuples.\n\nTimes are seconds since the epoch, 1970-01-01 00:00:00 UTC, or tuples of\n(year, month, day, hour, minute, second, weekday, day of year, summer time).", methods: METHODS, exec: exec;
}

/// Entry point of `time`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInit_time() -> *mut PyObject {
    // SAFETY: [GIL] the table is not in use before.
    unsafe {
        drop_signatures(
            (&raw mut METHODS).cast(),
            &[
                "asctime", "ctime", "get_clock_info", "gmtime", "localtime", "strftime", "strptime", "clock_getres",
                "clock_settime", "clock_settime_ns", "pthread_getcpuclockid",
            ],
        );
        taipan_time_module_init()
    }
}
