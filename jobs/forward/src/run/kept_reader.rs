//! The reader of an empty window, for the next window of the same process.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use kafka::reader::Reader;

/// A firewall may drop a connection that is idle for longer, so that the next request gets no answer.
const MAX_IDLE: Duration = Duration::from_secs(60);

/// Keeps the client of a window without records, so that the next window opens no connection.
#[derive(Default)]
pub struct KeptReader(RefCell<Option<(Reader, Instant)>>);

impl KeptReader {
    /// The kept reader, unless it was idle for too long.
    pub(super) fn take(&self) -> Option<Reader> {
        let (reader, since) = self.0.take()?;
        reader.forget_errors();
        Some(reader).filter(|_| since.elapsed() < MAX_IDLE)
    }

    /// Keeps a reader that has no partitions and waits for no acknowledgement.
    pub(super) fn keep(&self, reader: Reader) {
        self.0.replace(Some((reader, Instant::now())));
    }
}
