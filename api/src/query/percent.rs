//! Percentages in answers.

/// The percentage with two decimals, rounded half away from zero; 0 if the whole is 0.
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    (10_000.0 * part as f64 / whole as f64).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_have_two_decimals() {
        let percentages = [percent(33, 80), percent(1, 3), percent(2, 3), percent(80, 80), percent(0, 0)];
        assert_eq!(percentages, [41.25, 33.33, 66.67, 100.0, 0.0]);
    }
}
