//! `capture`: writes down what the programs of this version ask PostgreSQL and put into the queue, for the tests of the next
//! version (`tests/it/previous_version.rs`). `make capture` builds everything and runs it, at each release.

mod messages;
mod statements;

use std::path::Path;

use serde_json::Value;

#[tokio::main]
async fn main() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the repository");
    let folder = repository.join("tests/previous");
    std::fs::create_dir_all(&folder).expect("a folder");
    write(&folder.join("statements.json"), &statements::capture(repository));
    write(&folder.join("messages.json"), &messages::capture().await);
}

fn write(path: &Path, value: &Value) {
    let text = serde_json::to_string_pretty(value).expect("JSON");
    std::fs::write(path, text + "\n").expect("a file can be written");
    println!("{}", path.display());
}
