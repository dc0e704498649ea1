//! Webhooks: a notification as a signed POST (Standard Webhooks 1.0.0) with a `CloudEvent`, and what the answer means.
//!
//! Promises:
//!
//! - The id, the time and the body are signed with every secret that is valid at the time, and with the appliance's own
//!   key where the endpoint wants that. What is not signed is not sent.
//! - A request goes where its egress policy allows and nowhere else (`base::outbound`), and takes no longer than its
//!   time limit; no redirect is followed.
//! - The status alone decides; of the answer's body 4 KiB of text are kept for people, and its end is not needed.
//! - Nothing of a URL but scheme, host and port is in any text made here.
//!
//! Not here: when it is tried again, circuits, rates and limits (`engine::deliver`), and where keys are kept (`auth`).

mod answer;
mod binary;
mod management;
mod registration;
mod request;
mod retry_after;
mod send;
mod settings;
mod signature;
mod verdict;

pub use request::EPOCH_HEADER;
pub use send::WebhookChannel;
pub use settings::{Answers, WebhookPolicy, WebhookSettings};
pub use verdict::judge;
