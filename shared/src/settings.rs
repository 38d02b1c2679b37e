//! Settings: read from the environment, checked once, listed by `rollcall config`.
//!
//! Each concern has a struct that reads its own variables from an [`Environment`]. The reader
//! remembers every variable it was asked for, with its default and its meaning, so the list that
//! people see cannot differ from what is read; and it gathers all wrong values, so that a start
//! that fails names every one of them.

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A text that never appears in logs or debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// One variable as `rollcall config` lists it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The variable's name.
    pub name: &'static str,
    /// What it is set to, or its default; hidden for secrets.
    pub value: String,
    /// Whether the value comes from the environment.
    pub is_set: bool,
    /// What it means, with its range.
    pub meaning: String,
}

/// Every wrong setting, one a line.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct SettingsError(pub Vec<String>);

/// The variables of a process, and what was asked of them. No Debug: secrets are among them.
#[derive(Default)]
pub struct Environment {
    variables: HashMap<String, String>,
    listed: Vec<Listed>,
    problems: Vec<String>,
}

impl Environment {
    /// The variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        // Variables that are not UTF-8 cannot be ours; vars() would panic on them.
        let text = |os: std::ffi::OsString| os.into_string().ok();
        Self::from_pairs(std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))))
    }

    /// The given variables and no others.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let variables = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, ..Self::default() }
    }

    /// A text, number, address or anything else that can be parsed from a text.
    pub fn read<T: FromStr + Display>(&mut self, name: &'static str, default: T, meaning: &str) -> T
    where
        T::Err: Display,
    {
        let parsed = match self.set(name) {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|error: T::Err| format!("{name}={text}: {error}")),
        };
        let value = match parsed {
            Ok(Some(value)) => value,
            Ok(None) => default,
            Err(problem) => {
                self.problems.push(problem);
                default
            }
        };
        self.list(name, value.to_string(), meaning.to_owned());
        value
    }

    /// A whole number within a range.
    pub fn read_in(&mut self, name: &'static str, default: u64, range: RangeInclusive<u64>, meaning: &str) -> u64 {
        let meaning = format!("{meaning} ({}..{})", range.start(), range.end());
        let value = self.read(name, default, &meaning);
        if range.contains(&value) {
            return value;
        }
        self.problems.push(format!("{name}={value}: must be {} to {}", range.start(), range.end()));
        default
    }

    /// A secret with a default.
    pub fn read_secret(&mut self, name: &'static str, default: &str, meaning: &str) -> Secret {
        self.read_optional_secret(name, meaning).unwrap_or_else(|| Secret::new(default))
    }

    /// A secret that may be absent.
    pub fn read_optional_secret(&mut self, name: &'static str, meaning: &str) -> Option<Secret> {
        let value = self.set(name).map(Secret::new);
        let shown = if value.is_some() { "(hidden)" } else { "" };
        self.list(name, shown.to_owned(), meaning.to_owned());
        value
    }

    /// Every variable that was read, in order.
    #[must_use]
    pub fn listed(&self) -> &[Listed] {
        &self.listed
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Only if a variable is set to something it cannot be.
    pub fn finish(self) -> Result<(), SettingsError> {
        if self.problems.is_empty() { Ok(()) } else { Err(SettingsError(self.problems)) }
    }

    /// An empty variable counts as absent, as compose files pass it for `${NAME:-}`.
    fn set(&self, name: &str) -> Option<String> {
        self.variables.get(name).filter(|value| !value.is_empty()).cloned()
    }

    fn list(&mut self, name: &'static str, value: String, meaning: String) {
        // The API and the worker share some variables; the first reading lists them.
        if self.listed.iter().all(|listed| listed.name != name) {
            let is_set = self.set(name).is_some();
            self.listed.push(Listed { name, value, is_set, meaning });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_stand_where_nothing_is_set() {
        let mut environment = Environment::from_pairs([("EMPTY", "")]);
        assert_eq!(environment.read_in("EMPTY", 7, 1..=9, "a number"), 7);
        environment.finish().unwrap();
    }

    #[test]
    fn every_wrong_setting_is_named() {
        let mut environment = Environment::from_pairs([("A", "x"), ("B", "10")]);
        environment.read_in("A", 7, 1..=9, "a number");
        environment.read_in("B", 7, 1..=9, "a number");
        let problems = environment.finish().unwrap_err().to_string();
        assert_eq!(problems, "A=x: invalid digit found in string\nB=10: must be 1 to 9");
    }

    #[test]
    fn secrets_are_not_shown() {
        let mut environment = Environment::from_pairs([("KEY", "hush")]);
        let secret = environment.read_optional_secret("KEY", "a key").unwrap();
        assert_eq!(secret.expose(), "hush");
        assert_eq!(format!("{secret:?}"), "(hidden)");
        assert_eq!(environment.listed()[0].value, "(hidden)");
    }
}
