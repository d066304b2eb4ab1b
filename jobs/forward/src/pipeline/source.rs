//! Reads the assigned partitions, and holds back the records of a partition that is paused.
//!
//! The records of a paused partition that the client has read ahead are held here, because pausing it in the client drops
//! them. At a bound nothing is fetched. If that starves another partition, the paused ones are paused in the client too; what it
//! drops is fetched again later.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka::batch::{Item, Queue, Record};
use kafka::reader::{Reader, SourceError};
use offsets::progress::Class;
use record::{Coordinates, Message};
use writer_schemas::SchemaHeaders;

use super::held::HeldItems;
use super::message::MessageBuilder;
use super::router::RoutedDatum;

/// How long the held items may starve a partition before theirs are paused in the client.
const STARVATION_TIMEOUT: Duration = Duration::from_millis(50);

/// The reader with its queue of fetched records.
pub(super) struct Source<'r> {
    reader: &'r Reader,
    queue: Queue<'r>,
    messages: MessageBuilder,
    held: HeldItems<Item<'r>>,
    /// The partitions that the client fetches no more until their held records are returned.
    paused_in_client: BTreeSet<i32>,
    /// Since when a partition gets no records because the held items are at their bound.
    starved_since: Option<Instant>,
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
            paused_in_client: BTreeSet::new(),
            starved_since: None,
            silent_since: None,
        })
    }

    /// A copy of the record, for delivery with this datum, or for the dead-letter topic.
    pub(super) fn message(
        &mut self,
        record: &Record<'_>,
        class: Class,
        datum: Option<RoutedDatum<'_>>,
    ) -> Message {
        self.messages.build(record, class, datum)
    }

    /// A copy of the record, without a datum.
    pub(super) fn copy(&self, record: &Record<'_>) -> Message {
        self.messages.copy(record)
    }

    /// Adds the datum that is delivered.
    pub(super) fn with_datum(
        &mut self,
        message: Message,
        class: Class,
        datum: Option<RoutedDatum<'_>>,
    ) -> Message {
        self.messages.with_datum(message, class, datum)
    }

    /// The headers that say how the record's value is encoded.
    pub(super) fn schema_headers(record: &Record<'_>) -> SchemaHeaders {
        let mut headers = SchemaHeaders::default();
        record.each_header(|name, value| headers.add(name.to_bytes(), value));
        headers
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
        self.release(partition);
        if let Err(error) = self.reader.incremental_unassign(partition) {
            tracing::debug!(partition, %error, "cannot stop reading a partition");
        }
    }

    /// Stops fetching a partition that is read to its end: while endpoints keep the run waiting, each fetch would ask
    /// for what lies behind the window.
    pub(super) fn stop_fetching(&mut self, partition: i32) {
        self.release(partition);
        if let Err(error) = self.reader.pause(&[partition]) {
            tracing::debug!(partition, %error, "cannot stop fetching a partition");
        }
    }

    /// Reads a partition again from `offset`. Call it when all partitions are read to their ends: what else was fetched
    /// lies beyond them, and is dropped.
    pub(super) fn seek(&mut self, partition: i32, offset: i64) -> Result<(), SourceError> {
        self.release(partition);
        while self.queue.next_item().is_some() {}
        self.reader.seek_and_resume(partition, offset)
    }

    /// Returns no more items of the partition until [`Source::resume`].
    pub(super) fn pause(&mut self, partition: i32) {
        self.held.pause(partition);
    }

    /// Pauses the partition. It begins with this item when it is resumed.
    pub(super) fn hold(&mut self, partition: i32, item: Item<'r>) {
        let size = item.size();
        self.held.pause(partition);
        self.held.hold_first(partition, item, size);
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

    /// Waits up to `timeout` for a batch. Call it when [`Source::next_item`] has returned `None`. Returns the number of
    /// items.
    pub(super) fn fetch(&mut self, timeout: Duration) -> usize {
        self.resume_in_client();
        let count = self.queue.fetch(timeout);
        if count > 0 {
            self.silent_since = None;
        } else {
            self.silent_since.get_or_insert_with(Instant::now);
        }
        count
    }

    /// True while there is room for the records of another batch.
    pub(super) fn has_room(&self) -> bool {
        self.held.has_room(&self.paused_in_client)
    }

    /// Pauses the paused partitions in the client when the held items have starved another partition for a while.
    pub(super) fn relieve(&mut self, is_starved: bool, now: Instant) {
        if !is_starved {
            self.starved_since = None;
            return;
        }
        let since = *self.starved_since.get_or_insert(now);
        if now.saturating_duration_since(since) < STARVATION_TIMEOUT {
            return;
        }
        let paused: Vec<i32> = self
            .held
            .paused()
            .filter(|partition| !self.paused_in_client.contains(partition))
            .collect();
        if paused.is_empty() {
            return;
        }
        if let Err(error) = self.reader.pause(&paused) {
            tracing::debug!(?paused, %error, "cannot pause partitions");
        }
        self.paused_in_client.extend(paused);
    }

    /// Fetches the partitions again that have no held items any more.
    fn resume_in_client(&mut self) {
        let held = &self.held;
        let resumed: Vec<i32> = self
            .paused_in_client
            .extract_if(.., |partition| held.is_released(*partition))
            .collect();
        if !resumed.is_empty()
            && let Err(error) = self.reader.resume(&resumed)
        {
            tracing::warn!(?resumed, %error, "cannot resume partitions");
        }
    }

    /// Drops what is held of a partition. The client may still have it paused.
    fn release(&mut self, partition: i32) {
        self.held.remove(partition);
        self.paused_in_client.remove(&partition);
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
