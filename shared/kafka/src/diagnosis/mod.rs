//! Finds out why servers cannot be used: connects to each in a thread of its own, as the client would.

mod fault;
mod probe;
#[cfg(test)]
mod tests;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use fault::{Fault, of_sasl};
pub(crate) use probe::ProbeConfig;

/// The number of servers that are probed.
const MAX_SERVERS: usize = 32;

/// A server, and what it is called in errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// The host name or address, without brackets.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
    /// The name in errors.
    pub(crate) label: String,
}

/// A running diagnosis; dropping it does not end a probe that has begun.
pub(crate) struct Diagnosis {
    results: Receiver<(usize, Result<(), Fault>)>,
    /// Dropped to cancel the diagnosis before its start.
    _cancel: Sender<()>,
    labels: Vec<String>,
    known: Vec<Option<Result<(), Fault>>>,
}

impl Diagnosis {
    /// Probes the first 32 of these servers after `delay`, each for `timeout`. Without threads it has no result.
    pub(crate) fn start(
        config: &ProbeConfig,
        servers: Vec<Server>,
        delay: Duration,
        timeout: Duration,
    ) -> Self {
        let (cancel, cancelled) = channel();
        let (sender, results) = channel();
        let labels = servers
            .iter()
            .take(MAX_SERVERS)
            .map(|server| server.label.clone());
        let labels: Vec<String> = labels.collect();
        let known = vec![None; labels.len()];
        let config = config.clone();
        let start = move || {
            if cancelled.recv_timeout(delay) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            for (index, server) in servers.into_iter().take(MAX_SERVERS).enumerate() {
                let (config, sender) = (config.clone(), sender.clone());
                let probe = move || {
                    let result = probe::probe(&config, &server.host, server.port, timeout);
                    let _ = sender.send((index, result));
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
            labels,
            known,
        }
    }

    /// The faults that are known now: the label of the server, and the fault.
    pub(crate) fn faults(&mut self) -> Vec<(&str, &Fault)> {
        self.wait(Instant::now());
        let known = self.labels.iter().zip(&self.known);
        known
            .filter_map(|(label, known)| match known {
                Some(Err(fault)) => Some((label.as_str(), fault)),
                _ => None,
            })
            .collect()
    }

    /// True if the fault of each server is known, and no retry can help.
    pub(crate) fn is_permanent(&mut self) -> bool {
        self.wait(Instant::now());
        !self.known.is_empty()
            && self
                .known
                .iter()
                .all(|known| matches!(known, Some(Err(fault)) if fault.is_permanent()))
    }

    /// Waits until all results are known, or `end`.
    pub(crate) fn wait(&mut self, end: Instant) {
        while self.known.iter().any(Option::is_none) {
            let left = end.saturating_duration_since(Instant::now());
            let Ok((index, result)) = self.results.recv_timeout(left) else {
                return;
            };
            if let Some(known) = self.known.get_mut(index) {
                *known = Some(result);
            }
        }
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new()
        .name("diagnosis".to_owned())
        .spawn(work)
        .map(drop)
}

/// The servers of `bootstrap.servers`, labelled with their text.
pub(crate) fn bootstrap_servers(text: &str) -> Vec<Server> {
    text.split(',')
        .filter_map(|text| {
            let label = text.trim();
            let (host, port) = match label
                .strip_prefix('[')
                .and_then(|rest| rest.split_once(']'))
            {
                Some((host, port)) => (host, port.strip_prefix(':')),
                None => match label.rsplit_once(':') {
                    Some((host, port)) => (host, Some(port)),
                    None => (label, None),
                },
            };
            Some(Server {
                host: host.to_owned(),
                port: port.unwrap_or("9092").parse().ok()?,
                label: label.to_owned(),
            })
        })
        .collect()
}

/// A host and a port as in `bootstrap.servers`.
pub(crate) fn address(host: &str, port: i32) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}
