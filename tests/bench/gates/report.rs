//! What was measured against what is demanded, for people and as JSON.

use std::fmt::Write as _;

/// What a figure must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Demand {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// Nothing: it is shown for information.
    None,
}

impl Demand {
    fn met_by(self, measured: f64) -> bool {
        match self {
            Self::AtLeast(limit) => measured >= limit,
            Self::AtMost(limit) => measured <= limit,
            Self::None => true,
        }
    }

    fn limit(self) -> Option<f64> {
        match self {
            Self::AtLeast(limit) | Self::AtMost(limit) => Some(limit),
            Self::None => None,
        }
    }
}

/// One line of the report.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// What was measured.
    pub(crate) figure: String,
    /// The value, with its unit.
    pub(crate) value: String,
    /// What `measured` is, for example `of H`.
    pub(crate) scale: &'static str,
    /// What is compared with the demand.
    pub(crate) measured: f64,
    /// What it must be (performance.md, "Gates").
    pub(crate) demand: Demand,
}

impl Line {
    fn verdict(&self) -> &'static str {
        match self.demand {
            Demand::None => "",
            demand if demand.met_by(self.measured) => "pass",
            _ => "MISS",
        }
    }

    fn gate(&self) -> String {
        match self.demand {
            Demand::AtLeast(limit) => format!(">= {limit} {}", self.scale),
            Demand::AtMost(limit) => format!("<= {limit} {}", self.scale),
            Demand::None => String::new(),
        }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "figure": self.figure, "value": self.value, "scale": self.scale, "measured": rounded(self.measured),
            "gate": self.demand.limit(), "pass": self.demand.met_by(self.measured),
        })
    }
}

/// All lines of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report(Vec<Line>);

impl Report {
    /// Adds a line, and shows it at once: a run takes minutes.
    pub(crate) fn add(&mut self, line: Line) {
        eprintln!("  {}: {}", line.figure, line.value);
        self.0.push(line);
    }

    /// Adds something that nothing is demanded of.
    pub(crate) fn note(&mut self, figure: &str, value: String, measured: f64) {
        self.add(Line { figure: figure.to_owned(), value, scale: "", measured, demand: Demand::None });
    }

    /// Whether every demand is met.
    pub(crate) fn passed(&self) -> bool {
        self.0.iter().all(|line| line.demand.met_by(line.measured))
    }

    /// The table, and the same as one line of JSON.
    pub(crate) fn show(&self) -> String {
        let mut text = String::new();
        let widest =
            |column: fn(&Line) -> &str| self.0.iter().map(|line| column(line).chars().count()).max().unwrap_or(0);
        let (figures, values) = (widest(|line| &line.figure), widest(|line| &line.value));
        for line in &self.0 {
            let ratio =
                if line.scale.is_empty() { String::new() } else { format!("{:.3} {}", line.measured, line.scale) };
            let Line { figure, value, .. } = line;
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{}",
                format!("{figure:<figures$}  {value:>values$}  {ratio:>18}  {:<18} {}", line.gate(), line.verdict())
                    .trim_end()
            );
        }
        let lines: Vec<_> = self.0.iter().map(Line::json).collect();
        let _ = writeln!(text, "{}", serde_json::json!({"pass": self.passed(), "figures": lines}));
        text
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// The middle one of `values`, the upper one of two; 0 without any.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// A rate, for people.
pub(crate) fn per_second(rate: f64) -> String {
    format!("{rate:.0}/s")
}

/// Bytes, for people.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Milliseconds of a duration.
pub(crate) fn millis(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
