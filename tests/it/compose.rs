//! The compose file: every variable that it passes is one that the services read, and the other way
//! round.

use std::collections::BTreeSet;

use rollcall_tests::binary;

/// Settings for servers outside of Docker Compose, whose own are in a network that only its containers share.
const FOR_OTHER_SERVERS: [&str; 8] = [
    "NATS_CREDS",
    "NATS_NKEY",
    "NATS_TOKEN",
    "NATS_ADMIN_CREDS",
    "NATS_ADMIN_NKEY",
    "NATS_CA_FILE",
    "NATS_CERT_FILE",
    "NATS_KEY_FILE",
];

/// The text of a file of the repository.
fn file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The names that `rollcall config` lists.
fn settings() -> BTreeSet<String> {
    let output = std::process::Command::new(binary("rollcall")).arg("config").env_clear().output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    // What a setting means follows on a line that begins with spaces.
    let names = listed.lines().filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_once('='));
    names.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn every_setting_can_be_given_to_the_containers() {
    let (compose, example) = (file("docker-compose.yml"), file(".env.example"));
    for name in settings().into_iter().filter(|name| !FOR_OTHER_SERVERS.contains(&name.as_str())) {
        let passed = compose.lines().filter_map(|line| line.trim().split_once(": ")).find(|(passed, _)| *passed == name);
        let (_, value) = passed.unwrap_or_else(|| panic!("docker-compose.yml does not pass {name}"));
        // Where it comes from .env, the example says that there is such a thing.
        if value.starts_with(&format!("${{{name}:-")) {
            assert!(example.lines().any(|line| line.trim_start_matches('#').starts_with(&format!("{name}="))), "{name}");
        }
    }
}

#[test]
fn every_variable_of_the_compose_file_is_a_setting() {
    let (compose, settings) = (file("docker-compose.yml"), settings());
    assert!(settings.contains("DATABASE_URL"), "{settings:?}");
    // Variables of the servers' own images.
    let foreign = [
        "POSTGRES_",
        "PGHOST",
        "PGUSER",
        "PGDATABASE",
        "PGPASSWORD",
        "NATS_PORT",
        "NATS_HTTP",
        "NATS_LISTEN",
        "NATS_HOST",
        "NATS_STORE",
        "NATS_MAX_",
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
