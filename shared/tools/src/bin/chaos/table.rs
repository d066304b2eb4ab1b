//! The outcome as text.

use std::fmt::Write as _;

use crate::outcome::Outcome;

/// A table: the events, then the violations of each promise.
pub(crate) fn of(outcome: &Outcome) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<34} {value:>10}");
    };
    line("seed", outcome.seed.to_string());
    line("runs", outcome.runs.to_string());
    line("SIGKILL to the job", outcome.kills.to_string());
    line("SIGTERM to the job", outcome.stops.to_string());
    line("SIGKILL to a broker", outcome.broker_kills.to_string());
    for (code, times) in &outcome.exit_codes {
        line(&format!("exit code {code}"), times.to_string());
    }
    for (name, runs) in &outcome.stretches {
        line(&format!("runs with {name}"), runs.to_string());
    }
    line("runs without the registry", outcome.outages.to_string());
    line(
        "runs with an unreliable registry",
        outcome.unreliable.to_string(),
    );
    line(
        "runs ended by the registry",
        outcome.ended_by_registry.to_string(),
    );
    line("runs with batches", outcome.batched.to_string());
    line("records written", outcome.written.to_string());
    line("  through the function", outcome.published.to_string());
    line("  in aborted transactions", outcome.aborted.to_string());
    for (kind, count) in &outcome.verdict.records {
        line(&format!("  {kind}"), count.to_string());
    }
    for (writer, count) in &outcome.verdict.framed {
        line(&format!("  {writer}"), count.to_string());
    }
    line("records in requests", outcome.requests.to_string());
    for (form, count) in &outcome.verdict.forms {
        line(&format!("  {form}"), count.to_string());
    }
    line("dead letters", outcome.dead_letters.to_string());
    line("replays", outcome.replays.to_string());
    line("  SIGKILL to a replay", outcome.replay_kills.to_string());
    line(
        "  SIGKILL to a broker",
        outcome.replay_broker_kills.to_string(),
    );
    line("  selected dead letters", outcome.replayed.to_string());
    line("  repeats", outcome.verdict.replay_repeats.to_string());
    line("answers", outcome.verdict.answers.to_string());
    line("reports", outcome.reports.to_string());
    line("seconds", format!("{:.0}", outcome.seconds));
    text.push('\n');
    let verdict = &outcome.verdict;
    for (name, violations) in verdict.promises() {
        let _ = writeln!(text, "  {name:<34} {:>10}", violations.count);
        for one in &violations.first {
            let _ = writeln!(text, "      {one}");
        }
    }
    let _ = writeln!(
        text,
        "  {:<34} {:>10}   ({} after a response that was cut short; at most {} in one run)",
        "repeats", verdict.repeats, verdict.repeats_after_cut_response, verdict.max_repeats
    );
    let _ = writeln!(
        text,
        "  {:<34} {:>10}",
        "checks of progress", verdict.fairness_checks
    );
    let _ = writeln!(
        text,
        "  {:<34} {:>10}",
        "  without the registry", verdict.outage_checks
    );
    let summary = if verdict.is_pass() {
        "PASS: every promise was kept"
    } else {
        "FAIL: a promise was broken"
    };
    let _ = writeln!(text, "\n  {summary}");
    text
}
