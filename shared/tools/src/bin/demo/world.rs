//! The programs and the broker that the story needs, started together and ended together.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use testkit::agent::Agent;
use testkit::gateway::Gateway;
use testkit::program::{self, Program};

use crate::stream::Stream;

/// Where the three addresses for people lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    door: u16,
    a: u16,
    b: u16,
}

impl Ports {
    /// Whatever is free.
    pub(crate) fn any() -> Self {
        Self {
            door: 0,
            a: 0,
            b: 0,
        }
    }

    /// 8080, 8081 and 8082, or what is free where one of them is taken.
    pub(crate) fn usual() -> Self {
        let free = |port| TcpListener::bind(("127.0.0.1", port)).map_or(0, |_| port);
        Self {
            door: free(8080),
            a: free(8081),
            b: free(8082),
        }
    }
}

/// Everything that runs; all of it ends when this is dropped.
pub(crate) struct World {
    a: Program,
    b: Program,
    a_address: SocketAddr,
    b_address: SocketAddr,
    door: Gateway,
    stream: Stream,
    folder: PathBuf,
}

impl World {
    /// Starts the broker unless `KAFKA_BOOTSTRAP_SERVERS` names one, both endpoints, and the function behind its
    /// gateway. Files go to `folder`; log lines of the endpoints go to `heard`, with the name of who said them.
    ///
    /// # Errors
    /// One of them does not start; what it said is in the error.
    pub(crate) async fn start(
        folder: &Path,
        ports: Ports,
        heard: impl Fn(&str, &str) + Clone + Send + 'static,
    ) -> Result<Self> {
        let stream = Stream::start().await?;
        let endpoint = program::built("api-avro-sample")?;
        let api = |title: &'static str, port: u16| {
            let listen = format!("127.0.0.1:{port}");
            let settings = [
                ("API_TITLE", title),
                ("LISTEN", &listen),
                ("LOG_FORMAT", "text"),
            ];
            let heard = heard.clone();
            Program::start(title, &endpoint, &settings, move |line| heard(title, line))
        };
        let mut a = api("API type A", ports.a)?;
        let mut b = api("API type B", ports.b)?;
        let mut settings: Vec<(&str, &str)> = vec![("LOG_FORMAT", "text")];
        settings.extend(
            stream
                .settings()
                .iter()
                .map(|(name, value)| (&**name, &**value)),
        );
        let function = Agent::start(&program::built("fn-recep-avro")?, &settings).await?;
        let door = Gateway::start(function, &format!("127.0.0.1:{}", ports.door)).await?;
        let world = Self {
            a_address: a.address().await?,
            b_address: b.address().await?,
            a,
            b,
            door,
            stream,
            folder: folder.to_owned(),
        };
        world.write_config()?;
        Ok(world)
    }

    /// Where files are kept.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where messages are posted.
    pub(crate) fn door_url(&self) -> String {
        self.door.url()
    }

    /// A path of API type A.
    pub(crate) fn a_url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.a_address)
    }

    /// A path of API type B.
    pub(crate) fn b_url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.b_address)
    }

    /// What `forward` must be told to run one window here.
    pub(crate) fn job_arguments(&self) -> Vec<String> {
        let config = self.config().display().to_string();
        vec!["run".to_owned(), "--config-location".to_owned(), config]
    }

    /// The broker and the topic.
    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// What runs where, in one line each.
    pub(crate) fn summary(&self) -> String {
        format!(
            "  broker        {}\n  the door      {} (fn-recep-avro, called over its Unix \
             socket)\n  API type A    {}\n  API type B    {}\n",
            self.stream,
            self.door_url(),
            self.a_url(""),
            self.b_url(""),
        )
    }

    /// What to paste, for somebody who wants to try it by hand.
    pub(crate) fn invitation(&self) -> String {
        let door = self.door_url();
        let file = |name: &str| shown(&self.folder.join(name));
        let post = |name: &str| format!("  curl --data-binary @{} {door}\n", file(name));
        let job = program::built("forward").map_or("forward".to_owned(), |path| shown(&path));
        let tool = program::built("create-avro-sample")
            .map_or("create-avro-sample".to_owned(), |path| shown(&path));
        format!(
            "\nFrontdoor is up; Ctrl-C ends all of it.\n\n{}\nOpen A's and B's page in a browser, and send:\n\n\
             {}{}{}{}{}\nThen run one window of the job, as often as you like:\n\n  {job} {}\n\n\
             Make a message of your own:\n\n  {tool} {} '{{\"id\":1010,\"name\":\"Me\",\"email\":\"me@bla.com\"}}'\n",
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

    /// Waits until one of the programs ends by itself; says which.
    pub(crate) async fn first_to_end(&mut self) -> Result<String> {
        let door = async {
            while self.door.agent().lock().await.lives() {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        };
        Ok(tokio::select! {
            status = self.a.ended() => format!("API type A ended ({})", status?),
            status = self.b.ended() => format!("API type B ended ({})", status?),
            () = door => format!("the function ended:\n{}", self.door.agent().lock().await.log()),
        })
    }

    /// What everybody has said.
    pub(crate) async fn logs(&self) -> String {
        let function = self.door.agent().lock().await.log();
        let (a, b) = (self.a.log(), self.b.log());
        format!("API type A:\n{a}\nAPI type B:\n{b}\nfn-recep-avro:\n{function}")
    }

    /// Ends the endpoints in good order; the function is killed, as Fn does.
    pub(crate) async fn end(self) -> Result<()> {
        self.a.end().await?;
        self.b.end().await?;
        Ok(())
    }

    fn config(&self) -> PathBuf {
        self.folder.join("config.properties")
    }

    fn write_config(&self) -> Result<()> {
        // Secrets stay in the environment, where they came from.
        let mut lines = self.stream.settings().clone();
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

/// A path as short as it can be typed here.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here)
        .unwrap_or(path)
        .display()
        .to_string()
}
