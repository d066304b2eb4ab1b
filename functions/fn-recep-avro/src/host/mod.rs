//! The program: it runs the ingest function in the host that the environment names.
//!
//! - `fnproject`: a container of Fn Project or Oracle Cloud Functions (`FN_LISTENER`)
//! - `lambda`: AWS Lambda (`AWS_LAMBDA_RUNTIME_API`)
//! - `plain`: an HTTP server on an address of its own (`LISTEN`)

mod current_function;
mod deadline;
mod fnproject;
mod lambda;
mod plain;
mod probe;
mod reload;
mod scrape;
mod start_failure;

use std::ffi::OsString;
use std::process::ExitCode;

use ::telemetry::Program;
use clap::{Arg, ArgAction, Command};
use kafka::listing::ListedProperty;
use runtime::console;
use settings::telemetry;
use settings::{Settings, cli, environment, warn_misspelled};

use crate::ingest::Config;
use crate::settings::GROUPS;
use current_function::CurrentFunction;
use http_server::program::{self, Failure};
use reload::Reloader;

/// The program in its telemetry.
const PROGRAM: Program = Program {
    name: "fn-recep-avro",
    version: env!("CARGO_PKG_VERSION"),
};

/// The whole program: reads the command line and the environment, starts the function and runs until the host ends it.
///
/// An invalid configuration ends it with one sentence on standard error and exit code 78. In an Fn container the program
/// continues instead, and answers calls with the names of the invalid settings: after an exit the caller would read only that
/// the function failed.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    kafka::tls::initialize();
    let matches = match cli::parse(command(), arguments) {
        Ok(matches) => matches,
        Err(code) => return ExitCode::from(code),
    };
    let flags = cli::flags(&GROUPS, &matches);
    program::run("fn-recep-avro", async {
        let environment = environment()?;
        if matches.get_flag("print-config") {
            print_config(&flags, environment).await
        } else {
            run(&flags, environment).await
        }
    })
}

fn command() -> Command {
    let command = Command::new("fn-recep-avro")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Accepts Avro over HTTP, validates it and publishes it to Kafka.")
        .after_help(
            "The environment selects the host: Fn Project if FN_LISTENER is set, AWS Lambda if AWS_LAMBDA_RUNTIME_API \
             is set, otherwise plain HTTP on LISTEN.",
        )
        .arg(
            Arg::new("print-config")
                .long("print-config")
                .action(ArgAction::SetTrue)
                .help("Checks the settings, prints them with their sources and the Kafka client's properties (secrets redacted), and exits"),
        );
    cli::with_settings(command, &GROUPS)
}

/// The host that the environment names.
enum Host {
    Fn(fnproject::FnContainer),
    Lambda,
    Plain,
}

impl Host {
    /// Detects the host. In an Fn container it binds the socket at once: the agent waits only five seconds for it, and
    /// reading the settings may take longer.
    fn detect(environment: &impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let container = fnproject::FnContainer::detect(environment)?;
        let lambda = lambda::is_present(environment)?;
        match (container, lambda) {
            (Some(_), true) => Err(Failure::configuration(
                "FN_LISTENER and AWS_LAMBDA_RUNTIME_API are both set: unset the one that does not belong to this host",
            )),
            (Some(container), false) => Ok(Self::Fn(container)),
            (None, true) => Ok(Self::Lambda),
            (None, false) => Ok(Self::Plain),
        }
    }
}

async fn run(
    flags: &[(&'static str, String)],
    environment: impl Fn(&str) -> Option<String>,
) -> Result<(), Failure> {
    let host = Host::detect(&environment)?;
    let given = Settings::without_files(&GROUPS, flags, &environment);
    let log = telemetry::start(&given);
    let (function, slot) = CurrentFunction::new();
    if let Host::Fn(container) = host {
        warn_misspelled(&GROUPS);
        // The agent may call before the settings are read: the call waits for the function to start. An error of the log is
        // an error of the start too.
        let result = tokio::select! {
            result = container.serve(function.clone()) => result,
            never = reload::keep_started(&slot, flags, environment) => match never {},
        };
        function.shutdown_telemetry().await;
        return result;
    }
    log?;
    warn_misspelled(&GROUPS);
    let is_plain = matches!(host, Host::Plain);
    let reloader = Reloader::start(slot, is_plain, flags, environment).await?;
    let serve = async {
        match reloader.metrics().filter(|_| is_plain) {
            Some(metrics) => {
                let server = plain::PlainServer::bind(reloader.settings(), &function).await?;
                server.serve(function.clone(), metrics).await
            }
            None => lambda::serve(function.clone()).await,
        }
    };
    let result = tokio::select! {
        result = serve => result,
        never = reloader.run() => match never {},
    };
    function.shutdown_telemetry().await;
    result
}

async fn print_config(
    flags: &[(&'static str, String)],
    environment: impl Fn(&str) -> Option<String>,
) -> Result<(), Failure> {
    let settings = Settings::gather(&GROUPS, flags, environment)
        .await
        .map_err(Failure::configuration)?;
    let mut text = String::new();
    for (name, value, source) in settings.listing() {
        text += &format!("{name}={value} ({source})\n");
    }
    let config = Config::from_settings(&settings).map_err(Failure::configuration)?;
    text += "\n# properties of the Kafka client; all others have librdkafka's defaults\n";
    for property in config.client_listing().map_err(Failure::configuration)? {
        let ListedProperty {
            name,
            value,
            source,
        } = property;
        text += &format!("{name}={value} ({source})\n");
    }
    console::print(text.as_bytes())
        .map(drop)
        .map_err(|error| Failure::software(format!("writing to standard output: {error}")))
}
