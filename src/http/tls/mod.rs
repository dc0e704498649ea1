//! TLS on the server's side, by rustls with aws-lc-rs: what is presented, who has to present something too, and the
//! handshake.
//!
//! - [`CertificateChain`], [`PrivateKey`], [`ClientAuthorities`]: read from PEM and known to be good.
//! - [`TlsSettings`]: the three together, ready to be served.
//! - [`TlsSlot`]: what the listeners of a running server use, to be replaced while they run.
//! - `handshake`: from an accepted socket to a stream that is encrypted, bounded in time.
//!
//! One certificate serves all names; what is agreed on by ALPN is `h2` or `http/1.1`. There is no early data
//! (RFC 8446 §8: it could be replayed), and where client certificates are looked at no session is resumed, so that each
//! connection's certificate is checked anew. Not here: what a certificate is good for, which is `auth`'s to say.

mod certificate;
mod handshake;
mod material;
mod settings;
mod slot;

pub use certificate::{ClientCertificate, Validity};
pub use material::{CertificateChain, ClientAuthorities, PrivateKey};
pub use settings::{ClientAuth, TlsFault, TlsSettings, TlsVersion};
pub use slot::TlsSlot;

pub(super) use handshake::handshake;
