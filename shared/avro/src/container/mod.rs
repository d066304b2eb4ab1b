//! Object container files (OCF): a header with the writer's schema, then blocks of records.
//!
//! [`read`] takes them apart, [`write()`] makes them. A file cut exactly at the end of a block is a shorter file that
//! nobody can tell from a whole one: the format has no end mark. Any other cut is found.
//!
//! Source: Avro specification 1.12, "Object Container Files".

mod codec;
mod read;
mod write;

pub use codec::Codec;
pub(super) use read::read;
pub use read::{Header, header};
pub use write::{write, write_compressed};

/// The metadata key of the writer's schema.
const SCHEMA_KEY: &str = "avro.schema";

/// The metadata key of the codec; absent means null.
const CODEC_KEY: &str = "avro.codec";

/// The bytes between blocks, the same throughout a file.
pub type Sync = [u8; 16];
