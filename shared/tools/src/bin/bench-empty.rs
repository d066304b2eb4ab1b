//! The least that can answer Fn's agent: an empty hyper service on a Unix socket. What the function is measured by.

use std::convert::Infallible;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use anyhow::{Context, Result};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::UnixListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let name = std::env::var("FN_LISTENER").context("FN_LISTENER")?;
    let name = PathBuf::from(name.strip_prefix("unix:").context("unix:")?);
    let real = name.with_file_name("phonylsnr.sock");
    let listener = UnixListener::bind(&real)?;
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o666))?;
    symlink("phonylsnr.sock", &name)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| async {
                // An unread body costs the connection.
                let _ = request.into_body().collect().await;
                Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
            });
            let _ = Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
