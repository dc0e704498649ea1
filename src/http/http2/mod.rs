//! HTTP/2 (RFC 9113) on one connection, by the h2 crate.
//!
//! hyper's own server is not used here: it hands an answer over and forgets the stream, so that it can neither tell
//! whether the answer was written nor give up one that nobody reads. h2 itself can do both, and what hyper adds to it is
//! little.
//!
//! - `serve`: the connection: requests in, one task for each, keep-alive, going away.
//! - `exchange`: one request on its stream until its answer's last frame is with the socket.
//! - `inbound`: a request's body. `piece`: some of an answer's body, which knows how much of it is gone.
//! - `wire`: the stream as h2 gets it, and the rounds by which exchanges know what has been flushed.
//! - `frames`: whether a head has begun and not ended. `alive`: whether the other side still answers. `resets`: how many
//!   requests it takes back.
//!
//! What holds besides the promises of [`crate::http`]:
//! - At most [`MAX_STREAMS`] requests at once; a head of at most [`super::head::MAX_HEAD`] bytes (a larger one is
//!   answered 431 by h2); heads in too many CONTINUATION frames, and floods of resets, pings and settings, end the
//!   connection (`ENHANCE_YOUR_CALM`).
//! - What a request sends ahead of being read is held back by flow control, [`STREAM_WINDOW`] for each stream; its body
//!   is read within the connection's room for bodies.
//! - A stream that its caller resets while it is answered drops the call's future, and its answer is lost. An answer is
//!   written when its last frame has been flushed to the socket and no reset had come by then.
//! - An answer whose caller opens no window for it is given up after the same time as one that a socket does not take;
//!   the other streams go on.

mod alive;
mod exchange;
mod frames;
mod inbound;
mod piece;
mod resets;
mod serve;
mod wire;

pub(super) use serve::{PREFACE, serve};

/// How many requests a connection may have at once. One connection of a proxy carries the polls of many clients.
const MAX_STREAMS: u32 = 100;

/// How much of a body may come before it is read.
const STREAM_WINDOW: u32 = 64 * 1024;
