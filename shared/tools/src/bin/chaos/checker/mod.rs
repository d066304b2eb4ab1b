//! Verifies the product's promises without the product's code: compares the topic with the records that the endpoints
//! received, with the dead-letter topic, with the topics of answers and with the run reports.
//!
//! The expected outcome follows from a record's value: id 1010 goes to A, 1020 to B, and every other id is skipped; the
//! endpoint rejects a record whose name begins with `rejected`, and never accepts one whose name begins with `never`; a
//! value that is not a valid datum becomes a dead letter, and so does a record with the fingerprint of another schema, or
//! framed with an id that the registry does not have. A framed record is delivered as a datum of the job's schema.

mod answers;
mod dead_letter;
mod dead_letters;
mod evidence;
mod expected;
mod fairness;
mod leaks;
mod outages;
mod repeats;
mod replay;
mod requests;
mod topic;
mod verdict;

use testkit::run_report;

pub(crate) use answers::{KeptAnswer, ROUTE as ROUTE_WITH_ANSWERS};
pub(crate) use dead_letter::DeadLetter;
pub(crate) use evidence::{Evidence, Outage, Output, Received, Run};
pub(crate) use expected::FINGERPRINT;
pub(crate) use replay::{Replay, check_replay};
pub(crate) use verdict::{Verdict, Violations};

/// Verifies all promises.
pub(crate) fn check(evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict::default();
    topic::check(evidence, &mut verdict);
    requests::check(evidence, &mut verdict);
    repeats::check(evidence, &mut verdict);
    dead_letters::check(evidence, &mut verdict);
    fairness::check(evidence, &mut verdict);
    leaks::check(evidence, &mut verdict);
    outages::check(evidence, &mut verdict);
    answers::check(evidence, &mut verdict);
    for description in &evidence.unavailable {
        verdict.unavailable.add(description.clone());
    }
    for report in &evidence.reports {
        if let Err(reason) = run_report::check_balance(report) {
            verdict
                .unbalanced
                .add(format!("{reason}: {}", report["run"]));
        }
    }
    verdict
}

#[cfg(test)]
mod tests;
