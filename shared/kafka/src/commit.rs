//! Commits in the background, the newest state of each partition, one call at a time.
//!
//! A commit can take long while a coordinator fails over; reading and delivering go on meanwhile. Commits that wait
//! are overtaken by newer ones of the same partition.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::member::{Commit, CommitError, Member};

/// What the committer says to the run.
#[derive(Debug)]
pub enum CommitEvent {
    /// The broker has these.
    Done {
        /// The newest of each partition.
        commits: Vec<Commit>,
        /// How many calls of [`Committer::commit`] they answer.
        calls: usize,
    },
    /// The broker did not take them.
    Failed {
        /// Why.
        error: CommitError,
        /// How many calls of [`Committer::commit`] that answers.
        calls: usize,
    },
}

enum Order {
    Commit(Vec<Commit>),
    Flush(Sender<()>),
}

/// A thread that commits through the member. It ends by itself when this is dropped and its last commit is answered;
/// nobody waits for it, since a broker that is away may never answer.
pub struct Committer {
    orders: Sender<Order>,
    events: Receiver<CommitEvent>,
}

impl Committer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(member: &Arc<Member>) -> std::io::Result<Self> {
        let (orders, inbox) = channel();
        let (outbox, events) = channel();
        // The member is the run's to keep: it leaves the group when the run lets it go.
        let member = Arc::downgrade(member);
        std::thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || work(&member, &inbox, &outbox))?;
        Ok(Self { orders, events })
    }

    /// Commits these as soon as the ones under way are done.
    pub fn commit(&self, commits: Vec<Commit>) {
        let _ = self.orders.send(Order::Commit(commits));
    }

    /// Waits until everything given so far has been tried, up to `patience`. False if it was not.
    pub fn flush(&self, patience: Duration) -> bool {
        let (done, wait) = channel();
        let sent = self.orders.send(Order::Flush(done)).is_ok();
        sent && wait.recv_timeout(patience) != Err(RecvTimeoutError::Timeout)
    }

    /// What has happened since the last call.
    pub fn events(&self) -> impl Iterator<Item = CommitEvent> + '_ {
        self.events.try_iter()
    }
}

fn work(member: &Weak<Member>, inbox: &Receiver<Order>, outbox: &Sender<CommitEvent>) {
    let mut waiting: BTreeMap<i32, Commit> = BTreeMap::new();
    while let Ok(order) = inbox.recv() {
        let (mut flushes, mut calls) = (Vec::new(), 0);
        for order in std::iter::once(order).chain(inbox.try_iter()) {
            match order {
                Order::Commit(commits) => {
                    calls += 1;
                    waiting.extend(commits.into_iter().map(|commit| (commit.partition, commit)));
                }
                Order::Flush(done) => flushes.push(done),
            }
        }
        let commits: Vec<Commit> = std::mem::take(&mut waiting).into_values().collect();
        if !commits.is_empty() {
            let Some(member) = member.upgrade() else {
                return;
            };
            let event = match persist(&member, &commits) {
                Ok(()) => CommitEvent::Done { commits, calls },
                Err(error) => CommitEvent::Failed { error, calls },
            };
            if outbox.send(event).is_err() {
                return;
            }
        }
        drop(flushes);
    }
}

/// A commit is refused while the group rebalances or its coordinator moves; both pass.
fn persist(member: &Member, commits: &[Commit]) -> Result<(), CommitError> {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        match member.commit(commits) {
            Err(CommitError::Broker(error)) if Instant::now() < end => {
                tracing::debug!(%error, "a commit is tried again");
                std::thread::sleep(Duration::from_millis(100));
            }
            result => return result,
        }
    }
}
