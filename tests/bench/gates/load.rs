//! The load generator: a closed loop over keep-alive connections, in one thread.
//!
//! It shares the processor with the server that it loads, so it does as little as it can: one `epoll` descriptor, request
//! bytes made beforehand, answers only looked at as far as their end and their status need it. The same generator takes
//! the probe H and our own figures.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use crate::process::frame::frame;
use crate::secure::{Secure, connect};

/// How long the last answers may take once no new requests are sent.
const TAIL: Duration = Duration::from_secs(10);

/// Where the requests come from.
pub(crate) trait Source {
    /// The bytes of the next request. They must fit into a socket's empty buffer.
    fn next(&mut self) -> &[u8];
}

/// A load: so many connections, each with one request on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Who is loaded.
    pub(crate) address: SocketAddr,
    /// How many connections there are.
    pub(crate) connections: usize,
    /// For how long answers are not counted yet.
    pub(crate) warm_up: Duration,
    /// For how long they are.
    pub(crate) measured: Duration,
    /// The status that every answer must have.
    pub(crate) status: u16,
    /// Whether it is spoken over TLS.
    pub(crate) secure: bool,
}

/// What a load brought.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    /// Answers a second, in the time that is measured.
    pub(crate) rate: f64,
    /// All answers, with those before and after that time.
    pub(crate) total: u64,
    /// The times of the measured answers, sorted.
    pub(crate) latencies: Vec<Duration>,
}

impl Served {
    /// The time within which the share `quantile` (0 to 1) of the answers came.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    pub(crate) fn latency(&self, quantile: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get((last as f64 * quantile) as usize).copied().unwrap_or_default()
    }
}

impl Load {
    /// Runs it to its end. Any other answer, and any connection that breaks, is an error.
    pub(crate) fn run(&self, source: &mut dyn Source) -> io::Result<Served> {
        let ready = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut lines = (0..self.connections).map(|n| Line::open(&ready, n, self)).collect::<io::Result<Vec<_>>>()?;
        let begun = Instant::now();
        let (from, until) = (begun + self.warm_up, begun + self.warm_up + self.measured);
        for line in &mut lines {
            line.ask(source)?;
        }
        let (mut total, mut latencies) = (0, Vec::new());
        let mut asking = lines.len();
        let mut events = Vec::with_capacity(lines.len());
        while asking > 0 {
            wait(&ready, &mut events, until + TAIL)?;
            for event in events.drain(..) {
                // The number was given by us, as an index.
                let Some(line) = usize::try_from(event.data.u64()).ok().and_then(|n| lines.get_mut(n)) else {
                    continue;
                };
                let Some(status) = line.answer()? else { continue };
                self.check(status, line)?;
                total += 1;
                let now = Instant::now();
                if (from..until).contains(&now) {
                    latencies.push(now - line.asked);
                }
                if now < until { line.ask(source)? } else { asking -= 1 }
            }
        }
        latencies.sort_unstable();
        #[allow(clippy::cast_precision_loss)]
        let rate = latencies.len() as f64 / self.measured.as_secs_f64();
        Ok(Served { rate, total, latencies })
    }

    fn check(&self, status: u16, line: &Line) -> io::Result<()> {
        if status == self.status {
            return Ok(());
        }
        let answer = String::from_utf8_lossy(&line.last);
        Err(io::Error::other(format!("expected {}, got: {answer}", self.status)))
    }
}

/// Waits until some lines can be read.
fn wait(ready: &OwnedFd, events: &mut Vec<epoll::Event>, until: Instant) -> io::Result<()> {
    let left = until.saturating_duration_since(Instant::now());
    let timeout =
        Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
    if epoll::wait(ready, spare_capacity(events), Some(&timeout))? == 0 {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "requests without an answer"));
    }
    Ok(())
}

/// What a request goes over.
enum Stream {
    Plain(TcpStream),
    Secure(Box<Secure>),
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Secure(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Secure(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Secure(stream) => stream.flush(),
        }
    }
}

/// One connection.
struct Line {
    stream: Stream,
    /// The same socket, as it is waited for: closed with this connection.
    _watched: TcpStream,
    asked: Instant,
    received: Vec<u8>,
    /// The last whole answer.
    last: Vec<u8>,
}

impl Line {
    fn open(ready: &OwnedFd, number: usize, load: &Load) -> io::Result<Self> {
        let plain = TcpStream::connect(load.address)?;
        plain.set_nodelay(true)?;
        let watched = plain.try_clone()?;
        let stream = if load.secure { Stream::Secure(Box::new(connect(plain)?)) } else { Stream::Plain(plain) };
        watched.set_nonblocking(true)?;
        epoll::add(ready, &watched, epoll::EventData::new_u64(number as u64), epoll::EventFlags::IN)?;
        Ok(Self { stream, _watched: watched, asked: Instant::now(), received: Vec::new(), last: Vec::new() })
    }

    fn ask(&mut self, source: &mut dyn Source) -> io::Result<()> {
        self.asked = Instant::now();
        self.stream.write_all(source.next())?;
        self.stream.flush()
    }

    /// Reads what there is, and answers the status once an answer is whole.
    fn answer(&mut self) -> io::Result<Option<u16>> {
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => self.received.extend_from_slice(&chunk[..n]),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(e) => return Err(e),
        }
        let Some(frame) = frame(&self.received)?.filter(|frame| self.received.len() >= frame.total()) else {
            return Ok(None);
        };
        self.last.clear();
        std::mem::swap(&mut self.last, &mut self.received);
        Ok(Some(frame.status))
    }
}
