//! What the embedded broker needs of librdkafka's mock cluster and its Rust binding does not wrap.
#![allow(unsafe_code)]

use rdkafka::producer::{BaseProducer, Producer};
use rdkafka_sys as sys;

/// Runs `start` with all signals blocked in this thread, and so in every thread that `start` makes.
///
/// librdkafka does so for its own threads, but makes the mock's before. There a signal, such as the one for the end of
/// a child process, breaks the wait for requests off, and the mock is gone for good: its clients wait for ever.
pub(super) fn deaf_to_signals<T>(start: impl FnOnce() -> T) -> T {
    // SAFETY: both sets are ours and live through the calls; a set of zeros is as good as any to be filled.
    let before = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before = all;
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        before
    };
    let started = start();
    // SAFETY: as above; the old set was written by the call before.
    unsafe {
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
    }
    started
}

/// The first member of a group joins at once, where the mock (as Kafka itself) would wait three seconds for others.
pub(super) fn join_at_once(host: &BaseProducer) {
    if let Some(cluster) = cluster(host) {
        // SAFETY: the handle lives as long as `host`, which the caller holds.
        unsafe { sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0) };
    }
}

/// Whether the cluster remembers which requests it gets.
pub(super) fn track_requests(host: &BaseProducer, on: bool) {
    if let Some(cluster) = cluster(host) {
        // SAFETY: as above.
        unsafe {
            if on {
                sys::rd_kafka_mock_start_request_tracking(cluster);
            } else {
                sys::rd_kafka_mock_stop_request_tracking(cluster);
            }
        }
    }
}

/// How many of the requests that it remembers are Fetch requests.
pub(super) fn fetches(host: &BaseProducer) -> usize {
    let Some(cluster) = cluster(host) else {
        return 0;
    };
    // SAFETY: as above; the cluster hands out an array of its own copies, which is read here and given back once.
    unsafe {
        let mut count = 0;
        let requests = sys::rd_kafka_mock_get_requests(cluster, &raw mut count);
        if requests.is_null() {
            return 0;
        }
        let fetches = std::slice::from_raw_parts(requests, count)
            .iter()
            .filter(|request| {
                sys::rd_kafka_mock_request_api_key(**request) == sys::RDKafkaApiKey::Fetch as i16
            })
            .count();
        sys::rd_kafka_mock_request_destroy_array(requests, count);
        fetches
    }
}

fn cluster(host: &BaseProducer) -> Option<*mut sys::rd_kafka_mock_cluster_t> {
    // SAFETY: the producer's handle is alive.
    let cluster = unsafe { sys::rd_kafka_handle_mock_cluster(host.client().native_ptr()) };
    (!cluster.is_null()).then_some(cluster)
}
