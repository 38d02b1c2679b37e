//! Migrations are embedded by a macro, which knows the files that it read, but not of new ones.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
