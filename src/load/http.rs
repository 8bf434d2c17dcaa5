//! One request, one answer, one connection: what a run needs of REST before, beside and after what
//! it measures. It blocks, so it is never called from a loop.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::target::Target;

/// What an answer may take: a server that makes accounts hashes passwords.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer that is read.
const ANSWER_MAX: u64 = 4 << 20;

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body read as JSON, when the status is one of success.
    ///
    /// # Errors
    /// The status, or what is wrong with the body.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        if !(200..300).contains(&self.status) {
            let said: String = String::from_utf8_lossy(&self.body).chars().take(200).collect();
            return Err(format!("{}: {said}", self.status));
        }
        serde_json::from_slice(&self.body).map_err(|why| format!("no JSON as expected: {why}"))
    }
}

/// Asks; `body` makes it a POST of JSON.
///
/// # Errors
/// What failed, with the path.
pub fn ask(
    target: &Target,
    path: &str,
    token: Option<&str>,
    body: Option<&serde_json::Value>,
) -> Result<Answer, String> {
    let body = body.map(ToString::to_string);
    let mut request = format!(
        "{} {}{path} HTTP/1.0\r\nHost: {}\r\nAccept: application/json\r\n",
        if body.is_some() { "POST" } else { "GET" },
        target.base,
        target.host
    );
    if let Some(token) = token {
        request.extend(["Authorization: Bearer ", token, "\r\n"]);
    }
    if let Some(body) = &body {
        let length = body.len().to_string();
        let type_and_length = ["Content-Type: application/json\r\nContent-Length: ", &length];
        request.extend(type_and_length.into_iter().chain(["\r\n"]));
    }
    request += "\r\n";
    request += body.as_deref().unwrap_or_default();
    exchange(target, request.as_bytes()).map_err(|why| format!("{path}: {why}"))
}

fn exchange(target: &Target, request: &[u8]) -> Result<Answer, String> {
    let failed = |why: std::io::Error| why.to_string();
    let mut stream = TcpStream::connect_timeout(&target.addr, TIMEOUT).map_err(failed)?;
    stream.set_read_timeout(Some(TIMEOUT)).map_err(failed)?;
    stream.write_all(request).map_err(failed)?;
    let mut all = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut all).map_err(failed)?;
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    match head.parse(&all) {
        Ok(httparse::Status::Complete(end)) => {
            Ok(Answer { status: head.code.unwrap_or(0), body: all.split_off(end) })
        }
        _ => Err("the answer is no HTTP".to_owned()),
    }
}
