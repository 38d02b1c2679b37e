//! The settings of the archive.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use rollcall_shared::settings::{Environment, Secret};

use crate::Pace;

/// All settings of the archive.
#[derive(Debug, Clone)]
pub struct ArchiveSettings {
    /// Where the files are.
    pub location: Location,
    /// How many days after its end a day is archived.
    pub after_days: i32,
    /// For how many percent of the time archiving works; it rests in between.
    pub duty_cycle_percent: u32,
    /// The store, if it is not that of AWS; empty for that of AWS.
    pub endpoint: String,
    /// Its region.
    pub region: String,
    /// The credentials of a user. Without them, what AWS's own tools use: a role of the machine or of the container.
    pub access_key_id: Option<Secret>,
    /// The second half of the credentials.
    pub secret_access_key: Option<Secret>,
}

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket, and a folder in it, which may be empty.
    S3 {
        /// The bucket's name.
        bucket: String,
        /// The folder, without slashes at its ends.
        folder: String,
    },
}

impl ArchiveSettings {
    /// Reads `ARCHIVE_URL`, `ARCHIVE_AFTER_DAYS`, `ARCHIVE_DUTY_CYCLE_PERCENT`, and what AWS's own tools read.
    pub fn from_env(environment: &mut Environment) -> Self {
        let settings = Self {
            location: environment.read(
                "ARCHIVE_URL",
                Location::Folder(PathBuf::from("rollcall-archive")),
                "where archived days are: a folder, or s3://bucket/folder",
            ),
            after_days: environment.read_in(
                "ARCHIVE_AFTER_DAYS",
                1,
                0..=36_500,
                "days after its end, in UTC, at which a day is archived; events that come later are archived by the next run",
            ) as i32,
            duty_cycle_percent: environment.read_in(
                "ARCHIVE_DUTY_CYCLE_PERCENT",
                Pace::DEFAULT_PERCENT.into(),
                1..=100,
                "percent of the time for which archiving works; it rests in between, so that ingestion has the processors",
            ) as u32,
            endpoint: environment.read(
                "AWS_ENDPOINT_URL",
                String::new(),
                "address of a store that speaks S3, as http://host:8333; AWS's own when empty",
            ),
            region: environment.read("AWS_REGION", "us-east-1".to_owned(), "region of the bucket"),
            access_key_id: environment
                .read_optional_secret("AWS_ACCESS_KEY_ID", "user of the bucket; without it, the role of the machine"),
            secret_access_key: environment.read_optional_secret("AWS_SECRET_ACCESS_KEY", "password of that user"),
        };
        if settings.access_key_id.is_some() != settings.secret_access_key.is_some() {
            environment.report("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: set both or neither".to_owned());
        }
        if !settings.endpoint.is_empty()
            && !settings.endpoint.starts_with("http://")
            && !settings.endpoint.starts_with("https://")
        {
            environment.report(format!("AWS_ENDPOINT_URL={}: must begin with http:// or https://", settings.endpoint));
        }
        settings
    }
}

impl FromStr for Location {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("file", text));
        match scheme {
            "file" if rest.is_empty() => Err("names no folder"),
            "file" => Ok(Self::Folder(PathBuf::from(rest))),
            "s3" => {
                let (bucket, folder) = rest.split_once('/').unwrap_or((rest, ""));
                // Credentials have settings of their own, because addresses are shown.
                if bucket.len() < 3 || !bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)) {
                    return Err("names no bucket");
                }
                Ok(Self::S3 { bucket: bucket.to_owned(), folder: folder.trim_matches('/').to_owned() })
            }
            _ => Err("must be a folder, file:///folder or s3://bucket/folder"),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::S3 { bucket, folder } if folder.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, folder } => write!(f, "s3://{bucket}/{folder}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_folder_or_a_bucket() {
        let s3 = |bucket: &str, folder: &str| Ok(Location::S3 { bucket: bucket.to_owned(), folder: folder.to_owned() });
        let folder = |path: &str| Ok(Location::Folder(PathBuf::from(path)));
        for (text, expected) in [
            ("archive", folder("archive")),
            ("/var/archive", folder("/var/archive")),
            ("file:///var/archive", folder("/var/archive")),
            ("s3://events", s3("events", "")),
            ("s3://events/a/b/", s3("events", "a/b")),
            ("s3://", Err("names no bucket")),
            ("s3://user:hush@events", Err("names no bucket")),
            ("file://", Err("names no folder")),
            ("gs://events", Err("must be a folder, file:///folder or s3://bucket/folder")),
        ] {
            assert_eq!(text.parse::<Location>(), expected, "{text}");
        }
    }

    #[test]
    fn half_of_the_credentials_is_refused() {
        let mut environment = Environment::from_pairs([("AWS_ACCESS_KEY_ID", "user"), ("AWS_ENDPOINT_URL", "host:8333")]);
        ArchiveSettings::from_env(&mut environment);
        let problems = environment.finish().unwrap_err().to_string();
        assert!(problems.contains("set both or neither") && problems.contains("AWS_ENDPOINT_URL=host:8333"), "{problems}");
    }
}
