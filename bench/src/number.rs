//! Formats numbers for people.

/// Formats a whole number with commas: 20,000,000.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Formats a measured value with three significant digits.
pub(crate) fn rounded(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "n/a".to_owned(),
        size if size >= 100.0 => grouped_signed(value),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn grouped_signed(value: f64) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{}", grouped(value.abs().round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 999, 1000, 20_000_000].map(grouped), ["0", "999", "1,000", "20,000,000"]);
    }

    #[test]
    fn three_digits_are_kept() {
        let texts = [1234.5, 42.25, 1.234, 0.0123, f64::NAN].map(rounded);
        assert_eq!(texts, ["1,235", "42.2", "1.23", "0.012", "n/a"]);
    }
}
