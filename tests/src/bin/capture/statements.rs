//! The statements of the API and the workers, with the types that PostgreSQL gave their parameters and columns, and the
//! migrations that they were checked with.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rollcall_shared::database::MIGRATIONS;
use serde_json::{Value, json};

pub(crate) fn capture(repository: &Path) -> Value {
    // By their text, so that the order is always the same.
    let mut statements: BTreeMap<String, Value> = files(&repository.join(".sqlx")).iter().map(|text| checked(text)).collect();
    let mut copies = Vec::new();
    for folder in ["api/sql", "worker/sql"] {
        for topic in sorted(&repository.join(folder)) {
            for text in files(&topic) {
                if text.contains("from stdin") {
                    copies.push(text);
                } else {
                    // The compiler checks only those that are not put together from parts.
                    statements.entry(text).or_insert(Value::Null);
                }
            }
        }
    }
    let statements: Vec<_> = statements.into_iter().map(|(text, types)| json!({ "text": text, "types": types })).collect();
    let migrations: Vec<_> = MIGRATIONS.iter().map(|migration| migration.version).collect();
    json!({ "migrations": migrations, "statements": statements, "copies": copies })
}

/// The text and the types of a statement that the compiler has checked.
fn checked(text: &str) -> (String, Value) {
    let file: Value = serde_json::from_str(text).expect("JSON");
    let array = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let described = &file["describe"];
    let parameters: Vec<_> = array(&described["parameters"]["Left"]).iter().map(name).collect();
    let columns: Vec<_> =
        array(&described["columns"]).iter().map(|column| json!([column["name"], name(&column["type_info"])])).collect();
    let text = file["query"].as_str().expect("a text").to_owned();
    (text, json!({ "parameters": parameters, "columns": columns }))
}

/// The name of a type as PostgreSQL's driver shows it, such as INT4[].
fn name(type_info: &Value) -> String {
    type_info.as_str().expect("a type of PostgreSQL itself").to_uppercase().replace("ARRAY", "[]")
}

fn sorted(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> = entries.collect();
    paths.sort();
    paths
}

fn files(folder: &Path) -> Vec<String> {
    sorted(folder).iter().map(|path| fs::read_to_string(path).expect("a file")).collect()
}
