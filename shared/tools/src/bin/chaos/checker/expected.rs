//! The expected outcome of a record.

use testkit::user::User;

/// The expected outcome of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Delivered(&'static str),
    Rejected,
    Invalid,
    Skipped,
}

impl Expected {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Delivered("A") => "for A",
            Self::Delivered(_) => "for B",
            Self::Rejected => "rejected by the endpoint",
            Self::Invalid => "invalid",
            Self::Skipped => "without a route",
        }
    }
}

pub(super) fn route_of(user: &User) -> Option<&'static str> {
    match user.id {
        1010 => Some("A"),
        1020 => Some("B"),
        _ => None,
    }
}

pub(super) fn expected(value: Option<&[u8]>) -> Expected {
    let Some(value) = value else {
        return Expected::Skipped;
    };
    let Some(user) = User::decode(value) else {
        return Expected::Invalid;
    };
    match route_of(&user) {
        Some(_) if user.name.starts_with("rejected") => Expected::Rejected,
        Some(route) => Expected::Delivered(route),
        None => Expected::Skipped,
    }
}
