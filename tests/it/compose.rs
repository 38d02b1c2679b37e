//! The compose file: every variable that it passes is one that the services read.

use std::collections::BTreeSet;

use rollcall_tests::binary;

#[test]
fn every_variable_of_the_compose_file_is_a_setting() {
    let compose = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docker-compose.yml")).unwrap();
    let output = std::process::Command::new(binary("rollcall")).arg("config").env_clear().output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let settings: BTreeSet<&str> = listed.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim()).collect();
    assert!(settings.contains("DATABASE_URL"), "{listed}");
    // Variables of the servers' own images.
    let foreign = [
        "POSTGRES_",
        "NATS_PORT",
        "NATS_HTTP",
        "NATS_LISTEN",
        "NATS_HOST",
        "NATS_STORE",
        "NATS_MAX",
        "NATS_API_",
        "NATS_WORKER_",
        "NATS_ADMIN_PASSWORD",
    ];
    let mut checked = 0;
    for line in compose.lines() {
        let Some((name, _)) = line.trim().split_once(':') else { continue };
        let is_variable = name.len() > 3 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        if !is_variable || foreign.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        assert!(settings.contains(name), "{name} is no setting");
        checked += 1;
    }
    assert!(checked >= 8, "only {checked} variables were found");
}
