//! The account that servers run as when this process is root.
//!
//! PostgreSQL refuses to run as root. If this process runs as an ordinary user, the servers run as
//! that user.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User};

use crate::StackError;

/// The accounts to try, in this order: the one that PostgreSQL's package creates, then the one that
/// has no rights.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// An unprivileged account.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) name: &'static str,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Account {
    /// The account for servers, or none if this process is not root and needs none.
    ///
    /// # Errors
    /// [`StackError::NoAccount`] if the system has neither candidate.
    pub(crate) fn for_servers() -> Result<Option<Self>, StackError> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        for name in CANDIDATES {
            if let Ok(Some(user)) = User::from_name(name) {
                return Ok(Some(Self { name, uid: user.uid.as_raw(), gid: user.gid.as_raw() }));
            }
        }
        Err(StackError::NoAccount)
    }

    /// Makes `command` run as this account, without root's groups.
    pub(crate) fn apply(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// True if this account can enter the folder, or run the program, at `path`.
    ///
    /// A shell tries it, because file modes alone do not decide: access lists and mount options
    /// matter too.
    pub(crate) fn can_reach(&self, path: &Path) -> bool {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "test -x \"$1\"", "sh"]).arg(path).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.apply(&mut command);
        command.status().is_ok_and(|status| status.success())
    }
}
