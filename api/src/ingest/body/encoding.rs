//! Content encodings: which are read, and by what.

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use axum::http::{HeaderMap, header};
use tokio::io::{AsyncBufRead, AsyncRead};

use crate::error::ApiError;

/// Largest window of zstd that is read, as a power of two: 8 MiB, which RFC 8878 recommends every
/// decoder to support. A frame may require far more memory than the body has bytes.
const MAX_ZSTD_WINDOW_LOG: u32 = 23;
/// The first seven bits of a brotli stream with a window of up to 1 GiB. RFC 7932, and with it `br`,
/// knows no such windows, and the decompressor takes them all the same.
const BROTLI_LARGE_WINDOW: u8 = 0x11;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    /// With a zlib header, as RFC 9110 has it.
    Deflate,
    Brotli,
    Zstd,
}

impl Encoding {
    /// The encoding that `Content-Encoding` names, in any case.
    ///
    /// # Errors
    /// [`ApiError::Unsupported`] for any other, and for several one after the other.
    pub(crate) fn of_headers(headers: &HeaderMap) -> Result<Self, ApiError> {
        let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(value) = encodings.next() else { return Ok(Self::Identity) };
        let name = String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase();
        match (name.as_str(), encodings.next()) {
            ("identity", None) => Ok(Self::Identity),
            ("gzip" | "x-gzip", None) => Ok(Self::Gzip),
            ("deflate", None) => Ok(Self::Deflate),
            ("br", None) => Ok(Self::Brotli),
            ("zstd", None) => Ok(Self::Zstd),
            _ => Err(ApiError::Unsupported(format!(
                "Content-Encoding {} is not read; send one of gzip, deflate, br and zstd, or none",
                name.chars().take(100).collect::<String>()
            ))),
        }
    }

    /// The name for messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Identity => "uncompressed",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// Whether data with this first byte requires more memory than any well-formed stream.
    pub(crate) fn has_huge_window(self, first_byte: u8) -> bool {
        self == Self::Brotli && first_byte & 0x7f == BROTLI_LARGE_WINDOW
    }

    /// Decompresses `source`. Formats that may consist of several parts, one after the other, are read
    /// to the last; what follows the end of the others stays in the source.
    pub(crate) fn reader<'s>(self, source: &'s mut (impl AsyncBufRead + Send + Unpin)) -> Box<dyn AsyncRead + Send + Unpin + 's> {
        match self {
            Self::Identity => Box::new(source),
            Self::Gzip => {
                let mut decoder = GzipDecoder::new(source);
                decoder.multiple_members(true);
                Box::new(decoder)
            }
            Self::Deflate => Box::new(ZlibDecoder::new(source)),
            Self::Brotli => Box::new(BrotliDecoder::new(source)),
            Self::Zstd => {
                let mut decoder = ZstdDecoder::with_params(source, &[DParameter::window_log_max(MAX_ZSTD_WINDOW_LOG)]);
                decoder.multiple_members(true);
                Box::new(decoder)
            }
        }
    }
}
