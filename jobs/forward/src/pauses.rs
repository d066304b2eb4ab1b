//! Pauses that outlast a run: an endpoint that requested one, or whose circuit is open, is not asked by the next run before
//! the end of the pause. They are in the group's topic record. Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use offsets::pauses::{Pause, route_key};

use crate::route_config::RouteConfig;

/// The longest pause. A later end, of another clock or a wrong value, is ignored, so that none blocks a route for longer.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The end of each route's pause; `None`: its endpoint works. An end in the past is kept for a day: the next request is a
/// probe.
pub(crate) type PauseEnds = Vec<Option<SystemTime>>;

/// The pauses of these routes in a record.
pub(crate) fn ends(recorded: &[Pause], routes: &[RouteConfig], now: SystemTime) -> PauseEnds {
    let end = |route: &RouteConfig| {
        let key = key(route);
        let mut pauses = recorded.iter().filter(|pause| pause.route == key);
        pauses.find_map(|pause| end_of(*pause, now))
    };
    routes.iter().map(end).collect()
}

/// The record of these pauses.
pub(crate) fn record(ends: &[Option<SystemTime>], routes: &[RouteConfig]) -> Vec<Pause> {
    let pauses = routes.iter().zip(ends).filter_map(|(route, end)| {
        let since = end.as_ref()?.duration_since(UNIX_EPOCH).ok()?;
        // Rounded up: the next run is not too early.
        let until = since.as_secs() + u64::from(since.subsec_nanos() > 0);
        Some(Pause {
            route: key(route),
            until: u32::try_from(until).ok()?,
        })
    });
    pauses.collect()
}

/// The end of a pause that lasts for `left` from now on.
pub(crate) fn end_after(left: Duration, now: SystemTime) -> SystemTime {
    now + left.min(LONGEST - Duration::from_secs(1))
}

fn end_of(pause: Pause, now: SystemTime) -> Option<SystemTime> {
    let end = UNIX_EPOCH + Duration::from_secs(pause.until.into());
    let distance = end
        .duration_since(now)
        .unwrap_or_else(|error| error.duration());
    (distance <= LONGEST).then_some(end)
}

fn key(route: &RouteConfig) -> u64 {
    route_key(&route.name, &route.printed_url())
}

#[cfg(test)]
mod tests {
    use settings::Settings;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn routes(url: &str) -> Vec<RouteConfig> {
        let text = format!(
            "version: 1\nroutes: [{{name: A, when: 'true', url: '{url}'}}, {{name: B, when: 'true', url: 'http://b'}}]"
        );
        RouteConfig::parse(&text, &Settings::default()).unwrap()
    }

    #[test]
    fn a_pause_is_of_one_route_with_one_endpoint() {
        let now = UNIX_EPOCH + 500_000 * HOUR;
        let end = now + HOUR;
        let recorded = record(&[Some(end), None], &routes("http://a/x"));
        assert_eq!(
            ends(&recorded, &routes("http://a/x"), now),
            [Some(end), None]
        );
        assert_eq!(
            ends(&recorded, &routes("http://a/x?key=1"), now),
            [Some(end), None]
        );
        assert_eq!(ends(&recorded, &routes("http://a/y"), now), [None, None]);
    }

    #[test]
    fn no_pause_lasts_longer_than_a_day() {
        let now = UNIX_EPOCH + 500_000 * HOUR + Duration::from_millis(1);
        let routes = routes("http://a");
        let known = |end| ends(&record(&[Some(end), None], &routes), &routes, now)[0];
        assert_eq!(known(now + 25 * HOUR), None);
        assert_eq!(known(now - 25 * HOUR), None);
        assert!(known(now - HOUR).is_some());
        let longest = known(end_after(1000 * HOUR, now)).unwrap();
        assert!(longest > now + 23 * HOUR && longest <= now + 24 * HOUR);
    }
}
