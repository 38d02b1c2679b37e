//! The binaries under test, as the workspace builds them.

use std::path::PathBuf;

/// The path of a binary of this workspace. `make test` builds them first.
///
/// # Panics
/// If it was not built.
pub fn binary(name: &str) -> PathBuf {
    // target/debug/deps/it-… lies one folder below the binaries, target/debug/chaos beside them.
    let own = std::env::current_exe().expect("the program's own path");
    let folder = own.parent().expect("a target folder");
    let folder = if folder.ends_with("deps") { folder.parent().expect("a target folder") } else { folder };
    let binary = folder.join(name);
    assert!(binary.exists(), "{} is missing; run `make test`, or `cargo build --workspace` first", binary.display());
    binary
}
