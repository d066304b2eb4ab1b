use super::*;

#[test]
fn the_most_severe_fact_wins() {
    let none = Facts {
        balanced: true,
        ..Facts::default()
    };
    let minor = Facts {
        delivered: 5,
        dead_lettered: 1,
        deferred: 3,
        routes_matched: 2,
        routes_deferred: 1,
        ..none
    };
    // Each row adds one fact to those of the rows above it.
    let rows = [
        (none, RunOutcome::Completed),
        (
            Facts {
                dead_lettered: 1,
                ..none
            },
            RunOutcome::CompletedWithDeadLetters,
        ),
        (
            Facts {
                dead_lettered: 1,
                deferred: 3,
                ..none
            },
            RunOutcome::MoreWork,
        ),
        (
            Facts {
                dead_lettered: 1,
                bounded: true,
                ..none
            },
            RunOutcome::MoreWork,
        ),
        (minor, RunOutcome::Partial),
        (
            Facts {
                delivered: 0,
                routes_deferred: 2,
                ..minor
            },
            RunOutcome::Endpoint,
        ),
        (
            Facts {
                dead_letter_threshold: true,
                ..minor
            },
            RunOutcome::DeadLetterThreshold,
        ),
        (
            Facts {
                dead_letter_threshold: true,
                source_failed: true,
                ..minor
            },
            RunOutcome::Source,
        ),
        (
            Facts {
                dead_letter_threshold: true,
                source_failed: true,
                concurrent_run: true,
                ..minor
            },
            RunOutcome::ConcurrentRun,
        ),
        (
            Facts {
                dead_letter_threshold: true,
                source_failed: true,
                concurrent_run: true,
                data_loss: true,
                ..minor
            },
            RunOutcome::DataLoss,
        ),
        (
            Facts {
                source_failed: true,
                data_loss: true,
                plan_mismatch: Some(RunOutcome::PlanTopic),
                ..minor
            },
            RunOutcome::PlanTopic,
        ),
        (
            Facts {
                dead_letter_threshold: true,
                source_failed: true,
                concurrent_run: true,
                data_loss: true,
                setting: true,
                ..minor
            },
            RunOutcome::Configuration,
        ),
        (
            Facts {
                dead_letter_threshold: true,
                source_failed: true,
                concurrent_run: true,
                data_loss: true,
                setting: true,
                balanced: false,
                ..minor
            },
            RunOutcome::Internal,
        ),
        (
            Facts {
                internal: true,
                ..none
            },
            RunOutcome::Internal,
        ),
    ];
    for (facts, expected) in rows {
        assert_eq!(RunOutcome::of(&facts), expected, "{facts:?}");
    }
}

#[test]
fn one_endpoint_that_is_down_is_partial_if_another_delivered() {
    let facts = Facts {
        balanced: true,
        routes_matched: 1,
        routes_deferred: 1,
        deferred: 4,
        ..Facts::default()
    };
    assert_eq!(RunOutcome::of(&facts), RunOutcome::Endpoint);
    assert_eq!(
        RunOutcome::of(&Facts {
            delivered: 1,
            ..facts
        }),
        RunOutcome::Partial
    );
    assert_eq!(
        RunOutcome::of(&Facts {
            routes_matched: 2,
            ..facts
        }),
        RunOutcome::Partial
    );
}

#[test]
fn codes_and_names_are_distinct_and_documented() {
    for (index, outcome) in RunOutcome::ALL.iter().enumerate() {
        let earlier = &RunOutcome::ALL[..index];
        assert!(earlier.iter().all(|other| other.code() < outcome.code()));
        assert!(earlier.iter().all(|other| other.name() != outcome.name()));
        assert_eq!(
            serde_json::to_value(outcome).unwrap(),
            serde_json::Value::from(outcome.name())
        );
        let row = format!("| {} | `{}` |", outcome.code(), outcome.name());
        assert!(RunOutcome::markdown().contains(&row));
        assert!(RunOutcome::help().contains(outcome.meaning()));
    }
}
