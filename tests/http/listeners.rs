//! Unix sockets, addresses that are taken, and a process that runs out of descriptors.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use tidings::http::settings::{ListenAddress, ServerSettings};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::client::{Client, request, soon};
use crate::toy::{Running, settings};

fn on(path: &Path) -> ServerSettings {
    ServerSettings { listen: vec![ListenAddress::Unix(path.to_owned())], ..settings() }
}

fn refused(settings: &ServerSettings) -> String {
    Running::start_with(settings, &[], Duration::ZERO).err().expect("it cannot be bound").to_string()
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    (folder, path)
}

#[tokio::test]
async fn a_unix_socket_is_for_owner_and_group_and_goes_with_the_server() {
    let (_folder, path) = folder();
    let server = Running::start(&on(&path));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o660);
    assert_eq!(server.connect().await.get("/toy/echo").await.status, 200);
    server.end().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_socket_that_nobody_listens_on_is_replaced() {
    let (_folder, path) = folder();
    drop(UnixListener::bind(&path).unwrap());
    let server = Running::start(&on(&path));
    assert_eq!(server.connect().await.get("/toy/echo").await.status, 200);
}

#[tokio::test]
async fn a_socket_in_use_is_left_alone() {
    let (_folder, path) = folder();
    let first = Running::start(&on(&path));
    let error = refused(&on(&path));
    assert!(error.contains("another process is listening") && error.contains("unix:"), "{error}");
    assert_eq!(first.connect().await.get("/toy/echo").await.status, 200);
    // Nor is it stale because its queue is full.
    let (_folder, path) = folder();
    let slow = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&slow, 0).unwrap();
    let _queued = std::os::unix::net::UnixStream::connect(&path).unwrap();
    assert!(refused(&on(&path)).contains("another process is listening"));
}

#[tokio::test]
async fn what_is_no_socket_is_not_replaced() {
    let (_folder, path) = folder();
    std::fs::write(&path, "precious").unwrap();
    assert!(refused(&on(&path)).contains("something else than a socket"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    assert!(refused(&on(Path::new("/nowhere/at/all.sock"))).contains("there is no folder /nowhere/at"));
    let long = path.with_file_name("s".repeat(120));
    assert!(refused(&on(&long)).contains("too long"));
}

#[tokio::test]
async fn a_server_does_not_remove_the_socket_of_its_successor() {
    let (_folder, path) = folder();
    let first = Running::start(&on(&path));
    std::fs::remove_file(&path).unwrap();
    let second = Running::start(&on(&path));
    first.end().await;
    assert_eq!(second.connect().await.get("/toy/echo").await.status, 200);
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let server = Running::start(&settings());
    let taken = ServerSettings { listen: server.addresses.clone(), ..settings() };
    let error = refused(&taken);
    assert!(error.contains(&server.addresses[0].to_string()) && error.contains("another program"), "{error}");
    let foreign = ServerSettings { listen: vec![ListenAddress::parse("192.0.2.1:0").unwrap()], ..settings() };
    assert!(refused(&foreign).contains("this machine has no such address"));
}

/// Set for the process that is to run out of descriptors.
const CHILD: &str = "TIDINGS_TEST_DESCRIPTORS";

/// Not a test by itself: the server of the next one, in a process of its own.
#[tokio::test]
async fn descriptors_child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(40), maximum: Some(40) }).unwrap();
    tracing_subscriber::fmt().with_writer(std::io::stdout).init();
    let server = Running::start(&settings());
    println!("\nlistening {}", server.addresses[0]);
    // Until the parent closes the pipe.
    let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    end.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_process_out_of_descriptors_goes_on_when_there_are_some() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "listeners::descriptors_child", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    let (sender, mut lines) = unbounded_channel();
    let reader = std::thread::spawn(move || {
        BufReader::new(output).lines().map(Result::unwrap).for_each(|line| drop(sender.send(line)));
    });
    let address = line_with(&mut lines, "listening ").await;
    let address = ListenAddress::parse(address.trim_start_matches("listening ")).unwrap();
    let mut waiting = Vec::new();
    for _ in 0..60 {
        let mut client = Client::connect(&address).await;
        client.send(request("GET", "/toy/wait", "", "")).await;
        waiting.push(client);
    }
    line_with(&mut lines, "cannot accept connections").await;
    drop(waiting);
    assert_eq!(Client::connect(&address).await.get("/toy/echo").await.status, 200);
    drop(child.stdin.take());
    assert!(soon(tokio::task::spawn_blocking(move || child.wait())).await.unwrap().unwrap().success());
    reader.join().unwrap();
}

async fn line_with(lines: &mut UnboundedReceiver<String>, text: &str) -> String {
    loop {
        let line = soon(lines.recv()).await.expect("the child still runs");
        if line.contains(text) {
            return line;
        }
    }
}
