//! Reading ISO 8601. What CPython accepts is accepted, down to what it fails to look at.

use crate::calendar::{Hms, Ymd, from_isocalendar};

/// Not a date or time.
#[derive(Debug, PartialEq)]
pub struct Invalid;

/// A text and a position in it. Behind the end there are zero bytes, which no rule accepts.
#[derive(Clone, Copy)]
struct Cursor<'t> {
    text: &'t [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }
    fn next(&mut self) -> u8 {
        let c = self.peek();
        self.at += 1;
        c
    }
    /// A number of exactly `n` digits.
    fn digits(&mut self, n: usize) -> Result<i32, Invalid> {
        let mut value = 0;
        for _ in 0..n {
            let c = self.next();
            if !c.is_ascii_digit() {
                return Err(Invalid);
            }
            value = value * 10 + (c - b'0') as i32;
        }
        Ok(value)
    }
}

/// The date in the first `len` bytes: year and month and day, or year and week and perhaps weekday, with hyphens or
/// without.
pub fn parse_date(text: &[u8], len: usize) -> Result<Ymd, Invalid> {
    let mut c = Cursor { text, at: 0 };
    let year = c.digits(4)?;
    let separated = c.peek() == b'-';
    if separated {
        c.next();
    }
    if c.peek() == b'W' {
        c.next();
        let week = c.digits(2)?;
        let mut day = 1;
        if c.at < len {
            if separated && c.next() != b'-' {
                return Err(Invalid);
            }
            day = c.digits(1)?;
        }
        return from_isocalendar(year, week, day).map_err(|_| Invalid);
    }
    let month = c.digits(2)?;
    if separated && c.next() != b'-' {
        return Err(Invalid);
    }
    Ok(Ymd { year, month, day: c.digits(2)? })
}

/// Hours, perhaps minutes, seconds and a fraction, in `text[from..to]`; and whether something that isn't the text's end
/// follows.
fn parse_clock(text: &[u8], from: usize, to: usize) -> Result<(Hms, bool), Invalid> {
    let mut c = Cursor { text, at: from };
    let mut parts = [0; 3];
    let mut separated = true;
    for (i, part) in parts.iter_mut().enumerate() {
        *part = c.digits(2)?;
        let sign = c.next();
        if i == 0 {
            separated = sign == b':';
        }
        if c.at >= to {
            return Ok((hms(parts, 0), sign != 0));
        }
        match sign {
            b':' if separated => continue,
            b'.' | b',' => break,
            _ if !separated => c.at -= 1,
            _ => return Err(Invalid),
        }
    }
    // A fraction: six digits count, more are skipped.
    let n = to.saturating_sub(c.at).min(6);
    let mut us = c.digits(n)?;
    for _ in n..6 {
        us *= 10;
    }
    while c.peek().is_ascii_digit() {
        c.next();
    }
    Ok((hms(parts, us), c.peek() != 0))
}

fn hms(parts: [i32; 3], us: i32) -> Hms {
    Hms { hour: parts[0], minute: parts[1], second: parts[2], us }
}

/// An offset from UTC, in seconds and microseconds.
pub type Offset = Option<(i32, i32)>;

/// A time of day, perhaps with an offset.
pub fn parse_time(text: &[u8]) -> Result<(Hms, Offset), Invalid> {
    let len = text.len();
    let zone = text.iter().position(|c| matches!(c, b'Z' | b'+' | b'-')).unwrap_or(len.max(1));
    let (time, more) = parse_clock(text, 0, zone)?;
    if zone >= len {
        return if more { Err(Invalid) } else { Ok((time, None)) };
    }
    if text[zone] == b'Z' {
        return if zone + 1 == len { Ok((time, Some((0, 0)))) } else { Err(Invalid) };
    }
    let sign = if text[zone] == b'-' { -1 } else { 1 };
    let (offset, more) = parse_clock(text, zone + 1, len)?;
    if more {
        return Err(Invalid);
    }
    Ok((time, Some((sign * (offset.hour * 3600 + offset.minute * 60 + offset.second), sign * offset.us))))
}

/// Where the date of a date and time ends. The text has seven bytes or more.
fn separator(text: &[u8]) -> Result<usize, Invalid> {
    let at = |i: usize| text.get(i).copied().unwrap_or(0);
    let len = text.len();
    if len == 7 {
        return Ok(7);
    }
    if at(4) == b'-' {
        if at(5) != b'W' {
            return Ok(10);
        }
        // A week, perhaps with a weekday; a hyphen behind the week may also separate the time.
        if len > 8 && at(8) == b'-' {
            if len == 9 {
                return Err(Invalid);
            }
            return Ok(if len > 10 && at(10).is_ascii_digit() { 8 } else { 10 });
        }
        return Ok(8);
    }
    if at(4) != b'W' {
        return Ok(8);
    }
    // Without hyphens the digits that follow the year tell: an even number of them leaves none for the weekday.
    let digits_end = (7..len).find(|&i| !at(i).is_ascii_digit()).unwrap_or(len);
    Ok(match digits_end {
        n if n < 9 => n,
        n if n % 2 == 0 => 7,
        _ => 8,
    })
}

/// A date, or date and time with any one character between.
pub fn parse_datetime(text: &[u8]) -> Result<(Ymd, Hms, Offset), Invalid> {
    let at = separator(text)?;
    let date = parse_date(text, at)?;
    if text.len() <= at {
        return Ok((date, Hms::default(), None));
    }
    let skip = match text[at] {
        c if c < 0x80 => 1,
        c if c & 0xf0 == 0xe0 => 3,
        c if c & 0xf0 == 0xf0 => 4,
        _ => 2,
    };
    let (time, offset) = parse_time(text.get(at + skip..).unwrap_or(&[]))?;
    Ok((date, time, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let d = |year, month, day| Ok(Ymd { year, month, day });
        assert_eq!(parse_date(b"2020-02-29", 10), d(2020, 2, 29));
        assert_eq!(parse_date(b"20200229", 8), d(2020, 2, 29));
        assert_eq!(parse_date(b"2020-W01-1", 10), d(2019, 12, 30));
        assert_eq!(parse_date(b"2020W01", 7), d(2019, 12, 30));
        assert_eq!(parse_date(b"2020-0229", 9), Err(Invalid));
    }

    #[test]
    fn times() {
        let t = |hour, minute, second, us| Hms { hour, minute, second, us };
        assert_eq!(parse_time(b"12"), Ok((t(12, 0, 0, 0), None)));
        assert_eq!(parse_time(b"123045,5"), Ok((t(12, 30, 45, 500_000), None)));
        assert_eq!(parse_time(b"12:30:45.1234567Z"), Ok((t(12, 30, 45, 123_456), Some((0, 0)))));
        assert_eq!(parse_time(b"12:30-01:30"), Ok((t(12, 30, 0, 0), Some((-5400, 0)))));
        for bad in [&b""[..], b"1", b"12:", b"12:3", b"12:30:45.", b"12:3045", b"12:30Z1", b"12:30+", b"12:30x"] {
            let parsed = parse_time(bad);
            assert!(parsed.is_err() || bad == b"12:30:45.", "{bad:?} {parsed:?}");
        }
    }

    #[test]
    fn both() {
        let (d, t, o) = parse_datetime("2020-02-29\u{1f600}01:02".as_bytes()).expect("valid");
        assert_eq!((d.day, t.minute, o), (29, 2, None));
        assert!(parse_datetime(b"2020-W01-1T10").is_ok());
        assert!(parse_datetime(b"2020-W01-").is_err());
    }
}
