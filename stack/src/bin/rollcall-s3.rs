//! Runs a private SeaweedFS with one bucket in a temporary folder until standard input ends: `rollcall-s3 BUCKET`. For
//! scripts that want a server that speaks S3 and no Rust.
//!
//! When it is ready, it prints the variables of the archive as lines `NAME=value`, and then `READY`.

use std::error::Error;
use std::io::{self, Read, Write};

use rollcall_stack::S3Server;

fn main() -> Result<(), Box<dyn Error>> {
    let bucket = std::env::args().nth(1).ok_or("usage: rollcall-s3 BUCKET")?;
    let folder = tempfile::tempdir()?;
    let server = S3Server::start(folder.path())?;
    server.make_bucket(&bucket)?;
    let mut out = io::stdout().lock();
    writeln!(out, "ARCHIVE_URL=s3://{bucket}")?;
    writeln!(out, "AWS_ENDPOINT_URL={}", server.url())?;
    writeln!(out, "AWS_ACCESS_KEY_ID={}", server.user())?;
    writeln!(out, "AWS_SECRET_ACCESS_KEY={}", server.password())?;
    writeln!(out, "READY")?;
    out.flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
