//! The scope of an offset map.

/// The prefix of the metadata, with the version of the format.
pub(super) const MAGIC: &str = "fd1.";

/// Why the metadata of a commit has no valid map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMetadata {
    /// The metadata is empty.
    #[error("the commit has no metadata")]
    Missing,
    /// The metadata is not an offset map, or is damaged.
    #[error("the commit's metadata is not an offset map")]
    Unrecognized,
    /// The map is of other routes or another schema.
    #[error("the commit's offset map is of other routes or another schema")]
    RouteMismatch,
    /// The map is of a deleted topic of the same name.
    #[error("the commit is of a deleted topic of the same name")]
    TopicMismatch,
}

/// The topic and routes for which a map is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The topic's id. Empty if the broker does not report topic ids.
    pub topic: String,
    /// The fingerprint of the routes and the schema.
    pub routes: u64,
}
