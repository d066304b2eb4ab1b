//! The limit of sending: a TCP client that sends the job's requests and reads the responses.

use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::{Result, bail};
use testkit::user::User;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::ANSWER;

/// Sends `requests` over `connections`, one at a time on each.
pub(crate) fn run(address: SocketAddr, requests: usize, connections: usize) -> Result<()> {
    let body = User::new(1010, "user-0123456").encode();
    // The same headers as the job's.
    let mut request = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nuser-agent: frontdoor/0.1.0\r\ncontent-type: application/octet-stream\r\n\
         idempotency-key: \"0123456789012345678901/0123456789012345678901/0/123456\"\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(&body);
    let request: Rc<[u8]> = request.into();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let tasks: Vec<_> = (0..connections)
            .map(|number| {
                let share = requests / connections + usize::from(number < requests % connections);
                tokio::task::spawn_local(send(address, Rc::clone(&request), share))
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        Ok(())
    })
}

async fn send(address: SocketAddr, request: Rc<[u8]>, times: usize) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut answer = [0; ANSWER.len()];
    for _ in 0..times {
        stream.write_all(&request).await?;
        stream.read_exact(&mut answer).await?;
        if answer != *ANSWER {
            bail!("unexpected response");
        }
    }
    Ok(())
}
