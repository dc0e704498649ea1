//! A receiver of webhooks that takes all, and knows in which life of the process each came.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tidings::base::random::SeededRandomness;

use crate::draw::below;
use crate::process::connection::{once, request};
use crate::process::site::local;

/// How long a connection may stay open after its process has gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// Something that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// The path of the URL.
    pub(crate) path: String,
    /// The notification's id.
    pub(crate) id: String,
    /// The event's own id.
    pub(crate) event: String,
    /// In which life of the process.
    pub(crate) life: u32,
}

#[derive(Default)]
struct State {
    arrivals: Vec<Arrival>,
    life: u32,
    open: usize,
}

/// The receiver. It listens until the test's process ends.
pub(crate) struct Receiver {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// One that is a little slow at random, so that a kill finds something under way.
    pub(crate) fn start(seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind(local(0))?;
        let address = listener.local_addr()?;
        let state: Arc<Mutex<State>> = Arc::default();
        let (shared, random) = (Arc::clone(&state), Arc::new(SeededRandomness::new(seed)));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, random) = (Arc::clone(&shared), Arc::clone(&random));
                state.lock().open += 1;
                thread::spawn(move || {
                    // It ends with the connection, however that ends.
                    let _ = serve(&stream, &state, &random);
                    state.lock().open -= 1;
                });
            }
        });
        Ok(Self { address, state })
    }

    /// What comes from now on is of another life. The process of the one before must have gone; what it has sent is waited
    /// for.
    pub(crate) fn next_life(&self) -> io::Result<()> {
        // Connections are accepted in order: once this one is served, all those before it are known.
        once(self.address, &request("GET", "/", &[], b""))?;
        let begun = Instant::now();
        while self.state.lock().open > 0 {
            if begun.elapsed() > PATIENCE {
                return Err(io::Error::other("connections of a process that was killed stay open"));
            }
            thread::sleep(Duration::from_millis(1));
        }
        self.state.lock().life += 1;
        Ok(())
    }

    /// All that came so far, in order.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.state.lock().arrivals.clone()
    }
}

/// Answers requests until the connection ends.
fn serve(stream: &TcpStream, state: &Mutex<State>, random: &SeededRandomness) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some((path, headers)) = head(&mut reader)? {
        let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        if let Some(id) = header("webhook-id") {
            let event: serde_json::Value = serde_json::from_slice(&body)?;
            let event = event["id"].as_str().unwrap_or_default().to_owned();
            let mut state = state.lock();
            let life = state.life;
            state.arrivals.push(Arrival { path, id, event, life });
        }
        thread::sleep(Duration::from_millis(u64::from(below(random, 4))));
        (&mut &*stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
    Ok(())
}

type Headers = Vec<(String, String)>;

/// The path and the headers of a request, their names in lower case; `None` at the end.
fn head(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<(String, Headers)>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => return Ok(Some((path, headers))),
        }
    }
}
