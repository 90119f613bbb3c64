//! Time as RFC 3339 writes it.

const DAY: u64 = 86_400_000;

/// Milliseconds since 1970 as `2026-01-31T23:59:59.999Z`.
pub(crate) fn rfc3339(milliseconds: u64) -> String {
    let (year, month, day) = date(milliseconds / DAY);
    let in_day = milliseconds % DAY;
    let mut text = String::with_capacity(24);
    let digits = |text: &mut String, number: u64, count: u32| {
        for place in (0..count).rev() {
            // One digit, so it fits.
            text.push(char::from_digit((number / 10_u64.pow(place) % 10) as u32, 10).unwrap_or('0'));
        }
    };
    // `format!` with its padding took a third of the whole call.
    if year > 9_999 {
        text.push_str(&(year / 10_000).to_string());
    }
    digits(&mut text, year, 4);
    let parts = [
        ('-', month, 2),
        ('-', day, 2),
        ('T', in_day / 3_600_000, 2),
        (':', in_day / 60_000 % 60, 2),
        (':', in_day / 1_000 % 60, 2),
        ('.', in_day % 1_000, 3),
    ];
    for (separator, number, count) in parts {
        text.push(separator);
        digits(&mut text, number, count);
    }
    text.push('Z');
    text
}

/// Year, month and day of a day since 1970. Counts from a 1 March, so that the leap day is the last of a year
/// (Howard Hinnant, chrono-Compatible Low-Level Date Algorithms, `civil_from_days`).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01
    let era = days / 146_097; // of 400 years
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153; // 0 is March
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year_of_era + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        for (milliseconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_767_225_600_000, "2026-01-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(rfc3339(milliseconds), text);
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut last = date(0);
        for day in 1..200_000 {
            let next = date(day);
            let follows = match next {
                (year, 1, 1) => last == (year - 1, 12, 31),
                (year, month, 1) => last.0 == year && last.1 == month - 1 && last.2 >= 28,
                (year, month, day) => last == (year, month, day - 1),
            };
            assert!(follows, "{last:?} {next:?}");
            last = next;
        }
    }

    #[test]
    fn no_clock_makes_it_panic() {
        rfc3339(u64::MAX);
    }
}
