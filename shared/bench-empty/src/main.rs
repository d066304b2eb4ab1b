//! An empty function: a hyper service on a Unix socket that responds to Fn's agent. Benchmarks compare the function with it.
//!
//! A package of its own: `deploy/fn/empty` builds it alone for its image, with no feature or dependency of the tools.

use std::convert::Infallible;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::UnixListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = std::env::var("FN_LISTENER")?;
    let path = listener
        .strip_prefix("unix:")
        .ok_or("FN_LISTENER must start with unix:")?;
    let link = PathBuf::from(path);
    let socket = link.with_file_name("phonylsnr.sock");
    let listener = UnixListener::bind(&socket)?;
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o666))?;
    symlink("phonylsnr.sock", &link)?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| async {
                // hyper closes the connection if the body is not read.
                let _ = request.into_body().collect().await;
                Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
            });
            let _ = Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
