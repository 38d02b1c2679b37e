//! The binaries under test, as the workspace builds them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The path of a binary of this workspace, built from the present code.
///
/// # Panics
/// If it cannot be built.
pub fn binary(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(build).join(name)
}

/// Tests of another package do not make cargo build these binaries, and old ones would lie.
fn build() -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--workspace", "--bin", "rollcall", "--bin", "api", "--bin", "worker"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("SQLX_OFFLINE", "true")
        .status()
        .expect("cargo runs");
    assert!(built.success(), "the binaries cannot be built");
    // target/debug/deps/it-… lies one folder below the binaries.
    let test = std::env::current_exe().expect("the test's own path");
    test.parent().and_then(|deps| deps.parent()).expect("a target folder").to_owned()
}
