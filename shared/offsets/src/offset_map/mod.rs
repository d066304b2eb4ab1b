//! The offset map: the completed records at and above a commit, encoded in the commit's metadata.
//!
//! Kafka stores a string with every committed offset, of at most 4096 bytes by default (`offset.metadata.max.bytes`). The
//! map lists, for each class of records, the gaps: the ranges of offsets in which no record of the class is completed
//! (see [`progress`](crate::progress)). A map is valid only for the topic and routes in its [`Scope`]. If a map is lost or
//! invalid, records are delivered again; none is skipped.
//!
//! # Format
//!
//! The metadata of a commit at offset `commit` is ASCII:
//!
//! ```text
//! metadata = "fd1." topic-id "." base64url(bytes)
//! bytes    = routes          8 bytes, little-endian: the fingerprint of the routes
//!            scanned-commit  LEB128: all offsets below `scanned` were read
//!            class-count     LEB128: the number of routes, and one for dead letters without a route
//!            class*          for each class, in order
//! class    = gap-count       LEB128
//!            gap*            in ascending order
//! gap      = distance        LEB128: from the end of the previous gap, or from `commit`, to the start of this gap
//!            length          LEB128: at least 1
//! ```
//!
//! - `topic-id` is the id of the topic as text. It is empty if the broker does not report topic ids (KIP-516).
//! - base64url is that of RFC 4648, section 5, without padding.
//! - LEB128 is unsigned, of at most nine bytes.
//! - A gap ends at or below `scanned`. No bytes follow the last class.
//!
//! Version 1 of the format is the prefix `fd1.`. Metadata with any other prefix is ignored.

mod decode;
mod encode;
mod leb128;
mod map;
mod scope;
#[cfg(test)]
mod tests;

pub use crate::class::Gap;
pub use decode::{decode, topic_of};
pub use encode::encode;
pub use map::OffsetMap;
pub use scope::{InvalidMetadata, Scope};
