//! Measures delivery to one endpoint.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use bytes::Bytes;
use delivery::{Completion, Delivery, DeliveryConfig, DeliveryOutcome, EndpointConfig, Limits};
use record::{Coordinates, Message, StreamId};

/// The number of connections, and of requests in flight.
pub(crate) const CONNECTIONS: usize = 64;
/// The schema of the records.
pub(crate) const SCHEMA: &str = r#"{"type":"record","name":"User","fields":[{"name":"id","type":"int"},{"name":"name","type":"string"},{"name":"email","type":"string"}]}"#;
/// Each record.
pub(crate) const DATUM: &[u8] = b"\xe4\x0f\x2cAda Lovelace, Countess\x20ada@example.test";

/// Records a second, and the CPU time of the HTTP thread for each, in microseconds.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) rate: f64,
    pub(crate) cpu: f64,
}

impl Measured {
    pub(crate) const NONE: Self = Self {
        rate: 0.0,
        cpu: f64::NAN,
    };

    /// Keeps the better of each figure. On a busy machine the CPU time varies less.
    pub(crate) fn improve(&mut self, other: &Self) {
        self.rate = self.rate.max(other.rate);
        self.cpu = self.cpu.min(other.cpu);
    }
}

/// The CPU time of this process's thread with that name, in nanoseconds, on Linux.
pub(crate) fn cpu_of(name: &str) -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let named = |path: &std::path::Path| {
        let comm = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        comm.trim() == name
    };
    let spent = |path: &std::path::Path| {
        let schedstat = std::fs::read_to_string(path.join("schedstat")).ok()?;
        schedstat.split(' ').next()?.parse::<f64>().ok()
    };
    let mut paths = tasks.map(|task| task.path()).filter(|path| named(path));
    paths.find_map(|path| spent(&path)).unwrap_or(f64::NAN)
}

/// Delivers that many records to the endpoint; also the nanoseconds of an accepted offer.
pub(crate) fn deliver(endpoint: EndpointConfig, records: usize) -> (Measured, f64) {
    let limits = Limits {
        max_in_flight: CONNECTIONS,
        queue_messages: if endpoint.batch_records > 1 {
            100_000
        } else {
            10_000
        },
        ..Limits::default()
    };
    let config = DeliveryConfig {
        endpoints: vec![EndpointConfig { limits, ..endpoint }],
        queue_bytes: 64 << 20,
        stream: StreamId {
            cluster: "lkc-0123456789abcdef0123".into(),
            topic: "FrontDoorTopic".into(),
        },
        seed: 1,
        observer: None,
    };
    let (sender, completions) = channel();
    let start = Instant::now();
    let delivery = Delivery::start(config, sender).expect("starts");
    let topic: Arc<str> = "FrontDoorTopic".into();
    let payload = Bytes::copy_from_slice(DATUM);
    let (mut delivered, mut offer_time, mut timed) = (0, Duration::ZERO, 0_u32);
    let mut count = |group: Vec<Completion>| {
        delivered += group.len();
        assert!(group.iter().all(is_delivered));
    };
    for offset in 0..records {
        let mut message = Message {
            at: Coordinates {
                topic: Arc::clone(&topic),
                // As in a fetch: a few thousand records of a partition, then of the next.
                partition: (offset / 5000 % 4) as i32,
                offset: offset as i64,
            },
            key: None,
            value: Some(payload.clone()),
            payload: None,
            origin: None,
            headers: Vec::new(),
            timestamp: Some(1_795_335_209_000 + offset as i64),
            client_key: None,
        };
        if offset.is_multiple_of(16) {
            let before = Instant::now();
            match delivery.offer(0, message) {
                Ok(()) => {
                    offer_time += before.elapsed();
                    timed += 1;
                    continue;
                }
                Err(back) => message = back,
            }
        }
        while let Err(back) = delivery.offer(0, message) {
            message = back;
            if let Ok(group) = completions.recv_timeout(Duration::from_millis(1)) {
                count(group);
            }
        }
        if offset.is_multiple_of(64) {
            completions.try_iter().for_each(&mut count);
        }
    }
    delivery.flush();
    while delivered < records {
        let group = completions.recv().expect("delivery runs");
        delivered += group.len();
        assert!(group.iter().all(is_delivered));
    }
    let measured = Measured {
        rate: records as f64 / start.elapsed().as_secs_f64(),
        cpu: cpu_of("delivery") / 1000.0 / records as f64,
    };
    (measured, offer_time.as_nanos() as f64 / f64::from(timed))
}

fn is_delivered(completion: &Completion) -> bool {
    matches!(completion.outcome, DeliveryOutcome::Delivered(_))
}
