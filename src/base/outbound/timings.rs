//! How long the parts of a request take, seen from where connections are made.
//!
//! A connection is made, if there is none to be used again, by the task that sends the request: a layer around the
//! connector notes begin and end for the request that is under way in that task.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

/// How long the parts of a request took; `None`: it did not come to that, or (of connecting) needed none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Until there was a connection: name, TCP, TLS.
    pub connect: Option<Duration>,
    /// From then to the head of the answer.
    pub answer: Option<Duration>,
    /// From then to the end of what was read of its body.
    pub body: Option<Duration>,
}

tokio::task_local! {
    /// The watch of the request that this task sends.
    static WATCH: Arc<Watch>;
}

/// Notes when what happened.
#[derive(Debug)]
pub(super) struct Watch {
    begun: Instant,
    noted: Mutex<Noted>,
    /// Told of a connection that is all that was wanted: it is closed at once, and nothing goes over it.
    only_connects: Option<Notify>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Noted {
    connecting: bool,
    connected: Option<Instant>,
    answered: Option<Instant>,
}

impl Watch {
    pub(super) fn start() -> Arc<Self> {
        Arc::new(Self { begun: Instant::now(), noted: Mutex::default(), only_connects: None })
    }

    /// A watch over a request that ends with its connection: nothing of it is sent.
    pub(super) fn over_connecting() -> Arc<Self> {
        Arc::new(Self { begun: Instant::now(), noted: Mutex::default(), only_connects: Some(Notify::new()) })
    }

    /// Waits for a connection; for ever, where more than that is wanted.
    pub(super) async fn connected(&self) {
        match &self.only_connects {
            Some(connected) => connected.notified().await,
            None => pending().await,
        }
    }

    /// Runs `work` so that connections made in it are noted here.
    pub(super) async fn over<T>(self: &Arc<Self>, work: impl Future<Output = T>) -> T {
        WATCH.scope(Arc::clone(self), work).await
    }

    pub(super) fn answered(&self) {
        self.noted.lock().answered = Some(Instant::now());
    }

    /// Whether a connection was begun and not made.
    pub(super) fn is_connecting(&self) -> bool {
        let noted = self.noted.lock();
        noted.connecting && noted.connected.is_none() && noted.answered.is_none()
    }

    /// Until now, which is the end.
    pub(super) fn timings(&self) -> Timings {
        let (noted, now) = (*self.noted.lock(), Instant::now());
        let Noted { connecting, connected, answered } = noted;
        // One that another request has used first, or that came too late, was not waited for.
        let connected = connected.filter(|at| answered.is_none_or(|answered| *at <= answered));
        let sent = connected.unwrap_or(self.begun);
        let failed_to_connect = connecting && connected.is_none() && answered.is_none();
        Timings {
            connect: connected.or(failed_to_connect.then_some(now)).map(|at| at - self.begun),
            answer: (!failed_to_connect).then(|| answered.unwrap_or(now) - sent),
            body: answered.map(|at| now - at),
        }
    }
}

/// Puts the noting around a connector.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noting;

impl<S> Layer<S> for Noting {
    type Service = NotingConnector<S>;

    fn layer(&self, inner: S) -> Self::Service {
        NotingConnector(inner)
    }
}

/// A connector whose connections are noted.
#[derive(Clone)]
pub(super) struct NotingConnector<S>(S);

impl<S, R> Service<R> for NotingConnector<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let watch = WATCH.try_with(Arc::clone).ok();
        if let Some(watch) = &watch {
            watch.noted.lock().connecting = true;
        }
        let connecting = self.0.call(request);
        Box::pin(async move {
            let made = connecting.await?;
            if let Some(watch) = watch {
                watch.noted.lock().connected = Some(Instant::now());
                if let Some(connected) = &watch.only_connects {
                    drop(made);
                    connected.notify_one();
                    // The request, which waits for this, is given up.
                    return pending().await;
                }
            }
            Ok(made)
        })
    }
}
