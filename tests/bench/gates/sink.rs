//! A webhook receiver that does next to nothing: it reads requests, answers 204 and notes when they came.
//!
//! It shares the processor with the appliance that it receives from: one thread, one `epoll` descriptor, no parsing
//! beyond where a request ends and, where somebody asks, which event it brings.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use crate::process::site::local;

const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
/// Which event it is that `epoll` tells of a new connection.
const LISTENER: u64 = u64::MAX;
/// How often it is looked whether to end.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// A running sink; it ends with this value.
#[derive(Debug)]
pub(crate) struct Sink {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<io::Result<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    received: AtomicU64,
    ended: AtomicBool,
    /// Whether arrivals are noted by the event's id.
    notes: AtomicBool,
    arrivals: Mutex<HashMap<Vec<u8>, Instant>>,
}

impl Sink {
    /// Starts one.
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(local(0))?;
        listener.set_nonblocking(true)?;
        let (address, shared) = (listener.local_addr()?, Arc::new(Shared::default()));
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || serve(&listener, &shared)
        });
        Ok(Self { address, shared, thread: Some(thread) })
    }

    /// Requests received so far.
    pub(crate) fn received(&self) -> u64 {
        self.shared.received.load(Ordering::Relaxed)
    }

    /// Waits until so many requests have been received in all.
    pub(crate) fn await_received(&self, count: u64, patience: Duration) -> io::Result<()> {
        let until = Instant::now() + patience;
        while self.received() < count {
            if Instant::now() > until {
                let words = format!("{} of {count} webhooks came within {patience:?}", self.received());
                return Err(io::Error::new(io::ErrorKind::TimedOut, words));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Notes from now on when which event comes.
    pub(crate) fn note(&self) {
        self.shared.notes.store(true, Ordering::SeqCst);
    }

    /// When the event with this id came first.
    pub(crate) fn arrival(&self, id: &str) -> Option<Instant> {
        let arrivals = self.shared.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.get(id.as_bytes()).copied()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        if let Some(Ok(Err(error))) = self.thread.take().map(std::thread::JoinHandle::join) {
            eprintln!("the sink: {error}");
        }
    }
}

fn serve(listener: &TcpListener, shared: &Shared) -> io::Result<()> {
    let ready = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&ready, listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    let (mut lines, mut events) = (HashMap::<u64, Line>::new(), Vec::with_capacity(64));
    let mut next = 0;
    while !shared.ended.load(Ordering::Relaxed) {
        epoll::wait(&ready, spare_capacity(&mut events), Some(&TICK))?;
        for event in events.drain(..) {
            let number = event.data.u64();
            if number == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    lines.insert(next, Line::open(&ready, stream, next)?);
                    next += 1;
                }
            } else if lines.get_mut(&number).is_some_and(|line| line.serve(shared).is_err()) {
                lines.remove(&number);
            }
        }
    }
    Ok(())
}

struct Line {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Line {
    fn open(ready: &OwnedFd, stream: TcpStream, number: u64) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        epoll::add(ready, &stream, epoll::EventData::new_u64(number), epoll::EventFlags::IN)?;
        Ok(Self { stream, received: Vec::with_capacity(4096) })
    }

    /// Answers the requests that are there; an error where the connection is over.
    fn serve(&mut self, shared: &Shared) -> io::Result<()> {
        let mut chunk = [0; 16 << 10];
        match self.stream.read(&mut chunk) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => self.received.extend_from_slice(&chunk[..n]),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(e) => return Err(e),
        }
        let now = Instant::now();
        while let Some(end) = end_of_request(&self.received) {
            if shared.notes.load(Ordering::Relaxed)
                && let Some(id) = event_id(&self.received[..end])
            {
                let mut arrivals = shared.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
                arrivals.entry(id.to_vec()).or_insert(now);
            }
            self.received.drain(..end);
            self.stream.write_all(ANSWER)?;
            shared.received.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Where the first request ends, if it is whole.
fn end_of_request(received: &[u8]) -> Option<usize> {
    let head = find(received, b"\r\n\r\n")? + 4;
    let length = received[..head].split(|&byte| byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(b"content-length:".len())?;
        let digits = name.eq_ignore_ascii_case(b"content-length:").then(|| std::str::from_utf8(value).ok())??;
        digits.trim().parse::<usize>().ok()
    });
    let end = head + length.unwrap_or(0);
    (received.len() >= end).then_some(end)
}

/// The id of the `CloudEvent` in a request.
fn event_id(request: &[u8]) -> Option<&[u8]> {
    let from = find(request, br#""id":""#)? + 6;
    let to = from + find(&request[from..], b"\"")?;
    Some(&request[from..to])
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}
