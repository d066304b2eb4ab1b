//! The outcome for people.

use std::fmt::Write as _;

use crate::checker::Findings;
use crate::storm::Outcome;

/// A table: what happened, then promise by promise.
pub(crate) fn of(outcome: &Outcome) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<34} {value:>10}");
    };
    line("seed", outcome.seed.to_string());
    line("windows", outcome.windows.to_string());
    line("kill -9 of the job", outcome.kills.to_string());
    line("SIGTERM to the job", outcome.stops.to_string());
    line("kill -9 of a broker", outcome.broker_kills.to_string());
    for (code, times) in &outcome.exit_codes {
        line(&format!("exit code {code}"), times.to_string());
    }
    line("windows with batches", outcome.batched.to_string());
    line("records written", outcome.written.to_string());
    line("  in aborted transactions", outcome.aborted.to_string());
    for (kind, count) in &outcome.verdict.records {
        line(&format!("  {kind}"), count.to_string());
    }
    line("records in requests", outcome.requests.to_string());
    line("dead letters", outcome.dead_letters.to_string());
    line("reports", outcome.reports.to_string());
    line("seconds", format!("{:.0}", outcome.seconds));
    text.push('\n');
    let verdict = &outcome.verdict;
    let promises: [(&str, &Findings); 8] = [
        ("lost", &verdict.lost),
        ("passed on undecoded", &verdict.undecoded),
        ("passed on though aborted", &verdict.unheld),
        ("repeated with another key", &verdict.keys),
        ("reports that do not balance", &verdict.unbalanced),
        ("dead letters without cause", &verdict.dead_letters),
        ("partitions not committed", &verdict.uncommitted),
        ("windows that repeat too much", &verdict.repeated),
    ];
    for (name, findings) in promises {
        let _ = writeln!(text, "  {name:<34} {:>10}", findings.count);
        for one in &findings.first {
            let _ = writeln!(text, "      {one}");
        }
    }
    let _ = writeln!(
        text,
        "  {:<34} {:>10}   (of these {} after an answer that was cut short; at most {} for one kill)",
        "repeats", verdict.repeats, verdict.repeats_by_cut, verdict.repeats_most
    );
    let word = if verdict.holds() {
        "every promise was kept"
    } else {
        "A PROMISE WAS BROKEN"
    };
    let _ = writeln!(text, "\n  {word}");
    text
}
