//! `forward`: reads one bounded window of a topic, delivers each record to the endpoint of its route, and exits.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result};
use forward::check;
use forward::cli::{self, Action, CheckOptions, Flags, Output, RunOptions, TestOptions};
use forward::completions;
use forward::config::Config;
use forward::dead_letters::{
    self, LettersCommand, LettersError, LettersOptions, LettersOutcome, Replay, ReplayOptions,
};
use forward::exit::RunOutcome;
use forward::explain::{self, ExplainOptions, ExplainOutcome};
use forward::init::{self, InitOptions, InitOutcome};
use forward::job::Job;
use forward::man_pages;
use forward::report::text::wants_colour;
use forward::reset::{self, ResetOptions};
use forward::route_config::RouteConfig;
use forward::route_test::{self, RouteTester, TestOutcome};
use forward::run::Run;
use forward::run_report::{self, ReportOptions, ReportOutcome};
use forward::schedule;
use forward::settings::GROUPS;
use forward::status::{self, StatusOptions, StatusOutcome};
use forward::window_plan::{self, AppliedPlan, PlanOptions};
use http_proxy::Proxies;
use kafka::tls::ClientTls;
use runtime::console;
use settings::telemetry;
use settings::{
    Inspection, LiveSettings, Location, Settings, environment, misspelled, warn_misspelled,
};
use tokio::signal::unix::{SignalKind, signal};

static SHUTDOWN: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    kafka::tls::initialize();
    let (action, flags) = match cli::parse(std::env::args_os()) {
        Ok(parsed) => parsed,
        Err(code) => return ExitCode::from(code),
    };
    let outcome = match action {
        Action::Run(options) => run(&options, &flags),
        Action::Check(options) => check(options, &flags),
        Action::Test(options) => return test(&options, &flags),
        Action::Plan(options) => return plan(&options, &flags),
        Action::Explain(options) => return explain(&options, &flags),
        Action::Status(options) => return status(&options, &flags),
        Action::Reset(options) => return reset(&options, &flags),
        Action::DeadLetters(options) => return dead_letters(&options, &flags),
        Action::Report(options) => return report(&options, &flags),
        Action::Init(options) => return init(&options),
        Action::ReplayDeadLetters(options) => replay(&options, &flags),
        Action::Settings { markdown: true } => print(cli::markdown().as_bytes()),
        Action::Settings { markdown: false } => {
            gather(&flags).and_then(|settings| print(cli::listing(&settings).as_bytes()))
        }
        Action::KafkaSettings => gather(&flags).and_then(|settings| {
            // The routes' timeouts decide about one property. Without routes, that of the settings does.
            let routes = RouteConfig::all_from(&settings).unwrap_or_default();
            let listing = Config::from_settings(&settings)?.kafka_listing(&routes)?;
            print(listing.as_bytes())
        }),
        Action::ManPages(directory) => return man_pages(&directory),
        Action::Completions(shell) => print(&completions::script(shell, cli::command())),
    };
    match outcome {
        Ok(outcome) => ExitCode::from(outcome.code()),
        Err(error) => {
            console::say(format_args!("forward: {error:#}"));
            ExitCode::from(RunOutcome::Configuration.code())
        }
    }
}

/// Loads the configuration, then runs windows. Errors here are configuration errors; a run reports its own.
fn run(options: &RunOptions, flags: &Flags) -> Result<RunOutcome> {
    let environment = environment()?;
    telemetry::start(&Settings::without_files(&GROUPS, flags, environment))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let live = runtime.block_on(LiveSettings::gather(&GROUPS, flags, environment))?;
    telemetry::start(&live.current())?;
    warn_misspelled(&GROUPS);
    let proxies = Proxies::from_environment(environment)?;
    let mut loaded = Job::load(&live.current())?;
    let plan = options.plan.as_ref();
    let plan = plan.map(|file| AppliedPlan::load(file, &mut loaded.config));
    let plan = plan.transpose()?;
    let is_object = matches!(options.report, Some(Location::Object(_)));
    let mut oracle_cloud = None;
    handle_signals()?;
    let mut next = Instant::now();
    loop {
        if is_object {
            oracle_cloud = Some(live.current().oracle_cloud()?);
        }
        let run = Run {
            config: &loaded.config,
            plan: plan.as_ref(),
            routes: &loaded.routes,
            route_configs: &loaded.route_configs,
            proxies: &proxies,
            schemas: &loaded.sources.schemas,
            registry: loaded.sources.registry.as_ref(),
            letters: None,
            oracle_cloud: oracle_cloud.as_ref(),
            dry_run: options.dry_run,
            shutdown: &SHUTDOWN,
        };
        let mut newer = None;
        let ended = schedule::run(&run, options, &mut next, |outcome| {
            newer = runtime.block_on(reload(&live, &loaded.config, outcome));
            newer.is_some()
        });
        match (ended, newer) {
            (Some(outcome), _) => return Ok(outcome),
            (None, Some(newer)) => loaded = newer,
            (None, None) => {}
        }
    }
}

/// Reloads the settings when that is due, and at once after a window in which the broker or an endpoint rejected
/// requests: a password may have been changed. Invalid settings are logged, and the current ones stay.
async fn reload(live: &LiveSettings, config: &Config, last: RunOutcome) -> Option<Job> {
    let is_changed = match last {
        RunOutcome::Source | RunOutcome::Endpoint | RunOutcome::Partial => {
            live.refresh(Instant::now()).await
        }
        _ => live.refresh_if_due(Instant::now()).await,
    };
    let has_new_tls = || {
        let tls = ClientTls::from_settings(&live.current());
        tls.is_ok_and(|tls| tls != config.kafka.tls)
    };
    if !is_changed && !has_new_tls() {
        return None;
    }
    match Job::load(&live.current()) {
        Ok(loaded) => Some(loaded),
        Err(error) => {
            tracing::warn!(
                error = format!("{error:#}"),
                "the reloaded settings are invalid; keeping the current ones"
            );
            None
        }
    }
}

/// Checks once everything that a run needs.
fn check(options: CheckOptions, flags: &Flags) -> Result<RunOutcome> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let misspelled = misspelled(&GROUPS);
    let check = check::check(flags, environment()?, &misspelled, options.offline);
    let report = runtime.block_on(check);
    print(
        match options.output {
            Output::Json => report.json(),
            Output::Text => report.text(),
        }
        .as_bytes(),
    )?;
    Ok(report.outcome())
}

/// Tests the samples of a file or of standard input.
fn test(options: &TestOptions, flags: &Flags) -> ExitCode {
    let fail = |error: anyhow::Error, outcome: TestOutcome| {
        console::say(format_args!("forward: {error:#}"));
        outcome
    };
    let outcome = match tester(flags) {
        Ok(tester) => {
            let tested = samples(&options.records).and_then(|input| {
                let print = |text: &[u8]| console::print(text).map(drop);
                Ok(route_test::run(
                    &tester,
                    input,
                    options.output == Output::Json,
                    print,
                )?)
            });
            tested.unwrap_or_else(|error| {
                let name = format!("testing the samples of {}", options.records.display());
                fail(error.context(name), TestOutcome::Unreadable)
            })
        }
        Err(error) => fail(error, TestOutcome::Configuration),
    };
    ExitCode::from(outcome.code())
}

/// Prints the plan of the window.
fn plan(options: &PlanOptions, flags: &Flags) -> ExitCode {
    show(flags, |job| {
        let plan = window_plan::plan(job, options, SystemTime::now()).map_err(|error| {
            let code = error.outcome().code();
            (error.into(), code)
        })?;
        let text = match options.output {
            Output::Json => plan.json(),
            Output::Text => window_plan::render(&plan),
        };
        Ok((text, plan.outcome().code()))
    })
}

/// Moves the commits of the group, or shows what that does.
fn reset(options: &ResetOptions, flags: &Flags) -> ExitCode {
    show(flags, |job| {
        let report = reset::reset(job, options, SystemTime::now()).map_err(|error| {
            let code = error.outcome().code();
            (error.into(), code)
        })?;
        let text = match options.output {
            Output::Json => report.json(),
            Output::Text => reset::render(&report),
        };
        Ok((text, report.outcome().code()))
    })
}

/// Prints the text of a command. Text and error come with the exit code.
fn show(
    flags: &Flags,
    command: impl FnOnce(&Job) -> Result<(String, u8), (anyhow::Error, u8)>,
) -> ExitCode {
    let with = |outcome: RunOutcome| move |error| (error, outcome.code());
    let shown = gather(flags)
        .and_then(|settings| Job::load(&settings))
        .map_err(with(RunOutcome::Configuration))
        .and_then(|job| command(&job))
        .and_then(|(text, code)| {
            print(text.as_bytes()).map_err(with(RunOutcome::Source))?;
            Ok(code)
        });
    ExitCode::from(shown.unwrap_or_else(|(error, code)| {
        console::say(format_args!("forward: {error:#}"));
        code
    }))
}

/// Explains records.
fn explain(options: &ExplainOptions, flags: &Flags) -> ExitCode {
    let fail = |error: anyhow::Error, outcome: ExplainOutcome| {
        console::say(format_args!("forward: {error:#}"));
        outcome
    };
    let outcome = match gather(flags).and_then(|settings| Job::load(&settings)) {
        Err(error) => fail(error, ExplainOutcome::Configuration),
        Ok(job) => match explain::explain(&job, options, SystemTime::now()) {
            Err(error) => {
                let outcome = error.outcome();
                fail(error.into(), outcome)
            }
            Ok(report) => {
                let text = match options.output {
                    Output::Json => report.json(),
                    Output::Text => explain::render(&report),
                };
                match print(text.as_bytes()) {
                    Ok(_) => report.outcome(),
                    Err(error) => fail(error, ExplainOutcome::Source),
                }
            }
        },
    };
    ExitCode::from(outcome.code())
}

/// Shows the status of the group.
fn status(options: &StatusOptions, flags: &Flags) -> ExitCode {
    let fail = |error: anyhow::Error, outcome: StatusOutcome| {
        console::say(format_args!("forward: {error:#}"));
        outcome
    };
    let outcome = match gather(flags).and_then(|settings| Job::load(&settings)) {
        Err(error) => fail(error, StatusOutcome::Configuration),
        Ok(job) => match status::status(&job, options, SystemTime::now()) {
            Err(error) => {
                let outcome = error.outcome();
                fail(error.into(), outcome)
            }
            Ok(report) => {
                let stdout = io::stdout();
                let has_colour = wants_colour(&stdout, |name| std::env::var(name).ok());
                let text = match options.output {
                    Output::Json => report.json(),
                    Output::Text => status::render(&report, stdout.is_terminal(), has_colour),
                };
                match print(text.as_bytes()) {
                    Ok(_) => report.outcome(),
                    Err(error) => fail(error, StatusOutcome::Source),
                }
            }
        },
    };
    ExitCode::from(outcome.code())
}

/// Renders the report of a run.
fn report(options: &ReportOptions, flags: &Flags) -> ExitCode {
    let fail = |error: anyhow::Error, outcome: ReportOutcome| {
        console::say(format_args!("forward: {error:#}"));
        outcome
    };
    let outcome = match options.source.read(|| gather(flags), options.timeout) {
        Err(error) => {
            let outcome = error.outcome();
            fail(error.into(), outcome)
        }
        Ok(report) => {
            let has_colour = wants_colour(&io::stdout(), |name| std::env::var(name).ok());
            let text = run_report::render(&report, options.form, has_colour);
            match print(text.as_bytes()) {
                Ok(_) => ReportOutcome::Rendered,
                Err(error) => fail(error, ReportOutcome::Unreadable),
            }
        }
    };
    ExitCode::from(outcome.code())
}

/// Writes the manual pages.
fn man_pages(directory: &Path) -> ExitCode {
    match man_pages::write(cli::command(), directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::say(format_args!(
                "forward: writing the manual pages to {}: {error}",
                directory.display()
            ));
            ExitCode::from(RunOutcome::Source.code())
        }
    }
}

/// Writes settings and routes for a schema.
fn init(options: &InitOptions) -> ExitCode {
    let outcome = match init::init(options) {
        Ok(next) => match print(next.as_bytes()) {
            Ok(_) => InitOutcome::Written,
            Err(_) => InitOutcome::Failed,
        },
        Err(error) => {
            console::say(format_args!("forward: {error}"));
            error.outcome()
        }
    };
    ExitCode::from(outcome.code())
}

/// Delivers the records of dead letters.
fn replay(options: &ReplayOptions, flags: &Flags) -> Result<RunOutcome> {
    let environment = environment()?;
    let settings = gather(flags)?;
    telemetry::start(&settings)?;
    warn_misspelled(&GROUPS);
    let job = Job::load(&settings)?;
    handle_signals()?;
    let oracle_cloud = match options.run.report {
        Some(Location::Object(_)) => Some(settings.oracle_cloud()?),
        _ => None,
    };
    let replay = Replay {
        selection: &options.selection,
        target: options.target,
        options: &options.run,
        timeout: options.timeout,
        oracle_cloud: oracle_cloud.as_ref(),
        proxies: &Proxies::from_environment(environment)?,
        shutdown: &SHUTDOWN,
    };
    match replay.run(job, SystemTime::now()) {
        Ok(Some(outcome)) => Ok(outcome),
        Ok(None) => {
            console::say(format_args!("forward: there is no dead-letter topic"));
            Ok(RunOutcome::Completed)
        }
        Err(error) if error.outcome() == LettersOutcome::Source => {
            console::say(format_args!("forward: {error}"));
            Ok(RunOutcome::Source)
        }
        Err(error) => Err(error.into()),
    }
}

/// Lists, shows or discards dead letters.
fn dead_letters(options: &LettersOptions, flags: &Flags) -> ExitCode {
    let fail = |error: anyhow::Error, outcome: LettersOutcome| {
        console::say(format_args!("forward: {error:#}"));
        outcome
    };
    let outcome = match gather(flags).and_then(|settings| Job::load(&settings)) {
        Err(error) => fail(error, LettersOutcome::Configuration),
        Ok(job) => match letters_command(&job, options) {
            Err(error) => {
                let outcome = error.outcome();
                fail(error.into(), outcome)
            }
            Ok((text, outcome)) => match print(text.as_bytes()) {
                Ok(_) => outcome,
                Err(error) => fail(error, LettersOutcome::Source),
            },
        },
    };
    ExitCode::from(outcome.code())
}

fn letters_command(
    job: &Job,
    options: &LettersOptions,
) -> Result<(String, LettersOutcome), LettersError> {
    let (timeout, now) = (options.timeout, SystemTime::now());
    let is_json = options.output == Output::Json;
    Ok(match &options.command {
        LettersCommand::List { selection, limit } => {
            let report = dead_letters::list(job, selection, *limit, timeout, now)?;
            let text = match is_json {
                true => report.json(),
                false => dead_letters::render_list(&report),
            };
            (text, report.outcome())
        }
        LettersCommand::Show { coordinates } => {
            let details = dead_letters::show(job, coordinates, timeout, now)?;
            let text = match is_json {
                true => details.json(),
                false => dead_letters::render_details(&details),
            };
            (text, details.outcome())
        }
        LettersCommand::Discard {
            selection,
            reason,
            dry_run,
        } => {
            let discarded =
                dead_letters::discard(&job.config, selection, reason, *dry_run, timeout, now);
            let report = discarded?;
            let text = match is_json {
                true => report.json(),
                false => dead_letters::render_discard(&report),
            };
            (text, report.outcome())
        }
    })
}

fn tester(flags: &Flags) -> Result<RouteTester> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let inspection = Inspection::offline(&GROUPS, flags, environment()?);
    Ok(RouteTester::new(runtime.block_on(inspection))?)
}

fn samples(path: &Path) -> Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(BufReader::new(File::open(path)?)))
}

fn gather(flags: &Flags) -> Result<Settings> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let settings = Settings::gather(&GROUPS, flags, environment()?);
    Ok(runtime.block_on(settings)?)
}

/// The first SIGTERM or SIGINT stops reading and lets the run complete requests in flight. A second one ends the process
/// at once, which loses no record but may repeat requests in flight.
fn handle_signals() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let (mut terminate, mut interrupt) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        )
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = terminate.recv() => {}
                        _ = interrupt.recv() => {}
                    }
                    if SHUTDOWN.swap(true, Ordering::Relaxed) {
                        std::process::exit(RunOutcome::MoreWork.code().into());
                    }
                    tracing::info!("shutting down: reading stops, requests in flight complete");
                }
            });
        })?;
    Ok(())
}

fn print(text: &[u8]) -> Result<RunOutcome> {
    console::print(text).context("writing to standard output")?;
    Ok(RunOutcome::Completed)
}
