//! What `/metrics` says, read back from the Prometheus text format 0.0.4.

use std::io;
use std::net::SocketAddr;

use super::connection::{once, request};

/// The samples of one scrape.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(Vec<Sample>);

#[derive(Clone, Debug)]
struct Sample {
    name: String,
    /// The labels as they stand there, between the braces.
    labels: String,
    value: f64,
}

impl Metrics {
    /// Asks the admin listener.
    pub(crate) fn scrape(admin: SocketAddr) -> io::Result<Self> {
        let text = once(admin, &request("GET", "/metrics", &[], b""))?.expect_status(200)?.text();
        text.lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(sample)
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// The sum of the samples called `name` whose labels contain all of `labels`; an error if there is none.
    ///
    /// The values are counts, far below where an `f64` loses one.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> io::Result<u64> {
        let wanted: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let mut found = self
            .0
            .iter()
            .filter(|s| s.name == name && wanted.iter().all(|w| s.labels.split(',').any(|l| l == w)))
            .peekable();
        if found.peek().is_none() {
            return Err(io::Error::other(format!("/metrics has no {name} with {labels:?}")));
        }
        Ok(found.map(|s| s.value).sum::<f64>() as u64)
    }
}

fn sample(line: &str) -> io::Result<Sample> {
    let bad = || io::Error::other(format!("/metrics has the line {line:?}"));
    let (series, value) = line.rsplit_once(' ').ok_or_else(bad)?;
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let value = value.parse().map_err(|_| bad())?;
    Ok(Sample { name: name.to_owned(), labels: labels.trim_end_matches('}').to_owned(), value })
}
