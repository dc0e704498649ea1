//! `[trust]`: whose certificates are believed in outbound TLS.

use super::kind::text;
use super::reader::{Item, Section};
use super::sources::read_bounded;
use crate::base::outbound::{TrustSettings, read_certificates};

/// The largest file of certificates in bytes; a whole store of authorities has a quarter of it.
const MAX_FILE: u64 = 1 << 20;

/// Reads `[trust]`.
pub(super) fn read(top: &Section<'_>) -> TrustSettings {
    all_of(top.section("trust", |trust| trust.required("ca", authorities)))
}

/// All that one of the parts believes.
pub(super) fn all_of(parts: Vec<TrustSettings>) -> TrustSettings {
    TrustSettings {
        system: parts.iter().any(|part| part.system),
        certificates: parts.into_iter().flat_map(|part| part.certificates).collect(),
    }
}

/// An array of what [`authority`] reads.
pub(super) fn authorities(item: &Item<'_>) -> Option<Vec<TrustSettings>> {
    let items = item.items()?;
    if items.is_empty() {
        return item.refuse("must not be empty");
    }
    Some(items.iter().filter_map(authority).collect())
}

/// `system`, or a file of certificates.
pub(super) fn authority(item: &Item<'_>) -> Option<TrustSettings> {
    let text = text(item)?;
    if text == "system" {
        return Some(TrustSettings::default());
    }
    let read = read_bounded(text.as_ref(), MAX_FILE).inspect(|pem| item.reader.holds(&item.path, pem));
    match read.and_then(|pem| read_certificates(&pem).map_err(|error| error.to_string())) {
        Ok(certificates) => Some(TrustSettings { system: false, certificates }),
        Err(problem) => item.refuse(format!("{text} {problem}; name \"system\" or a file of certificates in PEM form")),
    }
}
