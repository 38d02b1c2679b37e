//! Writes sample events as NDJSON or CSV, plain or compressed, depending on the name of the file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, bail};
use rollcall_example::{Config, SampleEvent, events};

use crate::progress;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Ndjson,
    Csv,
}

/// Writes the events of a configuration to a file, or to standard output for `-`.
pub(super) fn write(path: &Path, config: &Config) -> anyhow::Result<()> {
    let name = path.to_string_lossy();
    let plain = name.trim_end_matches(".gz").trim_end_matches(".zst");
    let form = match plain.rsplit('.').next() {
        _ if name == "-" => Form::Ndjson,
        Some("ndjson" | "jsonl") => Form::Ndjson,
        Some("csv") => Form::Csv,
        _ => bail!("{name}: the name must end in .ndjson, .jsonl or .csv, optionally followed by .gz or .zst"),
    };
    if name == "-" {
        return write_all(form, BufWriter::new(std::io::stdout().lock()), config).map(drop);
    }
    let file = BufWriter::new(File::create(path).with_context(|| format!("{name} cannot be written"))?);
    if name.ends_with(".gz") {
        let encoder = write_all(form, flate2::write::GzEncoder::new(file, flate2::Compression::default()), config)?;
        encoder.finish()?.flush()?;
    } else if name.ends_with(".zst") {
        let encoder = write_all(form, zstd::stream::write::Encoder::new(file, 3)?, config)?;
        encoder.finish()?.flush()?;
    } else {
        write_all(form, file, config)?;
    }
    eprintln!("{} events in {name}", config.events);
    Ok(())
}

fn write_all<W: Write>(form: Form, mut out: W, config: &Config) -> anyhow::Result<W> {
    let bar = progress::of_events(config.events);
    match form {
        Form::Ndjson => {
            for event in bar.wrap_iter(events(config.clone())) {
                serde_json::to_writer(&mut out, &event)?;
                out.write_all(b"\n")?;
            }
        }
        Form::Csv => {
            let mut csv = csv::Writer::from_writer(&mut out);
            csv.write_record([
                "event_id",
                "occurred_at",
                "user_id",
                "anonymous_id",
                "session_id",
                "account_id",
                "event_type",
                "properties",
            ])?;
            for event in bar.wrap_iter(events(config.clone())) {
                csv.write_record(record(&event)?)?;
            }
            csv.flush()?;
        }
    }
    out.flush()?;
    Ok(out)
}

fn record(event: &SampleEvent) -> anyhow::Result<[String; 8]> {
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    Ok([
        event.event_id.to_string(),
        event.occurred_at.to_string(),
        optional(&event.user_id),
        optional(&event.anonymous_id),
        event.session_id.clone(),
        optional(&event.account_id),
        event.event_type.to_owned(),
        serde_json::to_string(&event.properties)?,
    ])
}
