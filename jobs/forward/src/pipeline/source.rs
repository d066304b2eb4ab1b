//! Reads the assigned partitions, and holds back the records of a partition that is paused.
//!
//! The client goes on fetching a paused partition: pausing it in the client would drop what the client has read ahead. Its
//! records are held here instead, up to a bound; at the bound nothing is fetched for any partition.

use std::sync::Arc;
use std::time::{Duration, Instant};

use avro::FINGERPRINT_HEADER;
use kafka::batch::{Item, Queue, Record};
use kafka::reader::{Reader, SourceError};
use offsets::progress::Class;
use record::{Coordinates, Message};

use super::held::HeldItems;
use super::message::MessageBuilder;
use crate::unknown_schema::UnknownSchema;

/// The reader with its queue of fetched records.
pub(super) struct Source<'r> {
    reader: &'r Reader,
    queue: Queue<'r>,
    messages: MessageBuilder,
    held: HeldItems<Item<'r>>,
    /// Since when every fetch has returned nothing.
    silent_since: Option<Instant>,
}

impl<'r> Source<'r> {
    /// A source that reads nothing before [`Source::assign`]. `classes`: the number of classes that messages have.
    ///
    /// # Errors
    /// The reader has no queue.
    pub(super) fn new(
        reader: &'r Reader,
        topic: Arc<str>,
        classes: usize,
    ) -> Result<Self, SourceError> {
        Ok(Self {
            reader,
            queue: reader.queue()?,
            messages: MessageBuilder::new(topic, classes),
            held: HeldItems::new(),
            silent_since: None,
        })
    }

    /// A copy of the record, for delivery or the dead-letter topic.
    pub(super) fn message(&mut self, record: &Record<'_>, class: Class) -> Message {
        self.messages.build(record, class)
    }

    /// Checks that the record's headers name no other schema than `expected`. A record without the header is decoded with
    /// that: some brokers keep no headers.
    pub(super) fn check_schema(
        record: &Record<'_>,
        expected: [u8; 8],
    ) -> Result<(), UnknownSchema> {
        let mut checked = Ok(());
        record.each_header(|name, value| {
            if name.to_bytes() == FINGERPRINT_HEADER.as_bytes() && checked.is_ok() {
                checked = UnknownSchema::check(value, expected);
            }
        });
        checked
    }

    /// Where a record is in the topic.
    pub(super) fn coordinates(&self, partition: i32, offset: i64) -> Coordinates {
        self.messages.coordinates(partition, offset)
    }

    /// Reads these partitions, each from its offset, and no others.
    pub(super) fn assign(&self, starts: &[(i32, i64)]) -> Result<(), SourceError> {
        self.reader.assign(starts)
    }

    /// Reads these partitions too, each from its offset.
    pub(super) fn assign_more(&self, starts: &[(i32, i64)]) -> Result<(), SourceError> {
        self.reader.incremental_assign(starts)
    }

    /// Ends the assignment of a partition. Its fetched records stay in the batch; the caller ignores them.
    pub(super) fn unassign(&mut self, partition: i32) {
        self.held.remove(partition);
        if let Err(error) = self.reader.incremental_unassign(partition) {
            tracing::debug!(partition, %error, "cannot stop reading a partition");
        }
    }

    /// Stops fetching a partition that is read to its end: while endpoints keep the run waiting, each fetch would ask
    /// for what lies behind the window.
    pub(super) fn stop_fetching(&mut self, partition: i32) {
        self.held.remove(partition);
        if let Err(error) = self.reader.pause(&[partition]) {
            tracing::debug!(partition, %error, "cannot stop fetching a partition");
        }
    }

    /// Reads a partition again from `offset`. Call it when all partitions are read to their ends: what else was fetched
    /// lies beyond them, and is dropped.
    pub(super) fn seek(&mut self, partition: i32, offset: i64) -> Result<(), SourceError> {
        self.held.remove(partition);
        while self.queue.next_item().is_some() {}
        self.reader.seek_and_resume(partition, offset)
    }

    /// Returns no more items of the partition until [`Source::resume`].
    pub(super) fn pause(&mut self, partition: i32) {
        self.held.pause(partition);
    }

    /// Returns the items of a paused partition again, the held ones first.
    #[inline]
    pub(super) fn resume(&mut self, partition: i32) {
        self.held.resume(partition);
    }

    pub(super) fn is_paused(&self, partition: i32) -> bool {
        self.held.is_paused(partition)
    }

    /// True when [`Source::next_item`] may return an item without another fetch.
    pub(super) fn has_resumed(&self) -> bool {
        self.held.has_resumed()
    }

    /// True while there is room for the records of another batch.
    pub(super) fn has_room(&self) -> bool {
        self.held.has_room()
    }

    /// Waits up to `timeout` for a batch. Call it when [`Source::next_item`] has returned `None`. Returns the number of
    /// items.
    pub(super) fn fetch(&mut self, timeout: Duration) -> usize {
        let count = self.queue.fetch(timeout);
        if count > 0 {
            self.silent_since = None;
        } else {
            self.silent_since.get_or_insert_with(Instant::now);
        }
        count
    }

    /// Nothing is fetched at the moment, so the time does not count as silence of the log.
    pub(super) fn reset_silence(&mut self) {
        self.silent_since = None;
    }

    /// True when every fetch has returned nothing for longer than `timeout`.
    pub(super) fn is_silent(&self, now: Instant, timeout: Duration) -> bool {
        self.silent_since
            .is_some_and(|since| now.saturating_duration_since(since) > timeout)
    }

    /// The next item of a partition that is not paused.
    #[inline]
    pub(super) fn next_item(&mut self) -> Option<Item<'r>> {
        if self.held.has_resumed()
            && let Some(item) = self.held.next()
        {
            return Some(item);
        }
        while let Some(item) = self.queue.next_item() {
            let (partition, size) = (item.partition(), item.size());
            if let Some(item) = self.held.hold(partition, item, size) {
                return Some(item);
            }
        }
        None
    }
}
