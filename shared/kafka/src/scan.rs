//! Reads ranges of offsets once, in a bounded time: for commands that look at records and move nothing.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use offsets::window::OffsetRange;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use crate::batch::{Item, Record};
use crate::reader::{Reader, SourceError};
use crate::tokens::ClientProperties;

/// How a scan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanEnd {
    /// All ranges were read.
    Complete,
    /// The visitor ended it.
    Stopped,
    /// The timeout ended it.
    TimedOut,
}

impl Reader {
    /// As [`Reader::new`]. The reader also returns records of transactions that are open or were aborted.
    ///
    /// # Errors
    /// As [`Reader::new`].
    pub fn uncommitted(config: &ClientProperties, topic: &str) -> KafkaResult<Self> {
        let mut config = config.clone();
        config.config.set("isolation.level", "read_uncommitted");
        Self::new(&config, topic)
    }

    /// Passes the records in the ranges to `visit`, in the order of each partition, until it breaks. Offsets without a record
    /// are left out: compacted ones, those of aborted transactions, and control records.
    ///
    /// # Errors
    /// The reader cannot read a range: the topic or an offset does not exist, or the user may not read it. Other errors are
    /// retried until the timeout.
    pub fn scan(
        &self,
        ranges: &[OffsetRange],
        timeout: Duration,
        mut visit: impl FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<ScanEnd, SourceError> {
        const POLL_TIMEOUT: Duration = Duration::from_millis(100);
        let end = Instant::now() + timeout;
        let mut left: Vec<&OffsetRange> =
            ranges.iter().filter(|range| range.length() > 0).collect();
        let starts: Vec<(i32, i64)> = left
            .iter()
            .map(|range| (range.partition, range.start))
            .collect();
        let mut queue = self.queue()?;
        self.assign(&starts)?;
        while !left.is_empty() {
            let wait = end.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                self.assign(&[])?;
                return Ok(ScanEnd::TimedOut);
            }
            queue.fetch(wait.min(POLL_TIMEOUT));
            while let Some(item) = queue.next_item() {
                let Some(index) = position(&left, item.partition()) else {
                    continue;
                };
                let range = left[index];
                let is_read = match &item {
                    Item::Record(record) => {
                        if is_in(range, record.offset()) && visit(record).is_break() {
                            self.assign(&[])?;
                            return Ok(ScanEnd::Stopped);
                        }
                        record.offset() + 1 >= range.end
                    }
                    // The ends of the ranges exist already: nothing follows in this partition.
                    Item::End { .. } => true,
                    Item::Failed { code, reason, .. } => {
                        if is_final(*code) {
                            let error = KafkaError::MessageConsumption(*code);
                            return Err(self.broker("reading", error));
                        }
                        tracing::debug!(partition = range.partition, reason, "reading failed");
                        false
                    }
                };
                if is_read {
                    left.swap_remove(index);
                    self.incremental_unassign(range.partition)?;
                }
            }
        }
        Ok(ScanEnd::Complete)
    }

    /// The error of an operation that did not end in time.
    pub fn timed_out(&self, operation: &'static str) -> SourceError {
        let code = RDKafkaErrorCode::OperationTimedOut;
        self.broker(operation, KafkaError::MessageConsumption(code))
    }
}

fn is_in(range: &OffsetRange, offset: i64) -> bool {
    (range.start..range.end).contains(&offset)
}

fn position(ranges: &[&OffsetRange], partition: i32) -> Option<usize> {
    ranges.iter().position(|range| range.partition == partition)
}

/// True for errors that do not pass.
fn is_final(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::AutoOffsetReset
            | RDKafkaErrorCode::OffsetOutOfRange
    )
}
