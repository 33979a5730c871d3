//! The proleptic Gregorian calendar. Day 1 is 1 January of year 1; weekdays count from Monday, 0.

/// The first year.
pub const MINYEAR: i32 = 1;
/// The last year.
pub const MAXYEAR: i32 = 9999;
/// The last day.
pub const MAXORDINAL: i32 = 3652059;
/// The most days a duration may have, either way.
pub const MAX_DELTA_DAYS: i32 = 999_999_999;

/// A date's year, month and day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ymd {
    /// From 1 to 9999, if valid.
    pub year: i32,
    /// From 1.
    pub month: i32,
    /// From 1.
    pub day: i32,
}

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Hms {
    /// From 0 to 23.
    pub hour: i32,
    /// From 0 to 59.
    pub minute: i32,
    /// From 0 to 59.
    pub second: i32,
    /// From 0 to 999999.
    pub us: i32,
}

const fn ymd(year: i32, month: i32, day: i32) -> Ymd {
    Ymd { year, month, day }
}

/// Whether a year has 366 days.
pub fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// How many days a month has.
pub fn days_in_month(year: i32, month: i32) -> i32 {
    match month {
        2 => 28 + is_leap(year) as i32,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the year in front of a month.
pub fn days_before_month(year: i32, month: i32) -> i32 {
    const BEFORE: [i32; 13] = [0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    BEFORE.get(month as usize).copied().unwrap_or(0) + (month > 2 && is_leap(year)) as i32
}

impl Ymd {
    /// The day's number.
    pub fn ordinal(self) -> i32 {
        let y = self.year - 1;
        y * 365 + y / 4 - y / 100 + y / 400 + days_before_month(self.year, self.month) + self.day
    }

    /// The day with a number from 1 on.
    pub fn from_ordinal(ordinal: i32) -> Ymd {
        const IN_400: i32 = 146_097;
        const IN_100: i32 = 36_524;
        const IN_4: i32 = 1461;
        let n = ordinal - 1;
        let (n400, n) = (n.div_euclid(IN_400), n.rem_euclid(IN_400));
        // The last day of a leap cycle belongs to the cycle's last year, not to a fifth one.
        let n100 = (n / IN_100).min(3);
        let n = n - n100 * IN_100;
        let (n4, n) = (n / IN_4, n % IN_4);
        let n1 = (n / 365).min(3);
        let rest = n - n1 * 365;
        let year = n400 * 400 + n100 * 100 + n4 * 4 + n1 + 1;
        let mut month = (rest + 50) >> 5;
        if days_before_month(year, month) > rest {
            month -= 1;
        }
        // The estimate is never low, but one month may be all it is off.
        ymd(year, month, rest - days_before_month(year, month) + 1)
    }

    /// The day of the week.
    pub fn weekday(self) -> i32 {
        (self.ordinal() + 6) % 7
    }

    /// The day of the year, from 1.
    pub fn yearday(self) -> i32 {
        days_before_month(self.year, self.month) + self.day
    }

    /// The same with a day that may lie outside the month brought back into the calendar; `None` if that can't be.
    /// The month is valid, the year not more than one off.
    pub fn normalized(self) -> Option<Ymd> {
        let Ymd { year, month, day } = self;
        let n = days_in_month(year, month);
        let result = if (1..=n).contains(&day) {
            self
        } else {
            let first = ymd(year, month, 1).ordinal();
            let ordinal = first.checked_add(day)?.checked_sub(1)?;
            if !(1..=MAXORDINAL).contains(&ordinal) {
                return None;
            }
            Ymd::from_ordinal(ordinal)
        };
        (MINYEAR..=MAXYEAR).contains(&result.year).then_some(result)
    }

    /// ISO year, week and weekday, the latter two from 1.
    pub fn isocalendar(self) -> (i32, i32, i32) {
        let today = self.ordinal();
        let mut year = self.year;
        let mut since = today - week1_monday(year);
        if since < 0 {
            year -= 1;
            since = today - week1_monday(year);
        } else if since >= 52 * 7 && today >= week1_monday(year + 1) {
            year += 1;
            since = today - week1_monday(year);
        }
        (year, since / 7 + 1, since % 7 + 1)
    }
}

/// The number of the Monday that begins an ISO year: of the week with the first Thursday.
fn week1_monday(year: i32) -> i32 {
    let first = ymd(year, 1, 1);
    let weekday = first.weekday();
    first.ordinal() - weekday + if weekday > 3 { 7 } else { 0 }
}

/// What is wrong with an ISO date.
#[derive(Debug, PartialEq)]
pub enum BadIso {
    /// The year.
    Year,
    /// The week.
    Week,
    /// The weekday.
    Day,
}

/// The date of an ISO year, week and weekday.
pub fn from_isocalendar(year: i32, week: i32, day: i32) -> Result<Ymd, BadIso> {
    if !(MINYEAR..=MAXYEAR).contains(&year) {
        return Err(BadIso::Year);
    }
    if !(1..=52).contains(&week) {
        // Years that begin on a Thursday, and leap years that begin on a Wednesday, have 53 weeks.
        let first = ymd(year, 1, 1).weekday();
        if week != 53 || !(first == 3 || first == 2 && is_leap(year)) {
            return Err(BadIso::Week);
        }
    }
    if !(1..=7).contains(&day) {
        return Err(BadIso::Day);
    }
    Ok(Ymd::from_ordinal(week1_monday(year) + (week - 1) * 7 + day - 1))
}

/// Days, seconds and microseconds with the latter two brought within a day and a second.
pub fn normalized_delta(days: i64, seconds: i64, us: i64) -> (i64, i32, i32) {
    let seconds = seconds + us.div_euclid(1_000_000);
    (days + seconds.div_euclid(86400), seconds.rem_euclid(86400) as i32, us.rem_euclid(1_000_000) as i32)
}

/// A date and time plus a duration; `None` if it leaves the calendar.
pub fn shifted(date: Ymd, time: Hms, days: i64, seconds: i64, us: i64) -> Option<(Ymd, Hms)> {
    let us = time.us as i64 + us;
    let seconds = (time.hour as i64 * 60 + time.minute as i64) * 60 + time.second as i64 + seconds + us.div_euclid(1_000_000);
    let day = date.day as i64 + days + seconds.div_euclid(86400);
    let date = Ymd { day: i32::try_from(day).ok()?, ..date }.normalized()?;
    let s = seconds.rem_euclid(86400) as i32;
    let time = Hms { hour: s / 3600, minute: s / 60 % 60, second: s % 60, us: us.rem_euclid(1_000_000) as i32 };
    Some((date, time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_there_and_back() {
        let mut expected = ymd(1, 1, 1);
        for n in 1..=MAXORDINAL {
            let d = Ymd::from_ordinal(n);
            assert_eq!(d, expected);
            assert_eq!(d.ordinal(), n);
            expected.day += 1;
            if expected.day > days_in_month(expected.year, expected.month) {
                expected.day = 1;
                expected.month += 1;
                if expected.month > 12 {
                    expected.month = 1;
                    expected.year += 1;
                }
            }
        }
        assert_eq!(ymd(9999, 12, 31).ordinal(), MAXORDINAL);
    }

    #[test]
    fn iso_calendar() {
        for n in (1..MAXORDINAL - 7).step_by(13) {
            let d = Ymd::from_ordinal(n);
            let (y, w, wd) = d.isocalendar();
            assert_eq!(wd, d.weekday() + 1);
            if y >= 1 {
                assert_eq!(from_isocalendar(y, w, wd), Ok(d));
            }
        }
        assert_eq!(ymd(2010, 1, 3).isocalendar(), (2009, 53, 7));
        assert_eq!(from_isocalendar(2010, 53, 1), Err(BadIso::Week));
    }

    #[test]
    fn beyond_the_calendar() {
        let end = ymd(9999, 12, 31);
        assert_eq!(shifted(end, Hms::default(), 1, 0, 0), None);
        assert_eq!(shifted(ymd(1, 1, 1), Hms::default(), 0, 0, -1), None);
        assert_eq!(shifted(ymd(1999, 12, 31), Hms { hour: 23, minute: 59, second: 59, us: 999_999 }, 0, 0, 1), Some((ymd(2000, 1, 1), Hms::default())));
        assert_eq!(normalized_delta(0, 0, -1), (-1, 86399, 999_999));
    }
}
