//! What a start has begun, and how each part of it is ended: in reverse order, each step with a name and a limit.

use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::base::stop::{Step, Stop, run_steps};

/// The steps of stopping, in the order in which their parts were begun.
#[derive(Default)]
pub(super) struct Stopping(Vec<Step>);

impl Stopping {
    /// Adds how the part that was just begun is ended.
    pub(super) fn push<F>(&mut self, name: &'static str, limit: Duration, end: F)
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.0.push(Step { name, limit, run: Box::pin(end) });
    }

    /// Ends what was begun last first; answers what did not end well.
    pub(super) async fn run(mut self) -> Vec<String> {
        self.0.reverse();
        run_steps(self.0).await
    }
}

/// Tasks that run until they are stopped; one that ends before is reported.
pub(super) struct Supervisor {
    ended: mpsc::Sender<&'static str>,
}

impl Supervisor {
    /// A supervisor, and where it reports the names of tasks that ended by themselves.
    pub(super) fn new() -> (Self, mpsc::Receiver<&'static str>) {
        let (ended, reports) = mpsc::channel(1);
        (Self { ended }, reports)
    }

    /// Starts `work` as a task called `name`, which is to run until `stop` is given.
    pub(super) fn spawn<F>(&self, name: &'static str, stop: Stop, work: F) -> JoinHandle<Result<F::Output, String>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let ended = self.ended.clone();
        let work = tokio::spawn(work);
        tokio::spawn(async move {
            let outcome = work.await;
            if !stop.is_stopped() {
                tracing::error!("{name} has ended by itself; stopping");
                // One report is enough to stop everything: a full channel holds one.
                let _ = ended.try_send(name);
            }
            outcome.map_err(|error| error.to_string())
        })
    }
}

/// Waits for a supervised task's end.
pub(super) async fn join<T>(task: JoinHandle<Result<T, String>>) -> Result<T, String> {
    task.await.map_err(|error| error.to_string())?
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[tokio::test]
    async fn what_was_begun_last_is_ended_first_and_failures_are_named() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut stopping = Stopping::default();
        for name in ["first", "second", "third"] {
            let order = Arc::clone(&order);
            stopping.push(name, Duration::from_secs(10), async move {
                order.lock().push(name);
                if name == "second" { Err("broken".to_owned()) } else { Ok(()) }
            });
        }
        assert_eq!(stopping.run().await, ["second: broken"]);
        assert_eq!(*order.lock(), ["third", "second", "first"]);
    }

    #[tokio::test]
    async fn a_task_that_ends_by_itself_is_reported() {
        let (supervisor, mut reports) = Supervisor::new();
        let task = supervisor.spawn("worker", Stop::new(), async { 7 });
        assert_eq!(reports.recv().await, Some("worker"));
        assert_eq!(join(task).await, Ok(7));
    }

    #[tokio::test]
    async fn a_task_that_was_stopped_is_not() {
        let (supervisor, mut reports) = Supervisor::new();
        let stop = Stop::new();
        let waiting = stop.clone();
        let task = supervisor.spawn("worker", stop.clone(), async move { waiting.stopped().await });
        stop.stop();
        assert_eq!(join(task).await, Ok(()));
        drop(supervisor);
        assert_eq!(reports.recv().await, None);
    }
}
