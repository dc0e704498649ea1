//! Listens, reads requests within bounds, and answers them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::arrival::Arrival;
use super::behaviour::{AnswerBody, Behaviour, Pace};
use super::recorder::Recorder;
use crate::base::clock::{Clock as _, SystemClock};
use crate::base::stop::Stop;
use crate::cli::output;

/// How many connections there are at most; more wait to be accepted.
const MAX_CONNECTIONS: usize = 1024;
/// The largest body that is read, in bytes.
const MAX_BODY: usize = 16 << 20;
/// How long a request's head or body may take.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// How long answers that have been begun may take at the end.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);
/// How long nothing is accepted after that has failed: most often there are too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// What one connection is served with.
#[derive(Clone)]
struct Desk {
    recorder: Arc<Recorder>,
    behaviour: Behaviour,
}

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("hung up, as asked for")]
struct HangUp;

/// Serves until the stop is given, which ends it at once, or enough has come: then what was begun is answered.
pub(super) async fn serve(listener: TcpListener, recorder: Arc<Recorder>, behaviour: Behaviour, stop: Stop) {
    let desk = Desk { recorder: Arc::clone(&recorder), behaviour };
    let mut connections = JoinSet::new();
    let drain = Stop::new();
    loop {
        let room = connections.len() < MAX_CONNECTIONS;
        tokio::select! {
            () = stop.stopped() => return,
            () = recorder.enough() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if room => match accepted {
                Ok((stream, from)) => drop(connections.spawn(connection(stream, from, desk.clone(), drain.clone()))),
                Err(error) => {
                    output::remark(&format!("a connection could not be accepted: {error}"));
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    drain.stop();
    let ended = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = stop.stopped() => {}
        () = ended => {}
        () = tokio::time::sleep(behaviour.patience() + DRAIN_LIMIT) => {}
    }
}

async fn connection(stream: TcpStream, from: SocketAddr, desk: Desk, drain: Stop) {
    let service = service_fn(move |request| answer(request, from, desk.clone()));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(READ_LIMIT);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // How a connection ends is the client's business, or was asked for.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = drain.stopped() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

async fn answer(request: Request<Incoming>, from: SocketAddr, desk: Desk) -> Result<Response<AnswerBody>, HangUp> {
    if request.method() != Method::POST {
        let mut response = response(StatusCode::METHOD_NOT_ALLOWED, Pace::Whole);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return Ok(response);
    }
    let (head, body) = request.into_parts();
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Ok(response(StatusCode::PAYLOAD_TOO_LARGE, Pace::Whole));
    }
    let body = match tokio::time::timeout(READ_LIMIT, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) => {
            output::remark(&output::printable(&format!("a body from {from} could not be read: {error}")));
            return Ok(response(StatusCode::PAYLOAD_TOO_LARGE, Pace::Whole));
        }
        Err(_) => return Ok(response(StatusCode::REQUEST_TIMEOUT, Pace::Whole)),
    };
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let arrival = Arrival { at: SystemClock.now(), from, path, headers: head.headers, body };
    let course = desk.recorder.record(&arrival, &desk.behaviour).ok_or(HangUp)?;
    tokio::time::sleep(course.delay).await;
    let (status, pace) = course.answer.ok_or(HangUp)?;
    Ok(response(status, pace))
}

fn response(status: StatusCode, pace: Pace) -> Response<AnswerBody> {
    let text = match status {
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::RESET_CONTENT => "",
        status if status.is_success() => "received\n",
        _ => "refused\n",
    };
    let mut response = Response::new(AnswerBody::new(pace, text));
    *response.status_mut() = status;
    if !text.is_empty() {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    response
}
