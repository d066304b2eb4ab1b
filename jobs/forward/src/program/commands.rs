//! The commands that print a text and deliver no record.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use runtime::console;
use settings::{Inspection, environment};

use super::{gather, print};
use crate::cli::{self, Flags, Output, TestOptions};
use crate::dead_letters::{self, LettersCommand, LettersError, LettersOptions, LettersOutcome};
use crate::exit::RunOutcome;
use crate::explain::{self, ExplainOptions};
use crate::init::{self, InitOptions, InitOutcome};
use crate::job::Job;
use crate::man_pages;
use crate::report::text::wants_colour;
use crate::reset::{self, ResetOptions};
use crate::route_test::{self, RouteTester, TestOutcome};
use crate::run_report::{self, ReportOptions, ReportOutcome};
use crate::settings::GROUPS;
use crate::status::{self, StatusOptions};
use crate::window_plan::{self, PlanOptions};

/// The text of a command and the exit code, or the error and the exit code.
type Shown = Result<(String, u8), (anyhow::Error, u8)>;

/// Tests the samples of a file or of standard input.
pub(super) fn test(options: &TestOptions, flags: &Flags) -> u8 {
    let tested = tester(flags)
        .map_err(|error| (error, TestOutcome::Configuration))
        .and_then(|tester| {
            tested(&tester, options).map_err(|error| {
                let name = format!("testing the samples of {}", options.records.display());
                (error.context(name), TestOutcome::Unreadable)
            })
        });
    let outcome = tested.unwrap_or_else(|(error, outcome)| {
        console::say(format_args!("forward: {error:#}"));
        outcome
    });
    outcome.code()
}

/// Prints the plan of the window.
pub(super) fn plan(options: &PlanOptions, flags: &Flags) -> u8 {
    show_of_job(flags, |job| {
        let plan = window_plan::plan(job, options, SystemTime::now());
        let plan = plan.map_err(with(|error: &window_plan::WindowPlanError| {
            error.outcome().code()
        }))?;
        let text = match options.output {
            Output::Json => plan.json(),
            Output::Text => window_plan::render(&plan),
        };
        Ok((text, plan.outcome().code()))
    })
}

/// Moves the commits of the group, or shows what that does.
pub(super) fn reset(options: &ResetOptions, flags: &Flags) -> u8 {
    show_of_job(flags, |job| {
        let report = reset::reset(job, options, SystemTime::now());
        let report = report.map_err(with(|error: &reset::ResetError| error.outcome().code()))?;
        let text = match options.output {
            Output::Json => report.json(),
            Output::Text => reset::render(&report),
        };
        Ok((text, report.outcome().code()))
    })
}

/// Explains records.
pub(super) fn explain(options: &ExplainOptions, flags: &Flags) -> u8 {
    show_of_job(flags, |job| {
        let report = explain::explain(job, options, SystemTime::now());
        let report =
            report.map_err(with(|error: &explain::ExplainError| error.outcome().code()))?;
        let text = match options.output {
            Output::Json => report.json(),
            Output::Text => explain::render(&report),
        };
        Ok((text, report.outcome().code()))
    })
}

/// Shows the status of the group.
pub(super) fn status(options: &StatusOptions, flags: &Flags) -> u8 {
    show_of_job(flags, |job| {
        let report = status::status(job, options, SystemTime::now());
        let report = report.map_err(with(|error: &status::StatusError| error.outcome().code()))?;
        let text = match options.output {
            Output::Json => report.json(),
            Output::Text => status::render(&report, io::stdout().is_terminal(), has_colour()),
        };
        Ok((text, report.outcome().code()))
    })
}

/// Lists, shows or discards dead letters.
pub(super) fn dead_letters(options: &LettersOptions, flags: &Flags) -> u8 {
    show_of_job(flags, |job| {
        let (text, outcome) = letters_command(job, options)
            .map_err(with(|error: &LettersError| error.outcome().code()))?;
        Ok((text, outcome.code()))
    })
}

/// Renders the report of a run.
pub(super) fn report(options: &ReportOptions, flags: &Flags) -> u8 {
    let report = options.source.read(|| gather(flags), options.timeout);
    let report = report.map_err(with(|error: &run_report::ReportError| {
        error.outcome().code()
    }));
    show(report.map(|report| {
        let text = run_report::render(&report, options.form, has_colour());
        (text, ReportOutcome::Rendered.code())
    }))
}

/// Writes settings and routes for a schema, and prints what to do next.
pub(super) fn init(options: &InitOptions) -> u8 {
    let next = init::init(options).map_err(with(|error: &init::InitError| error.outcome().code()));
    show(next.map(|text| (text, InitOutcome::Written.code())))
}

/// Writes the manual pages.
pub(super) fn man_pages(directory: &Path) -> u8 {
    let written = man_pages::write(cli::command(), directory).map_err(|error| {
        let name = format!("writing the manual pages to {}", directory.display());
        let error = anyhow::Error::from(error).context(name);
        (error, RunOutcome::Source.code())
    });
    show(written.map(|()| (String::new(), 0)))
}

/// As [`show`], of a command that needs the settings, the schemas and the routes.
fn show_of_job(flags: &Flags, command: impl FnOnce(&Job) -> Shown) -> u8 {
    let job = gather(flags).and_then(|settings| Job::load(&settings));
    let job = job.map_err(|error| (error, RunOutcome::Configuration.code()));
    show(job.and_then(|job| command(&job)))
}

/// Prints the text, or the error.
fn show(shown: Shown) -> u8 {
    let printed = shown.and_then(|(text, code)| match print(text.as_bytes()) {
        Ok(_) => Ok(code),
        Err(error) => Err((error, RunOutcome::Source.code())),
    });
    printed.unwrap_or_else(|(error, code)| {
        console::say(format_args!("forward: {error:#}"));
        code
    })
}

/// The error with its exit code.
fn with<E: Into<anyhow::Error>>(code: impl Fn(&E) -> u8) -> impl Fn(E) -> (anyhow::Error, u8) {
    move |error| {
        let code = code(&error);
        (error.into(), code)
    }
}

fn has_colour() -> bool {
    wants_colour(&io::stdout(), |name| std::env::var(name).ok())
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

fn tested(tester: &RouteTester, options: &TestOptions) -> Result<TestOutcome> {
    let print = |text: &[u8]| console::print(text).map(drop);
    let is_json = options.output == Output::Json;
    Ok(route_test::run(
        tester,
        samples(&options.records)?,
        is_json,
        print,
    )?)
}

fn samples(path: &Path) -> Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(BufReader::new(File::open(path)?)))
}
