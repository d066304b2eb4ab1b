//! What an outcome means for the messages it is about: delivered, refused, tried again, or left.

use std::time::Duration;

use tracing::{debug, warn};

use super::answer::{Verdict, advice, asks_for_quiet, is_failure, verdict};
use super::backoff::delay;
use super::circuit::Change;
use super::completion::{DeliveryOutcome, Receipt};
use super::lane::{Answered, Names, Outcome};
use super::later;
use super::partial::{Partial, partial};
use super::queue::Job;
use super::route::{Route, now};
use record::Message;

/// Complaints about one route, at most one in this time.
const COMPLAIN_EVERY: Duration = Duration::from_secs(5);
/// Lines that may be left behind before the rest of the route is left too: each costs memory.
const MOST_LEFT_LINES: usize = 100_000;

impl Route {
    /// Decides what follows from a request that has come back.
    pub(super) fn land(&mut self, number: usize, outcome: Outcome) {
        let Some((job, pass)) = self.out.get_mut(number).and_then(Option::take) else {
            return;
        };
        self.aloft -= job.messages.len();
        self.free.push(number);
        self.count(&outcome);
        let failure = match &outcome {
            Outcome::Answered(answered) => is_failure(answered.status),
            Outcome::TimedOut | Outcome::Broken(_) => true,
        };
        if failure {
            self.complain(&job, &outcome);
            match self.circuit.failed(pass, now()) {
                Change::Opened(rest) => {
                    let to = self.road.maker.target();
                    let rest_ms = rest.as_millis() as u64;
                    warn!(route = self.name, %to, rest_ms, "the endpoint keeps failing: requests stop");
                }
                Change::GivenUp => {
                    let met = met(&outcome);
                    self.give_up(&format!("the endpoint keeps failing: {met}"));
                }
                Change::None => {}
            }
        } else {
            self.circuit.alive(pass);
        }
        match outcome {
            Outcome::Answered(answered) => self.answered(job, &answered),
            Outcome::TimedOut => self.try_again(job, "no answer in time", None),
            Outcome::Broken(reason) => self.try_again(job, &reason, None),
        }
        if self.queue.left_lines() > MOST_LEFT_LINES {
            self.give_up("too many keys have a record that was left");
        }
    }

    fn answered(&mut self, job: Job, answered: &Answered) {
        let status = answered.status;
        match verdict(status) {
            Verdict::Delivered => self.delivered(job, answered),
            Verdict::Refused if job.messages.len() > 1 => self.split(job, status),
            Verdict::Refused => {
                self.queue.settled(job.line, job.partition());
                for message in job.messages {
                    let outcome = DeliveryOutcome::Rejected {
                        status: Some(status),
                        reason: said(answered),
                    };
                    self.settle(message, outcome);
                }
            }
            Verdict::Retry => {
                let hint = answered.retry_after;
                if asks_for_quiet(status)
                    && let Some(rest) = hint
                {
                    self.be_quiet(rest);
                }
                self.try_again(job, &said(answered), hint);
            }
            Verdict::Leave => self.leave(job, &said(answered)),
            Verdict::Gone => {
                let said = said(answered);
                self.leave(job, &said);
                self.give_up(&said);
            }
        }
    }

    /// The endpoint has the records, but for those that it names.
    fn delivered(&mut self, mut job: Job, answered: &Answered) {
        let partial = match &answered.names {
            Names::None => Partial::None,
            Names::Cut => Partial::Unclear,
            Names::Whole(body) => {
                let key = |message| self.road.maker.key(message);
                let keys: Vec<String> = job.messages.iter().map(key).collect();
                partial(body, &keys)
            }
        };
        let failed = match partial {
            Partial::None => Vec::new(),
            Partial::Failed(places) => places,
            Partial::Unclear => {
                return self.try_again(job, "which records failed cannot be told", None);
            }
        };
        let partition = job.partition();
        let mut failed = failed.into_iter().peekable();
        let mut again = Vec::new();
        for (place, message) in job.messages.drain(..).enumerate() {
            if failed.next_if_eq(&place).is_some() {
                again.push(message);
                continue;
            }
            let receipt = Receipt::new(answered.status, job.requests);
            self.settle(message, DeliveryOutcome::Delivered(receipt));
        }
        job.messages = again;
        if job.messages.is_empty() {
            self.queue.settled(job.line, partition);
        } else {
            self.try_again(
                job,
                "the endpoint did not take it, though others of its request",
                None,
            );
        }
    }

    /// No request to this endpoint before the time that it asked for, or before `backoff_max` is over.
    fn be_quiet(&mut self, rest: Duration) {
        let until = later(now(), rest.min(self.backoff.max));
        self.quiet_until = Some(self.quiet_until.map_or(until, |known| known.max(until)));
    }

    /// Plans another attempt, if one is allowed and there is time for it.
    fn try_again(&mut self, mut job: Job, reason: &str, hint: Option<Duration>) {
        job.failures += 1;
        if job.failures >= self.limits.max_attempts {
            let reason = match job.failures {
                1 => reason.to_owned(),
                attempts => format!("{reason}, after {attempts} attempts"),
            };
            return self.leave(job, &reason);
        }
        if self.given_up.is_some() {
            return self.leave(job, reason);
        }
        let wait = match hint {
            Some(hint) => hint.min(self.backoff.max),
            None => delay(&self.backoff, job.failures, &mut self.rng),
        };
        let due = later(now(), wait);
        if self.until.is_some_and(|until| due >= until) {
            return self.leave(
                job,
                &format!("{reason}; the next attempt would come too late"),
            );
        }
        if let Err(job) = self.queue.again(job, due, hint.is_some()) {
            self.leave(job, "its partition was taken away");
        }
    }

    /// One of the records is refused: the halves will tell which.
    fn split(&mut self, job: Job, status: u16) {
        if self.given_up.is_some() {
            return self.leave(
                job,
                "a request of many records was refused as the run ended",
            );
        }
        debug!(
            route = self.name,
            status,
            records = job.messages.len(),
            "splitting a refused request"
        );
        if let Err(job) = self.queue.split(job) {
            self.leave(job, "its partition was taken away");
        }
    }

    /// Leaves the job's messages for the next run, and with them everything behind them in their line.
    pub(super) fn leave(&mut self, job: Job, reason: &str) {
        let behind = self.queue.left(&job);
        for message in job.messages {
            let reason = reason.to_owned();
            self.settle(message, DeliveryOutcome::Deferred { reason });
        }
        self.leave_behind(behind);
    }

    /// Leaves messages whose turn would be after one that was left.
    pub(super) fn leave_behind(&mut self, messages: Vec<Message>) {
        for message in messages {
            let reason = "an earlier record of its key or partition was left".to_owned();
            self.settle(message, DeliveryOutcome::Deferred { reason });
        }
    }

    fn count(&self, outcome: &Outcome) {
        let mut statistics = self.shared.statistics();
        statistics.stale_connections = self.road.stale.get();
        match outcome {
            Outcome::Answered(answered) => statistics.answered(answered.status, answered.latency),
            Outcome::TimedOut => {
                statistics.attempts += 1;
                statistics.timeouts += 1;
            }
            Outcome::Broken(_) => {
                statistics.attempts += 1;
                statistics.connection_errors += 1;
            }
        }
    }

    /// Logs a failure, unless one was logged a moment ago.
    fn complain(&mut self, job: &Job, outcome: &Outcome) {
        let Some(first) = job.messages.first() else {
            return;
        };
        let now = now();
        if self
            .complaint
            .is_some_and(|last| now < last + COMPLAIN_EVERY)
        {
            self.unsaid += 1;
            return;
        }
        self.complaint = Some(now);
        let unsaid = std::mem::take(&mut self.unsaid);
        warn!(
            route = self.name,
            to = %self.road.maker.target(),
            topic = %first.at.topic,
            partition = first.at.partition,
            offset = first.at.offset,
            records = job.messages.len(),
            attempt = job.failures + 1,
            met = met(outcome),
            not_logged = unsaid,
            "a request failed"
        );
    }

    /// Logs how many failures came after the last that was logged.
    pub(super) fn complain_of_the_rest(&mut self) {
        let count = std::mem::take(&mut self.unsaid);
        if count > 0 {
            warn!(route = self.name, count, "more requests failed");
        }
    }
}

fn met(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answered(answered) => said(answered),
        Outcome::TimedOut => "no answer in time".to_owned(),
        Outcome::Broken(reason) => reason.clone(),
    }
}

/// Status, advice and the endpoint's own words, within 1 KiB and a little.
fn said(answered: &Answered) -> String {
    let mut text = answered.status.to_string();
    for part in [advice(answered.status), &answered.said] {
        if !part.is_empty() {
            text += ": ";
            text += part;
        }
    }
    text
}
