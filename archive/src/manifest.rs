//! The manifest: what a day consists of in the archive. It is written last, so what it names is complete.
//!
//! Its name begins with an underscore, so that readers of Hive's folders skip it.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::ArchiveError;
use crate::day::folder;

/// The version of the schema that this program writes, and the newest that it reads.
pub(crate) const SCHEMA_VERSION: u32 = 1;
/// The name of every manifest.
pub(crate) const FILE: &str = "_manifest.json";
/// Most bytes of a manifest: some 60,000 parts.
pub(crate) const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// What a day consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the schema of its files.
    pub schema_version: u32,
    /// The project's name.
    pub project: String,
    /// The UTC date.
    pub date: Date,
    /// How often the day was archived: 1 at first, and one more each time that later events were added.
    pub generation: u32,
    /// The rows of all parts.
    pub rows: u64,
    /// The bytes of all parts.
    pub bytes: u64,
    /// When it was written.
    pub written_at: Timestamp,
    /// The parts, oldest first. No event is in two of them.
    pub parts: Vec<Part>,
}

/// One Parquet file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its name in the day's folder.
    pub file: String,
    /// The generation that added it.
    pub generation: u32,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

impl Part {
    /// The name of the part that comes at this place, counted from 1, with this content.
    pub(crate) fn name(place: usize, sha256: &str) -> String {
        format!("part-{place:05}-{}.parquet", &sha256[..16])
    }
}

impl Manifest {
    /// A manifest without parts, to which generations are added.
    pub(crate) fn empty(project: &str, date: Date) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            project: project.to_owned(),
            date,
            generation: 0,
            rows: 0,
            bytes: 0,
            written_at: Timestamp::UNIX_EPOCH,
            parts: Vec::new(),
        }
    }

    /// Adds the parts of the next generation.
    pub(crate) fn add(&mut self, parts: Vec<Part>) {
        self.rows += parts.iter().map(|part| part.rows).sum::<u64>();
        self.bytes += parts.iter().map(|part| part.bytes).sum::<u64>();
        self.parts.extend(parts);
        self.written_at = Timestamp::now();
    }

    /// The folder of its files.
    #[must_use]
    pub fn folder(&self) -> String {
        folder(&self.project, self.date)
    }

    /// The path of one of its parts.
    #[must_use]
    pub fn path_of(&self, part: &Part) -> String {
        format!("{}/{}", self.folder(), part.file)
    }

    /// Its text.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        // Maps with other keys than texts are the only values that fail.
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }

    /// Reads the manifest of this project and date.
    ///
    /// # Errors
    /// It is no manifest, or one of another day, or one whose parts do not add up, or of a newer version.
    pub(crate) fn read(json: &[u8], project: &str, date: Date) -> Result<Self, ArchiveError> {
        let path = || format!("{}/{FILE}", folder(project, date));
        let damaged = |problem: String| ArchiveError::Damaged { path: path(), problem };
        #[derive(Deserialize)]
        struct Version {
            schema_version: u32,
        }
        let version: Version = serde_json::from_slice(json).map_err(|error| damaged(format!("it is no manifest ({error})")))?;
        if version.schema_version > SCHEMA_VERSION {
            return Err(ArchiveError::Newer { path: path(), found: version.schema_version, known: SCHEMA_VERSION });
        }
        let manifest: Self = serde_json::from_slice(json).map_err(|error| damaged(format!("it is no manifest ({error})")))?;
        match manifest.problem(project, date) {
            None => Ok(manifest),
            Some(problem) => Err(damaged(problem.to_owned())),
        }
    }

    /// What is wrong with it, if anything.
    fn problem(&self, project: &str, date: Date) -> Option<&'static str> {
        let sum = |value: fn(&Part) -> u64| self.parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(value(part)));
        let is_name = |part: &Part| part.file.ends_with(".parquet") && !part.file.contains('/');
        let is_sha256 = |part: &Part| part.sha256.len() == 64 && part.sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        if self.project != project || self.date != date {
            Some("it is the manifest of another day")
        } else if sum(|part| part.rows) != Some(self.rows) || sum(|part| part.bytes) != Some(self.bytes) {
            Some("its parts do not add up to its totals")
        } else if !self
            .parts
            .iter()
            .all(|part| is_name(part) && is_sha256(part) && (1..=self.generation).contains(&part.generation))
        {
            Some("a part has a wrong name, checksum or generation")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: Date = jiff::civil::date(2026, 3, 1);

    fn manifest() -> Manifest {
        let part = |file: &str, generation| Part { file: file.to_owned(), generation, rows: 3, bytes: 5, sha256: "a".repeat(64) };
        let mut manifest = Manifest::empty("shop", DATE);
        manifest.generation = 2;
        manifest.add(vec![part("part-00001-a.parquet", 1), part("part-00002-a.parquet", 2)]);
        manifest
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let manifest = manifest();
        assert_eq!((manifest.rows, manifest.bytes), (6, 10));
        assert_eq!(Manifest::read(&manifest.to_json(), "shop", DATE).unwrap(), manifest);
    }

    #[test]
    fn a_manifest_that_contradicts_itself_is_damaged() {
        type Change = fn(&mut Manifest);
        let changes: [(Change, &str); 6] = [
            (|manifest| manifest.rows += 1, "add up"),
            (|manifest| manifest.parts[0].bytes = u64::MAX, "add up"),
            (|manifest| manifest.project = "other".to_owned(), "another day"),
            (|manifest| manifest.parts[0].file = "../x.parquet".to_owned(), "wrong name"),
            (|manifest| manifest.parts[0].sha256 = "abc".to_owned(), "wrong name"),
            (|manifest| manifest.parts[1].generation = 3, "generation"),
        ];
        for (change, problem) in changes {
            let mut manifest = manifest();
            change(&mut manifest);
            let error = Manifest::read(&manifest.to_json(), "shop", DATE).unwrap_err();
            assert!(error.is_about_one_day() && error.to_string().contains(problem), "{error}");
        }
        assert!(Manifest::read(b"{", "shop", DATE).unwrap_err().to_string().contains("it is no manifest"));
    }

    #[test]
    fn a_manifest_of_a_newer_version_is_refused_whatever_else_it_says() {
        let error = Manifest::read(br#"{"schema_version": 2, "shape": "new"}"#, "shop", DATE).unwrap_err();
        assert!(error.to_string().contains("has version 2 of the schema"), "{error}");
    }
}
