//! The results, as JSON and as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use testkit::spread::Spread;

use crate::measure::Cost;

/// All results.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Outcome {
    /// The number of records.
    pub(crate) records: usize,
    /// The number of rounds.
    pub(crate) rounds: usize,
    /// Filter only ÷ bare drain.
    pub(crate) filter_only: Option<Ratio>,
    /// One POST each ÷ TCP client.
    pub(crate) one_post_each: Option<Ratio>,
    /// Many per POST ÷ bare drain.
    pub(crate) batches: Option<Ratio>,
    /// One POST each with an order that is kept ÷ without, by order.
    pub(crate) orders: BTreeMap<String, Ratio>,
    /// Framed records ÷ raw ones, by window.
    pub(crate) framed: BTreeMap<String, Ratio>,
    /// With metrics ÷ without, by window.
    pub(crate) metrics: BTreeMap<String, Ratio>,
    /// The throughput of fast routes beside a slow one ÷ alone, by case.
    pub(crate) fairness: BTreeMap<String, Spread>,
    /// Peak resident memory by window, MiB.
    pub(crate) peak_mib: BTreeMap<String, f64>,
    /// Process start to first request, group joined.
    pub(crate) first_request_ms: Option<Spread>,
    /// The same in a replay, which joins no group.
    pub(crate) first_request_replay_ms: Option<Spread>,
    /// Start to exit with nothing to do.
    pub(crate) empty_window_ms: Option<Spread>,
    /// Start to exit with one dead letter.
    pub(crate) dead_letter_window_ms: Option<Spread>,
}

/// The job compared with its limit, over several rounds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Ratio {
    /// Records per second of the limit.
    pub(crate) limit_per_second: Spread,
    /// Records per second of the job.
    pub(crate) job_per_second: Spread,
    /// The job's ÷ the limit's of the same round.
    pub(crate) ratio: Spread,
    /// Median microseconds of processor time per record: the limit's process and the server.
    pub(crate) limit_cpu: (f64, f64),
    /// The job's process and the server.
    pub(crate) job_cpu: (f64, f64),
}

impl Ratio {
    /// The ratios for this number of records, with the costs of each round; `None` without a round.
    pub(crate) fn of(records: usize, limits: &[Cost], jobs: &[Cost]) -> Option<Self> {
        let records = records as f64;
        let rate = |costs: &[Cost]| Spread::of(costs.iter().map(|cost| records / cost.seconds));
        let median = |costs: &[Cost], seconds: fn(&Cost) -> f64| {
            let spread = Spread::of(costs.iter().map(seconds))?;
            Some(spread.median * 1e6 / records)
        };
        let cpu = |costs: &[Cost]| {
            let process = median(costs, |cost| cost.cpu_seconds)?;
            Some((process, median(costs, |cost| cost.server_cpu_seconds)?))
        };
        let rounds = limits.iter().zip(jobs);
        Some(Self {
            limit_per_second: rate(limits)?,
            job_per_second: rate(jobs)?,
            ratio: Spread::of(rounds.map(|(limit, job)| limit.seconds / job.seconds))?,
            limit_cpu: cpu(limits)?,
            job_cpu: cpu(jobs)?,
        })
    }
}

impl Outcome {
    /// A table in Markdown.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "Windows of {} records, start to exit, median of {} rounds (lowest to highest). CPU: µs a record, process + server.\n\n\
             | what | ratio | limit | job | CPU, limit | CPU, job |\n|---|---:|---:|---:|---:|---:|\n",
            self.records, self.rounds
        );
        let pairs = [
            (
                "filter only, 1 % matching ÷ librdkafka consumer",
                self.filter_only,
            ),
            ("one POST each ÷ TCP client", self.one_post_each),
            ("500 per POST ÷ librdkafka consumer", self.batches),
        ];
        let pairs = pairs
            .into_iter()
            .filter_map(|(name, ratio)| Some((name.to_owned(), ratio?)));
        let orders = self
            .orders
            .iter()
            .map(|(order, ratio)| (format!("one POST each, ORDER={order} ÷ ORDER=none"), *ratio));
        let framed = self
            .framed
            .iter()
            .map(|(window, ratio)| (format!("{window}, framed ÷ raw"), *ratio));
        let metrics = self
            .metrics
            .iter()
            .map(|(window, ratio)| (format!("{window}, with METRICS_FILE ÷ without"), *ratio));
        for (name, ratio) in pairs.chain(orders).chain(framed).chain(metrics) {
            let cpu = |(process, server): (f64, f64)| format!("{process:.1} + {server:.1}");
            let _ = writeln!(
                text,
                "| {name} | **{:.2}** ({:.2} to {:.2}) | {:.0}/s | {:.0}/s | {} | {} |",
                ratio.ratio.median,
                ratio.ratio.lowest,
                ratio.ratio.highest,
                ratio.limit_per_second.median,
                ratio.job_per_second.median,
                cpu(ratio.limit_cpu),
                cpu(ratio.job_cpu)
            );
        }
        for (case, ratio) in &self.fairness {
            let _ = writeln!(
                text,
                "| fast routes beside a slow one ÷ alone, {case} | {ratio} | | | | |"
            );
        }
        for (name, peak) in &self.peak_mib {
            let _ = writeln!(
                text,
                "| peak resident memory, {name} | | | {peak:.0} MiB | | |"
            );
        }
        let times = [
            ("process start to first request", self.first_request_ms),
            (
                "the same without a group (replay)",
                self.first_request_replay_ms,
            ),
            ("an empty window, start to exit", self.empty_window_ms),
            ("a window of one dead letter", self.dead_letter_window_ms),
        ];
        for (name, milliseconds) in times {
            if let Some(milliseconds) = milliseconds {
                let _ = writeln!(text, "| {name} | | | {milliseconds:.0} ms, of ten | | |");
            }
        }
        text
    }
}
