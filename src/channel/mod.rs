//! How a message leaves: webhook, e-mail, templates. No store, no retry loop.
//!
//! Empty while notifications are only polled: a poll client comes and fetches, nothing is sent.
