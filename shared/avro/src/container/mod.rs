//! Object container files: a header with the writer's schema, then blocks of records.
//!
//! [`decode()`](crate::decode()) reads a file, [`write()`] and [`write_compressed`] make one.
//!
//! The format has no end mark, so a file that was truncated at the end of a block cannot be distinguished from a complete
//! file. Any other truncation is an error.
//!
//! Source: Avro specification 1.12, "Object Container Files".

mod codec;
mod header;
mod read;
mod write;

pub use codec::Codec;
pub use header::{Header, SyncMarker, header};
pub(super) use read::read;
pub use write::{write, write_compressed};
