//! The transitions of a time zone, and what they say of a time.

use super::cache::State;
use super::tzstring::{Change, EPOCH_ORDINAL, Wrong, parse};
use crate::datetime::{fields, fold_of};
use crate::support::*;
use taipan_abi::*;

/// What holds between two transitions.
pub struct Info {
    /// A timedelta.
    pub utcoff: Owned,
    /// The part of it that is daylight saving.
    pub dstoff: Owned,
    /// What the time is called.
    pub name: Owned,
    /// `utcoff` in seconds.
    seconds: i64,
}

impl Info {
    fn new(state: &State, utcoff: i64, dstoff: i64, name: Owned) -> PyResult<Info> {
        Ok(Info { utcoff: state.delta(utcoff)?, dstoff: state.delta(dstoff)?, name, seconds: utcoff })
    }
    fn equals(&self, other: &Info) -> PyResult<bool> {
        for (a, b) in [(&self.utcoff, &other.utcoff), (&self.dstoff, &other.dstoff), (&self.name, &other.name)] {
            // SAFETY: held.
            let same = unsafe { PyObject_RichCompareBool(a.as_ptr(), b.as_ptr(), Py_EQ) };
            check_status(same)?;
            if same == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Daylight saving by a rule.
struct Saving {
    info: Info,
    /// By how much it differs from standard time.
    diff: i64,
    start: Change,
    end: Change,
}

/// What holds after the last transition.
struct After {
    std: Info,
    saving: Option<Saving>,
}

impl After {
    fn at(&self, saves: bool) -> &Info {
        match &self.saving {
            Some(saving) if saves => &saving.info,
            _ => &self.std,
        }
    }
    /// At a local time.
    fn local(&self, ts: i64, year: i32, fold: i32) -> &Info {
        let Some(s) = &self.saving else { return &self.std };
        let (mut start, mut end) = (s.start.in_year(year), s.end.in_year(year));
        // With fold=0 the period of the smaller offset goes from the end of the gap to the end of the fold, with fold=1
        // from the start of the gap to the start of the fold.
        if (fold != 0) == (s.diff >= 0) {
            end -= s.diff;
        } else {
            start += s.diff;
        }
        self.at(within(ts, start, end))
    }
    /// At a time in UTC; also whether its local time is the later one of two.
    fn utc(&self, ts: i64, year: i32) -> (&Info, bool) {
        let Some(s) = &self.saving else { return (&self.std, false) };
        let start = s.start.in_year(year) - self.std.seconds;
        let end = s.end.in_year(year) - s.info.seconds;
        let ambiguous = if s.diff > 0 { end..end + s.diff } else { start..start - s.diff };
        (self.at(within(ts, start, end)), ambiguous.contains(&ts))
    }
}

/// Whether a time lies between the start and the end of what happens once a year.
fn within(ts: i64, start: i64, end: i64) -> bool {
    if start < end { (start..end).contains(&ts) } else { !(end..start).contains(&ts) }
}

/// A time zone.
pub struct Zone {
    /// When what holds changes, in UTC.
    utc: Vec<i64>,
    /// The same in local time, for fold=0 and for fold=1.
    wall: [Vec<i64>; 2],
    infos: Vec<Info>,
    /// Index of what holds from each transition on.
    from: Vec<usize>,
    /// Index of what holds before the first.
    before: usize,
    after: After,
    /// Whether all times are the same.
    fixed: bool,
}

/// How much of each offset is daylight saving. The file doesn't tell; it follows from what comes before or after.
fn savings(from: &[usize], utcoff: &[i64], isdst: &[bool]) -> Vec<i64> {
    let mut saved = vec![0; utcoff.len()];
    for i in 1..from.len() {
        let (at, before) = (from[i], from[i - 1]);
        if !isdst[at] || saved[at] != 0 {
            continue;
        }
        if !isdst[before] {
            saved[at] = utcoff[at] - utcoff[before];
        }
        if saved[at] == 0 && at + 1 < utcoff.len() && i + 1 < from.len() {
            let next = from[i + 1];
            if !isdst[next] {
                saved[at] = utcoff[at] - utcoff[next];
            }
        }
    }
    // An hour is a better guess than nothing.
    for (s, &dst) in saved.iter_mut().zip(isdst) {
        if dst && *s == 0 {
            *s = 3600;
        }
    }
    saved
}

/// The transitions in local time.
fn local_times(from: &[usize], utc: &[i64], utcoff: &[i64]) -> [Vec<i64>; 2] {
    let mut wall = [utc.to_vec(), utc.to_vec()];
    for i in 0..utc.len() {
        let before = if i == 0 { 0 } else { from[i - 1] };
        let (a, b) = (utcoff[before], utcoff[from[i]]);
        wall[0][i] = wall[0][i].wrapping_add(a.max(b));
        wall[1][i] = wall[1][i].wrapping_add(a.min(b));
    }
    wall
}

/// The items of a tuple as numbers.
fn numbers(tuple: *mut PyObject) -> PyResult<Vec<i64>> {
    // SAFETY: [ARGS] PyTuple_Size checks that it is one.
    unsafe {
        let n = PyTuple_Size(tuple);
        if n < 0 {
            return Err(Raised::assume());
        }
        let number = |i| {
            let value = PyLong_AsLongLong(PyTuple_GET_ITEM(tuple, i));
            if value == -1 && err_occurred() { Err(Raised::assume()) } else { Ok(value) }
        };
        (0..n).map(number).collect()
    }
}

impl Zone {
    /// Reads a TZif file.
    pub fn load(state: &State, file: *mut PyObject) -> PyResult<Zone> {
        let data = call_method1(state.common, intern!("load_data"), file)?;
        // SAFETY: [TYPE] what is taken for a tuple is checked to be one.
        unsafe {
            if PyTuple_CheckExact(data.as_ptr()) == 0 {
                PyErr_Format(PyExc_TypeError, c"Invalid data result type: %R".as_ptr(), data.as_ptr());
                return Err(Raised::assume());
            }
            let part = |i| {
                let item = PyTuple_GetItem(data.as_ptr(), i);
                if item.is_null() { Err(Raised::assume()) } else { Ok(item) }
            };
            let (from, utc, utcoff, isdst) = (numbers(part(0)?)?, numbers(part(1)?)?, numbers(part(2)?)?, numbers(part(3)?)?);
            let (names, rule) = (part(4)?, part(5)?);
            if from.len() < utc.len() || isdst.len() < utcoff.len() {
                bail!(PyExc_IndexError, "tuple index out of range");
            }
            if let Some(wrong) = from.iter().find(|&&i| !usize::try_from(i).is_ok_and(|i| i < utcoff.len())) {
                bail!(PyExc_ValueError, "Invalid transition index found while reading TZif: {}", wrong);
            }
            let from: Vec<usize> = from.into_iter().take(utc.len()).map(|i| i as usize).collect();
            let isdst: Vec<bool> = isdst.into_iter().take(utcoff.len()).map(|d| d != 0).collect();
            let saved = savings(&from, &utcoff, &isdst);
            let mut infos = Vec::new();
            for (i, (&off, &dst)) in utcoff.iter().zip(&saved).enumerate() {
                let name = PyTuple_GetItem(names, i as Py_ssize_t);
                if name.is_null() {
                    return Err(Raised::assume());
                }
                infos.push(Info::new(state, off, dst, own(name))?);
            }
            let ruled = rule != none() && PyObject_IsTrue(rule) != 0;
            let after = if ruled {
                After::parse(state, rule)?
            } else {
                let Some(last) = from.last().copied().or(infos.len().checked_sub(1)) else {
                    bail!(PyExc_ValueError, "No time zone information found.");
                };
                After { std: Info::new(state, utcoff[last], saved[last], infos[last].name.clone())?, saving: None }
            };
            // Offsets are taken to differ, and to be in use.
            let fixed = match &infos[..] {
                _ if after.saving.is_some() => false,
                [] => true,
                [only] => only.equals(&after.std)?,
                _ => false,
            };
            let before = isdst.iter().position(|&dst| !dst).unwrap_or(0);
            Ok(Zone { wall: local_times(&from, &utc, &utcoff), utc, infos, from, before, after, fixed })
        }
    }

    /// What holds at a time of this zone; `None` if that depends on the time, and there is none.
    pub fn find(&self, dt: *mut PyObject) -> PyResult<Option<&Info>> {
        if dt == none() {
            return Ok(self.fixed.then_some(&self.after.std));
        }
        let ts = timestamp(dt)?;
        let (year, fold) = if is_datetime(dt) {
            (fields(dt).0.year, fold_of(dt))
        } else {
            (attribute(dt, intern!("year"))? as i32, (attribute(dt, intern!("fold"))? != 0) as i32)
        };
        let wall = &self.wall[(fold != 0) as usize];
        Ok(Some(match (wall.first(), wall.last()) {
            (Some(&first), _) if ts < first => &self.infos[self.before],
            (_, Some(&last)) if ts <= last => &self.infos[self.from[after(wall, ts) - 1]],
            _ => self.after.local(ts, year, fold),
        }))
    }

    /// What holds at a time in UTC, and whether its local time is the later one of two.
    pub fn find_utc(&self, dt: *mut PyObject) -> PyResult<(&Info, bool)> {
        let ts = timestamp(dt)?;
        let of = |i: usize| if i == 0 { &self.infos[self.before] } else { &self.infos[self.from[i - 1]] };
        Ok(match (self.utc.first(), self.utc.last()) {
            (Some(&first), _) if ts < first => (of(0), false),
            (_, Some(&last)) if ts <= last => {
                let i = after(&self.utc, ts);
                (of(i), of(i - 1).seconds - of(i).seconds > ts - self.utc[i - 1])
            }
            (_, last) => {
                let (info, mut fold) = self.after.utc(ts, fields(dt).0.year);
                // The last transition was not one of the rule.
                if let Some(&last) = last {
                    let diff = of(self.utc.len() - 1).seconds - info.seconds;
                    fold |= diff > 0 && ts < last + diff;
                }
                (info, fold)
            }
        })
    }
}

impl After {
    fn parse(state: &State, text: *mut PyObject) -> PyResult<After> {
        // SAFETY: [ARGS] PyBytes_AsString checks that it is a bytes object; the formats' argument fits them.
        unsafe {
            if PyBytes_AsString(text).is_null() {
                return Err(Raised::assume());
            }
            let data = core::slice::from_raw_parts(PyBytes_AsString(text).cast::<u8>(), PyBytes_Size(text) as usize);
            let rule = parse(data).map_err(|wrong| {
                let message = match wrong {
                    Wrong::StdName => c"Invalid STD format in %R",
                    Wrong::StdOffset => c"Invalid STD offset in %R",
                    Wrong::DstName => c"Invalid DST format in %R",
                    Wrong::DstOffset => c"Invalid DST offset in %R",
                    Wrong::Missing => c"Missing transition rules in TZ string: %R",
                    Wrong::Rule => c"Malformed transition rule in TZ string: %R",
                    Wrong::Rest => c"Extraneous characters at end of TZ string: %R",
                };
                PyErr_Format(PyExc_ValueError, message.as_ptr(), text);
                Raised::assume()
            })?;
            let std = Info::new(state, rule.offset, 0, string(&rule.name)?)?;
            let saving = match rule.saving {
                Some(s) => {
                    let diff = s.offset - rule.offset;
                    let info = Info::new(state, s.offset, diff, string(&s.name)?)?;
                    Some(Saving { info, diff, start: s.start, end: s.end })
                }
                None => None,
            };
            Ok(After { std, saving })
        }
    }
}

/// How many of the ascending times are not after `ts`.
fn after(times: &[i64], ts: i64) -> usize {
    times.partition_point(|&t| t <= ts)
}

fn attribute(dt: *mut PyObject, name: *mut PyObject) -> PyResult<i64> {
    // SAFETY: [ARGS]
    unsafe { as_number(Owned::from_owned_or_err(PyObject_GetAttr(dt, name))?) }
}
fn as_number(op: Owned) -> PyResult<i64> {
    // SAFETY: held.
    let value = unsafe { PyLong_AsLong(op.as_ptr()) } as i64;
    if value == -1 && err_occurred() {
        // SAFETY: [EXC]
        return Err(unsafe { Raised::assume() });
    }
    Ok(value)
}

/// The local time of a datetime as seconds since 1970, of a subclass by what its methods say.
fn timestamp(dt: *mut PyObject) -> PyResult<i64> {
    // SAFETY: [ARGS] dt is live.
    let (days, seconds) = if unsafe { type_of(dt) } == &raw mut DATETIME {
        let (day, time) = fields(dt);
        (day.ordinal() as i64, time.hour as i64 * 3600 + time.minute as i64 * 60 + time.second as i64)
    } else {
        let days = as_number(call_method0(dt, intern!("toordinal"))?)?;
        let (hour, minute) = (attribute(dt, intern!("hour"))?, attribute(dt, intern!("minute"))?);
        (days, hour * 3600 + minute * 60 + attribute(dt, intern!("second"))?)
    };
    Ok((days - EPOCH_ORDINAL as i64).wrapping_mul(86400).wrapping_add(seconds))
}
