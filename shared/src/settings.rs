//! Settings: read from the environment, checked once, listed by `rollcall config`.
//!
//! Each concern has a struct that reads its own variables from an [`Environment`]. The environment remembers
//! every variable that was read, with its default and its meaning, so the list that people see cannot differ from
//! what is read. It also collects all wrong values, so that a failed start names every one of them.
//!
//! Every [`Secret`] may also be in a file: `API_KEY_FILE` names the file that contains what `API_KEY` would.

mod listen_address;
mod secret;

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use self::listen_address::ListenAddress;
pub use self::secret::{Secret, SecretFileError};

/// One variable as `rollcall config` lists it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The variable's name.
    pub name: &'static str,
    /// What it is set to, or its default; hidden for secrets.
    pub value: String,
    /// Its default; empty for a secret without a default.
    pub default: String,
    /// Whether the value comes from the environment.
    pub is_set: bool,
    /// What it means, with the range of its values.
    pub meaning: String,
}

/// Every wrong setting, one per line.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct SettingsError(pub Vec<String>);

/// Checks a URL. The error says what it must be, and does not repeat the URL.
pub type UrlCheck = fn(&str) -> Result<(), String>;

/// The variables of a process, and which of them were read. It has no Debug because it contains secrets.
#[derive(Default)]
pub struct Environment {
    variables: HashMap<String, String>,
    /// Names of variables whose values are not UTF-8. To read one of them is an error.
    not_text: HashSet<String>,
    listed: Vec<Listed>,
    problems: Vec<String>,
}

impl Environment {
    /// The variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let mut environment = Self::default();
        // vars() would panic if a name or value were not UTF-8. All names that are read are UTF-8.
        for (name, value) in std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))) {
            match value.into_string() {
                Ok(value) => drop(environment.variables.insert(name, value)),
                Err(_) => drop(environment.not_text.insert(name)),
            }
        }
        environment
    }

    /// The given variables and no others.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let variables = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, ..Self::default() }
    }

    /// The same variables, with one of them changed. An empty value means that it is not set. A file that contained
    /// the value is forgotten.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.not_text.remove(name);
        self.variables.remove(&secret::file_variable(name));
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same variables, with one of them set if neither it nor its file is set.
    #[must_use]
    pub fn with_default(self, name: &str, value: &str) -> Self {
        let file = secret::file_variable(name);
        // A value that is not UTF-8 stays, so that reading it is an error.
        let is_set = |name: &str| self.variables.contains_key(name) || self.not_text.contains(name);
        if is_set(name) || is_set(&file) { self } else { self.with(name, value) }
    }

    /// A text, number, address or anything else that can be parsed from a text. The meaning contains the unit and
    /// the accepted values.
    pub fn read<T: FromStr + Display>(&mut self, name: &'static str, default: T, meaning: &str) -> T
    where
        T::Err: Display,
    {
        self.read_by(name, default, meaning, |text| text.parse().map_err(|error: T::Err| format!("{error}: {meaning}")))
    }

    /// A whole number within a range.
    pub fn read_in(&mut self, name: &'static str, default: u64, range: RangeInclusive<u64>, meaning: &str) -> u64 {
        let (least, most) = (range.start(), range.end());
        self.read_by(name, default, &format!("{meaning} ({least}..{most})"), |text| {
            let number = text.parse().ok().filter(|number| range.contains(number));
            number.ok_or_else(|| format!("must be a whole number from {least} to {most}: {meaning}"))
        })
    }

    fn read_by<T: Display>(
        &mut self,
        name: &'static str,
        default: T,
        meaning: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        let default_text = default.to_string();
        let value = match self.text(name).map(|text| parse(&text).map_err(|problem| format!("{name}={text}: {problem}"))) {
            None => default,
            Some(Ok(value)) => value,
            Some(Err(problem)) => {
                self.report(problem);
                default
            }
        };
        let is_set = self.is_set(name);
        self.list(name, value.to_string(), default_text, is_set, meaning);
        value
    }

    /// A secret that may be absent, from the variable or from the file that the variable with `_FILE` names.
    pub fn read_optional_secret(&mut self, name: &'static str, meaning: &str) -> Option<Secret> {
        let value = self.secret(name);
        let shown = if value.is_some() { "(hidden)" } else { "" };
        let is_set = self.is_set(name) || self.is_set(&secret::file_variable(name));
        let meaning = format!("{meaning}; {} may name a file with it", secret::file_variable(name));
        self.list(name, shown.to_owned(), String::new(), is_set, &meaning);
        value
    }

    fn secret(&mut self, name: &str) -> Option<Secret> {
        let file_name = secret::file_variable(name);
        let value = self.text(name);
        let Some(path) = self.text(&file_name) else { return value.map(Secret::new) };
        if value.is_some() {
            self.report(format!("{name} and {file_name} are both set; set one of them"));
            return None;
        }
        match Secret::in_file(Path::new(&path)) {
            Ok(secret) => Some(secret),
            Err(error) => {
                self.report(format!("{file_name}={path}: {error}"));
                None
            }
        }
    }

    /// The path of a file that may be absent.
    pub fn read_path(&mut self, name: &'static str, meaning: &str) -> Option<PathBuf> {
        let path = self.read(name, String::new(), meaning);
        (!path.is_empty()).then(|| PathBuf::from(path))
    }

    /// A list of values, separated by commas. Empty values are skipped.
    pub fn read_list<T: FromStr + Display>(&mut self, name: &'static str, meaning: &str) -> Vec<T>
    where
        T::Err: Display,
    {
        let List(values) = self.read_by(name, List(Vec::new()), meaning, |text| {
            let values = text.split(',').map(str::trim).filter(|value| !value.is_empty());
            let parsed = values.map(|value| value.parse().map_err(|error: T::Err| format!("{value}: {error}: {meaning}")));
            parsed.collect::<Result<_, _>>().map(List)
        });
        values
    }

    /// A URL, which may contain a password. The error of `check` says what it must be and must not repeat the
    /// value.
    pub fn read_url(&mut self, name: &'static str, default: &str, meaning: &str, check: UrlCheck) -> Secret {
        let value = self.read_optional_url(name, meaning, check);
        if let Some(listed) = self.listed.iter_mut().find(|listed| listed.name == name) {
            default.clone_into(&mut listed.default);
            if !listed.is_set {
                default.clone_into(&mut listed.value);
            }
        }
        value.unwrap_or_else(|| Secret::new(default))
    }

    /// A URL that may be absent.
    pub fn read_optional_url(&mut self, name: &'static str, meaning: &str, check: UrlCheck) -> Option<Secret> {
        let value = self.read_optional_secret(name, meaning)?;
        match check(value.expose()) {
            Ok(()) => Some(value),
            Err(problem) => {
                self.report(format!("{name} {problem}: {meaning}"));
                None
            }
        }
    }

    /// Every variable that was read, in order.
    #[must_use]
    pub fn listed(&self) -> &[Listed] {
        &self.listed
    }

    /// Reports all wrong settings.
    ///
    /// # Errors
    /// Only if a variable has an invalid value.
    pub fn finish(self) -> Result<(), SettingsError> {
        if self.problems.is_empty() { Ok(()) } else { Err(SettingsError(self.problems)) }
    }

    /// Adds a problem that no single variable has, or one that was found after reading.
    pub fn report(&mut self, problem: String) {
        // The API and the worker share some variables, so a problem may be found twice.
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// An empty variable counts as absent, because compose files pass `${NAME:-}` as an empty one.
    fn text(&mut self, name: &str) -> Option<String> {
        // The name is removed, so that a variable that both services read is reported once.
        if self.not_text.remove(name) {
            self.report(format!("{name}: is not UTF-8 text"));
        }
        self.variables.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// Whether a variable is set. An empty value means that it is not.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.variables.get(name).is_some_and(|value| !value.is_empty())
    }

    fn list(&mut self, name: &'static str, value: String, default: String, is_set: bool, meaning: &str) {
        // The API and the worker share some variables. They are listed when they are first read.
        if self.listed.iter().all(|listed| listed.name != name) {
            self.listed.push(Listed { name, value, default, is_set, meaning: meaning.to_owned() });
        }
    }
}

/// Values as they are written in a variable.
struct List<T>(Vec<T>);

impl<T: Display> Display for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, value) in self.0.iter().enumerate() {
            write!(f, "{}{value}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
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
        let form = "must be a whole number from 1 to 9: a number";
        assert_eq!(problems, format!("A=x: {form}\nB=10: {form}"));
    }

    #[test]
    fn a_wrong_url_is_named_and_not_repeated() {
        let check: UrlCheck = |_| Err("must begin with nats://".to_owned());
        let mut environment = Environment::from_pairs([("URL", "http://hush")]);
        environment.read_url("URL", "nats://here", "a server", check);
        assert_eq!(environment.finish().unwrap_err().to_string(), "URL must begin with nats://: a server");
    }

    #[test]
    fn secrets_are_not_shown() {
        let mut environment = Environment::from_pairs([("KEY", "hush")]);
        let secret = environment.read_optional_secret("KEY", "a key").unwrap();
        assert_eq!(secret.expose(), "hush");
        assert_eq!(format!("{secret:?}"), "(hidden)");
        assert_eq!(environment.listed()[0].value, "(hidden)");
    }

    #[test]
    fn a_secret_is_in_the_variable_or_in_the_file() {
        let mut environment = Environment::from_pairs([("KEY", "hush"), ("KEY_FILE", "/nowhere")]);
        assert_eq!(environment.read_optional_secret("KEY", "a key"), None);
        let problem = environment.finish().unwrap_err().to_string();
        assert_eq!(problem, "KEY and KEY_FILE are both set; set one of them");
    }

    #[test]
    fn a_file_counts_as_set_until_the_variable_is_changed() {
        let in_file = || Environment::from_pairs([("KEY_FILE", "/nowhere")]);
        let mut environment = in_file().with_default("KEY", "default");
        assert_eq!(environment.read_optional_secret("KEY", "a key"), None);
        assert!(environment.finish().unwrap_err().to_string().starts_with("KEY_FILE=/nowhere: cannot be read"));
        let mut environment = in_file().with("KEY", "other");
        assert_eq!(environment.read_optional_secret("KEY", "a key"), Some(Secret::new("other")));
    }

    #[test]
    fn a_list_is_separated_by_commas() {
        let mut environment = Environment::from_pairs([("LIST", "1, 2,,3"), ("WRONG", "1,x")]);
        assert_eq!(environment.read_list::<u8>("LIST", "numbers"), [1, 2, 3]);
        assert_eq!(environment.listed()[0].value, "1,2,3");
        environment.read_list::<u8>("WRONG", "numbers");
        assert_eq!(environment.finish().unwrap_err().to_string(), "WRONG=1,x: x: invalid digit found in string: numbers");
    }
}
