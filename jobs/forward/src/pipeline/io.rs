//! The clients and channels of a pipeline.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Receiver;

use delivery::{Completion, Delivery};
use kafka::commit::Committer;
use kafka::member::GroupEvent;
use kafka::reader::Reader;
use offsets::window::Window;
use routes::Routes;
use writer_schemas::WriterSchemas;

use super::letters::LetterFilter;
use crate::schema_fetcher::SchemaFetcher;
use crate::writer::{RecordWriter, WriteResult};

/// The clients and channels that a pipeline works with.
pub struct PipelineIo<'r> {
    /// The topic.
    pub topic: Arc<str>,
    /// The client that reads.
    pub reader: &'r Reader,
    /// The original records of a dead-letter topic; absent for any other topic.
    pub letters: Option<&'r LetterFilter<'r>>,
    /// The routes.
    pub routes: &'r Routes,
    /// The schemas that records may have been written with.
    pub schemas: WriterSchemas,
    /// The schema registry, if there is one.
    pub registry: Option<SchemaFetcher>,
    /// The delivery threads; absent in a dry run.
    pub delivery: Option<Delivery>,
    /// The completions of `delivery`.
    pub completions: Receiver<Vec<Completion>>,
    /// The writer of dead letters and answers; absent in a dry run.
    pub writer: Option<RecordWriter>,
    /// The acknowledgements of `writer`.
    pub acknowledgements: Receiver<WriteResult>,
    /// The commit thread; absent in a replay and in a dry run.
    pub committer: Option<Committer>,
    /// The events of the consumer group; absent in a replay and in a dry run.
    pub group: Option<Receiver<GroupEvent>>,
    /// The window of all partitions, also of those that are not assigned to this run.
    pub window: &'r Window,
    /// Set by a signal that ends the run.
    pub shutdown: &'r AtomicBool,
}
