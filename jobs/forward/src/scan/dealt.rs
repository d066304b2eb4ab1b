//! What the group says: partitions come, are asked back, or are lost.

use std::time::{Duration, Instant};

use crate::scan::keeping::LAST_COMMIT;
use crate::scan::{Part, Scan, Stop};
use kafka::member::GroupEvent;

impl Scan<'_> {
    /// Takes everything that the group has said.
    pub(super) fn hear_the_group(&mut self) {
        let Some(group) = self.tools.group.take() else {
            return;
        };
        for event in group.try_iter() {
            match event {
                GroupEvent::Assigned(partitions) => self.adopt(&partitions),
                // Dropping the sender lets the partitions go.
                GroupEvent::Revoking(partitions, _done) => self.give_up(&partitions),
                GroupEvent::Lost(partitions) => {
                    self.close(&partitions);
                    self.stop.get_or_insert(Stop::ConcurrentRun(format!(
                        "the group took partitions {partitions:?} away"
                    )));
                }
                GroupEvent::Failed(error) => {
                    self.stop
                        .get_or_insert(Stop::ConcurrentRun(error.to_string()));
                }
            }
        }
        self.tools.group = Some(group);
    }

    /// Takes up partitions of the window that the group gives us while the run is under way. Those that we had and
    /// gave up stay closed: their counts are told already.
    fn adopt(&mut self, partitions: &[i32]) {
        let new: Vec<i32> = partitions
            .iter()
            .copied()
            .filter(|partition| !self.parts.contains_key(partition))
            .collect();
        if new.is_empty() {
            return;
        }
        let adopted = self
            .tools
            .reader
            .committed(&new, Duration::from_secs(10))
            .and_then(|committed| {
                let (window, scope) = (self.tools.window, &self.rules.scope);
                let routes = self.routes.len();
                let parts: Vec<(i32, Part)> = committed
                    .into_iter()
                    .filter_map(|(partition, offset, metadata)| {
                        Part::of_group(window, partition, routes, scope, offset, &metadata)
                            .map(|part| (partition, part))
                    })
                    .collect();
                let starts: Vec<(i32, i64)> = parts
                    .iter()
                    .filter(|(_, part)| !part.is_read())
                    .map(|(partition, part)| (*partition, part.progress.position()))
                    .collect();
                self.tools.reader.assign_more(&starts)?;
                // Only now: what is not read would keep the run waiting.
                self.parts.extend(parts);
                Ok(())
            });
        match adopted {
            Ok(()) => {
                // Nothing was asked of the log while everything was read: its silence begins to count now.
                self.last_news = Instant::now();
                tracing::info!(partitions = ?new, "given more partitions");
            }
            Err(error) => self.notes.push(format!(
                "partitions {new:?} are left for the next run: {error}"
            )),
        }
    }

    /// Settles what is under way in these partitions, commits, and lets them go.
    fn give_up(&mut self, partitions: &[i32]) {
        tracing::info!(?partitions, "another run takes its part of the partitions");
        for partition in partitions {
            if let Some(delivery) = &self.tools.delivery {
                delivery.revoke(*partition);
            }
        }
        let end = Instant::now() + self.rules.handover;
        let pending = |scan: &Self| {
            let parts = partitions
                .iter()
                .filter_map(|partition| scan.parts.get(partition));
            parts.map(|part| part.progress.pending()).sum::<usize>()
        };
        while pending(self) > 0 && Instant::now() < end {
            self.wait_for_outcomes(Duration::from_millis(5));
        }
        self.commit_firmly(partitions, Instant::now() + LAST_COMMIT, |_| {});
        self.close(partitions);
    }

    fn close(&mut self, partitions: &[i32]) {
        for partition in partitions {
            if let Some(part) = self.parts.get_mut(partition).filter(|part| !part.closed) {
                part.closed = true;
                if let Some(delivery) = &self.tools.delivery {
                    delivery.revoke(*partition);
                }
                if let Err(error) = self.tools.reader.release(*partition) {
                    tracing::debug!(partition, %error, "a partition that is no longer ours is still read");
                }
            }
        }
    }
}
