//! Probes of several servers, each in a thread of its own.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::fault::Fault;
use super::probe::{self, ProbeConfig};
use super::server::Server;

/// The number of servers that are probed.
const MAX_SERVERS: usize = 32;

/// A running diagnosis; dropping it does not end a probe that has begun.
pub(crate) struct Diagnosis {
    results: Receiver<Progress>,
    /// Dropped to cancel the diagnosis before its start.
    _cancel: Sender<()>,
    /// `None` as long as the servers are not known.
    probes: Option<Vec<Probe>>,
}

struct Probe {
    label: String,
    result: Option<Result<(), Fault>>,
}

enum Progress {
    /// The labels of the servers.
    Found(Vec<String>),
    /// The result of one of them.
    Probed(usize, Result<(), Fault>),
}

impl Diagnosis {
    /// Probes the first 32 of the servers that `find` returns, after `delay`, each for `timeout`. Without threads it has no
    /// result.
    pub(super) fn start(
        config: &ProbeConfig,
        find: impl FnOnce() -> Vec<Server> + Send + 'static,
        delay: Duration,
        timeout: Duration,
    ) -> Self {
        let (cancel, cancelled) = channel();
        let (sender, results) = channel();
        let config = config.clone();
        let start = move || {
            if cancelled.recv_timeout(delay) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let mut servers = find();
            servers.truncate(MAX_SERVERS);
            let labels = servers.iter().map(|server| server.label.clone());
            let _ = sender.send(Progress::Found(labels.collect()));
            for (index, server) in servers.into_iter().enumerate() {
                let (config, sender) = (config.clone(), sender.clone());
                let probe = move || {
                    let result = probe::probe(&config, &server.host, server.port, timeout);
                    let _ = sender.send(Progress::Probed(index, result));
                };
                if spawn(probe).is_err() {
                    return;
                }
            }
        };
        // Without a thread `results` is disconnected.
        let _ = spawn(start);
        Self {
            results,
            _cancel: cancel,
            probes: None,
        }
    }

    /// A diagnosis without servers.
    pub(super) fn none() -> Self {
        Self {
            results: channel().1,
            _cancel: channel().0,
            probes: Some(Vec::new()),
        }
    }

    /// The faults that are known now: the label of the server, and the fault.
    pub(super) fn faults(&mut self) -> Vec<(&str, &Fault)> {
        self.wait(Instant::now());
        let probes = self.probes.iter().flatten();
        probes
            .filter_map(|probe| match &probe.result {
                Some(Err(fault)) => Some((probe.label.as_str(), fault)),
                _ => None,
            })
            .collect()
    }

    /// True if the fault of each server is known, and no retry can help.
    pub(crate) fn is_permanent(&mut self) -> bool {
        self.wait(Instant::now());
        let is_permanent =
            |probe: &Probe| matches!(&probe.result, Some(Err(fault)) if fault.is_permanent());
        let probes = self.probes.as_ref();
        probes.is_some_and(|probes| !probes.is_empty() && probes.iter().all(is_permanent))
    }

    /// Waits until all results are known, or `end`.
    pub(crate) fn wait(&mut self, end: Instant) {
        while !self.is_complete() {
            let left = end.saturating_duration_since(Instant::now());
            match self.results.recv_timeout(left) {
                Ok(Progress::Found(labels)) => {
                    let probe = |label| Probe {
                        label,
                        result: None,
                    };
                    self.probes = Some(labels.into_iter().map(probe).collect());
                }
                Ok(Progress::Probed(index, result)) => {
                    if let Some(probe) = self.probes.iter_mut().flatten().nth(index) {
                        probe.result = Some(result);
                    }
                }
                Err(_) => return,
            }
        }
    }

    fn is_complete(&self) -> bool {
        let probes = self.probes.as_ref();
        probes.is_some_and(|probes| probes.iter().all(|probe| probe.result.is_some()))
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new()
        .name("diagnosis".to_owned())
        .spawn(work)
        .map(drop)
}
