//! Who may go, and in which order, move by move.

use super::*;
use bytes::Bytes;
use proptest::prelude::*;
use record::Coordinates;

const LINGER: Duration = Duration::from_millis(5);

fn queue(order: Order, batch: usize) -> Queue {
    Queue::new(Shape {
        order,
        batch,
        batch_bytes: 10_000,
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
        headers: Vec::new(),
        timestamp: None,
        client_key: None,
    }
}

fn offsets(job: &Job) -> Vec<i64> {
    job.messages
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
fn without_order_nobody_waits_for_anybody() {
    let (mut queue, now) = (queue(Order::None, 1), Instant::now());
    for offset in 0..3 {
        queue.push(message(0, offset, "k"), now).expect("taken");
    }
    let first = queue.take(now, false).expect("a job");
    assert_eq!(offsets(&first), [0]);
    queue.again(first, now + LINGER, false).expect("taken");
    assert_eq!(offsets(&queue.take(now, false).expect("a job")), [1]);
    assert_eq!(offsets(&queue.take(now, false).expect("a job")), [2]);
    assert!(queue.take(now, false).is_none());
    assert_eq!(queue.next(), Some(now + LINGER));
    assert_eq!(offsets(&queue.take(now + LINGER, false).expect("due")), [0]);
    assert!(queue.is_empty());
}

#[test]
fn a_key_has_one_job_out_and_keeps_its_order_through_retries() {
    let (mut queue, now) = (queue(Order::Key, 1), Instant::now());
    for (offset, key) in ["a", "a", "b", "", "a", ""].iter().enumerate() {
        queue
            .push(message(0, offset as i64, key), now)
            .expect("taken");
    }
    let jobs: Vec<Job> = std::iter::from_fn(|| queue.take(now, false)).collect();
    assert_eq!(
        jobs.iter().flat_map(offsets).collect::<Vec<_>>(),
        [0, 2, 3, 5]
    );
    let a = jobs.into_iter().next().expect("a job");
    queue.again(a, now + LINGER, false).expect("taken");
    assert!(queue.take(now, false).is_none());
    let again = queue.take(now + LINGER, false).expect("due");
    assert_eq!(offsets(&again), [0]);
    queue.settled(again.line, 0);
    let next = queue.take(now, false).expect("its turn");
    assert_eq!(offsets(&next), [1]);
    queue.settled(next.line, 0);
    assert_eq!(offsets(&queue.take(now, false).expect("its turn")), [4]);
}

#[test]
fn who_comes_after_a_message_that_was_left_is_left_too() {
    for order in [Order::Key, Order::Partition] {
        let (mut queue, now) = (queue(order, 1), Instant::now());
        for offset in 0..3 {
            queue.push(message(0, offset, "a"), now).expect("taken");
        }
        queue.push(message(1, 9, "a"), now).expect("taken");
        let first = queue.take(now, false).expect("a job");
        assert_eq!(all(&queue.left(&first)), [1, 2]);
        assert!(queue.push(message(0, 3, "a"), now).is_err());
        let another = queue.push(message(0, 4, "b"), now);
        assert_eq!(another.is_ok(), order == Order::Key);
        assert_eq!(offsets(&queue.take(now, false).expect("a job")), [9]);
    }
}

#[test]
fn a_job_holds_one_partition_in_offset_order_and_waits_a_moment_to_be_full() {
    let (mut queue, now) = (queue(Order::None, 3), Instant::now());
    for offset in 0..4 {
        queue.push(message(0, offset, ""), now).expect("taken");
        queue.push(message(1, offset + 10, ""), now).expect("taken");
    }
    assert_eq!(offsets(&queue.take(now, false).expect("full")), [0, 1, 2]);
    assert_eq!(
        offsets(&queue.take(now, false).expect("full")),
        [10, 11, 12]
    );
    assert!(queue.take(now, false).is_none());
    assert_eq!(queue.next(), Some(now + LINGER));
    assert_eq!(offsets(&queue.take(now, true).expect("hurry")), [3]);
    assert_eq!(
        offsets(&queue.take(now + LINGER, false).expect("lingered")),
        [13]
    );
    assert_eq!(queue.next(), None);
}

#[test]
fn a_job_is_bounded_in_bytes_but_one_message_always_goes() {
    let (mut queue, now) = (queue(Order::None, 100), Instant::now());
    for (offset, size) in [(0, 4000), (1, 4000), (2, 4000), (3, 20_000), (4, 1)] {
        let mut message = message(0, offset, "");
        message.value = Some(Bytes::from(vec![0; size]));
        queue.push(message, now).expect("taken");
    }
    let jobs: Vec<Vec<i64>> = std::iter::from_fn(|| queue.take(now, true))
        .map(|job| offsets(&job))
        .collect();
    assert_eq!(jobs, [vec![0, 1], vec![2], vec![3], vec![4]]);
}

#[test]
fn halves_go_in_turn_where_order_is_kept() {
    let (mut queue, now) = (queue(Order::Partition, 8), Instant::now());
    for offset in 0..10 {
        queue.push(message(0, offset, ""), now).expect("taken");
    }
    let mut seen = Vec::new();
    let mut job = queue.take(now, true).expect("a job");
    // 5 is refused: every request with it is split until it is alone.
    loop {
        if job.messages.len() > 1 && offsets(&job).contains(&5) {
            queue.split(job).expect("current");
        } else {
            seen.extend(offsets(&job));
            queue.settled(job.line, 0);
        }
        let Some(next) = queue.take(now, true) else {
            break;
        };
        assert!(
            queue.take(now, true).is_none(),
            "one job of a partition at a time"
        );
        job = next;
    }
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
}

#[test]
fn halves_keep_the_number_of_failures() {
    let (mut queue, now) = (queue(Order::None, 8), Instant::now());
    for offset in 0..5 {
        queue.push(message(0, offset, ""), now).expect("taken");
    }
    let mut job = queue.take(now, true).expect("a job");
    (job.failures, job.requests) = (2, 3);
    queue.split(job).expect("current");
    for expected in [vec![0, 1], vec![2, 3, 4]] {
        let half = queue.take(now, false).expect("a half");
        assert_eq!(
            (offsets(&half), half.failures, half.requests),
            (expected, 2, 3)
        );
    }
}

#[test]
fn a_recalled_partition_hands_everything_back_and_starts_afresh() {
    for (order, batch) in [
        (Order::None, 1),
        (Order::Key, 1),
        (Order::Partition, 1),
        (Order::None, 2),
        (Order::Key, 2),
    ] {
        let (mut queue, now) = (queue(order, batch), Instant::now());
        for offset in 0..12 {
            queue.push(message(0, offset, "a"), now).expect("taken");
            queue
                .push(message(1, offset + 100, "a"), now)
                .expect("taken");
        }
        let mut out = Vec::new();
        while let Some(job) = queue.take(now, true) {
            if job.partition() == 0 {
                out.push(job);
                break;
            }
        }
        let job = out.pop().expect("a job of partition 0");
        let count = job.messages.len();
        assert_eq!(queue.recall(0).len(), 12 - count, "{order:?} {batch}");
        let job = queue
            .again(job, now, false)
            .expect_err("of an earlier time");
        assert!(queue.left(&job).is_empty());
        // The partition comes back, from the beginning.
        queue
            .push(message(0, 0, "a"), now)
            .expect("nothing is left of before");
        let mut again = std::iter::from_fn(|| queue.take(now, true));
        assert!(again.any(|job| job.partition() == 0), "{order:?} {batch}");
    }
}

#[test]
fn a_probe_does_not_wait_for_a_backoff_but_for_the_endpoints_own_time() {
    let (mut queue, now) = (queue(Order::None, 1), Instant::now());
    for hinted in [false, true] {
        queue.push(message(0, 1, ""), now).expect("taken");
        let job = queue.take(now, false).expect("a job");
        queue.again(job, now + LINGER, hinted).expect("taken");
        assert_eq!(queue.take_probe(now).is_some(), !hinted);
    }
    assert!(queue.take_probe(now + LINGER).is_some());
}

/// One move of whoever works on a queue.
#[derive(Clone, Debug)]
enum Move {
    Push { partition: i32, key: u8 },
    Take,
    Settle(usize),
    Leave(usize),
    Again(usize),
    Split(usize),
    Recall(i32),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        8 => (0..3, 0..4_u8).prop_map(|(partition, key)| Move::Push { partition, key }),
        8 => Just(Move::Take),
        6 => (0..8_usize).prop_map(Move::Settle),
        1 => (0..8_usize).prop_map(Move::Leave),
        3 => (0..8_usize).prop_map(Move::Again),
        2 => (0..8_usize).prop_map(Move::Split),
        1 => (0..3).prop_map(Move::Recall),
    ];
    prop::collection::vec(one, 1..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_is_done_every_message_comes_back_once_and_lines_keep_their_order(
        moves in moves(),
        order in prop_oneof![Just(Order::None), Just(Order::Key), Just(Order::Partition)],
        batch in 1..5_usize,
    ) {
        let (mut queue, mut now) = (queue(order, batch), Instant::now());
        let (mut pushed, mut back) = (0, Vec::new());
        let mut out: Vec<Job> = Vec::new();
        // Line → the last offset that was settled, since the partition was last recalled.
        let mut last: HashMap<(i32, Option<Bytes>), i64> = HashMap::new();
        for one in moves {
            now += LINGER / 2;
            let pick = |out: &mut Vec<Job>, n: usize| {
                let at = n.checked_rem(out.len())?;
                Some(out.swap_remove(at))
            };
            match one {
                Move::Push { partition, key } => {
                    let key = if key == 0 { String::new() } else { key.to_string() };
                    if let Err(message) = queue.push(message(partition, pushed, &key), now) {
                        prop_assert!(order != Order::None);
                        back.push(message.at.offset);
                    }
                    pushed += 1;
                }
                Move::Take => out.extend(queue.take(now, false)),
                Move::Settle(n) => if let Some(job) = pick(&mut out, n) {
                    queue.settled(job.line, job.partition());
                    for message in &job.messages {
                        let key = message.key.clone();
                        if order == Order::Partition || (order == Order::Key && key.is_some()) {
                            let line = (message.at.partition, key.filter(|_| order == Order::Key));
                            let before = last.insert(line, message.at.offset);
                            prop_assert!(before < Some(message.at.offset), "{before:?} {message:?}");
                        }
                    }
                    back.extend(offsets(&job));
                },
                Move::Leave(n) => if let Some(job) = pick(&mut out, n) {
                    let behind = queue.left(&job);
                    prop_assert!(order != Order::None || behind.is_empty());
                    back.extend(behind.iter().chain(&job.messages).map(|message| message.at.offset));
                },
                Move::Again(n) => if let Some(job) = pick(&mut out, n)
                    && let Err(job) = queue.again(job, now + LINGER, false)
                {
                    queue.left(&job);
                    back.extend(offsets(&job));
                },
                Move::Split(n) => if let Some(job) = pick(&mut out, n) {
                    if job.messages.len() == 1 {
                        out.push(job);
                    } else if let Err(job) = queue.split(job) {
                        queue.left(&job);
                        back.extend(offsets(&job));
                    }
                },
                Move::Recall(partition) => {
                    back.extend(queue.recall(partition).iter().map(|message| message.at.offset));
                    last.retain(|(of, _), _| *of != partition);
                }
            }
        }
        back.extend(out.iter().flat_map(offsets));
        back.extend(queue.drain().iter().map(|message| message.at.offset));
        prop_assert!(queue.is_empty());
        back.sort_unstable();
        prop_assert_eq!(back, (0..pushed).collect::<Vec<_>>());
    }
}
