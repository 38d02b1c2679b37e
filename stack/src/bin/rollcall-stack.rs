//! Runs a private PostgreSQL and nats-server in a folder until standard input ends:
//! `rollcall-stack [FOLDER]`; without one, in a temporary folder. For scripts and tests that want the servers
//! and no Rust.
//!
//! When both servers are ready, it prints their addresses as lines `NAME=value`, and then `READY`.

use std::error::Error;
use std::io::{self, Read, Write};
use std::path::Path;

use rollcall_stack::{NatsUser, Stack};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1);
    let stack = folder.map_or_else(Stack::ephemeral, |folder| Stack::start(Path::new(&folder)))?;
    let mut out = io::stdout().lock();
    writeln!(out, "FOLDER={}", stack.folder().display())?;
    writeln!(out, "DATABASE_URL={}", stack.postgres.url("rollcall"))?;
    for user in [NatsUser::Api, NatsUser::Worker, NatsUser::Admin] {
        writeln!(out, "NATS_URL_{}={}", user.name().to_uppercase(), stack.nats.url(user))?;
    }
    writeln!(out, "NATS_MONITOR_URL={}", stack.nats.monitor_url())?;
    writeln!(out, "POSTGRES_PID={}", stack.postgres.pid())?;
    writeln!(out, "NATS_PID={}", stack.nats.pid())?;
    writeln!(out, "READY")?;
    out.flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    stack.stop();
    Ok(())
}
