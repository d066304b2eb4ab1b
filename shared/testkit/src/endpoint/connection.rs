//! One connection of a scripted endpoint.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::answer::{Answer, Behavior};
use super::state::{Request, Shared};

/// Serves one connection until either side closes it.
pub(super) async fn serve(mut stream: TcpStream, connection: usize, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let mut unread = Vec::new();
    for turn in 0.. {
        if shared.resetting.load(Ordering::SeqCst) {
            let _ = stream.set_zero_linger();
            return;
        }
        let Some(mut request) = read(&mut stream, &mut unread, shared.ignores_body).await else {
            return;
        };
        if shared.resetting.load(Ordering::SeqCst) {
            let _ = stream.set_zero_linger();
            return;
        }
        (request.connection, request.turn) = (connection, turn);
        let in_flight = shared.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        shared.peak_in_flight.fetch_max(in_flight, Ordering::SeqCst);
        let answer = {
            let mut requests = shared.requests();
            request.number = requests.len();
            let answer = (shared.script)(&request);
            let sends_head = !matches!(
                answer.behavior,
                Behavior::Hang | Behavior::Reset | Behavior::ResetInHead | Behavior::Garbage
            );
            request.answered = sends_head.then_some(answer.status);
            requests.push(request);
            answer
        };
        let is_open = respond(&mut stream, &answer).await;
        shared.in_flight.fetch_sub(1, Ordering::SeqCst);
        if shared.ignores_body {
            // Unread bytes cause a reset when the connection closes. The response must arrive before it.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if !is_open || shared.ignores_body {
            return;
        }
    }
}

/// Sends the response; false if the connection must be closed.
async fn respond(stream: &mut TcpStream, answer: &Answer) -> bool {
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    let mut head = format!("HTTP/1.1 {} -\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if answer.behavior == Behavior::Close {
        head += "connection: close\r\n";
    }
    if answer.status != 204 && answer.status != 304 {
        head += &format!("content-length: {}\r\n", answer.body.len());
    }
    head += "\r\n";
    let mut bytes = head.into_bytes();
    let body_start = bytes.len();
    bytes.extend_from_slice(&answer.body);
    match answer.behavior {
        Behavior::Hang => {
            // Returns when the client closes the connection.
            let _ = stream.read(&mut [0; 1]).await;
            return false;
        }
        Behavior::Reset => bytes.clear(),
        Behavior::ResetInHead => bytes.truncate(12),
        Behavior::ResetInBody | Behavior::StallInBody => {
            bytes.truncate(body_start + answer.body.len() / 2);
        }
        Behavior::Garbage => bytes = b"220 mail.example ESMTP\r\n".to_vec(),
        Behavior::TwoWrites => {
            let rest = bytes.split_off(body_start + answer.body.len() / 2);
            if stream.write_all(&bytes).await.is_err() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            bytes = rest;
        }
        Behavior::KeepAlive | Behavior::Close | Behavior::CloseUnannounced => {}
    }
    if stream.write_all(&bytes).await.is_err() {
        return false;
    }
    match answer.behavior {
        Behavior::StallInBody => {
            let _ = stream.read(&mut [0; 1]).await;
            false
        }
        Behavior::Reset | Behavior::ResetInHead | Behavior::ResetInBody => {
            // The bytes must arrive before the reset.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let _ = stream.set_zero_linger();
            false
        }
        Behavior::KeepAlive | Behavior::TwoWrites => true,
        _ => false,
    }
}

/// Reads one request with a `Content-Length` body; `None` if the connection closes or the request is malformed.
async fn read(stream: &mut TcpStream, unread: &mut Vec<u8>, ignores_body: bool) -> Option<Request> {
    let head_end = loop {
        if let Some(position) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
            break position;
        }
        if stream.read_buf(unread).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&unread[..head_end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .map_or(Some(0), |(_, value)| value.parse::<usize>().ok())?;
    let end = match ignores_body {
        true => head_end + 4,
        false => head_end + 4 + length,
    };
    while unread.len() < end {
        if stream.read_buf(unread).await.ok()? == 0 {
            return None;
        }
    }
    let rest = unread.split_off(end);
    let body = Bytes::from(std::mem::replace(unread, rest)).slice(head_end + 4..);
    Some(Request {
        number: 0,
        connection: 0,
        turn: 0,
        at: Instant::now(),
        method,
        target,
        headers,
        body,
        answered: None,
    })
}
