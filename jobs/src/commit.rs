//! Commits in the background, the newest state of each partition, one call at a time.
//!
//! A commit can take long while a coordinator fails over; reading and delivering go on meanwhile. Commits that wait
//! are overtaken by newer ones of the same partition.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::stream::member::{Commit, CommitError, Member};

/// What the committer says to the run.
#[derive(Debug)]
pub enum CommitEvent {
    /// The broker has these.
    Done(Vec<Commit>),
    /// The broker did not take them.
    Failed(CommitError),
}

enum Order {
    Commit(Vec<Commit>),
    Flush(Sender<()>),
}

/// A thread that commits through the member.
pub struct Committer {
    orders: Option<Sender<Order>>,
    events: Receiver<CommitEvent>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(member: Arc<Member>) -> std::io::Result<Self> {
        let (orders, inbox) = channel();
        let (outbox, events) = channel();
        let thread = std::thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || work(&member, &inbox, &outbox))?;
        Ok(Self {
            orders: Some(orders),
            events,
            thread: Some(thread),
        })
    }

    /// Commits these as soon as the ones under way are done.
    pub fn commit(&self, commits: Vec<Commit>) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(Order::Commit(commits));
        }
    }

    /// Waits until everything given so far has been tried, up to `patience`. False if it was not.
    pub fn flush(&self, patience: Duration) -> bool {
        let (done, wait) = channel();
        let sent = self
            .orders
            .as_ref()
            .is_some_and(|orders| orders.send(Order::Flush(done)).is_ok());
        sent && wait.recv_timeout(patience) != Err(RecvTimeoutError::Timeout)
    }

    /// What has happened since the last call.
    pub fn events(&self) -> impl Iterator<Item = CommitEvent> + '_ {
        self.events.try_iter()
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(member: &Member, inbox: &Receiver<Order>, outbox: &Sender<CommitEvent>) {
    let mut waiting: BTreeMap<i32, Commit> = BTreeMap::new();
    while let Ok(order) = inbox.recv() {
        let mut flushes = Vec::new();
        for order in std::iter::once(order).chain(inbox.try_iter()) {
            match order {
                Order::Commit(commits) => {
                    waiting.extend(commits.into_iter().map(|commit| (commit.partition, commit)))
                }
                Order::Flush(done) => flushes.push(done),
            }
        }
        let commits: Vec<Commit> = std::mem::take(&mut waiting).into_values().collect();
        if !commits.is_empty() {
            let event = match persist(member, &commits) {
                Ok(()) => CommitEvent::Done(commits),
                Err(error) => CommitEvent::Failed(error),
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
