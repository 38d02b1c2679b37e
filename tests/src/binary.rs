//! The binaries under test, as the workspace builds them.

use std::path::PathBuf;

/// The path of a binary of this workspace. `make test` builds them first.
///
/// # Panics
/// If it was not built.
pub fn binary(name: &str) -> PathBuf {
    // target/debug/deps/it-… lies one folder below the binaries.
    let test = std::env::current_exe().expect("the test's own path");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("a target folder");
    let binary = folder.join(name);
    assert!(binary.exists(), "{} is missing; run `make test`, or `cargo build --workspace` first", binary.display());
    binary
}
