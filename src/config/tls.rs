//! `server.tls` and `admin.tls`: certificate, key, versions, client certificates. All files are read here, so that what
//! is wrong with them is known before anything is started.

use std::path::Path;
use std::time::Duration;

use super::kind::{DAY, text};
use super::reader::{Item, Section};
use super::secret::secret_pem;
use super::sources::{Sources, read_bounded};
use crate::http::tls::{
    CertificateChain, ClientAuth, ClientAuthorities, PrivateKey, TlsFault, TlsSettings, TlsVersion, Validity,
};

/// The largest file with certificates in bytes: some bundles of authorities have a few hundred.
const MAX_CERTIFICATES: u64 = 1 << 20;

/// How long before its end a certificate is warned of.
pub(super) const EXPIRES_SOON: Duration = DAY.saturating_mul(30);

/// `{ certificate = "…", key = …, min_version = "1.2" | "1.3", client_ca = "…", client_auth = "required" | "optional" }`
pub(super) fn tls(sources: &Sources) -> impl Fn(&Item<'_>) -> Option<TlsSettings> {
    move |item| item.section(|section| read(section, sources))
}

fn read(section: &Section<'_>, sources: &Sources) -> Option<TlsSettings> {
    const VERSIONS: [(&str, TlsVersion); 2] = [("1.2", TlsVersion::Tls12), ("1.3", TlsVersion::Tls13)];
    const AUTH: [(&str, ClientAuth); 2] = [("required", ClientAuth::Required), ("optional", ClientAuth::Optional)];
    let chain = there(section, "certificate", |item| certificate(item, sources));
    let key = there(section, "key", |item| private_key(item, sources));
    let oldest = section.optional("min_version", |item| item.one_of(&VERSIONS)).unwrap_or(TlsVersion::Tls12);
    let authorities = section.optional("client_ca", |item| from_file(item, ClientAuthorities::from_pem));
    let auth = section.optional("client_auth", |item| item.one_of(&AUTH)).unwrap_or(ClientAuth::Required);
    if section.has("client_auth") && !section.has("client_ca") {
        let message = "client_auth needs client_ca: the file with the authorities whose client certificates are taken";
        section.reader.error(&section.path, message);
    }
    if section.has("client_ca") && authorities.is_none() {
        return None;
    }
    let clients = authorities.map(|authorities| (authorities, auth));
    TlsSettings::new(chain?, key?, oldest, clients).map_err(|fault| refuse(section, &fault)).ok()
}

fn there<'r, T>(section: &Section<'r>, key: &'static str, kind: impl Fn(&Item<'r>) -> Option<T>) -> Option<T> {
    if !section.has(key) {
        section.missing(key);
    }
    section.optional(key, kind)
}

fn refuse(section: &Section<'_>, fault: &TlsFault) {
    let key = match fault {
        TlsFault::KeyMismatch | TlsFault::Key(_) => "key",
        TlsFault::Certificate(_) => "certificate",
        TlsFault::Authorities(_) => "client_ca",
    };
    let advice = (*fault == TlsFault::KeyMismatch).then(|| {
        "name the key that the certificate was made for; the certificate's file begins with the server's own".to_owned()
    });
    section.reader.error_with(&format!("{}.{key}", section.path), fault.to_string(), advice);
}

fn private_key(item: &Item<'_>, sources: &Sources) -> Option<PrivateKey> {
    let secret = secret_pem(sources)(item)?;
    PrivateKey::from_pem(&secret.bytes).map_err(|problem| item.refuse::<()>(problem)).ok()
}

fn certificate(item: &Item<'_>, sources: &Sources) -> Option<CertificateChain> {
    let now = sources.now;
    let chain = from_file(item, CertificateChain::from_pem)?;
    let Validity { not_before, not_after } = chain.validity();
    let renew = || Some("put a renewed one in its place".to_owned());
    if now > not_after {
        let message = format!("the certificate has expired: it was good until {}", not_after.to_rfc3339_seconds());
        if sources.alone {
            // What ran before is no worse for it: others than those who look at certificates are still served.
            item.reader.warning(&item.path, message, renew());
        } else {
            item.reader.error_with(&item.path, message, renew());
        }
    } else if now.plus(EXPIRES_SOON) > not_after {
        let message = format!("the certificate expires soon: it is good until {}", not_after.to_rfc3339_seconds());
        item.reader.warning(&item.path, message, renew());
    } else if now < not_before {
        let message = format!("the certificate is not good before {}", not_before.to_rfc3339_seconds());
        item.reader.warning(&item.path, message, Some("is the clock of this machine right?".to_owned()));
    }
    Some(chain)
}

fn from_file<T>(item: &Item<'_>, parse: fn(&[u8]) -> Result<T, String>) -> Option<T> {
    let file = text(item)?;
    let pem = read_bounded(Path::new(&file), MAX_CERTIFICATES).inspect(|pem| item.reader.holds(&item.path, pem));
    pem.and_then(|pem| parse(&pem)).map_err(|problem| item.refuse::<()>(format!("{file} {problem}"))).ok()
}
