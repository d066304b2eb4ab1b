//! Limits the header section of each request before hyper parses it.
//!
//! hyper answers a header section beyond its limits with a bare 431 and closes the connection. fnserver then responds
//! with 502 and kills the container. Every client can cause this: fnserver accepts 1 MiB of header fields, in any number
//! and with names of any length, and adds the prefix `Fn-Http-H-` to each. The limiter forwards a section within the
//! limits unchanged. Of a larger section it forwards what the limits allow, drops the rest and adds the field
//! `frontdoor-header-excess`, so that the function rejects the request with a problem.
//!
//! The limiter follows the message framing (RFC 9112, section 6) to find the next header section. It never changes a
//! body. If it does not understand the framing of a message, it forwards the rest of the connection unchanged.

mod limiter;
mod section;
mod stream;

pub(super) use section::{PARSER_MAX_BYTES, PARSER_MAX_FIELDS, excess};
pub(super) use stream::LimitedListener;
