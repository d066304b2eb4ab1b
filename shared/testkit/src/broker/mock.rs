//! Functions of librdkafka's mock cluster that the crate `rdkafka` does not wrap.
#![allow(unsafe_code)]

use std::time::Duration;

use rdkafka::producer::{BaseProducer, Producer};
use rdkafka_sys as sys;

/// Runs `start` with all signals blocked in this thread and in every thread that `start` creates.
///
/// librdkafka blocks signals for its other threads, but creates the thread of the mock cluster before that. In that
/// thread a signal, for example SIGCHLD, ends the loop that serves requests, and clients wait without end.
pub(super) fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    // SAFETY: both sets are local and outlive the calls; zeros are a valid `sigset_t`.
    let before = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before = all;
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        before
    };
    let started = start();
    // SAFETY: as above; the first call has written `before`.
    unsafe {
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
    }
    started
}

/// Sets `group.initial.rebalance.delay.ms` to 0: the default of mock and Kafka is three seconds.
pub(super) fn disable_rebalance_delay(host: &BaseProducer) {
    if let Some(cluster) = cluster(host) {
        // SAFETY: the cluster lives as long as `host`.
        unsafe { sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0) };
    }
}

/// Delays the response to the next Produce request.
pub(super) fn delay_produce(host: &BaseProducer, delay: Duration) {
    if let Some(cluster) = cluster(host) {
        let milliseconds = i32::try_from(delay.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: as above. One response needs one error code and one delay, both of C's type int.
        unsafe {
            sys::rd_kafka_mock_broker_push_request_error_rtts(
                cluster,
                1,
                sys::RDKafkaApiKey::Produce as i16,
                1,
                0_i32,
                milliseconds,
            );
        }
    }
}

/// Starts or stops the recording of requests.
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

/// The number of recorded Fetch requests.
pub(super) fn fetches(host: &BaseProducer) -> usize {
    let Some(cluster) = cluster(host) else {
        return 0;
    };
    // SAFETY: as above; the call returns an array of copies, which is destroyed once, after the last read.
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
