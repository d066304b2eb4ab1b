//! Commits in a thread of its own: the newest state of each partition, one call at a time.
//!
//! A commit can take long while the group's coordinator fails over; the caller continues meanwhile. A commit that waits is
//! replaced by a newer one of the same partition.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::member::{Commit, CommitError, Member};
use crate::topic_record::{RecordError, StoredTopicRecord};

/// How often the write of the topic record is attempted, before the first commits.
const MAX_RECORD_ATTEMPTS: usize = 3;

/// The result of one or more calls of [`Committer::commit`], in the order of the calls.
#[derive(Debug)]
pub enum CommitEvent {
    /// The broker acknowledged them.
    Done {
        /// The newest commit of each partition.
        commits: Vec<Commit>,
        /// The number of calls.
        calls: usize,
    },
    /// The broker rejected them.
    Failed {
        /// Why.
        error: CommitError,
        /// The number of calls.
        calls: usize,
    },
}

/// The topic record to write, and who receives the result of each attempt.
#[derive(Debug)]
pub struct RecordRequest {
    /// The record.
    pub record: StoredTopicRecord,
    /// Receives a result before the result of the commit that follows it.
    pub results: Sender<Result<(), RecordError>>,
}

/// A thread that commits through the member. It ends after its last commit when this is dropped. The drop does not wait
/// for it, since an unreachable broker may never answer.
pub struct Committer {
    requests: Sender<Vec<Commit>>,
    events: Receiver<CommitEvent>,
}

impl Committer {
    /// Starts the thread. It writes the topic record before its first commit. A failure does not fail the commit.
    ///
    /// # Errors
    /// The system cannot start a thread.
    pub fn start(member: &Arc<Member>, record: Option<RecordRequest>) -> std::io::Result<Self> {
        let (requests, received) = channel();
        let (sender, events) = channel();
        // The caller keeps the member: it leaves the group when the caller drops it.
        let member = Arc::downgrade(member);
        std::thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || commit_all(&member, record, &received, &sender))?;
        Ok(Self { requests, events })
    }

    /// Commits these as soon as the commit in flight is answered.
    pub fn commit(&self, commits: Vec<Commit>) {
        // The thread ends only after the member was dropped. Then no event follows.
        let _ = self.requests.send(commits);
    }

    /// The next result, if there is one.
    pub fn next_event(&self) -> Option<CommitEvent> {
        self.events.try_recv().ok()
    }

    /// Waits up to `timeout` for the next result.
    pub fn wait_for_event(&self, timeout: Duration) -> Option<CommitEvent> {
        self.events.recv_timeout(timeout).ok()
    }
}

fn commit_all(
    member: &Weak<Member>,
    mut record: Option<RecordRequest>,
    requests: &Receiver<Vec<Commit>>,
    events: &Sender<CommitEvent>,
) {
    let mut record_attempts = 0;
    while let Ok(first) = requests.recv() {
        let Some(member) = member.upgrade() else {
            return;
        };
        if let Some(request) = record.take() {
            record_attempts += 1;
            let is_done = write_record(&member, &request);
            record = (!is_done && record_attempts < MAX_RECORD_ATTEMPTS).then_some(request);
        }
        let (mut newest, mut calls) = (BTreeMap::new(), 0);
        for commits in std::iter::once(first).chain(requests.try_iter()) {
            calls += 1;
            newest.extend(commits.into_iter().map(|commit| (commit.partition, commit)));
        }
        let commits: Vec<Commit> = newest.into_values().collect();
        let event = match persist(&member, &commits) {
            Ok(()) => CommitEvent::Done { commits, calls },
            Err(error) => CommitEvent::Failed { error, calls },
        };
        if events.send(event).is_err() {
            return;
        }
    }
}

/// True if no other attempt is needed.
fn write_record(member: &Member, request: &RecordRequest) -> bool {
    let result = member.write_topic_record(&request.record);
    let is_done = !result.as_ref().is_err_and(RecordError::is_transient);
    // The run may not read results any more.
    let _ = request.results.send(result);
    is_done
}

/// Retries for ten seconds: a commit is rejected while the group rebalances or its coordinator moves.
fn persist(member: &Member, commits: &[Commit]) -> Result<(), CommitError> {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        match member.commit(commits) {
            Err(CommitError::Broker(error)) if Instant::now() < end => {
                tracing::debug!(%error, "retrying a commit");
                std::thread::sleep(Duration::from_millis(100));
            }
            result => return result,
        }
    }
}
