//! The order in which messages are sent, operation by operation.

use std::time::Duration;

use super::*;
use bytes::Bytes;
use proptest::prelude::*;
use record::Coordinates;

const LINGER: Duration = Duration::from_millis(5);

fn queue(order: Order, records: usize) -> Queue {
    Queue::new(BatchLimits {
        order,
        records,
        bytes: 10_000,
        linger: LINGER,
    })
}

fn message(partition: i32, offset: i64, key: &str) -> Message {
    Message {
        at: Coordinates {
            topic: "t".into(),
            partition,
            offset,
        },
        key: (!key.is_empty()).then(|| Bytes::copy_from_slice(key.as_bytes())),
        value: Some(Bytes::from_static(b"v")),
        payload: None,
        origin: None,
        headers: Vec::new(),
        timestamp: None,
        client_key: None,
    }
}

fn offsets(batch: &Batch) -> Vec<i64> {
    batch
        .messages
        .iter()
        .map(|message| message.at.offset)
        .collect()
}

fn all(messages: &[Message]) -> Vec<i64> {
    let mut all: Vec<i64> = messages.iter().map(|message| message.at.offset).collect();
    all.sort_unstable();
    all
}

#[test]
fn without_order_no_message_waits_for_another() {
    let (mut queue, now) = (queue(Order::None, 1), Instant::now());
    for offset in 0..3 {
        queue.push(message(0, offset, "k"), now).expect("accepted");
    }
    let first = queue.take(now, false).expect("a batch");
    assert_eq!(offsets(&first), [0]);
    queue.retry(first, now + LINGER, false).expect("accepted");
    assert_eq!(offsets(&queue.take(now, false).expect("a batch")), [1]);
    assert_eq!(offsets(&queue.take(now, false).expect("a batch")), [2]);
    assert!(queue.take(now, false).is_none());
    assert_eq!(queue.next_due(now, false), Some(now + LINGER));
    assert_eq!(offsets(&queue.take(now + LINGER, false).expect("due")), [0]);
    assert!(queue.is_empty());
}

#[test]
fn a_key_has_one_batch_in_flight_and_keeps_its_order_through_retries() {
    let (mut queue, now) = (queue(Order::Key, 1), Instant::now());
    for (offset, key) in ["a", "a", "b", "", "a", ""].iter().enumerate() {
        queue
            .push(message(0, offset as i64, key), now)
            .expect("accepted");
    }
    let batches: Vec<Batch> = std::iter::from_fn(|| queue.take(now, false)).collect();
    assert_eq!(
        batches.iter().flat_map(offsets).collect::<Vec<_>>(),
        [0, 2, 3, 5]
    );
    let a = batches.into_iter().next().expect("a batch");
    queue.retry(a, now + LINGER, false).expect("accepted");
    assert!(queue.take(now, false).is_none());
    let again = queue.take(now + LINGER, false).expect("due");
    assert_eq!(offsets(&again), [0]);
    queue.complete(again.group, 0);
    let next = queue.take(now, false).expect("unblocked");
    assert_eq!(offsets(&next), [1]);
    queue.complete(next.group, 0);
    assert_eq!(offsets(&queue.take(now, false).expect("unblocked")), [4]);
}

#[test]
fn messages_behind_a_deferred_one_are_deferred() {
    for order in [Order::Key, Order::Partition] {
        let (mut queue, now) = (queue(order, 1), Instant::now());
        for offset in 0..3 {
            queue.push(message(0, offset, "a"), now).expect("accepted");
        }
        queue.push(message(1, 9, "a"), now).expect("accepted");
        let first = queue.take(now, false).expect("a batch");
        assert_eq!(all(&queue.defer(&first)), [1, 2]);
        assert!(queue.push(message(0, 3, "a"), now).is_err());
        let another = queue.push(message(0, 4, "b"), now);
        assert_eq!(another.is_ok(), order == Order::Key);
        assert_eq!(offsets(&queue.take(now, false).expect("a batch")), [9]);
    }
}

#[test]
fn a_batch_holds_one_partition_in_offset_order_and_lingers_until_full() {
    let (mut queue, now) = (queue(Order::None, 3), Instant::now());
    for offset in 0..4 {
        queue.push(message(0, offset, ""), now).expect("accepted");
        queue
            .push(message(1, offset + 10, ""), now)
            .expect("accepted");
    }
    assert_eq!(offsets(&queue.take(now, false).expect("full")), [0, 1, 2]);
    assert_eq!(
        offsets(&queue.take(now, false).expect("full")),
        [10, 11, 12]
    );
    assert!(queue.take(now, false).is_none());
    assert_eq!(queue.next_due(now, false), Some(now + LINGER));
    assert_eq!(offsets(&queue.take(now, true).expect("flush")), [3]);
    assert_eq!(
        offsets(&queue.take(now + LINGER, false).expect("lingered")),
        [13]
    );
    assert_eq!(queue.next_due(now, false), None);
}

#[test]
fn a_batch_that_can_be_sent_is_due_now() {
    for (order, records) in [
        (Order::None, 1),
        (Order::Key, 1),
        (Order::Partition, 1),
        (Order::None, 2),
    ] {
        let (mut queue, now) = (queue(order, records), Instant::now());
        assert_eq!(queue.next_due(now, true), None);
        queue.push(message(0, 0, "k"), now).expect("accepted");
        assert_eq!(queue.next_due(now, true), Some(now));
        queue.push(message(0, 1, "k"), now).expect("accepted");
        assert_eq!(queue.next_due(now, false), Some(now));
        let batch = queue.take(now, false).expect("a batch");
        queue.retry(batch, now, false).expect("accepted");
        assert_eq!(queue.next_due(now, false), Some(now));
    }
}

#[test]
fn a_batch_is_bounded_in_bytes_and_holds_at_least_one_message() {
    let (mut queue, now) = (queue(Order::None, 100), Instant::now());
    for (offset, size) in [(0, 4000), (1, 4000), (2, 4000), (3, 20_000), (4, 1)] {
        let mut message = message(0, offset, "");
        message.value = Some(Bytes::from(vec![0; size]));
        queue.push(message, now).expect("accepted");
    }
    let batches: Vec<Vec<i64>> = std::iter::from_fn(|| queue.take(now, true))
        .map(|batch| offsets(&batch))
        .collect();
    assert_eq!(batches, [vec![0, 1], vec![2], vec![3], vec![4]]);
}

#[test]
fn a_tombstone_is_alone_in_its_batch_and_nothing_lingers_for_it() {
    let (mut queue, now) = (queue(Order::None, 10), Instant::now());
    for offset in 0..7 {
        let mut message = message(0, offset, "k");
        if matches!(offset, 2 | 3 | 6) {
            message.value = None;
        }
        queue.push(message, now).expect("accepted");
    }
    let mut batches = Vec::new();
    while let Some(batch) = queue.take(now, false) {
        batches.push(offsets(&batch));
    }
    assert_eq!(batches, [vec![0, 1], vec![2], vec![3], vec![4, 5], vec![6]]);
    queue.push(message(0, 7, "k"), now).expect("accepted");
    assert!(queue.take(now, false).is_none(), "it lingers");
}

#[test]
fn halves_of_a_split_batch_keep_their_order() {
    let (mut queue, now) = (queue(Order::Partition, 8), Instant::now());
    for offset in 0..10 {
        queue.push(message(0, offset, ""), now).expect("accepted");
    }
    let mut seen = Vec::new();
    let mut batch = queue.take(now, true).expect("a batch");
    // 5 is rejected: every batch that holds it is split until it is alone.
    loop {
        if batch.messages.len() > 1 && offsets(&batch).contains(&5) {
            queue.split(batch).expect("current");
        } else {
            seen.extend(offsets(&batch));
            queue.complete(batch.group, 0);
        }
        let Some(next) = queue.take(now, true) else {
            break;
        };
        assert!(
            queue.take(now, true).is_none(),
            "one batch of a partition at a time"
        );
        batch = next;
    }
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
}

#[test]
fn halves_keep_the_number_of_attempts() {
    let (mut queue, now) = (queue(Order::None, 8), Instant::now());
    for offset in 0..5 {
        queue.push(message(0, offset, ""), now).expect("accepted");
    }
    let mut batch = queue.take(now, true).expect("a batch");
    (batch.failures, batch.requests) = (2, 3);
    queue.split(batch).expect("current");
    for expected in [vec![0, 1], vec![2, 3, 4]] {
        let half = queue.take(now, false).expect("a half");
        assert_eq!(
            (offsets(&half), half.failures, half.requests),
            (expected, 2, 3)
        );
    }
}

#[test]
fn revoking_a_partition_returns_its_messages_and_resets_it() {
    for (order, records) in [
        (Order::None, 1),
        (Order::Key, 1),
        (Order::Partition, 1),
        (Order::None, 2),
        (Order::Key, 2),
    ] {
        let (mut queue, now) = (queue(order, records), Instant::now());
        for offset in 0..12 {
            queue.push(message(0, offset, "a"), now).expect("accepted");
            queue
                .push(message(1, offset + 100, "a"), now)
                .expect("accepted");
        }
        let mut in_flight = Vec::new();
        while let Some(batch) = queue.take(now, true) {
            if batch.partition() == 0 {
                in_flight.push(batch);
                break;
            }
        }
        let batch = in_flight.pop().expect("a batch of partition 0");
        let count = batch.messages.len();
        assert_eq!(queue.revoke(0).len(), 12 - count, "{order:?} {records}");
        let batch = queue
            .retry(batch, now, false)
            .expect_err("an earlier generation");
        assert!(queue.defer(&batch).is_empty());
        // The partition is assigned again, from the beginning.
        queue
            .push(message(0, 0, "a"), now)
            .expect("the partition was reset");
        let mut again = std::iter::from_fn(|| queue.take(now, true));
        assert!(
            again.any(|batch| batch.partition() == 0),
            "{order:?} {records}"
        );
    }
}

#[test]
fn a_probe_ignores_the_backoff_and_respects_retry_after() {
    let (mut queue, now) = (queue(Order::None, 1), Instant::now());
    for hinted in [false, true] {
        queue.push(message(0, 1, ""), now).expect("accepted");
        let batch = queue.take(now, false).expect("a batch");
        queue.retry(batch, now + LINGER, hinted).expect("accepted");
        assert_eq!(queue.take_probe(now).is_some(), !hinted);
    }
    assert!(queue.take_probe(now + LINGER).is_some());
}

/// One operation on a queue.
#[derive(Clone, Debug)]
enum Operation {
    Push { partition: i32, key: u8 },
    Take,
    Complete(usize),
    Defer(usize),
    Retry(usize),
    Split(usize),
    Revoke(i32),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let one = prop_oneof![
        8 => (0..3, 0..4_u8).prop_map(|(partition, key)| Operation::Push { partition, key }),
        8 => Just(Operation::Take),
        6 => (0..8_usize).prop_map(Operation::Complete),
        1 => (0..8_usize).prop_map(Operation::Defer),
        3 => (0..8_usize).prop_map(Operation::Retry),
        2 => (0..8_usize).prop_map(Operation::Split),
        1 => (0..3).prop_map(Operation::Revoke),
    ];
    prop::collection::vec(one, 1..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_message_is_returned_once_and_groups_keep_their_order(
        operations in operations(),
        order in prop_oneof![Just(Order::None), Just(Order::Key), Just(Order::Partition)],
        records in 1..5_usize,
    ) {
        let (mut queue, mut now) = (queue(order, records), Instant::now());
        let (mut pushed, mut returned) = (0, Vec::new());
        let mut in_flight: Vec<Batch> = Vec::new();
        // Group → the last completed offset, since the partition was last revoked.
        let mut last: HashMap<(i32, Option<Bytes>), i64> = HashMap::new();
        for operation in operations {
            now += LINGER / 2;
            let pick = |in_flight: &mut Vec<Batch>, n: usize| {
                let at = n.checked_rem(in_flight.len())?;
                Some(in_flight.swap_remove(at))
            };
            match operation {
                Operation::Push { partition, key } => {
                    let key = if key == 0 { String::new() } else { key.to_string() };
                    if let Err(message) = queue.push(message(partition, pushed, &key), now) {
                        prop_assert!(order != Order::None);
                        returned.push(message.at.offset);
                    }
                    pushed += 1;
                }
                Operation::Take => in_flight.extend(queue.take(now, false)),
                Operation::Complete(n) => if let Some(batch) = pick(&mut in_flight, n) {
                    queue.complete(batch.group, batch.partition());
                    for message in &batch.messages {
                        let key = message.key.clone();
                        if order == Order::Partition || (order == Order::Key && key.is_some()) {
                            let group = (message.at.partition, key.filter(|_| order == Order::Key));
                            let before = last.insert(group, message.at.offset);
                            prop_assert!(before < Some(message.at.offset), "{before:?} {message:?}");
                        }
                    }
                    returned.extend(offsets(&batch));
                },
                Operation::Defer(n) => if let Some(batch) = pick(&mut in_flight, n) {
                    let behind = queue.defer(&batch);
                    prop_assert!(order != Order::None || behind.is_empty());
                    returned.extend(behind.iter().chain(&batch.messages).map(|message| message.at.offset));
                },
                Operation::Retry(n) => if let Some(batch) = pick(&mut in_flight, n)
                    && let Err(batch) = queue.retry(batch, now + LINGER, false)
                {
                    queue.defer(&batch);
                    returned.extend(offsets(&batch));
                },
                Operation::Split(n) => if let Some(batch) = pick(&mut in_flight, n) {
                    if batch.messages.len() == 1 {
                        in_flight.push(batch);
                    } else if let Err(batch) = queue.split(batch) {
                        queue.defer(&batch);
                        returned.extend(offsets(&batch));
                    }
                },
                Operation::Revoke(partition) => {
                    returned.extend(queue.revoke(partition).iter().map(|message| message.at.offset));
                    last.retain(|(of, _), _| *of != partition);
                }
            }
        }
        returned.extend(in_flight.iter().flat_map(offsets));
        returned.extend(queue.drain().iter().map(|(message, _)| message.at.offset));
        prop_assert!(queue.is_empty());
        returned.sort_unstable();
        prop_assert_eq!(returned, (0..pushed).collect::<Vec<_>>());
    }
}
