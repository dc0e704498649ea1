//! The program and the folder that it runs in.

use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::wire::{self, Answer};

/// How long anything may take on a busy machine before the test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The sample client's secret.
pub(crate) const SECRET: &str = "s3cret-of-the-tests";

/// A folder with a configuration: a client `crm`, a read-only client `reader`, an operator's client `ops`, and a
/// subscription `crm-accounts`.
pub(crate) struct Site {
    folder: TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        site.configure("tidings.toml", "data", "api.sock", "admin.sock", "");
        site
    }

    /// Writes a configuration with these names, and `more` before the subscription at its end.
    pub(crate) fn configure(&self, file: &str, data: &str, api: &str, admin: &str, more: &str) -> PathBuf {
        let at = |name: &str| self.path(name).display().to_string();
        let (data, api, admin) = (at(data), at(api), at(admin));
        let text = format!(
            r#"
data_dir = "{data}"
server.listen = ["unix:{api}", "127.0.0.1:0"]
admin.listen = ["unix:{admin}"]
log = {{ format = "text", level = "trace" }}
clients = [
    {{ id = "crm", secret = {{ value = "{SECRET}" }}, scopes = ["events:publish", "notification:consent:consumer"] }},
    {{ id = "reader", secret = {{ value = "another" }}, scopes = ["notification:consent:consumer"] }},
    {{ id = "ops", secret = {{ value = "third" }}, scopes = ["notification:consent:administrator", "notifications:operate"] }},
]
{more}
[[subscriptions]]
id = "crm-accounts"
client_id = "crm"
event_types = ["301"]
poll = {{}}
"#
        );
        let path = self.path(file);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A site whose tokens are good after a restart too: its public URL does not follow the port.
    pub(crate) fn with_lasting_url() -> Self {
        let site = Self::new();
        site.configure("tidings.toml", "data", "api.sock", "admin.sock", "server.public_url = \"http://tidings.test\"");
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("tidings.toml")
    }

    /// The program with these arguments and nothing of this process's environment that it would look at.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
        let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDINGS"));
        ours.for_each(|(name, _)| {
            command.env_remove(name);
        });
        command.args(arguments).env("TIDINGS_CONFIG", self.config()).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(&self.command(arguments).output().unwrap())
    }

    /// Starts `serve` and waits until it is ready.
    pub(crate) fn serve(&self) -> Serving {
        self.serve_with("TIDINGS__LOG__FORMAT", "text")
    }

    /// The same with an environment variable.
    pub(crate) fn serve_with(&self, variable: &str, value: &str) -> Serving {
        let mut command = self.command(&["serve"]);
        self.begin(command.env(variable, value).stdout(Stdio::piped()))
    }

    /// The same with this stdout.
    pub(crate) fn serve_to(&self, stdout: Stdio) -> Serving {
        self.begin(self.command(&["serve"]).stdout(stdout))
    }

    fn begin(&self, command: &mut Command) -> Serving {
        let log = std::fs::File::create(self.path("log")).unwrap();
        let child = command.stderr(log).spawn().unwrap();
        let serving =
            Serving { child, api: self.path("api.sock"), admin: self.path("admin.sock"), log: self.path("log") };
        serving.until_ready()
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// This run, which must have ended with `code`.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// This run, whose stderr must say `text`.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{self:?}");
        self
    }
}

/// A running appliance; killed when it is dropped.
pub(crate) struct Serving {
    child: Child,
    pub(crate) api: PathBuf,
    pub(crate) admin: PathBuf,
    log: PathBuf,
}

impl Serving {
    fn until_ready(mut self) -> Self {
        let deadline = Instant::now() + PATIENCE;
        while self.admin("/health/ready").is_none_or(|answer| answer.status != 200) {
            assert!(self.child.try_wait().unwrap().is_none(), "it has ended: {}", self.log());
            assert!(Instant::now() < deadline, "it does not become ready: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        self
    }

    /// Waits until it says that it is stopping.
    pub(crate) fn until_stopping(&self) {
        self.until("/health/ready", |body| body.contains("the appliance is stopping"));
    }

    /// Waits until this many requests have been read and not been answered, besides the one that asks.
    pub(crate) fn until_in_flight(&self, count: usize) {
        let sample = format!("\ntidings_http_requests_in_flight {}\n", count + 1);
        self.until("/metrics", |body| body.contains(&sample));
    }

    pub(crate) fn until(&self, path: &str, done: impl Fn(&str) -> bool) {
        self.patiently(&format!("it never comes to that at {path}"), || {
            self.admin(path).is_some_and(|answer| done(&answer.body))
        });
    }

    fn patiently(&self, complaint: &str, done: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < deadline, "{complaint}: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn admin(&self, path: &str) -> Option<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = wire::try_send(&self.admin, &request)?;
        answer.to(&request).check_admin();
        Some(answer)
    }

    /// Asks the contracts' socket.
    pub(crate) fn send(&self, request: &str) -> Answer {
        let answer = wire::try_send(&self.api, request).unwrap();
        answer.to(request).check();
        answer
    }

    /// Waits until it has logged `text`.
    pub(crate) fn until_logged(&self, text: &str) {
        self.patiently(&format!("it never logs {text}"), || self.log().contains(text));
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// What has been written to stdout up to the first empty line after the sample's.
    pub(crate) fn sample(&mut self) -> String {
        let mut text = String::new();
        let mut byte = [0];
        let stdout = self.child.stdout.as_mut().unwrap();
        while !text.ends_with("notifications\n\n") && stdout.read(&mut byte).unwrap() == 1 {
            text.push(char::from(byte[0]));
        }
        text
    }

    /// Waits for the end; answers the exit code, `None` if a signal ended it.
    pub(crate) fn end(mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().or_else(|| status.signal().map(|_| None)?);
            }
            assert!(Instant::now() < deadline, "it does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it as a power cut would, as far as the process sees.
    pub(crate) fn kill_9(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether there is a file at `path`.
pub(crate) fn there(path: &Path) -> bool {
    path.exists()
}
