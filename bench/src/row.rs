//! A row of the report: a measurement, its yardsticks and its targets.

use serde::{Serialize, Serializer};

use crate::measurements::Measurements;

/// Whether lower or higher values are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    /// For times and sizes.
    Lower,
    /// For rates.
    Higher,
}

/// One measurement of Rollcall.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// The name of the measurement.
    pub(crate) name: String,
    /// The unit of all values in the row, including those of yardsticks.
    pub(crate) unit: &'static str,
    /// Whether lower or higher values are better.
    pub(crate) better: Better,
    /// One value a repetition.
    pub(crate) ours: Measurements,
    /// Absolute target: the median must be below it, or above it if higher is better.
    pub(crate) bound: Option<f64>,
    /// The yardsticks with which Rollcall is compared.
    pub(crate) yardsticks: Vec<Yardstick>,
}

/// Another way to do the same work, measured in the same repetitions.
#[derive(Debug, Clone)]
pub(crate) struct Yardstick {
    /// The name of the yardstick.
    pub(crate) name: String,
    /// One value per repetition; empty if it could not be measured.
    pub(crate) measurements: Measurements,
    /// Target: the least ratio of Rollcall to the yardstick.
    pub(crate) at_least: Option<f64>,
}

impl Row {
    /// A row without values, in which lower is better.
    pub(crate) fn lower(name: impl Into<String>, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            unit,
            better: Better::Lower,
            ours: Measurements::default(),
            bound: None,
            yardsticks: Vec::new(),
        }
    }

    /// A row without values, in which higher is better.
    pub(crate) fn higher(name: impl Into<String>, unit: &'static str) -> Self {
        Self { better: Better::Higher, ..Self::lower(name, unit) }
    }

    /// Sets the absolute target.
    pub(crate) fn bound(self, bound: f64) -> Self {
        Self { bound: Some(bound), ..self }
    }

    /// Adds a yardstick without values.
    pub(crate) fn against(mut self, name: impl Into<String>, at_least: Option<f64>) -> Self {
        self.yardsticks.push(Yardstick { name: name.into(), measurements: Measurements::default(), at_least });
        self
    }

    /// The ratio of Rollcall to the yardstick in each repetition. Above 1, Rollcall is better.
    pub(crate) fn ratio(&self, yardstick: &Yardstick) -> Measurements {
        match self.better {
            Better::Lower => yardstick.measurements.divided_by(&self.ours),
            Better::Higher => self.ours.divided_by(&yardstick.measurements),
        }
    }

    /// True if the absolute target is met; `None` if there is no target or nothing was measured.
    pub(crate) fn is_bound_kept(&self) -> Option<bool> {
        let bound = self.bound.filter(|_| !self.ours.is_empty())?;
        Some(match self.better {
            Better::Lower => self.ours.median() < bound,
            Better::Higher => self.ours.median() > bound,
        })
    }

    /// True if the yardstick's target is met; `None` if there is no target or nothing was measured.
    pub(crate) fn is_met(&self, yardstick: &Yardstick) -> Option<bool> {
        let ratio = self.ratio(yardstick);
        yardstick.at_least.filter(|_| !ratio.is_empty()).map(|at_least| ratio.median() >= at_least)
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct WrittenYardstick<'a> {
            name: &'a str,
            values: &'a Measurements,
            ratio: Measurements,
            at_least: Option<f64>,
            is_met: Option<bool>,
        }
        #[derive(Serialize)]
        struct Written<'a> {
            name: &'a str,
            unit: &'a str,
            better: Better,
            ours: &'a Measurements,
            bound: Option<f64>,
            is_bound_kept: Option<bool>,
            yardsticks: Vec<WrittenYardstick<'a>>,
        }
        fn written<'a>(row: &'a Row, yardstick: &'a Yardstick) -> WrittenYardstick<'a> {
            let Yardstick { name, measurements, at_least } = yardstick;
            let (ratio, is_met) = (row.ratio(yardstick), row.is_met(yardstick));
            WrittenYardstick { name, values: measurements, ratio, at_least: *at_least, is_met }
        }
        let yardsticks = self.yardsticks.iter().map(|yardstick| written(self, yardstick)).collect();
        let Self { name, unit, better, ours, bound, .. } = self;
        Written { name, unit, better: *better, ours, bound: *bound, is_bound_kept: self.is_bound_kept(), yardsticks }
            .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(mut row: Row, ours: f64, theirs: f64) -> Row {
        row.ours.push(ours);
        row.yardsticks[0].measurements.push(theirs);
        row
    }

    #[test]
    fn a_ratio_above_one_is_good_in_both_directions() {
        let time = with(Row::lower("time", "s").against("theirs", Some(2.0)), 1.0, 3.0);
        let rate = with(Row::higher("rate", "1/s").against("theirs", Some(2.0)), 3.0, 1.0);
        for row in [time, rate] {
            assert_eq!(row.ratio(&row.yardsticks[0]).median(), 3.0);
            assert_eq!(row.is_met(&row.yardsticks[0]), Some(true));
        }
    }

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        let row = Row::lower("time", "s").bound(1.0).against("theirs", Some(2.0));
        assert_eq!((row.is_bound_kept(), row.is_met(&row.yardsticks[0])), (None, None));
    }
}
