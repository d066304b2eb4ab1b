//! The metrics: names, labels and meanings.

/// The version of the metrics' names, labels and meanings, in [`FORMAT_INFO`]. One that is removed, renamed or changes its
/// meaning raises it; a new one does not.
pub const VERSION: u32 = 1;

/// A metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// The name in OpenTelemetry's form.
    pub name: &'static str,
    /// The unit (UCUM), or empty.
    pub unit: &'static str,
    /// Whether it only increases.
    pub is_counter: bool,
    /// The labels besides `topic` and `group`.
    pub labels: &'static [&'static str],
    /// The meaning.
    pub help: &'static str,
}

macro_rules! metrics {
    (counter) => { true };
    ($($(#[$kind:ident])? $constant:ident = $name:literal [$unit:literal] {$($label:literal),*}, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub static $constant: Metric = Metric {
                name: $name,
                unit: $unit,
                is_counter: false $(|| metrics!($kind))?,
                labels: &[$($label),*],
                help: $help,
            };
        )*

        /// All metrics but [`REQUEST_DURATION`](super::latency::REQUEST_DURATION).
        pub static ALL: &[&Metric] = &[$(&$constant),*];
    };
}

metrics! {
    FORMAT_INFO = "frontdoor.metrics.format_info" [""] {"version"}, "The version of these metrics.";
    TIMESTAMP = "frontdoor.job.last_run.timestamp" ["s"] {}, "The end of the last run.";
    SUCCESS = "frontdoor.job.last_success.timestamp" ["s"] {}, "The end of the last run with exit code 0.";
    DURATION = "frontdoor.job.last_run.duration" ["s"] {}, "The duration of the last run.";
    EXIT_CODE = "frontdoor.job.last_run.exit_code" [""] {}, "The exit code of the last run.";
    BALANCED = "frontdoor.job.last_run.balanced" [""] {}, "1 if the counts of the last run's report add up, otherwise 0.";
    RECORDS = "frontdoor.job.last_run.records" [""] {"partition", "outcome"}, "The offsets of the last run's window by outcome.";
    LAG_BEFORE = "frontdoor.job.lag_before.records" [""] {"partition"}, "The offsets between the commit and the end of the log before the last run.";
    LAG = "frontdoor.job.lag.records" [""] {"partition"}, "The offsets between the commit and the end of the log after the last run.";
    DEAD_LETTERS = "frontdoor.job.last_run.dead_letters" [""] {"cause"}, "The dead letters of the last run by cause.";
    ROUTE_RECORDS = "frontdoor.job.last_run.route_records" [""] {"route", "outcome"}, "The records of each route in the last run by outcome.";
    REQUESTS = "frontdoor.job.last_run.requests" [""] {"route", "status"}, "The requests of the last run by status code, timeout or connection_error.";
    LATENCY = "frontdoor.job.last_run.request_duration" ["s"] {"route", "statistic"}, "The time from a request to its response in the last run: p50, p99 and max.";
    ROUTE_DEFERRED = "frontdoor.job.route_deferred" [""] {"route"}, "1 if records of the route were deferred at the end of the last run, otherwise 0.";
    ROUTE_RETRY = "frontdoor.job.route_retry.timestamp" ["s"] {"route"}, "The time before which the next run sends no request of the route.";
    OLDEST_DEFERRED = "frontdoor.job.oldest_deferred.timestamp" ["s"] {}, "The timestamp of the oldest record that the last run has deferred.";
    COMMIT_DURATION = "frontdoor.job.commit.duration" ["s"] {}, "The longest time from the request of a commit to its acknowledgement in the last run.";
    RESIDENT_MEMORY = "process.resident_memory" ["By"] {}, "Resident memory size in bytes.";
    PEAK_MEMORY = "frontdoor.job.peak_memory" ["By"] {}, "The maximum resident memory of the process.";
    #[counter] RUNS = "frontdoor.job.runs" [""] {"exit_code"}, "The runs since the start of the process by exit code.";
    #[counter] ALL_RECORDS = "frontdoor.job.records" [""] {"outcome"}, "The offsets of all windows since the start of the process by outcome. A record that is deferred again counts again.";
    #[counter] ALL_DEAD_LETTERS = "frontdoor.job.dead_letters" [""] {"cause"}, "The dead letters since the start of the process by cause.";
    IN_FLIGHT = "frontdoor.job.requests_in_flight" [""] {"route"}, "The requests without a response at the moment.";
    BUFFERED = "frontdoor.job.buffered_records" [""] {"route"}, "The records in the queue and in requests at the moment.";
    CIRCUIT = "frontdoor.job.circuit_state" [""] {"route", "state"}, "1 for the state of the route's circuit breaker, 0 for the others.";
}

/// A value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The metric.
    pub metric: &'static Metric,
    /// The values of its labels, in their order.
    pub labels: Vec<String>,
    /// The value.
    pub value: f64,
}

impl Metric {
    /// A value with these values of the labels.
    pub(super) fn sample<const N: usize>(&'static self, labels: [&str; N], value: f64) -> Sample {
        debug_assert_eq!(N, self.labels.len(), "{}", self.name);
        Sample {
            metric: self,
            labels: labels.map(str::to_owned).to_vec(),
            value,
        }
    }

    /// The name in Prometheus' text format.
    pub fn prometheus_name(&self) -> String {
        let suffix = match (self.unit, self.is_counter) {
            ("s", _) => "_seconds",
            ("By", _) => "_bytes",
            (_, true) => "_total",
            _ => "",
        };
        self.name.replace('.', "_") + suffix
    }
}
