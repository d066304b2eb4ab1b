//! The worker of one route: it moves messages from the inbox to the queue, sends requests, and completes messages.

mod completions;
mod event_loop;
mod in_flight;
mod response;

pub(crate) use event_loop::Worker;
