//! The program `rollcall-stack` as a separate process, which tests can kill.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A process that owns a running stack.
pub(crate) struct Owner {
    child: Child,
    values: HashMap<String, String>,
}

impl Owner {
    /// The program with nothing but its input and output set.
    pub(crate) fn command() -> Command {
        Command::new(env!("CARGO_BIN_EXE_rollcall-stack"))
    }

    /// Runs the command and waits until it prints that both servers are ready.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program runs");
        let output = BufReader::new(child.stdout.take().expect("the output is a pipe"));
        let mut values = HashMap::new();
        for line in output.lines() {
            let line = line.expect("the output is text");
            if line == "READY" {
                return Self { child, values };
            }
            let (name, value) = line.split_once('=').expect("a line is NAME=value");
            values.insert(name.to_owned(), value.to_owned());
        }
        panic!("the stack did not start: {:?}", child.wait());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The process ids of both servers.
    pub(crate) fn servers(&self) -> [u32; 2] {
        ["POSTGRES_PID", "NATS_PID"].map(|name| self.values[name].parse().expect("a process id"))
    }

    /// The folder of the stack.
    pub(crate) fn folder(&self) -> PathBuf {
        PathBuf::from(&self.values["FOLDER"])
    }

    /// Ends the program's input, which tells it to stop, and waits for its end.
    pub(crate) fn stop(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().expect("it is our child").success());
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // A failed test must not leave the process behind. The guardians then stop the servers.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
