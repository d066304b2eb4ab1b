use std::sync::Arc;
use std::time::Duration;

use delivery::{CircuitPhase, RouteActivity};

use super::super::snapshot::{JobName, LiveProgress, LiveRoute};
use super::*;
use crate::exit::RunOutcome;
use crate::report::RunReport;
use crate::report::html::tests::{assert_well_formed, full};
use crate::report::tests::hostile;

const START: Duration = Duration::from_secs(1_795_341_600);

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + START + Duration::from_secs(seconds)
}

fn snapshot(phase: Phase, reports: impl IntoIterator<Item = RunReport>) -> Snapshot {
    let job = JobName {
        topic: "orders".to_owned(),
        group: "frontdoor".to_owned(),
        every: Duration::from_secs(30),
        started: at(0),
    };
    let mut history = History::default();
    for (number, report) in (1..).zip(reports) {
        history = history.with(&report, at(number * 30));
    }
    Snapshot {
        job: Arc::new(job),
        phase,
        history: Arc::new(history),
    }
}

fn running(name: &str) -> Phase {
    Phase::Running(Arc::new(LiveWindow {
        run: name.to_owned(),
        started: at(60),
        progress: Some(LiveProgress {
            planned: 2_000,
            read: 500,
            partitions: vec![LivePartition {
                partition: 1,
                end: 3_300,
                committed: 2_296,
                completed: 330,
                delivered: 300,
                skipped: 20,
                dead_lettered: 1,
            }],
            routes: vec![
                LiveRoute {
                    name: name.to_owned(),
                    activity: RouteActivity {
                        circuit: CircuitPhase::HalfOpen,
                        paused_until: None,
                        requests_in_flight: 1,
                    },
                    buffered: 1_700,
                    delivered: 300,
                    deferred: Some(name.to_owned()),
                    ..LiveRoute::default()
                },
                LiveRoute {
                    name: "B".to_owned(),
                    activity: RouteActivity {
                        circuit: CircuitPhase::Open,
                        ..RouteActivity::default()
                    },
                    paused_until: Some(at(100)),
                    ..LiveRoute::default()
                },
            ],
        }),
    }))
}

#[test]
fn the_numbers_are_those_of_the_last_report() {
    let mut last = full();
    last.dead_letters.causes = [("undecodable".to_owned(), 3)].into();
    let waiting = Phase::Waiting { due: at(90) };
    let page = render(&snapshot(waiting, [last.clone(), last]), at(78), true);
    assert_well_formed(&page);
    for part in [
        "<dt>lag</dt><dd>8</dd>",
        "<dt>planned</dt><dd>2,400</dd>",
        "<dt>delivered</dt><dd>2,000</dd>",
        "The next window is due in 12 s, at <time",
        "href=\"/report?run=r1&amp;output=html\"",
        "<td class=\"number\">1,296</td>",
        "<th scope=\"row\">undecodable</th><td class=\"number\">3</td><td class=\"number\">6</td>",
        "after each of the last 2 windows, over 30 s: 8 at most",
        "<span class=\"state good\">closed</span>",
        "<caption><span>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("<progress"));
}

#[test]
fn a_window_in_progress_has_its_counts_and_the_state_of_each_route() {
    let page = render(&snapshot(running("A"), [full()]), at(75), true);
    assert_well_formed(&page);
    for part in [
        "<progress aria-labelledby=\"window\" value=\"330\" max=\"2000\">",
        "has completed 330 of 2,000 offsets in 15 s and read 500: 300 delivered, 20 skipped, 1 dead letters so far",
        "<span class=\"state warning\">half-open</span>",
        "<span class=\"state bad\">open</span></td><td><time datetime=\"2026-11-22T10:01:40Z\"",
        "<td class=\"number\">1</td><td class=\"number\">1,700</td>",
        // The lag to the end of the window, and that of the last report.
        "<td class=\"number\">1,004</td><td class=\"number\">2,296</td>",
        "<td class=\"number\">4</td><td class=\"number\">1,296</td>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn text_of_others_adds_no_markup() {
    let text = "<script>alert(1)</script>\"'></style></title>\u{202e}";
    let mut snapshot = snapshot(running(text), [hostile(), hostile()]);
    snapshot.job = Arc::new(JobName {
        topic: text.to_owned(),
        group: text.to_owned(),
        ..(*snapshot.job).clone()
    });
    let page = render(&snapshot, at(75), true);
    assert_well_formed(&page);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)"));
    assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}'));
}

#[test]
fn many_partitions_routes_and_reports_make_a_page_of_bounded_size() {
    let mut large = full();
    large.partitions = (0..5_000)
        .map(|partition| crate::report::PartitionReport {
            partition,
            lag_after: i64::from(partition),
            ..large.partitions[0].clone()
        })
        .collect();
    large.routes = vec![large.routes[0].clone(); 3_000];
    large.notes = vec!["note".to_owned(); 1_000];
    let phase = Phase::Waiting { due: at(0) };
    let reports = vec![full(); 29].into_iter().chain([large]);
    let page = render(&snapshot(phase, reports), at(75), true);
    assert_well_formed(&page);
    assert!(page.len() < 150_000, "{}", page.len());
    // The partitions with the longest lag.
    assert!(page.contains("<th scope=\"row\" class=\"number\">4999</th>"));
    assert!(!page.contains("<th scope=\"row\" class=\"number\">4899</th>"));
    assert!(
        page.contains("4,900 more partitions not shown.")
            && page.contains("10 older reports are kept.")
    );
}

#[test]
fn before_the_first_report_the_page_has_no_numbers() {
    let mut failed = full();
    failed.partitions.clear();
    failed.outcome = RunOutcome::Source;
    for (reports, part) in [
        (vec![], "No window has ended yet."),
        (vec![failed], "<dt>lag</dt><dd>unknown</dd>"),
    ] {
        let page = render(&snapshot(Phase::Starting, reports), at(0), true);
        assert_well_formed(&page);
        assert!(page.contains(part) && !page.contains("<svg"), "{page}");
    }
}

#[test]
fn the_page_needs_no_other_file_and_stops_loading_itself_on_request() {
    let snapshot = snapshot(running("A"), [full(), full()]);
    let page = render(&snapshot, at(75), true);
    for absent in [
        "<script",
        "http://www.w3.org/1999",
        "https://",
        "url(",
        "@import",
        " style=",
    ] {
        assert!(!page.contains(absent), "{absent}");
    }
    assert!(page.contains("http-equiv=\"refresh\""));
    assert!(!render(&snapshot, at(75), false).contains("http-equiv=\"refresh\""));
    let style = page.split("<style>").nth(1).unwrap();
    let style = style.split("</style>").next().unwrap();
    let expected = Policy {
        style,
        script: None,
    }
    .to_string();
    assert_eq!(policy(), expected);
}
