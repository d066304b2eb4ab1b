//! A record on its way through the pipeline.

use offsets::progress::Class;
use record::Message;

use super::partition::Visit;
use super::shutdown::StopReason;
use crate::dead_letter::Cause;

/// A record whose route is decided and that is not handed on yet. While its route is full, it is parked.
#[derive(Debug)]
pub(super) struct RoutedRecord {
    /// Its route, or the class of dead letters without a route.
    pub(super) class: Class,
    pub(super) visit: Visit,
    pub(super) message: Message,
    /// Why it is a dead letter; `None`: it is delivered.
    pub(super) dead_letter: Option<(Cause, String)>,
}

/// What became of a record that was handed on.
pub(super) enum Placement {
    /// It is in flight; its completion follows.
    InFlight,
    /// It stays for the next run.
    Deferred,
    /// Its route is skipped for the rest of the scan.
    RouteSkipped,
    /// There is no room for it at the moment.
    Full(Box<RoutedRecord>),
    /// It was not handed on: the run stops.
    Stopped(StopReason),
}
