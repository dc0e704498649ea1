//! A relay that does as its script says: right at every verb, but where the script has something else.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What a relay does instead of what is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Says this; a line end is added.
    Say(&'static str),
    /// Says this and closes the connection.
    SayAndHangUp(&'static str),
    /// Closes the connection.
    HangUp,
    /// Says nothing, for ever.
    Silence,
}

/// What a relay does.
#[derive(Clone, Default)]
pub(crate) struct Script {
    /// What it does at a verb, one after the other; then it does what is right.
    pub(crate) acts: HashMap<&'static str, VecDeque<Act>>,
    /// What EHLO offers, besides STARTTLS where there is TLS.
    pub(crate) offers: Vec<&'static str>,
    /// Name and password that AUTH takes.
    pub(crate) login: Option<(String, String)>,
    pub(crate) tls: Option<Tls>,
}

#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) implicit: bool,
}

impl Script {
    /// What is right, but `act` the first time at `verb`.
    pub(crate) fn once(verb: &'static str, act: Act) -> Self {
        Self::default().and(verb, act)
    }

    /// And `act` the next time at `verb`.
    pub(crate) fn and(mut self, verb: &'static str, act: Act) -> Self {
        self.acts.entry(verb).or_default().push_back(act);
        self
    }

    pub(crate) fn offering(self, offers: &[&'static str]) -> Self {
        Self { offers: offers.to_vec(), ..self }
    }
}

/// What a relay has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The whole line of MAIL FROM.
    pub(crate) mail: String,
    /// The whole line of RCPT TO.
    pub(crate) rcpt: String,
    /// The message without the dots that were added.
    pub(crate) message: Vec<u8>,
    /// Over which connection, from 1.
    pub(crate) connection: usize,
    /// Whether it came over TLS.
    pub(crate) secure: bool,
}

#[derive(Default)]
struct State {
    script: Script,
    taken: Vec<Taken>,
    /// Each line that was heard, but for messages.
    heard: Vec<String>,
    connections: usize,
    open: usize,
    most_open: usize,
}

/// A running relay; it ends with its runtime.
#[derive(Clone)]
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Relay {
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { script, ..State::default() }));
        let relay = Self { address, state };
        let serving = relay.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        relay
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.state.lock().taken.clone()
    }

    pub(crate) fn only(&self) -> Taken {
        let taken = self.taken();
        assert_eq!(taken.len(), 1, "{taken:?}");
        taken[0].clone()
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.state.lock().heard.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().connections
    }

    pub(crate) fn most_open(&self) -> usize {
        self.state.lock().most_open
    }

    /// Changes what it does from now on.
    pub(crate) fn change(&self, script: Script) {
        self.state.lock().script = script;
    }

    async fn serve(self, stream: TcpStream) {
        let (connection, tls) = {
            let mut state = self.state.lock();
            state.connections += 1;
            state.open += 1;
            state.most_open = state.most_open.max(state.open);
            (state.connections, state.script.tls.clone())
        };
        let mut talk = Talk { relay: self.clone(), connection, tls: tls.clone(), secure: false };
        match tls {
            Some(Tls { acceptor, implicit: true }) => {
                talk.secure = true;
                if let Ok(stream) = acceptor.accept(stream).await {
                    talk.run(&mut BufReader::new(stream), true).await;
                }
            }
            Some(Tls { acceptor, implicit: false }) => {
                let mut stream = BufReader::new(stream);
                if talk.run(&mut stream, true).await == Ended::StartTls
                    && let Ok(stream) = acceptor.accept(stream.into_inner()).await
                {
                    talk.secure = true;
                    talk.run(&mut BufReader::new(stream), false).await;
                }
            }
            None => drop(talk.run(&mut BufReader::new(stream), true).await),
        }
        self.state.lock().open -= 1;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Closed,
    StartTls,
}

/// One connection.
struct Talk {
    relay: Relay,
    connection: usize,
    tls: Option<Tls>,
    secure: bool,
}

/// Whether the dialogue goes on after a verb, and as the right thing was said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Right,
    Wrong,
    Over,
}

impl Talk {
    async fn run<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut BufReader<S>, greet: bool) -> Ended {
        if greet && self.act(stream, "banner", "220 relay.test ESMTP").await == Next::Over {
            return Ended::Closed;
        }
        let (mut mail, mut rcpt) = (String::new(), String::new());
        loop {
            let Some(line) = self.line(stream).await else { return Ended::Closed };
            self.relay.state.lock().heard.push(line.clone());
            let verb = line.split([' ', ':']).next().unwrap().to_lowercase();
            let next = match verb.as_str() {
                "ehlo" => self.act(stream, "ehlo", &self.offers()).await,
                "starttls" => match self.act(stream, "starttls", "220 go ahead").await {
                    Next::Right => return Ended::StartTls,
                    other => other,
                },
                "auth" => self.authenticate(stream, &line).await,
                "mail" => {
                    mail.clone_from(&line);
                    self.act(stream, "mail", "250 2.1.0 ok").await
                }
                "rcpt" => {
                    rcpt.clone_from(&line);
                    self.act(stream, "rcpt", "250 2.1.5 ok").await
                }
                "data" => match self.act(stream, "data", "354 go on").await {
                    Next::Right => self.take(stream, &mail, &rcpt).await,
                    other => other,
                },
                "rset" => self.act(stream, "rset", "250 ok").await,
                "quit" => {
                    self.act(stream, "quit", "221 bye").await;
                    Next::Over
                }
                _ => self.act(stream, "other", "502 5.5.1 what?").await,
            };
            if next == Next::Over {
                return Ended::Closed;
            }
        }
    }

    fn offers(&self) -> String {
        let state = self.relay.state.lock();
        let starttls = self.tls.as_ref().is_some_and(|tls| !tls.implicit && !self.secure);
        let offers = state.script.offers.iter().copied().chain(starttls.then_some("STARTTLS"));
        let lines: Vec<_> = ["relay.test"].into_iter().chain(offers).collect();
        let last = lines.len() - 1;
        let line = |(n, line): (usize, &&str)| format!("250{}{line}", if n == last { ' ' } else { '-' });
        lines.iter().enumerate().map(line).collect::<Vec<_>>().join("\r\n")
    }

    async fn take<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut BufReader<S>, mail: &str, rcpt: &str) -> Next {
        let mut message = Vec::new();
        loop {
            let mut line = Vec::new();
            if stream.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
                return Next::Over;
            }
            assert!(line.ends_with(b"\r\n") && line.len() <= 1000, "{:?}", String::from_utf8_lossy(&line));
            if line == b".\r\n" {
                break;
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
        let (connection, secure) = (self.connection, self.secure);
        let taken = Taken { mail: mail.to_owned(), rcpt: rcpt.to_owned(), message, connection, secure };
        self.relay.state.lock().taken.push(taken);
        self.act(stream, "message", "250 2.0.0 queued as 1").await
    }

    async fn authenticate<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut BufReader<S>, line: &str) -> Next {
        let mut given = Vec::new();
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["AUTH", "PLAIN", response] => {
                let response = String::from_utf8(STANDARD.decode(response).unwrap()).unwrap();
                given.extend(response.split('\0').skip(1).map(str::to_owned));
            }
            ["AUTH", "LOGIN"] => {
                for question in ["334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n"] {
                    stream.write_all(question.as_bytes()).await.unwrap();
                    let Some(answer) = self.line(stream).await else { return Next::Over };
                    given.push(String::from_utf8(STANDARD.decode(answer).unwrap()).unwrap());
                }
            }
            _ => return self.act(stream, "auth", "504 5.5.4 no such mechanism").await,
        }
        let login = self.relay.state.lock().script.login.clone();
        let good = login.is_some_and(|(name, password)| given == [name, password]);
        self.act(stream, "auth", if good { "235 2.7.0 ok" } else { "535 5.7.8 authentication failed" }).await
    }

    async fn line<S: AsyncRead + Unpin>(&self, stream: &mut BufReader<S>) -> Option<String> {
        let mut line = String::new();
        let read = stream.read_line(&mut line).await.unwrap_or(0);
        (read > 0).then(|| line.trim_end_matches("\r\n").to_owned())
    }

    async fn act<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut BufReader<S>, verb: &str, right: &str) -> Next {
        let act = self.relay.state.lock().script.acts.get_mut(verb).and_then(VecDeque::pop_front);
        let (words, next) = match act {
            None => (right, Next::Right),
            Some(Act::Say(words)) => (words, Next::Wrong),
            Some(Act::SayAndHangUp(words)) => (words, Next::Over),
            Some(Act::HangUp) => return Next::Over,
            Some(Act::Silence) => std::future::pending().await,
        };
        match stream.write_all(format!("{words}\r\n").as_bytes()).await {
            Ok(()) if stream.flush().await.is_ok() => next,
            _ => Next::Over,
        }
    }
}
