//! Reads a dead-letter topic.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use kafka::list_offsets::TopicOffsets;
use kafka::reader::{Reader, SourceError};
use kafka::scan::ScanEnd;
use offsets::window::{OffsetRange, WindowEnd, WindowStart};

use crate::config::Config;
use crate::dead_letter::{StoredDeadLetter, StoredRecord, Unrecognized};
use crate::lookup;

/// The reason for which each discarded letter was discarded, by partition and offset.
pub(crate) type Discards = BTreeMap<(i32, i64), Arc<str>>;

/// A dead-letter topic and its offsets.
pub(crate) struct LetterTopic {
    pub(super) topic: Arc<str>,
    pub(super) reader: Reader,
    pub(super) listed: TopicOffsets,
    timeout: Duration,
    since: Option<i64>,
}

impl LetterTopic {
    /// Lists the offsets, and those of the letters that were written at or after `since`, in milliseconds since 1970. Reading
    /// takes no longer than `timeout`. `None`: the topic does not exist.
    ///
    /// # Errors
    /// The broker failed.
    pub(crate) fn open(
        config: &Config,
        since: Option<i64>,
        timeout: Duration,
    ) -> Result<Option<Self>, SourceError> {
        let topic: Arc<str> = Arc::from(config.dead_letter_topic.as_str());
        let reader = lookup::reader(config, &topic)?;
        let start = since.map_or(WindowStart::Earliest, WindowStart::Time);
        let wait = lookup::wait(config.start_timeout);
        let listed = reader.list_offsets(&start, &WindowEnd::Now, &wait);
        let listed = match listed {
            Err(SourceError::NoTopic { .. }) => return Ok(None),
            listed => listed?,
        };
        Ok(Some(Self {
            topic,
            reader,
            listed,
            timeout,
            since,
        }))
    }

    /// The ranges of the letters since the time with which the topic was opened.
    pub(crate) fn ranges(&self) -> Vec<OffsetRange> {
        match self.since {
            Some(_) => lookup::between(&self.listed.partition_offsets),
            None => lookup::all(&self.listed.partition_offsets),
        }
    }

    /// The letters that are discarded. All of them if the topic was opened without a time.
    ///
    /// # Errors
    /// Reading failed, or took longer than the timeout.
    pub(super) fn discards(&self) -> Result<Discards, SourceError> {
        let mut discards = Discards::new();
        let mut last: Arc<str> = Arc::default();
        let end = self.reader.scan(&self.ranges(), self.timeout, |record| {
            let message = lookup::message(record, &self.topic);
            if let Ok(StoredRecord::Discard(discard)) = StoredRecord::parse(message) {
                let at = (discard.partition, discard.offset);
                // The letters of one command have the same reason.
                if *last != *discard.reason {
                    last = discard.reason.into();
                }
                discards.insert(at, Arc::clone(&last));
            }
            ControlFlow::Continue(())
        })?;
        match end {
            ScanEnd::TimedOut => Err(self.reader.timed_out("reading discarded dead letters")),
            ScanEnd::Complete | ScanEnd::Stopped => Ok(discards),
        }
    }

    /// Passes the letters in the ranges to `visit`, until it breaks, and the coordinates of other records with the reason why
    /// they are none. Records that discard letters are left out.
    ///
    /// # Errors
    /// Reading failed.
    pub(crate) fn each(
        &self,
        ranges: &[OffsetRange],
        mut visit: impl FnMut(Result<StoredDeadLetter, (String, Unrecognized)>) -> ControlFlow<()>,
    ) -> Result<ScanEnd, SourceError> {
        self.reader.scan(ranges, self.timeout, |record| {
            let message = lookup::message(record, &self.topic);
            let at = message.at.clone();
            match StoredRecord::parse(message) {
                Ok(StoredRecord::DeadLetter(letter)) => visit(Ok(*letter)),
                Ok(StoredRecord::Discard(_)) => ControlFlow::Continue(()),
                Err(error) => visit(Err((at.to_string(), error))),
            }
        })
    }
}
