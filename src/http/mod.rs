//! The wire under the contracts: listeners, routing, bodies, authentication, limits, drain. Knows no contract.
//!
//! A [`Server`] is bound to its addresses with a list of [`contract::Contract`]s and run until it is stopped. What
//! it promises to each of them:
//! - A request that reaches [`contract::Contract::call`] has a route, a credential that is good for it, and its
//!   whole body within the limits. What fails before is answered in the contract's own body by
//!   [`contract::Contract::refuse`]; what cannot be told to be for a contract, in that of the contract at the root.
//! - A caller that hangs up, closes its sending side, or resets the request's stream drops the call's future. (If it has
//!   sent another request of HTTP/1.1 behind the present one, hyper does not look further, and it is noticed when the
//!   answer is written.)
//! - A call that panics is answered 500, and the log has the panic under the request's id.
//! - Refused credentials and every call of a route that changes something are in the audit trail ([`contract::Trace`]),
//!   the latter before the answer is.
//! - Each answer that has a [`contract::Delivery`] is reported once, as written or as lost.
//!
//! What lies between a socket and a contract: the socket tells whether it takes what is written (`stream::Metered`); TLS
//! ([`tls`]) or nothing; HTTP/1.1 by hyper (`http1`) or HTTP/2 by h2 (`http2`), as ALPN or the first bytes say; the desk,
//! where both meet. What is served may be replaced while it runs (`serving`). The limits in time (`guard`) and the state that they follow from (`connection`) are the same for all.

pub mod contract;
pub mod metrics;
pub mod settings;
pub mod tls;

mod accept;
mod answer;
mod audit;
mod body;
mod connection;
mod credential;
mod desk;
mod doorkeeper;
mod drive;
mod forwarded;
mod guard;
mod head;
mod http1;
mod http2;
mod listener;
mod parting;
mod preface;
mod registry;
mod routing;
mod server;
mod serving;
mod standing;
mod stream;

pub use credential::{Authenticate, Denial, Presented, Shown};
pub use doorkeeper::Doorkeeper;
pub use forwarded::{ProxyHeader, TrustedProxies};
pub use listener::BindError;
pub use server::{Drained, Server, ServerParts, Sockets};
pub use serving::{Prepared, ServingSlot};
pub use standing::Standing;
