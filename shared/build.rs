//! A macro embeds the migrations. This script makes cargo compile the crate again when a file is added, which
//! the macro alone does not notice.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
