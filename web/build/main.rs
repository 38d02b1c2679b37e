//! Embeds the folder `assets`: every file plain and compressed, under an address that contains a hash of all of them.
//!
//! Browsers may keep such an address for ever, because another content has another address. Modules import each other by
//! relative addresses, so they all move together and need no rewriting.

mod strip;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// Hexadecimal digits of the hash in addresses. 64 bits never repeat by chance among the versions of one program.
const HASH_DIGITS: usize = 16;
/// What the page marks for the hash, and for the modules that the browser loads at once instead of one after another.
const HASH_MARK: &str = "{hash}";
const PRELOAD_MARK: &str = "{preload}";
/// Every page needs these, so the browser need not first read the modules that import them.
const PRELOADED: &[&str] = &[
    "answer.js",
    "api.js",
    "format.js",
    "pages.js",
    "pages/sign_in.js",
    "parts/controls.js",
    "parts/notice.js",
    "parts/page.js",
    "parts/sidebar.js",
    "parts/states.js",
    "csv.js",
    "period.js",
    "place.js",
    "route.js",
    "session.js",
    "theme.js",
    "view.js",
    "vendor/hooks.js",
    "vendor/htm.js",
    "vendor/preact.js",
    "vendor/signals.js",
    "vendor/signals_core.js",
];

/// A file to embed.
struct File {
    /// Its path below `assets`, with slashes.
    path: String,
    content: Vec<u8>,
}

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=assets");
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("assets");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut files = Vec::new();
    read(&folder, "", &mut files)?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let hash = hash(&files);
    let page = files.iter().position(|file| file.path == "index.html").map(|index| files.remove(index));
    let page = page.ok_or_else(|| io::Error::other("assets/index.html is missing"))?;
    let page = File { content: filled(&page, &hash, &files)?.into_bytes(), ..page };

    let mut source = format!("const HASH: &str = \"{hash}\";\nstatic PAGE: Asset = {};\n", embedded(&page, 0, &out)?);
    source.push_str("static ASSETS: &[Asset] = &[\n");
    for (index, file) in files.iter().enumerate() {
        writeln!(source, "    {},", embedded(file, index + 1, &out)?).map_err(io::Error::other)?;
    }
    source.push_str("];\n");
    fs::write(out.join("assets.rs"), source)
}

/// Reads every file that browsers may load. Types and lists of versions are for maintainers.
fn read(folder: &Path, prefix: &str, files: &mut Vec<File>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|_| io::Error::other("a name is not UTF-8"))?;
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            read(&entry.path(), &format!("{path}/"), files)?;
        } else if !name.ends_with(".d.ts") && name != "VERSIONS" && !name.starts_with('.') {
            let content = stripped(&path, fs::read(entry.path())?)?;
            files.push(File { path, content });
        }
    }
    Ok(())
}

/// Our own scripts and style sheets without what only their readers need. Libraries keep their notices.
fn stripped(path: &str, content: Vec<u8>) -> io::Result<Vec<u8>> {
    let strip = match path.rsplit_once('.') {
        Some((_, "js")) if !path.starts_with("vendor/") => strip::script,
        Some((_, "css")) => strip::style_sheet,
        _ => return Ok(content),
    };
    Ok(strip(&String::from_utf8(content).map_err(io::Error::other)?).into_bytes())
}

/// The hash of all paths and contents, with the lengths that keep them apart.
fn hash(files: &[File]) -> String {
    let mut digest = Sha256::new();
    for file in files {
        for part in [file.path.as_bytes(), &file.content] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
    }
    let mut digits = String::new();
    for byte in digest.finalize() {
        let _ = write!(digits, "{byte:02x}");
    }
    digits.truncate(HASH_DIGITS);
    digits
}

/// The page with the addresses of this version.
fn filled(page: &File, hash: &str, files: &[File]) -> io::Result<String> {
    let text = str::from_utf8(&page.content).map_err(io::Error::other)?;
    let mut links = Vec::new();
    for path in PRELOADED {
        if !files.iter().any(|file| file.path == *path) {
            return Err(io::Error::other(format!("build/main.rs preloads {path}, which does not exist")));
        }
        links.push(format!("<link rel=\"modulepreload\" href=\"a/{HASH_MARK}/{path}\" />"));
    }
    Ok(text.replace(PRELOAD_MARK, &links.join("\n    ")).replace(HASH_MARK, hash))
}

/// Writes the variants of a file and returns the Rust expression that embeds them.
fn embedded(file: &File, number: usize, out: &Path) -> io::Result<String> {
    let mut expression = format!("Asset {{ path: {:?}, media_type: {:?}", file.path, media_type(&file.path)?);
    for (variant, bytes) in [("plain", file.content.clone()), ("brotli", brotli(&file.content)?), ("gzip", gzip(&file.content)?)]
    {
        let name = format!("{number}.{variant}");
        fs::write(out.join(&name), bytes)?;
        let _ = write!(expression, ", {variant}: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}\"))");
    }
    expression.push_str(" }");
    Ok(expression)
}

fn media_type(path: &str) -> io::Result<&'static str> {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "js" => Ok("text/javascript; charset=utf-8"),
        "css" => Ok("text/css; charset=utf-8"),
        "html" => Ok("text/html; charset=utf-8"),
        "svg" => Ok("image/svg+xml"),
        // The licences.
        "" => Ok("text/plain; charset=utf-8"),
        _ => Err(io::Error::other(format!("build/main.rs knows no media type for {path}"))),
    }
}

/// Compressed as far as the time for it allows: a debug build is made often and serves only this machine.
fn brotli(content: &[u8]) -> io::Result<Vec<u8>> {
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let params = BrotliEncoderParams { quality: if is_release { 11 } else { 5 }, ..BrotliEncoderParams::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &*content, &mut compressed, &params)?;
    Ok(compressed)
}

fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}
