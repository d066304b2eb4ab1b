//! The figures, for people and for machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::rounds::Outpaced;

/// Everything that was measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Outcome {
    /// Records in a window.
    pub(crate) records: usize,
    /// How often each pair was run.
    pub(crate) rounds: usize,
    /// Filter only ÷ bare drain.
    pub(crate) filter_only: Option<Ratio>,
    /// One POST each ÷ bare TCP client.
    pub(crate) one_post_each: Option<Ratio>,
    /// Many per POST ÷ bare drain.
    pub(crate) batches: Option<Ratio>,
    /// Peak resident memory by window, MiB.
    pub(crate) peak_mib: BTreeMap<String, f64>,
    /// Process start to first request, group joined.
    pub(crate) first_request_ms: Option<f64>,
    /// The same in a replay, which joins no group.
    pub(crate) first_request_replay_ms: Option<f64>,
    /// Start to exit with nothing to do.
    pub(crate) empty_window_ms: Option<f64>,
    /// The same window by Spark.
    pub(crate) spark: Option<Outpaced>,
}

/// The job against its limit.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Ratio {
    /// The limit's records a second.
    pub(crate) limit_per_second: f64,
    /// The job's.
    pub(crate) job_per_second: f64,
    /// The job's ÷ the limit's.
    pub(crate) ratio: f64,
}

impl Ratio {
    /// From the seconds that both took for as many records.
    pub(crate) fn of(records: usize, limit_seconds: f64, job_seconds: f64) -> Self {
        Self {
            limit_per_second: records as f64 / limit_seconds,
            job_per_second: records as f64 / job_seconds,
            ratio: limit_seconds / job_seconds,
        }
    }
}

impl Outcome {
    /// A table in Markdown.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "Windows of {} records, start to exit, best of {}.\n\n\
             | what | limit | job | ratio |\n|---|---:|---:|---:|\n",
            self.records, self.rounds
        );
        let rows = [
            (
                "filter only, 1 % matching ÷ bare librdkafka drain",
                self.filter_only,
            ),
            ("one POST each ÷ bare TCP client", self.one_post_each),
            ("many per POST ÷ bare librdkafka drain", self.batches),
        ];
        for (name, ratio) in rows {
            if let Some(ratio) = ratio {
                let _ = writeln!(
                    text,
                    "| {name} | {:.0}/s | {:.0}/s | {:.2} |",
                    ratio.limit_per_second, ratio.job_per_second, ratio.ratio
                );
            }
        }
        for (name, peak) in &self.peak_mib {
            let _ = writeln!(text, "| peak memory, {name} | | {peak:.0} MiB | |");
        }
        let times = [
            ("process start to first request", self.first_request_ms),
            (
                "the same without a group (replay)",
                self.first_request_replay_ms,
            ),
            ("an empty window, start to exit", self.empty_window_ms),
        ];
        for (name, milliseconds) in times {
            if let Some(milliseconds) = milliseconds {
                let _ = writeln!(text, "| {name} | | {milliseconds:.0} ms | |");
            }
        }
        if let Some(spark) = &self.spark {
            let _ = writeln!(
                text,
                "| the filter-only window by Spark, start to exit | {:.1} s | {:.2} s | {:.0} times faster |\n\
                 | its peak memory | {:.0} MiB | {:.0} MiB | {:.0} times less |",
                spark.spark.seconds,
                spark.job.seconds,
                spark.times_faster,
                spark.spark.peak_mib,
                spark.job.peak_mib,
                spark.times_smaller
            );
        }
        text
    }
}
