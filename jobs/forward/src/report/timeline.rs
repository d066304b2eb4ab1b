//! The progress of a run over time, in bounded memory.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The counts of the run at a moment, over all partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProgressSample {
    /// The time since the start of the run, in seconds.
    pub seconds: f64,
    /// Accepted by an endpoint so far.
    pub delivered: i64,
    /// Skipped so far.
    pub skipped: i64,
    /// Acknowledged by the dead-letter topic so far.
    pub dead_lettered: i64,
}

/// Takes samples at an interval that doubles when there are too many of them.
#[derive(Debug)]
pub(crate) struct Timeline {
    samples: Vec<ProgressSample>,
    interval: Duration,
    next: Duration,
}

/// The most samples of a run.
const MAX_SAMPLES: usize = 120;

const FIRST_INTERVAL: Duration = Duration::from_millis(50);

impl Default for Timeline {
    fn default() -> Self {
        Self {
            samples: Vec::new(),
            interval: FIRST_INTERVAL,
            next: Duration::ZERO,
        }
    }
}

impl Timeline {
    /// Adds the counts if a sample is due. `elapsed` is the time since the start of the run.
    pub(crate) fn sample(&mut self, elapsed: Duration, counts: impl FnOnce() -> ProgressSample) {
        if elapsed >= self.next {
            self.add(elapsed, counts());
            self.next = elapsed + self.interval;
        }
    }

    /// The samples, with these counts as the last one.
    pub(crate) fn end(mut self, elapsed: Duration, counts: ProgressSample) -> Vec<ProgressSample> {
        self.add(elapsed, counts);
        self.samples
    }

    fn add(&mut self, elapsed: Duration, counts: ProgressSample) {
        if self.samples.len() >= MAX_SAMPLES {
            let mut index = 0;
            self.samples.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.interval *= 2;
        }
        self.samples.push(ProgressSample {
            seconds: elapsed.as_millis() as f64 / 1000.0,
            ..counts
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered(delivered: i64) -> ProgressSample {
        ProgressSample {
            delivered,
            ..ProgressSample::default()
        }
    }

    #[test]
    fn a_short_run_has_its_start_and_its_end() {
        let mut timeline = Timeline::default();
        let at = Duration::from_millis;
        timeline.sample(at(3), || delivered(0));
        timeline.sample(at(20), || unreachable!("no sample is due"));
        let samples = timeline.end(at(30), delivered(7));
        let found: Vec<_> = samples.iter().map(|s| (s.seconds, s.delivered)).collect();
        assert_eq!(found, [(0.003, 0), (0.03, 7)]);
    }

    #[test]
    fn a_long_run_has_few_samples_over_its_whole_time() {
        let mut timeline = Timeline::default();
        for moment in 0..1_000_000 {
            let elapsed = Duration::from_millis(moment * 20);
            timeline.sample(elapsed, || delivered(moment as i64));
        }
        let samples = timeline.end(Duration::from_secs(20_000), delivered(1_000_000));
        assert!(
            (50..=MAX_SAMPLES).contains(&samples.len()),
            "{}",
            samples.len()
        );
        assert_eq!(samples[0].delivered, 0);
        assert_eq!(samples[samples.len() - 1].delivered, 1_000_000);
        let steps = samples
            .windows(2)
            .map(|two| two[1].seconds - two[0].seconds);
        let (least, most) = steps.fold((f64::MAX, 0.0_f64), |(least, most), step| {
            (least.min(step), most.max(step))
        });
        assert!(least > 0.0 && most < 1_000.0, "{least} {most}");
    }
}
