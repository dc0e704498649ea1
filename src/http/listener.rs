//! Binding addresses. A unix socket that nobody listens on any more is replaced; one that is in use is not.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::net::{TcpListener, UnixListener};

use super::settings::ListenAddress;
use super::stream::Socket;

/// How many connections may wait to be accepted (the kernel's own limit applies too).
const BACKLOG: i32 = 1024;

/// Why a server cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {problem}")]
    Listen {
        /// The address.
        address: ListenAddress,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Two contracts have the same mount.
    #[error("the contracts {first} and {second} are both mounted at \"{mount}\": give one of them another mount")]
    SameMount {
        /// Where.
        mount: String,
        /// The one.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A mount is not a path.
    #[error(
        "the contract {contract} cannot be mounted at \"{mount}\": a mount begins with a slash and does not end with one"
    )]
    Mount {
        /// The contract.
        contract: &'static str,
        /// Its mount.
        mount: String,
    },
    /// A contract's table has routes that exclude each other.
    #[error("the contract {contract} has a route {path} that cannot be: {detail}")]
    Route {
        /// The contract.
        contract: &'static str,
        /// The route's path.
        path: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// No contract answers what is outside of all mounts.
    #[error("no contract is mounted at the root, so nobody could answer for unknown paths")]
    NoRoot,
}

/// A bound address.
pub(super) enum Listener {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, SocketFile),
}

impl Listener {
    /// Binds `address`. Has to be called within a tokio runtime.
    pub(super) fn bind(address: &ListenAddress, socket_mode: u32) -> Result<Self, BindError> {
        let bound = match address {
            ListenAddress::Tcp(tcp) => bind_tcp(*tcp),
            ListenAddress::Unix(path) => bind_unix(path, socket_mode),
        };
        bound.map_err(|problem| BindError::Listen { address: address.clone(), problem })
    }

    /// Where it listens, with the port that was given for port 0.
    pub(super) fn address(&self) -> ListenAddress {
        match self {
            Self::Tcp(_, address) => ListenAddress::Tcp(*address),
            Self::Unix(_, file) => ListenAddress::Unix(file.path.clone()),
        }
    }

    /// Whether callers come over a network, if only that of this machine.
    pub(super) fn is_tcp(&self) -> bool {
        matches!(self, Self::Tcp(..))
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<(Socket, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener, _) => {
                let (stream, peer) = listener.accept().await?;
                // Answers are written whole: there is nothing to wait for. If it fails, they are only slower.
                let _ = stream.set_nodelay(true);
                Ok((Socket::Tcp(stream), Some(peer)))
            }
            Self::Unix(listener, _) => Ok((Socket::Unix(listener.accept().await?.0), None)),
        }
    }
}

fn bind_tcp(address: SocketAddr) -> Result<Listener, String> {
    let bind = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        Ok(Listener::Tcp(TcpListener::from_std(listener)?, bound))
    };
    bind().map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program (or another entry of `listen`) has this address: stop it, or choose another port"
                .to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address: take one that `ip address` shows, or 0.0.0.0 for all".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "not permitted: ports below 1024 need CAP_NET_BIND_SERVICE; give it, or choose another port".to_owned()
        }
        _ => error.to_string(),
    })
}

fn bind_unix(path: &Path, mode: u32) -> Result<Listener, String> {
    clear(path)?;
    let listener = listen_unix(path, mode).map_err(|error| explain_unix(path, error))?;
    let file = SocketFile::of(path).map_err(|error| error.to_string())?;
    let listener = UnixListener::from_std(listener.into()).map_err(|error| error.to_string())?;
    Ok(Listener::Unix(listener, file))
}

/// Makes room at `path`, unless somebody is there.
fn clear(path: &Path) -> Result<(), String> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err("there is something else than a socket at this path: remove it, or choose another path".to_owned());
    }
    match knock(path) {
        Err(Errno::CONNREFUSED) => {
            tracing::info!(path = %path.display(), "replacing a socket that nobody listens on");
            fs::remove_file(path).map_err(|error| format!("the old socket cannot be removed: {error}"))
        }
        Err(Errno::NOENT) => Ok(()),
        // Connected, or waiting because its queue is full: somebody is there.
        Ok(()) | Err(Errno::AGAIN) => {
            Err("another process is listening on this socket: stop it, or choose another path".to_owned())
        }
        Err(error) => Err(format!("there is a socket at this path, and whether it is in use cannot be told: {error}")),
    }
}

fn knock(path: &Path) -> Result<(), Errno> {
    rustix::net::connect(unix_socket()?, &SocketAddrUnix::new(path)?)
}

/// Nobody can connect before `listen`, so the mode is right from the first connection on.
fn listen_unix(path: &Path, mode: u32) -> Result<OwnedFd, Errno> {
    let socket = unix_socket()?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::fs::chmod(path, rustix::fs::Mode::from_raw_mode(mode))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

fn unix_socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

fn explain_unix(path: &Path, error: Errno) -> String {
    let folder = path.parent().unwrap_or(path).display();
    match error {
        Errno::NOENT => format!("there is no folder {folder}: create it"),
        Errno::ACCESS | Errno::PERM | Errno::ROFS => format!("no socket may be made in {folder}: {error}"),
        Errno::NAMETOOLONG | Errno::INVAL => {
            "the path is too long for a socket (107 bytes): choose a shorter one".to_owned()
        }
        _ => error.to_string(),
    }
}

/// The file of a unix socket; removed when dropped, unless another has taken its place.
pub(super) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|present| present == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the socket file cannot be removed");
        }
    }
}
