//! Where the door lives. The environment says which host this is; the door is the same in all of them.
//!
//! - [`fnproject`]: a container of Fn Project or Oracle Cloud Functions (`FN_LISTENER`)
//! - [`lambda`]: AWS Lambda (`AWS_LAMBDA_RUNTIME_API`)
//! - [`plain`]: an address of its own (`LISTEN`)

mod deadline;
mod entrance;
mod fnproject;
mod lambda;
mod plain;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Arg, ArgAction, Command};
use runtime::console;
use settings::telemetry;
use settings::{Settings, cli, environment};

use crate::ingest::Config;
use crate::settings::GROUPS;
use entrance::{Entrance, Keeper};
use http_server::program::{self, Failure};

/// The whole program: reads the command line and the environment, opens the door and lives until the host ends it.
///
/// A configuration that cannot work ends it with one sentence on standard error and exit code 78.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
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
        .about("Takes Avro messages over HTTP, proves them valid, and publishes them to Kafka.")
        .after_help(
            "The environment chooses the host: FN_LISTENER is Fn Project's, AWS_LAMBDA_RUNTIME_API is AWS Lambda's; \
             without them it answers plain HTTP on LISTEN.",
        )
        .arg(
            Arg::new("print-config")
                .long("print-config")
                .action(ArgAction::SetTrue)
                .help("Checks the settings, prints each with its source and the Kafka client's own (secrets redacted), and exits"),
        );
    cli::with_settings(command, &GROUPS)
}

/// Which host the environment names, with what it needs before any setting is read.
enum Host {
    Fn(fnproject::Host),
    Lambda,
    Plain,
}

impl Host {
    /// Chooses, and binds Fn's socket at once: the agent waits five seconds for it, and settings may come from far.
    fn take(environment: &impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let function = fnproject::Host::take(environment)?;
        let lambda = lambda::is_here(environment)?;
        match (function, lambda) {
            (Some(_), true) => Err(Failure::configuration(
                "FN_LISTENER and AWS_LAMBDA_RUNTIME_API are both set: unset the one whose host this is not",
            )),
            (Some(host), false) => Ok(Self::Fn(host)),
            (None, true) => Ok(Self::Lambda),
            (None, false) => Ok(Self::Plain),
        }
    }
}

async fn run(
    flags: &[(&'static str, String)],
    environment: impl Fn(&str) -> Option<String>,
) -> Result<(), Failure> {
    let host = Host::take(&environment)?;
    let given = Settings::without_files(&GROUPS, flags, &environment);
    telemetry::start(&given).map_err(Failure::configuration)?;
    let (entrance, door) = Entrance::new();
    if let Host::Fn(host) = host {
        // The agent may call before the settings are here: its call waits at the entrance.
        let keeping = async {
            let keeper = Keeper::open(door, flags, environment).await?;
            match keeper.keep().await {}
        };
        return tokio::select! {
            served = host.serve(entrance) => served,
            failed = keeping => failed,
        };
    }
    let keeper = Keeper::open(door, flags, environment).await?;
    let serving = async {
        match host {
            Host::Plain => {
                let host = plain::Host::bind(&keeper.settings()).await?;
                host.serve(entrance).await
            }
            Host::Fn(_) | Host::Lambda => lambda::serve(entrance).await,
        }
    };
    tokio::select! {
        served = serving => served,
        never = keeper.keep() => match never {},
    }
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
    text += "\n# what the Kafka client is given; all else is librdkafka's default\n";
    for (name, value) in config.client_listing().map_err(Failure::configuration)? {
        text += &format!("{name}={value}\n");
    }
    console::print(text.as_bytes())
        .map(drop)
        .map_err(|error| Failure::software(format!("writing to standard output: {error}")))
}
