//! The broker and the programs of the demo.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use testkit::agent::Agent;
use testkit::gateway::Gateway;
use testkit::program::{self, Program};

use crate::kafka::Kafka;

/// The ports of the function's gateway and of the endpoints; 0 is a free port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    function: u16,
    a: u16,
    b: u16,
}

impl Ports {
    /// Free ports.
    pub(crate) fn any() -> Self {
        Self {
            function: 0,
            a: 0,
            b: 0,
        }
    }

    /// 8080, 8081 and 8082, each replaced by a free port if it is in use.
    pub(crate) fn preferred() -> Self {
        let free = |port| TcpListener::bind(("127.0.0.1", port)).map_or(0, |_| port);
        Self {
            function: free(8080),
            a: free(8081),
            b: free(8082),
        }
    }
}

/// The running broker and programs. Dropping this stops them.
pub(crate) struct Environment {
    a: Program,
    b: Program,
    a_address: SocketAddr,
    b_address: SocketAddr,
    function: Gateway,
    kafka: Kafka,
    folder: PathBuf,
}

impl Environment {
    /// Starts the broker, both endpoints, and the function behind a gateway. Writes files to `folder`, and calls `on_line`
    /// with the endpoint's title for each log line of an endpoint.
    ///
    /// # Errors
    /// A program does not start. The error contains its log.
    pub(crate) async fn start(
        folder: &Path,
        ports: Ports,
        on_line: impl Fn(&str, &str) + Clone + Send + 'static,
    ) -> Result<Self> {
        let kafka = Kafka::start().await?;
        let endpoint = program::built("api-avro-sample")?;
        let api = |title: &'static str, port: u16| {
            let listen = format!("127.0.0.1:{port}");
            let settings = [
                ("API_TITLE", title),
                ("LISTEN", &listen),
                ("LOG_FORMAT", "text"),
            ];
            let on_line = on_line.clone();
            Program::start(title, &endpoint, &settings, move |line| {
                on_line(title, line)
            })
        };
        let mut a = api("API type A", ports.a)?;
        let mut b = api("API type B", ports.b)?;
        let mut settings: Vec<(&str, &str)> = vec![("LOG_FORMAT", "text")];
        settings.extend(
            kafka
                .settings()
                .iter()
                .map(|(name, value)| (&**name, &**value)),
        );
        let agent = Agent::start(&program::built("fn-recep-avro")?, &settings).await?;
        let function = Gateway::start(agent, &format!("127.0.0.1:{}", ports.function)).await?;
        let environment = Self {
            a_address: a.address().await?,
            b_address: b.address().await?,
            a,
            b,
            function,
            kafka,
            folder: folder.to_owned(),
        };
        environment.write_config()?;
        Ok(environment)
    }

    /// The folder of the messages and of the job's configuration.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The URL to which messages are posted.
    pub(crate) fn function_url(&self) -> String {
        self.function.url()
    }

    /// The URL of a path of API type A.
    pub(crate) fn a_url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.a_address)
    }

    /// The URL of a path of API type B.
    pub(crate) fn b_url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.b_address)
    }

    /// The arguments with which `forward` runs one window of the topic.
    pub(crate) fn job_arguments(&self) -> Vec<String> {
        let config = self.config().display().to_string();
        vec!["run".to_owned(), "--config-location".to_owned(), config]
    }

    /// The broker and the topic.
    pub(crate) fn kafka(&self) -> &Kafka {
        &self.kafka
    }

    /// The addresses, one per line.
    pub(crate) fn summary(&self) -> String {
        format!(
            "  broker        {}\n  function      {} (fn-recep-avro, called over its Unix \
             socket)\n  API type A    {}\n  API type B    {}\n",
            self.kafka,
            self.function_url(),
            self.a_url(""),
            self.b_url(""),
        )
    }

    /// Commands to send messages and to run the job by hand.
    pub(crate) fn instructions(&self) -> String {
        let url = self.function_url();
        let file = |name: &str| shown(&self.folder.join(name));
        let post = |name: &str| format!("  curl --data-binary @{} {url}\n", file(name));
        let job = program::built("forward").map_or("forward".to_owned(), |path| shown(&path));
        let tool = program::built("create-avro-sample")
            .map_or("create-avro-sample".to_owned(), |path| shown(&path));
        format!(
            "\nFrontdoor is up. Ctrl-C stops it.\n\n{}\nOpen the pages of A and B in a browser. Send messages:\n\n\
             {}{}{}{}{}\nRun one window of the job:\n\n  {job} {}\n\n\
             Create a message:\n\n  {tool} {} '{{\"id\":1010,\"name\":\"Me\",\"email\":\"me@bla.com\"}}'\n",
            self.summary(),
            post("type_a_message.bin"),
            post("type_b_message.bin"),
            post("meu_file.bin"),
            post("several.avro"),
            post("one_byte_less.bin"),
            self.job_arguments()
                .iter()
                .map(|argument| shown(Path::new(argument)))
                .collect::<Vec<_>>()
                .join(" "),
            file("mine.bin"),
        )
    }

    /// Waits until one of the programs ends, and returns a description of the exit.
    pub(crate) async fn first_exit(&mut self) -> Result<String> {
        let function = async {
            while self.function.agent().lock().await.is_running() {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        };
        Ok(tokio::select! {
            status = self.a.wait() => format!("API type A ended ({})", status?),
            status = self.b.wait() => format!("API type B ended ({})", status?),
            () = function => format!("the function ended:\n{}", self.function.agent().lock().await.log()),
        })
    }

    /// The logs of all programs.
    pub(crate) async fn logs(&self) -> String {
        let function = self.function.agent().lock().await.log();
        let (a, b) = (self.a.log(), self.b.log());
        format!("API type A:\n{a}\nAPI type B:\n{b}\nfn-recep-avro:\n{function}")
    }

    /// Stops the endpoints with SIGTERM and kills the function, as Fn does.
    pub(crate) async fn stop(self) -> Result<()> {
        self.a.stop().await?;
        self.b.stop().await?;
        Ok(())
    }

    fn config(&self) -> PathBuf {
        self.folder.join("config.properties")
    }

    fn write_config(&self) -> Result<()> {
        // Secrets are passed by environment variables only.
        let mut lines = self.kafka.settings().clone();
        lines.retain(|(name, _)| name != "KAFKA_PASSWORD");
        lines.push(("API_TYPE_A_URL".to_owned(), self.a_url("")));
        lines.push(("API_TYPE_B_URL".to_owned(), self.b_url("")));
        let lines = lines.iter();
        let text: String = lines
            .map(|(name, value)| format!("{}={value}\n", name.to_ascii_lowercase()))
            .collect();
        let path = self.config();
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    }
}

/// The path relative to the current folder, if it is below it.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here)
        .unwrap_or(path)
        .display()
        .to_string()
}
