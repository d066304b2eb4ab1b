//! Why a cluster cannot be used: the most specific of what probes and client report. Pure.

use super::fault::{Fault, of_sasl};
use super::probes::Diagnosis;
use crate::connection_errors::ConnectionError;
use crate::error_codes::{UNREACHABLE, remedy};

/// The name of the cause, and the remedy, if bootstrap servers answer and brokers cannot be reached.
const ADVERTISED: (&str, &str) = (
    "advertised_address",
    "make the brokers' advertised.listeners reachable from this machine (name servers, routes, firewalls); for a bastion, \
     port-forward or private endpoint each broker needs a listener that advertises the forwarded address",
);

/// Why a cluster cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The name of the cause in the report of `forward check`; `None` if it is unknown.
    pub cause: Option<&'static str>,
    /// One sentence.
    pub reason: String,
    /// What to do.
    pub remedy: &'static str,
}

impl Explanation {
    fn of(fault: &Fault, reason: String) -> Self {
        Self {
            cause: Some(fault.name()),
            reason,
            remedy: fault.remedy(),
        }
    }
}

/// Why a client that has the brokers' addresses cannot use them; `None` if all of them can be used.
pub(crate) fn explain_brokers(diagnosis: &mut Diagnosis) -> Option<Explanation> {
    let faults = diagnosis.faults();
    let fault = main_fault(&faults)?;
    let (cause, remedy) = match fault.is_about_the_address() {
        true => ADVERTISED,
        false => (fault.name(), fault.remedy()),
    };
    let faults = faults
        .iter()
        .map(|(label, fault)| format!("{label}: {fault}"));
    let faults = faults.collect::<Vec<_>>().join("; ");
    Some(Explanation {
        cause: Some(cause),
        reason: format!("a bootstrap server answers, but {faults}"),
        remedy,
    })
}

/// The most specific explanation: what a broker answered to the authentication, then what the probes found, then
/// librdkafka's text.
pub(super) fn explain(
    last: Option<ConnectionError>,
    bootstrap: &mut Diagnosis,
    brokers: &mut Diagnosis,
    bootstrap_servers: &str,
) -> Option<Explanation> {
    if let Some(fault) = last.as_ref().and_then(|error| of_sasl(&error.reason)) {
        return Some(Explanation::of(&fault, fault.to_string()));
    }
    // First: if the brokers' addresses are known, a bootstrap server has answered.
    if let Some(explanation) = explain_brokers(brokers) {
        return Some(explanation);
    }
    let faults = bootstrap.faults();
    if let Some(fault) = main_fault(&faults) {
        let of_server = |(label, fault): &(&str, &Fault)| match *label == bootstrap_servers {
            true => fault.to_string(),
            false => format!("{label}: {fault}"),
        };
        let reasons: Vec<_> = faults.iter().map(of_server).collect();
        return Some(Explanation::of(fault, reasons.join("; ")));
    }
    let ConnectionError { code, reason } = last?;
    Some(Explanation {
        cause: None,
        reason,
        remedy: remedy(code).unwrap_or(UNREACHABLE),
    })
}

/// The fault whose remedy is given: a permanent one, because the other servers may start later.
fn main_fault<'a>(faults: &[(&str, &'a Fault)]) -> Option<&'a Fault> {
    let mut permanent = faults.iter().filter(|(_, fault)| fault.is_permanent());
    permanent.next().or(faults.first()).map(|(_, fault)| *fault)
}
