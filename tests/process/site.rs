//! A site: a folder with a configuration file and the data, over several lives of the process.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use tempfile::TempDir;

/// The one client of a site: it may do all that there is.
pub(crate) const CLIENT: &str = "driver";
/// Its secret.
pub(crate) const SECRET: &str = "known-to-everybody-on-this-machine";

/// What the configuration declares besides the listeners and the client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Declared {
    /// Subscriptions: their ids and event types.
    pub(crate) subscriptions: Vec<(String, Vec<String>)>,
    /// Further TOML, from a table header on.
    pub(crate) further: String,
}

impl Declared {
    /// With a polled subscription `id` to `types`.
    pub(crate) fn subscription(mut self, id: &str, types: &[&str]) -> Self {
        self.subscriptions.push((id.to_owned(), types.iter().map(|&t| t.to_owned()).collect()));
        self
    }
}

/// A folder with a configuration file and the data. It is removed with this value.
#[derive(Debug)]
pub(crate) struct Site {
    folder: TempDir,
    declared: Declared,
}

/// Where one life of the process listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    /// The contracts.
    pub(crate) api: SocketAddr,
    /// Health and metrics.
    pub(crate) admin: SocketAddr,
}

impl Addresses {
    /// Two addresses that were free a moment ago. Whoever starts a process on them must be ready to ask again.
    pub(crate) fn free() -> io::Result<Self> {
        let (one, other) = (TcpListener::bind(local(0))?, TcpListener::bind(local(0))?);
        Ok(Self { api: one.local_addr()?, admin: other.local_addr()? })
    }
}

/// `port` on the loopback address.
pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

impl Site {
    /// An empty site in a new folder under `parent`, which should be on a real disk.
    pub(crate) fn new(parent: &Path, declared: Declared) -> io::Result<Self> {
        std::fs::create_dir_all(parent)?;
        let folder = tempfile::Builder::new().prefix("site-").tempdir_in(parent)?;
        Ok(Self { folder, declared })
    }

    /// The folder.
    #[allow(dead_code, reason = "not every test looks into it")]
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Adds `further` TOML, from a table header on, for the lives to come.
    #[allow(dead_code, reason = "not every test needs more than it began with")]
    pub(crate) fn declare(&mut self, further: &str) {
        self.declared.further.push_str(further);
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("tidings.toml")
    }

    /// What the processes have written, one after the other.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// The data file.
    pub(crate) fn data_file(&self) -> PathBuf {
        self.folder.path().join("data").join("tidings.redb")
    }

    /// The end of the log, for messages.
    pub(crate) fn last_words(&self) -> String {
        let log = std::fs::read(self.log()).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(4096)..]).into_owned()
    }

    /// Writes the configuration for a life at `addresses`.
    ///
    /// `public_url`, and with it the issuer of tokens, stays the same over all lives, so that tokens outlive a restart
    /// at other ports.
    pub(crate) fn configure(&self, addresses: &Addresses) -> io::Result<()> {
        let Addresses { api, admin } = addresses;
        let data = self.folder.path().join("data");
        let mut text = format!(
            "data_dir = '{}'\n\
             [server]\nlisten = [\"{api}\"]\npublic_url = \"http://127.0.0.1:8420\"\n\
             [admin]\nlisten = [\"{admin}\"]\n\
             [[clients]]\nid = \"{CLIENT}\"\nsecret = {{ value = \"{SECRET}\" }}\n\
             scopes = [\"events:publish\", \"notification:consent:consumer\", \"notification:consent:administrator\"]\n",
            data.display()
        );
        for (id, types) in &self.declared.subscriptions {
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "[[subscriptions]]\nid = \"{id}\"\nclient_id = \"{CLIENT}\"\nevent_types = {types:?}\npoll = {{}}\n"
            );
        }
        text.push_str(&self.declared.further);
        std::fs::create_dir_all(&data)?;
        std::fs::write(self.config(), text)
    }

    /// Runs `tidings ARGUMENTS --config F` to its end; what it says is appended to the log.
    pub(crate) fn run(&self, arguments: &[&str]) -> io::Result<ExitStatus> {
        self.command(arguments)?.status()
    }

    /// `tidings ARGUMENTS --config F`, writing to the log, with nothing of this process's environment: a variable could
    /// set a key.
    pub(crate) fn command(&self, arguments: &[&str]) -> io::Result<Command> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
        command.env_clear().args(arguments).arg("--config").arg(self.config());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }
}
