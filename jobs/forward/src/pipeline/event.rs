//! What the pipeline reacts to.

use std::time::Instant;

use delivery::Completion;
use kafka::batch::Item;
use kafka::commit::CommitEvent;
use kafka::member::GroupEvent;

use crate::schema_fetcher::SchemaAnswer;
use crate::writer::WriteResult;

/// What the pipeline reacts to.
pub(super) enum Event<'r> {
    /// The client has fetched a record, has reached the end of a partition, or cannot read one.
    Fetched(Item<'r>),
    /// Records come back from delivery.
    Completed(Vec<Completion>),
    /// The broker has acknowledged or rejected a record that the pipeline writes.
    Written(WriteResult),
    /// A commit is acknowledged or has failed.
    Commit(CommitEvent),
    /// The schema registry has answered.
    Schema(SchemaAnswer),
    /// The consumer group assigns or revokes partitions.
    Group(GroupEvent),
    /// Everything that had happened is handled; timers are checked.
    Tick(Instant),
}
