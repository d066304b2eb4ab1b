//! Ory Hydra, an OAuth 2.0 authorization server. `deploy/oauth2/hydra` builds it once for a machine.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;
use tokio::process::Command;

use crate::program::{self, Program};
use crate::{http as client, process_guard};

/// The timeout of the start, once the server is built. It allows for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/oauth2/hydra");

/// What an access token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessTokens {
    /// A signed JWT.
    Jwt,
    /// Random text. Only these can be revoked.
    Opaque,
}

/// A running server on the loopback, without TLS. Dropping this stops it.
pub struct Hydra {
    issuer: String,
    admin: String,
    token_requests: Arc<AtomicUsize>,
    _program: Program,
}

impl Hydra {
    /// Starts a server whose tokens have this lifetime, such as `1h`. The first start on a machine builds it, in three
    /// minutes.
    ///
    /// # Errors
    /// Go or a C compiler is missing, or the server did not start.
    pub async fn start(tokens: AccessTokens, lifetime: &str) -> Result<Self> {
        let mut build = Command::new(SCRIPT);
        // With the whole environment, because the script may download modules through a proxy.
        let output = process_guard::attach(&mut build).output().await;
        let output = output.with_context(|| format!("running {SCRIPT}"))?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "Hydra cannot be built: {stderr}");
        let path = String::from_utf8(output.stdout)?;
        let (public, admin) = (free_port()?, free_port()?);
        let issuer = format!("http://127.0.0.1:{public}");
        let (public, admin) = (public.to_string(), admin.to_string());
        let strategy = match tokens {
            AccessTokens::Jwt => "jwt",
            AccessTokens::Opaque => "opaque",
        };
        // SQA is its telemetry.
        let settings = [
            ("DSN", "memory"),
            ("SQA_OPT_OUT", "true"),
            ("LOG_FORMAT", "json"),
            ("SECRETS_SYSTEM", "a secret for the tests of this project"),
            ("URLS_SELF_ISSUER", &issuer),
            ("SERVE_PUBLIC_HOST", "127.0.0.1"),
            ("SERVE_PUBLIC_PORT", &public),
            ("SERVE_ADMIN_HOST", "127.0.0.1"),
            ("SERVE_ADMIN_PORT", &admin),
            ("STRATEGIES_ACCESS_TOKEN", strategy),
            ("TTL_ACCESS_TOKEN", lifetime),
        ];
        let token_requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&token_requests);
        let on_line = move |line: &str| {
            if is_token_request(line) {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        };
        let mut command = program::command(Path::new(path.trim()));
        command.args(["serve", "all", "--dev"]).envs(settings);
        let program = Program::from_command("Hydra", command, on_line)?;
        for port in [&public, &admin] {
            wait_until_ready(&program, port).await?;
        }
        Ok(Self {
            issuer,
            admin: format!("http://127.0.0.1:{admin}/admin"),
            token_requests,
            _program: program,
        })
    }

    /// The issuer of its tokens (`iss`).
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The token endpoint.
    pub fn token_url(&self) -> String {
        format!("{}/oauth2/token", self.issuer)
    }

    /// The URL of its public keys.
    pub fn jwks_url(&self) -> String {
        format!("{}/.well-known/jwks.json", self.issuer)
    }

    /// The number of requests to the token endpoint that have been answered.
    pub fn token_requests(&self) -> usize {
        self.token_requests.load(Ordering::SeqCst)
    }

    /// Registers a client with these properties (RFC 7591, section 2).
    ///
    /// # Errors
    /// The server does not accept them.
    pub async fn register(&self, client: &Value) -> Result<()> {
        let request = Request::post(format!("{}/clients", self.admin))
            .header(CONTENT_TYPE, "application/json")
            .body(Bytes::from(client.to_string()))?;
        let response = client::send(request).await?;
        ensure!(response.status() == 201, "{response:?}");
        Ok(())
    }

    /// An access token of a client with these credentials, which need no percent-encoding (RFC 6749, section 4.4).
    ///
    /// # Errors
    /// The server refuses the request.
    pub async fn token(&self, id: &str, secret: &str, parameters: &str) -> Result<String> {
        let credentials = STANDARD.encode(format!("{id}:{secret}"));
        let body = format!("grant_type=client_credentials&{parameters}");
        let request = Request::post(self.token_url())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(AUTHORIZATION, format!("Basic {credentials}"))
            .body(Bytes::from(body))?;
        let response = client::send(request).await?;
        ensure!(response.status() == 200, "{response:?}");
        let body: Value = serde_json::from_slice(response.body())?;
        let token = body["access_token"].as_str();
        Ok(token.context("no member \"access_token\"")?.to_owned())
    }

    /// Adds a key, with which JWTs are signed from now on.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn rotate_key(&self) -> Result<()> {
        let request = Request::post(format!("{}/keys/hydra.jwt.access-token", self.admin))
            .header(CONTENT_TYPE, "application/json")
            .body(Bytes::from(r#"{"alg":"RS256","use":"sig","kid":"next"}"#))?;
        let response = client::send(request).await?;
        ensure!(response.status() == 201, "{response:?}");
        Ok(())
    }

    /// Revokes all access tokens of a client. A JWT remains valid where only its signature is verified.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn revoke_tokens(&self, client_id: &str) -> Result<()> {
        let url = format!("{}/oauth2/tokens?client_id={client_id}", self.admin);
        let response = client::send(Request::delete(url).body(Bytes::new())?).await?;
        ensure!(response.status() == 204, "{response:?}");
        Ok(())
    }

    /// Whether a token is valid (RFC 7662).
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn is_active(&self, token: &str) -> Result<bool> {
        let request = Request::post(format!("{}/oauth2/introspect", self.admin))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(format!("token={token}")))?;
        let response = client::send(request).await?;
        let body: Value = serde_json::from_slice(response.body())?;
        body["active"].as_bool().context("no member \"active\"")
    }
}

async fn wait_until_ready(program: &Program, port: &str) -> Result<()> {
    let url = format!("http://127.0.0.1:{port}/health/ready");
    let end = Instant::now() + TIMEOUT;
    while !client::get(&url)
        .await
        .is_ok_and(|response| response.status() == 200)
    {
        ensure!(
            Instant::now() < end,
            "Hydra is not ready:\n{}",
            program.log()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn is_token_request(line: &str) -> bool {
    let Ok(entry) = serde_json::from_str::<Value>(line) else {
        return false;
    };
    entry["msg"] == "completed handling request" && entry["http_request"]["path"] == "/oauth2/token"
}
