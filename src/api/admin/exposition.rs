//! Metrics as text: `OpenMetrics` 1.0 for who asks for it, else the Prometheus text format 0.0.4.
//!
//! prometheus-client writes `OpenMetrics` only. The older format differs in what is used here in three ways: the
//! comments of a counter and of an info name the sample with its suffix, there is no info type, and there is neither
//! `# UNIT` nor `# EOF`.

use std::fmt::Write as _;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// The media type of `OpenMetrics`.
pub(super) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The media type of the Prometheus text format.
pub(super) const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The media type and the text of `registry` for a request with this `Accept`.
pub(super) fn expose(registry: &Registry, accept: Option<&str>) -> Result<(&'static str, String), std::fmt::Error> {
    let mut text = String::new();
    encode(&mut text, registry)?;
    if accept.is_some_and(|accept| accept.contains("application/openmetrics-text")) {
        return Ok((OPENMETRICS, text));
    }
    Ok((PROMETHEUS, to_prometheus(&text)?))
}

fn to_prometheus(openmetrics: &str) -> Result<String, std::fmt::Error> {
    let mut out = String::with_capacity(openmetrics.len());
    let mut help = None;
    for line in openmetrics.lines() {
        if let Some(of) = line.strip_prefix("# HELP ") {
            help = of.split_once(' ').map(|(_, text)| text);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|of| of.split_once(' ')) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                other => ("", other),
            };
            if let Some(help) = help.take() {
                writeln!(out, "# HELP {name}{suffix} {help}")?;
            }
            writeln!(out, "# TYPE {name}{suffix} {kind}")?;
        } else if !line.starts_with("# ") {
            writeln!(out, "{line}")?;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::gauge::Gauge;
    use prometheus_client::metrics::info::Info;
    use prometheus_client::registry::Unit;

    use super::*;

    fn registry() -> Registry {
        let mut registry = Registry::default();
        let counter: Counter = Counter::default();
        registry.register("tidings_events_accepted", "Events accepted", counter);
        let gauge: Gauge = Gauge::default();
        registry.register_with_unit("tidings_file", "Size of # TYPE the file", Unit::Bytes, gauge);
        registry.register("tidings_build", "The build", Info::new([("version", "1")]));
        registry
    }

    #[test]
    fn prometheus_text_names_samples_in_its_comments() {
        let (media_type, text) = expose(&registry(), Some("text/plain")).unwrap();
        assert_eq!(media_type, PROMETHEUS);
        assert_eq!(
            text,
            "# HELP tidings_events_accepted_total Events accepted.\n\
             # TYPE tidings_events_accepted_total counter\n\
             tidings_events_accepted_total 0\n\
             # HELP tidings_file_bytes Size of # TYPE the file.\n\
             # TYPE tidings_file_bytes gauge\n\
             tidings_file_bytes 0\n\
             # HELP tidings_build_info The build.\n\
             # TYPE tidings_build_info gauge\n\
             tidings_build_info{version=\"1\"} 1\n"
        );
    }

    #[test]
    fn openmetrics_is_given_to_who_asks_for_it() {
        let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
        let (media_type, text) = expose(&registry(), Some(accept)).unwrap();
        assert_eq!(media_type, OPENMETRICS);
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
