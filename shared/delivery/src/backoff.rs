//! The delay before the next attempt.

use std::time::Duration;

use runtime::retry::Backoff;

/// Full jitter from a seeded generator: the same seed gives the same delays. `failures` counts from 1.
pub(super) fn delay(backoff: &Backoff, failures: u32, rng: &mut fastrand::Rng) -> Duration {
    backoff.full_jitter(failures, rng.f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        initial: Duration::from_millis(200),
        max: Duration::from_secs(30),
    };

    #[test]
    fn delays_spread_evenly_below_a_ceiling_that_doubles() {
        let mut rng = fastrand::Rng::with_seed(7);
        for failures in 1..=40 {
            let ceiling = (0.2 * 2_f64.powi(failures - 1)).min(30.0);
            let delays: Vec<f64> = (0..400)
                .map(|_| delay(&BACKOFF, failures as u32, &mut rng).as_secs_f64())
                .collect();
            assert!(delays.iter().all(|delay| (0.0..=ceiling).contains(delay)));
            // Full jitter: every quarter of the range gets its share.
            for quarter in 0..4 {
                let range =
                    f64::from(quarter) * ceiling / 4.0..f64::from(quarter + 1) * ceiling / 4.0;
                let share = delays.iter().filter(|delay| range.contains(delay)).count();
                assert!((60..140).contains(&share), "{failures} {quarter} {share}");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_delays() {
        let delays = |seed| {
            let mut rng = fastrand::Rng::with_seed(seed);
            (1..9)
                .map(|failures| delay(&BACKOFF, failures, &mut rng))
                .collect::<Vec<_>>()
        };
        assert_eq!(delays(1), delays(1));
        assert_ne!(delays(1), delays(2));
    }
}
