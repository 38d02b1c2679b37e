//! The store: the folder or the bucket that holds the files.
//!
//! Whatever is read is checked against the length and the SHA-256 of the manifest before anybody uses it. Files go
//! through the disk of this machine, so that memory does not grow with them.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{BackoffConfig, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig};
use rollcall_shared::settings::Secret;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use crate::manifest::{self, Manifest, Part};
use crate::settings::{ArchiveSettings, Location};
use crate::{ArchiveError, day};

/// Larger files are sent in pieces of this size. Stores want at least 5 MiB, and all but the last of one size.
const PIECE_BYTES: usize = 8 * 1024 * 1024;

/// How long a request is tried again while the bucket's server is away or overloaded. A server that is restarted is back
/// within it, and credentials that the request was signed with are valid for longer.
const RETRY_TIMEOUT: Duration = Duration::from_secs(120);
/// Delays between attempts: about the first at the beginning, and at most the second.
const RETRY_DELAYS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A folder or a bucket.
#[derive(Debug, Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// The folder within the bucket, with a slash at its end unless it is empty.
    prefix: String,
    /// The folder of this machine, if it is one.
    folder: Option<PathBuf>,
}

/// An object in a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its path within the archive.
    pub(crate) path: String,
    pub(crate) bytes: u64,
}

impl Store {
    /// Opens the store of the settings, and makes the folder if it is one and missing.
    ///
    /// # Errors
    /// The folder cannot be made, or the settings of the bucket are wrong. Whether the bucket exists shows later.
    pub fn open(settings: &ArchiveSettings) -> Result<Self, ArchiveError> {
        let opened = match &settings.location {
            Location::Folder(folder) => open_folder(folder),
            Location::S3 { bucket, folder } => open_bucket(settings, bucket, folder),
        };
        opened.map_err(|source| ArchiveError::Open { location: settings.location.to_string(), source })
    }

    /// The manifest of a project's date; `None` if the day is not archived.
    ///
    /// # Errors
    /// The store does not answer, or the manifest is damaged.
    pub async fn manifest(&self, project: &str, date: jiff::civil::Date) -> Result<Option<Manifest>, ArchiveError> {
        let path = format!("{}/{}", day::folder(project, date), manifest::FILE);
        let Some(json) = self.read_small(&path).await? else { return Ok(None) };
        Manifest::read(&json, project, date).map(Some)
    }

    /// The dates of a project that have a manifest, in order.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn dates(&self, project: &str) -> Result<Vec<jiff::civil::Date>, ArchiveError> {
        let objects = self.list(&format!("project={project}")).await?;
        let folders = objects.iter().filter_map(|object| object.path.strip_suffix(manifest::FILE)?.strip_suffix('/'));
        let mut dates: Vec<_> = folders.filter_map(day::of_folder).map(|(_, date)| date).collect();
        dates.sort_unstable();
        Ok(dates)
    }

    /// Gets a part of a manifest into a temporary file, and checks its length and checksum.
    ///
    /// # Errors
    /// It is missing or damaged, or the store does not answer.
    pub async fn fetch(&self, manifest: &Manifest, part: &Part) -> Result<File, ArchiveError> {
        let path = manifest.path_of(part);
        let failed = |source| ArchiveError::Store { path: path.clone(), source };
        let found = match self.objects.get(&self.path(&path)).await {
            Err(object_store::Error::NotFound { .. }) => return Err(ArchiveError::Missing { path }),
            found => found.map_err(failed)?,
        };
        let mut stream = found.into_stream();
        let (mut file, mut digest, mut bytes) = (tempfile::tempfile()?, Sha256::new(), 0_u64);
        while let Some(piece) = stream.try_next().await.map_err(failed)? {
            bytes += piece.len() as u64;
            if bytes > part.bytes {
                break;
            }
            digest.update(&piece);
            file.write_all(&piece)?;
        }
        let damaged = |problem: String| Err(ArchiveError::Damaged { path: path.clone(), problem });
        if bytes != part.bytes {
            return damaged(format!("it has {bytes} bytes or more, and should have {}", part.bytes));
        }
        if hex(&digest.finalize()) != part.sha256 {
            return damaged("its SHA-256 is another than the manifest says".to_owned());
        }
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }

    /// Writes a file of this length.
    pub(crate) async fn write(&self, path: &str, mut file: File, bytes: u64) -> Result<(), ArchiveError> {
        file.seek(SeekFrom::Start(0))?;
        let mut file = tokio::fs::File::from_std(file);
        let failed = |source| ArchiveError::Store { path: path.to_owned(), source };
        if bytes <= PIECE_BYTES as u64 {
            let mut content = Vec::with_capacity(bytes as usize);
            file.read_to_end(&mut content).await?;
            self.objects.put(&self.path(path), PutPayload::from(content)).await.map_err(failed)?;
        } else {
            let mut upload = self.objects.put_multipart(&self.path(path)).await.map_err(failed)?;
            if let Err(error) = send(&mut *upload, &mut file).await {
                // What was sent takes room until the store removes it.
                let _ = upload.abort().await;
                return Err(match error {
                    SendError::File(error) => error.into(),
                    SendError::Store(source) => failed(source),
                });
            }
        }
        self.sync(path).await
    }

    /// Writes a manifest, in one step.
    pub(crate) async fn write_manifest(&self, manifest: &Manifest) -> Result<(), ArchiveError> {
        let path = format!("{}/{}", manifest.folder(), manifest::FILE);
        let payload = PutPayload::from(manifest.to_json());
        let put = self.objects.put(&self.path(&path), payload).await;
        put.map_err(|source| ArchiveError::Store { path: path.clone(), source })?;
        self.sync(&path).await
    }

    /// Deletes an object; it may be gone already.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), ArchiveError> {
        match self.objects.delete(&self.path(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(ArchiveError::Store { path: path.to_owned(), source }),
        }
    }

    /// The objects below a folder.
    pub(crate) async fn list(&self, folder: &str) -> Result<Vec<Listed>, ArchiveError> {
        let objects: Vec<_> = self
            .objects
            .list(Some(&self.path(folder)))
            .map_ok(|object| Listed {
                path: object.location.as_ref().trim_start_matches(self.prefix.as_str()).to_owned(),
                bytes: object.size,
            })
            .try_collect()
            .await
            .map_err(|source| ArchiveError::Store { path: folder.to_owned(), source })?;
        Ok(objects)
    }

    /// The content of an object of limited size; `None` if there is none.
    async fn read_small(&self, path: &str) -> Result<Option<Bytes>, ArchiveError> {
        let failed = |source| ArchiveError::Store { path: path.to_owned(), source };
        let found = match self.objects.get(&self.path(path)).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(failed)?,
        };
        if found.meta.size > manifest::MAX_BYTES {
            let problem = format!("it has {} bytes, and no manifest has more than {}", found.meta.size, manifest::MAX_BYTES);
            return Err(ArchiveError::Damaged { path: path.to_owned(), problem });
        }
        found.bytes().await.map(Some).map_err(failed)
    }

    /// Waits until a file of a local folder is on disk, because the rows may be dropped once it is there.
    async fn sync(&self, path: &str) -> Result<(), ArchiveError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let file = folder.join(path);
        let root = folder.clone();
        let synced = tokio::task::spawn_blocking(move || {
            File::open(&file)?.sync_all()?;
            // The names too: of the file, and of folders that may be new.
            for parent in file.ancestors().skip(1).take_while(|parent| parent.starts_with(&root)) {
                File::open(parent)?.sync_all()?;
            }
            Ok(())
        });
        synced.await.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(ArchiveError::File)
    }

    fn path(&self, path: &str) -> Path {
        Path::from(format!("{}{path}", self.prefix))
    }
}

fn open_folder(folder: &FilePath) -> Result<Store, Box<dyn std::error::Error + Send + Sync>> {
    std::fs::create_dir_all(folder)?;
    let folder = folder.canonicalize()?;
    let objects = LocalFileSystem::new_with_prefix(&folder)?;
    Ok(Store { objects: Arc::new(objects), prefix: String::new(), folder: Some(folder) })
}

fn open_bucket(
    settings: &ArchiveSettings,
    bucket: &str,
    folder: &str,
) -> Result<Store, Box<dyn std::error::Error + Send + Sync>> {
    // This fails only if a provider is installed already, which is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // What is not among the settings, such as the role of a container, has the variables of AWS's own tools.
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_region(&settings.region);
    builder = builder.with_retry(retry_policy());
    if !settings.endpoint.is_empty() {
        let is_plain = settings.endpoint.starts_with("http://");
        builder = builder.with_endpoint(&settings.endpoint).with_allow_http(is_plain);
    }
    if let (Some(user), Some(password)) = (&settings.access_key_id, &settings.secret_access_key) {
        builder = builder.with_access_key_id(Secret::expose(user)).with_secret_access_key(Secret::expose(password));
    }
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    Ok(Store { objects: Arc::new(builder.build()?), prefix, folder: None })
}

/// The time decides when to give up, not the number of attempts.
fn retry_policy() -> RetryConfig {
    let (init_backoff, max_backoff) = RETRY_DELAYS;
    let backoff = BackoffConfig { init_backoff, max_backoff, ..BackoffConfig::default() };
    RetryConfig { backoff, max_retries: usize::MAX, retry_timeout: RETRY_TIMEOUT }
}

enum SendError {
    File(io::Error),
    Store(object_store::Error),
}

/// Sends a file piece by piece.
async fn send(upload: &mut dyn MultipartUpload, file: &mut tokio::fs::File) -> Result<(), SendError> {
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        (&mut *file).take(PIECE_BYTES as u64).read_to_end(&mut piece).await.map_err(SendError::File)?;
        if piece.is_empty() {
            break;
        }
        upload.put_part(PutPayload::from(piece)).await.map_err(SendError::Store)?;
    }
    upload.complete().await.map(drop).map_err(SendError::Store)
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
