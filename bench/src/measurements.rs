//! The values of the repetitions of one measurement, and their statistics.

use serde::{Serialize, Serializer};

/// The values of one measurement, one per repetition, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Measurements(Vec<f64>);

impl Measurements {
    /// Adds the value of one more repetition.
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// True if nothing was measured.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of values.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest value; NaN if there is none.
    pub(crate) fn min(&self) -> f64 {
        self.quantile(0.0)
    }

    /// The median; NaN if there is no value.
    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The largest value; NaN if there is none.
    pub(crate) fn max(&self) -> f64 {
        self.quantile(1.0)
    }

    /// The quantile of the given share, interpolated between neighbouring values.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
        let place = share * last as f64;
        let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
        below + (above - below) * place.fract()
    }

    /// Each value divided by the value of another measurement in the same repetition.
    pub(crate) fn divided_by(&self, other: &Self) -> Self {
        self.0.iter().zip(&other.0).map(|(ours, theirs)| ours / theirs).collect()
    }
}

impl FromIterator<f64> for Measurements {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Serialize for Measurements {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            median: f64,
            min: f64,
            max: f64,
            values: &'a [f64],
        }
        Written { median: self.median(), min: self.min(), max: self.max(), values: &self.0 }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_lies_between_the_middle_values() {
        let measurements: Measurements = [4.0, 1.0, 3.0, 2.0].into_iter().collect();
        assert_eq!((measurements.min(), measurements.median(), measurements.max()), (1.0, 2.5, 4.0));
        assert!(Measurements::default().median().is_nan());
    }

    #[test]
    fn ratios_are_taken_within_a_repetition() {
        let ours: Measurements = [10.0, 30.0].into_iter().collect();
        let theirs: Measurements = [5.0, 10.0].into_iter().collect();
        assert_eq!(ours.divided_by(&theirs), [2.0, 3.0].into_iter().collect());
    }
}
