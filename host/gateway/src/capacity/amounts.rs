//! Numbers with units, as they are written on the command line.

/// `200k`, `1.5M`, `20_000`: not negative.
pub(crate) fn count(text: &str) -> Result<f64, String> {
    amount(text, &[("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9)])
        .ok_or_else(|| "a number, such as 500, 200k or 1.5M".into())
}

/// The same, above zero.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    count(text).ok().filter(|count| *count > 0.0).ok_or_else(|| "a number above 0, such as 4 or 200k".into())
}

/// `50k/s`, `50k`, `0/s`.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    count(text.strip_suffix("/s").unwrap_or(text))
        .map_err(|_| "messages a second, such as 50k/s or 800/s".into())
}

/// `2us`, `2µs`, `500ns`, `1ms`, in µs.
pub(crate) fn microseconds(text: &str) -> Result<f64, String> {
    amount(text, &[("us", 1.0), ("µs", 1.0), ("ns", 1e-3), ("ms", 1e3)])
        .ok_or_else(|| "a time with its unit, such as 2us, 500ns or 1ms".into())
}

/// `70%` as 0.7; above 0 and at most 100 %.
pub(crate) fn percent(text: &str) -> Result<f64, String> {
    // Divided, not multiplied: a hundredth is no number of the machine's.
    amount(text, &[("%", 1.0), ("", 1.0)])
        .map(|percent| percent / 100.0)
        .filter(|part| *part > 0.0 && *part <= 1.0)
        .ok_or_else(|| "a part of a core, above 0% and up to 100%, such as 70%".into())
}

/// `1Gbit/s`, `100Mbit/s`, in bits a second; above 0.
pub(crate) fn bits(text: &str) -> Result<f64, String> {
    amount(text, &[("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3)])
        .filter(|bits| *bits > 0.0)
        .ok_or_else(|| "bits a second, such as 1Gbit/s or 100Mbit/s".into())
}

fn amount(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let at = text.find(|next: char| !next.is_ascii_digit() && !"._".contains(next)).unwrap_or(text.len());
    let (digits, unit) = text.split_at(at);
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    let number: f64 = digits.replace('_', "").parse().ok()?;
    Some(number * factor).filter(|amount| amount.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units() {
        assert_eq!(count("200k"), Ok(200_000.0));
        assert_eq!(count("1.5M"), Ok(1_500_000.0));
        assert_eq!(count("20_000"), Ok(20_000.0));
        assert_eq!(rate("50k/s"), Ok(50_000.0));
        assert_eq!(rate("0"), Ok(0.0));
        assert_eq!(microseconds("2us"), Ok(2.0));
        assert_eq!(microseconds("500ns"), Ok(0.5));
        assert_eq!(percent("70%"), Ok(0.7));
        assert_eq!(bits("1Gbit/s"), Ok(1e9));
    }

    #[test]
    fn what_is_no_amount_is_answered_with_one_that_is() {
        for wrong in ["", "k", "-1", "1x", "1e400", "1..2", "nan", "inf"] {
            for parse in [count, positive, rate, microseconds, percent, bits] {
                let error = parse(wrong).unwrap_err();
                assert!(error.contains("such as"), "{wrong}: {error}");
            }
        }
        assert!(positive("0").is_err() && percent("0%").is_err() && percent("101%").is_err());
        assert!(microseconds("2").is_err(), "of what?");
    }
}
