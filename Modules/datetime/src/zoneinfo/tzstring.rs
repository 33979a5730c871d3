//! The rule with which a TZif file ends: a POSIX TZ string, with the hours of RFC 8536. Knows nothing of objects.

use crate::calendar::{Ymd, days_in_month, is_leap};

/// The number of 1970-01-01.
pub const EPOCH_ORDINAL: i32 = 719_163;

/// When in a year the clocks change, in local time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Day {
    /// `Mm.w.d`: the w'th weekday d (0 is Sunday) of a month; the last one if w is 5.
    Weekday {
        /// 1 to 12.
        month: i32,
        /// 1 to 5.
        week: i32,
        /// 0 to 6.
        day: i32,
    },
    /// `Jn`: the n'th day of a year, from 1, without leap days.
    Julian(i32),
    /// `n`: the n'th day of a year, from 0.
    OfYear(i32),
}

/// A change of the clocks, of every year.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The day.
    pub day: Day,
    /// Seconds since the day's midnight; may be outside the day.
    pub time: i64,
}

impl Change {
    /// When it is in a year, as seconds since 1970 in local time.
    pub fn in_year(&self, year: i32) -> i64 {
        let ordinal = match self.day {
            Day::Weekday { month, week, day } => {
                let first = Ymd { year, month, day: 1 };
                // Of days counted from Monday as 0 and from Sunday as 0.
                let mut of_month = (day - (first.weekday() + 1)).rem_euclid(7) + 1 + (week - 1) * 7;
                if of_month > days_in_month(year, month) {
                    of_month -= 7;
                }
                first.ordinal() + of_month - 1
            }
            // POSIX has the 28th of February as day 59 of all years, and counts the other kind from 0; CPython, which is
            // what counts here, is a day off in both cases.
            Day::Julian(n) => Ymd { year, month: 1, day: n + (n >= 59 && is_leap(year)) as i32 }.ordinal(),
            Day::OfYear(n) => Ymd { year, month: 1, day: n }.ordinal(),
        };
        (ordinal - EPOCH_ORDINAL) as i64 * 86400 + self.time
    }
}

/// Daylight saving of a TZ string.
#[derive(Debug, PartialEq)]
pub struct Saving {
    /// What the time is called.
    pub name: String,
    /// Seconds east of UTC.
    pub offset: i64,
    /// When it starts.
    pub start: Change,
    /// When it ends.
    pub end: Change,
}

/// What a TZ string says.
#[derive(Debug, PartialEq)]
pub struct TzString {
    /// What standard time is called.
    pub name: String,
    /// Seconds east of UTC.
    pub offset: i64,
    /// Daylight saving, if there is any.
    pub saving: Option<Saving>,
}

/// What is wrong with a TZ string.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wrong {
    /// The name of standard time.
    StdName,
    /// Its offset.
    StdOffset,
    /// The name of daylight saving time.
    DstName,
    /// Its offset.
    DstOffset,
    /// There is daylight saving, but not when.
    Missing,
    /// When it starts or ends.
    Rule,
    /// There is more than a TZ string.
    Rest,
}

/// What is left of a text.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// The next byte, 0 at the end.
    fn peek(&self) -> u8 {
        self.0.first().copied().unwrap_or(0)
    }
    fn skip(&mut self) {
        self.0 = self.0.get(1..).unwrap_or_default();
    }
    /// Takes `byte` if it is next.
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == byte).then(|| self.skip())
    }
    fn while_(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let n = self.0.iter().position(|&b| !wanted(b)).unwrap_or(self.0.len());
        let (head, tail) = self.0.split_at(n);
        self.0 = tail;
        head
    }
    fn digits(&mut self, least: usize, most: usize) -> Option<i64> {
        let mut value = 0;
        for i in 0..most {
            let byte = self.peek();
            if !byte.is_ascii_digit() {
                return (i >= least).then_some(value);
            }
            value = value * 10 + (byte - b'0') as i64;
            self.skip();
        }
        Some(value)
    }
    /// The name of a kind of time, in angle brackets if it isn't of letters alone.
    fn name(&mut self) -> Option<String> {
        let name = if self.take(b'<').is_some() {
            let name = self.while_(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'-');
            self.take(b'>')?;
            name
        } else {
            let name = self.while_(|b| b.is_ascii_alphabetic());
            if name.is_empty() {
                return None;
            }
            name
        };
        Some(String::from_utf8_lossy(name).into_owned())
    }
    /// `[+-]h[hh][:mm[:ss]]`: hours, and all as seconds.
    fn time(&mut self) -> Option<(i64, i64)> {
        let sign = if self.peek() == b'-' { -1 } else { 1 };
        if matches!(self.peek(), b'-' | b'+') {
            self.skip();
        }
        let hours = self.digits(1, 3)?;
        let mut seconds = hours * 3600;
        if self.take(b':').is_some() {
            seconds += self.digits(2, 2)? * 60;
            if self.take(b':').is_some() {
                seconds += self.digits(2, 2)?;
            }
        }
        Some((hours, sign * seconds))
    }
    /// An offset from UTC. West of it is positive in the text, negative in the result.
    fn offset(&mut self) -> Option<i64> {
        let (hours, seconds) = self.time()?;
        (hours <= 24).then_some(-seconds)
    }
    fn change(&mut self) -> Option<Change> {
        let day = if self.take(b'M').is_some() {
            let month = self.digits(1, 2)? as i32;
            self.take(b'.')?;
            let week = self.digits(1, 1)? as i32;
            self.take(b'.')?;
            let day = self.digits(1, 1)? as i32;
            if !(1..=12).contains(&month) || !(1..=5).contains(&week) || day > 6 {
                return None;
            }
            Day::Weekday { month, week, day }
        } else {
            let julian = self.take(b'J').is_some();
            let n = self.digits(1, 3)? as i32;
            if n > 365 || julian && n < 1 {
                return None;
            }
            if julian { Day::Julian(n) } else { Day::OfYear(n) }
        };
        let mut time = 2 * 3600;
        if self.take(b'/').is_some() {
            let (hours, seconds) = self.time()?;
            if hours > 167 {
                return None;
            }
            time = seconds;
        }
        Some(Change { day, time })
    }
}

/// Parses a TZ string, up to a NUL.
pub fn parse(text: &[u8]) -> Result<TzString, Wrong> {
    let mut rest = Rest(text.split(|&b| b == 0).next().unwrap_or_default());
    let name = rest.name().ok_or(Wrong::StdName)?;
    let offset = rest.offset().ok_or(Wrong::StdOffset)?;
    if rest.0.is_empty() {
        return Ok(TzString { name, offset, saving: None });
    }
    let dst_name = rest.name().ok_or(Wrong::DstName)?;
    let dst_offset = if rest.peek() == b',' { offset + 3600 } else { rest.offset().ok_or(Wrong::DstOffset)? };
    rest.take(b',').ok_or(Wrong::Missing)?;
    let start = rest.change().ok_or(Wrong::Rule)?;
    rest.take(b',').ok_or(Wrong::Missing)?;
    let end = rest.change().ok_or(Wrong::Rule)?;
    if !rest.0.is_empty() {
        return Err(Wrong::Rest);
    }
    Ok(TzString { name, offset, saving: Some(Saving { name: dst_name, offset: dst_offset, start, end }) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let berlin = parse(b"CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        assert_eq!((berlin.name.as_str(), berlin.offset), ("CET", 3600));
        let saving = berlin.saving.unwrap();
        assert_eq!((saving.name.as_str(), saving.offset), ("CEST", 7200));
        // 2020-03-29 02:00 and 2020-10-25 03:00, local time.
        assert_eq!(saving.start.in_year(2020), 1_585_447_200);
        assert_eq!(saving.end.in_year(2020), 1_603_594_800);
        assert_eq!(parse(b"<+03>-3").unwrap(), TzString { name: "+03".into(), offset: 10800, saving: None });
        let all_year = parse(b"AAA0BBB,J60/0,365/-167:30").unwrap().saving.unwrap();
        assert_eq!(all_year.start, Change { day: Day::Julian(60), time: 0 });
        assert_eq!(all_year.start.in_year(2020), 1_583_020_800);
        assert_eq!(all_year.start.in_year(2021), 1_614_556_800);
        assert_eq!(all_year.end.time, -(167 * 3600 + 1800));
    }

    #[test]
    fn wrong() {
        for (text, what) in [
            ("", Wrong::StdName),
            ("<AAA", Wrong::StdName),
            ("AAA", Wrong::StdOffset),
            ("AAA25", Wrong::StdOffset),
            ("AAA4:4", Wrong::StdOffset),
            ("AAA4,M1.1.1,M2.1.1", Wrong::DstName),
            ("AAA4BBB", Wrong::DstOffset),
            ("AAA4BBB5", Wrong::Missing),
            ("AAA4BBB,M1.1.1", Wrong::Missing),
            ("AAA4BBB,M13.1.1,M2.1.1", Wrong::Rule),
            ("AAA4BBB,J0/2,J2", Wrong::Rule),
            ("AAA4BBB,M1.1.1/168,M2.1.1", Wrong::Rule),
            ("AAA4BBB,M1.1.1,M2.1.1x", Wrong::Rest),
        ] {
            assert_eq!(parse(text.as_bytes()), Err(what), "{text}");
        }
    }
}
