//! Outbound HTTP: the one way in which the appliance connects to anybody but its mail relay, which shares the lookup of
//! names and the trusted authorities.
//!
//! An [`Outbound`] holds what all connections share: whose certificates are believed (`[trust]`) and how names become
//! addresses. A [`Client`] made of it sends requests where a [`Policy`] allows, and nowhere else; an [`Egress`] is the
//! clients of one named [`EgressPolicy`]. Promises:
//!
//! - The policy sees the very address that is connected to: what a name resolves to is checked after it was resolved,
//!   and an address that stands in the URL itself is checked too, in every notation that a URL has for it. Where a proxy
//!   connects, the policy judges the name and the port.
//! - No redirect is followed, no proxy of the environment is used, nothing is tried again here.
//! - A request has a time limit that holds to the last byte of the answer, and no more of the answer than its cap is
//!   read into memory.
//! - Names are looked up as the machine's files say (`/etc/hosts`, `/etc/resolv.conf`, read again when they change), and
//!   by nobody else.
//! - What went wrong has a class ([`FaultClass`]) and a text; errors and [`Destination`]s shown in logs have no query
//!   values in them.
//!
//! Not here: schedules of repetition, and what an answer means.

mod client;
mod destination;
mod egress;
mod fault;
mod house;
mod identity;
mod names;
mod policy;
mod proxy;
mod resolver;
mod timings;
mod trust;

pub use client::{Answer, Client, ClientSettings, OutboundRequest};
pub use destination::{Destination, DestinationError};
pub use egress::{AddressKind, AllowEntry, AllowFault, Egress, EgressPolicy, EgressSettings, OwnListeners};
pub use fault::{FaultClass, SendError};
pub use house::Outbound;
pub use identity::{ClientIdentity, IdentityFault, read_chain};
pub use names::{Lookup, Names, NoAddress};
pub use policy::{OnlyHost, Policy, Refusal};
pub use proxy::{ProxyFault, ProxySettings};
pub use timings::Timings;
pub use trust::{CertificateError, TrustSettings, read_certificates};
