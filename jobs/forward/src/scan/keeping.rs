//! Keeps the run's place: commits.

use std::time::{Duration, Instant};

use crate::scan::exposure::Exposure;
use crate::scan::{Part, Scan, Stop};
use kafka::commit::CommitEvent;
use kafka::member::{Commit, CommitError};
use offsets::offset_map::{self, Scope};
use offsets::progress::Class;

/// How often progress is committed, at the most: what was delivered since the last commit is what a kill repeats.
const COMMIT_EVERY: Duration = Duration::from_millis(20);

/// How long the last commit of a run, or of a partition that is given up, may take.
pub(super) const LAST_COMMIT: Duration = Duration::from_secs(15);

/// The most bytes of a done-map; Kafka's default limit is 4096 (`offset.metadata.max.bytes`).
const METADATA_LIMIT: usize = 3072;

/// What keeping a place needs from one turn to the next.
pub(super) struct Keeping {
    next_commit: Instant,
    /// What is settled and not committed.
    pub(super) exposure: Exposure,
    /// Since when commits have been asked for and none was acknowledged.
    unanswered: Option<Instant>,
}

impl Keeping {
    pub(super) fn new(routes: usize) -> Self {
        Self {
            next_commit: Instant::now() + COMMIT_EVERY,
            exposure: Exposure::new(routes + 1),
            unanswered: None,
        }
    }
}

impl Scan<'_> {
    /// Hears what the group and the committer have to say, and commits when it is time.
    pub(super) fn keep(&mut self) {
        self.hear_the_group();
        self.hear_the_committer();
        self.miss_the_committer();
        if Instant::now() >= self.keeping.next_commit || self.is_pressing() {
            self.keeping.next_commit = Instant::now() + COMMIT_EVERY;
            let partitions: Vec<i32> = self.parts.keys().copied().collect();
            self.commit(&partitions);
        }
    }

    /// True when delivery will soon have to wait for a commit.
    fn is_pressing(&self) -> bool {
        let (routes, letters) = (self.routes.len(), self.rules.max_uncommitted);
        self.tools.delivery.as_ref().is_some_and(|delivery| {
            let limit = |class| match class < routes {
                true => delivery.max_uncommitted(class),
                false => letters,
            };
            self.keeping.exposure.is_pressing(limit)
        })
    }

    /// How long to wait for anything: a commit that comes back may set requests free.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_millis(if self.keeping.exposure.is_asked() {
            2
        } else {
            20
        })
    }

    /// A broker that acknowledges no commit for long ends the run: nothing can be delivered without more repeats.
    fn miss_the_committer(&mut self) {
        let silence = self.rules.silence;
        if (self.keeping.unanswered).is_some_and(|since| since.elapsed() > silence) {
            self.stop.get_or_insert_with(|| {
                Stop::Source(format!(
                    "the broker has acknowledged no commit for {silence:?}"
                ))
            });
        }
    }

    /// Lets delivery go on, by so many records of each class.
    fn set_free(&mut self, records: &[usize]) {
        let Some((letters, routes)) = records.split_last() else {
            return;
        };
        self.letters_uncommitted = self.letters_uncommitted.saturating_sub(*letters);
        if let Some(delivery) = &self.tools.delivery {
            for (route, count) in routes.iter().enumerate() {
                delivery.committed(route, *count);
            }
        }
    }

    /// Commits everything that is settled, and waits for the broker.
    pub(super) fn commit_all(&mut self) {
        // A coordinator that moves takes some seconds; a run with a deadline has no longer than that.
        let patience = self.deadlines.map_or(LAST_COMMIT, |deadlines| {
            deadlines
                .exit
                .saturating_duration_since(Instant::now())
                .min(LAST_COMMIT)
        });
        let partitions: Vec<i32> = self.parts.keys().copied().collect();
        self.commit_firmly(&partitions, Instant::now() + patience, Self::hear_the_group);
    }

    /// Commits what is settled in these until the broker has it, or `end`. A commit that crossed with a new deal of
    /// the group, one made before this call among them, is made again of what is still ours.
    pub(super) fn commit_firmly(
        &mut self,
        partitions: &[i32],
        end: Instant,
        between: fn(&mut Self),
    ) {
        loop {
            self.commit(partitions);
            self.flush(end.saturating_duration_since(Instant::now()));
            between(self);
            if self.is_committed(partitions)
                || matches!(self.stop, Some(Stop::ConcurrentRun(_)))
                || Instant::now() >= end
            {
                return;
            }
            std::thread::sleep(COMMIT_EVERY);
        }
    }

    /// True when no commit of these would tell the broker anything that it was not told before.
    fn is_committed(&self, partitions: &[i32]) -> bool {
        let open = |partition: &i32| Some((*partition, self.parts.get(partition)?));
        self.tools.committer.is_none()
            || partitions
                .iter()
                .filter_map(open)
                .filter(|(_, part)| !part.closed)
                .all(|(partition, part)| {
                    !part.is_worth(&commit_of(partition, part, &self.rules.scope))
                })
    }

    fn flush(&mut self, patience: Duration) {
        if let Some(committer) = &self.tools.committer
            && !committer.flush(patience)
        {
            self.notes.push(
                "the last commit was not acknowledged in time; what it held may be sent again"
                    .to_owned(),
            );
        }
        self.hear_the_committer();
    }

    /// Asks for the commit of what is settled in these, if that is new.
    fn commit(&mut self, partitions: &[i32]) {
        let Some(committer) = &self.tools.committer else {
            return;
        };
        let mut commits = Vec::new();
        for partition in partitions {
            let Some(part) = self.parts.get_mut(partition).filter(|part| !part.closed) else {
                continue;
            };
            let commit = commit_of(*partition, part, &self.rules.scope);
            if part.is_worth(&commit) {
                part.asked = Some(commit.clone());
                commits.push(commit);
            }
        }
        let whole = partitions.len() == self.parts.len();
        if !commits.is_empty() {
            committer.commit(commits);
            self.keeping.exposure.ask(whole);
            self.keeping.unanswered.get_or_insert_with(Instant::now);
        } else if whole {
            let free = self.keeping.exposure.nothing_to_ask();
            self.set_free(&free);
        }
    }

    fn hear_the_committer(&mut self) {
        let Some(committer) = &self.tools.committer else {
            return;
        };
        let events: Vec<_> = committer.events().collect();
        for event in events {
            match event {
                CommitEvent::Done { commits, calls } => {
                    self.keeping.unanswered = None;
                    let free = self.keeping.exposure.done(calls);
                    self.set_free(&free);
                    for commit in commits {
                        if let Some(part) = self.parts.get_mut(&commit.partition) {
                            part.committed = Some(commit.offset);
                        }
                    }
                }
                CommitEvent::Failed { error, calls } => {
                    self.keeping.exposure.failed(calls);
                    self.take_refusal(error);
                }
            }
        }
    }

    fn take_refusal(&mut self, error: CommitError) {
        if let CommitError::Fenced(error) = error {
            self.stop
                .get_or_insert(Stop::ConcurrentRun(format!("committing: {error}")));
            return;
        }
        for part in self.parts.values_mut() {
            part.asked = None;
        }
        // What is still ours goes with the next commit; a membership that is lost says so itself.
        if matches!(error, CommitError::Stale(_)) {
            tracing::debug!(%error, "progress goes with the next commit");
        } else {
            tracing::warn!(%error, "progress was not committed; the next commit holds it too");
            self.notes.push(error.to_string());
        }
    }

    /// Partitions and classes whose commit had no room for all that is done beyond it, each with the first offset that
    /// the next run will deal with again.
    pub fn forgotten(&self) -> Vec<(i32, Class, i64)> {
        let mut forgotten = Vec::new();
        let kept = self.parts.iter().filter(|(_, part)| part.has_gaps());
        for (partition, part) in kept {
            let commit = commit_of(*partition, part, &self.rules.scope);
            let told = offset_map::decode(&commit.metadata, commit.offset, &self.rules.scope);
            let (Ok(told), done) = (told, part.progress.offset_map()) else {
                continue;
            };
            forgotten.extend((0..done.gaps.len()).filter_map(|class| {
                let from = done.first_not_encoded(&told, class)?;
                Some((*partition, class, from))
            }));
        }
        forgotten
    }
}

fn commit_of(partition: i32, part: &Part, scope: &Scope) -> Commit {
    let offset = part.progress.commit();
    let metadata = offset_map::encode(&part.progress.offset_map(), offset, scope, METADATA_LIMIT);
    Commit {
        partition,
        offset,
        metadata,
    }
}

impl Part {
    /// True when a commit tells the broker anything new.
    fn is_worth(&self, commit: &Commit) -> bool {
        match &self.asked {
            Some(asked) => asked != commit,
            None => {
                self.committed != Some(commit.offset)
                    || self.progress.position() > self.progress.start()
            }
        }
    }
}
