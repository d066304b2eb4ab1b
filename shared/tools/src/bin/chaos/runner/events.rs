//! The events during a run, at random times.

use crate::rng::Rng;

/// An event during a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// SIGKILL to the job.
    Kill,
    /// SIGTERM to the job.
    Terminate,
    /// SIGKILL to a broker.
    KillBroker,
    /// The endpoints get other faults.
    ChangeFaults,
}

/// The events during a run.
#[derive(Debug)]
pub(super) struct Events {
    /// Milliseconds after the start, and the event; in order.
    pub(super) list: Vec<(u64, Event)>,
    /// The kill happens earlier, after more than this number of requests. Most kills do, so that they interrupt
    /// deliveries.
    pub(super) kill_after: Option<usize>,
}

impl Events {
    /// Random events for a run with `records` records that is expected to take about `within` milliseconds. An undisturbed
    /// run has none.
    pub(super) fn random(rng: &mut Rng, within: u64, records: usize, undisturbed: bool) -> Self {
        let mut at = |percent: u64, within: u64| rng.percent(percent).then(|| rng.below(within));
        let kill = at(80, within);
        let stop = at(50, within).filter(|_| kill.is_none());
        let broker = at(40, within / 2);
        let change = at(50, within);
        let kill_after = at(70, records as u64).map(|requests| requests as usize);
        let kill = kill.map(|at| kill_after.map_or(at, |_| within * 2));
        let events = [
            (kill, Event::Kill),
            (stop, Event::Terminate),
            (broker, Event::KillBroker),
            (change, Event::ChangeFaults),
        ];
        let mut list: Vec<(u64, Event)> = events
            .into_iter()
            .filter(|_| !undisturbed)
            .filter_map(|(at, event)| Some((at?, event)))
            .collect();
        list.sort_unstable();
        Self { list, kill_after }
    }
}
