//! Egress policies: where those of our connections may go whose destination somebody else has chosen.
//!
//! - [`AllowEntry`]: what the files allow, parsed; [`AddressKind`]: what an address is for.
//! - [`EgressPolicy`]: judges names and addresses, and says why not.
//! - [`OwnListeners`]: where the appliance itself listens, which no policy allows.
//! - [`Egress`]: sends what a policy allows, over connections that are kept for each policy and target.
//!
//! A policy judges each connection that is made, by the address that it is made to. A connection that is used again
//! has been judged when it was made, by the same policy, and still leads to the same address: what a name has come to
//! mean since changes nothing of it.

mod address;
mod entry;
mod own;
mod policy;
mod route;

pub use address::AddressKind;
pub use entry::{AllowEntry, AllowFault};
pub use own::OwnListeners;
pub use policy::EgressPolicy;
pub use route::{Egress, EgressSettings};
