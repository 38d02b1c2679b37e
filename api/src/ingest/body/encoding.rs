//! Content encodings: the supported ones and their decompressors.

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use axum::http::{HeaderMap, header};
use tokio::io::{AsyncBufRead, AsyncRead};

use crate::error::ApiError;

/// The largest supported window of zstd, as a power of two: 8 MiB, which RFC 8878 recommends that every decoder
/// support. Without a limit a small body could require any amount of memory.
const MAX_ZSTD_WINDOW_LOG: u32 = 23;
/// The first seven bits of a brotli stream with a window of up to 1 GiB. RFC 7932, which defines `br`, does not
/// allow such windows, but the decompressor accepts them.
const BROTLI_LARGE_WINDOW: u8 = 0x11;

/// How a body is compressed, by its name in `Content-Encoding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum Encoding {
    Identity,
    #[strum(to_string = "gzip", serialize = "x-gzip")]
    Gzip,
    /// With a zlib header, as RFC 9110 defines it.
    Deflate,
    #[strum(to_string = "br")]
    Brotli,
    Zstd,
}

impl Encoding {
    /// The encoding that `Content-Encoding` names, in any case.
    ///
    /// # Errors
    /// [`ApiError::Unsupported`] for any other name, and for several encodings applied in sequence.
    pub(crate) fn of_headers(headers: &HeaderMap) -> Result<Self, ApiError> {
        let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(value) = encodings.next() else { return Ok(Self::Identity) };
        let name = String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase();
        match (name.parse(), encodings.next()) {
            (Ok(encoding), None) => Ok(encoding),
            _ => Err(ApiError::Unsupported(format!(
                "Content-Encoding {} is not read; send one of gzip, deflate, br and zstd, or none",
                name.chars().take(100).collect::<String>()
            ))),
        }
    }

    /// Whether data with this first byte asks for a larger window than its format allows.
    pub(crate) fn has_huge_window(self, first_byte: u8) -> bool {
        self == Self::Brotli && first_byte & 0x7f == BROTLI_LARGE_WINDOW
    }

    /// Decompresses `source`. Gzip and zstd data may consist of several parts in sequence, and all of them are
    /// read. In the other formats, what follows the end of the data stays in `source`.
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
