//! An HTTP client whose answers carry their own checks. It follows no redirect and waits for no
//! answer longer than a bound, so that a server which hangs is a failure and not a long test.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, redirect};
use serde_json::Value;

/// An answer that takes longer is a hung server.
const ANSWER: Duration = Duration::from_mins(1);

/// A client of one server, with or without a credential.
#[derive(Clone, Debug)]
pub struct Api {
    base: String,
    http: Client,
    headers: HeaderMap,
}

impl Api {
    /// Without a credential and without a cookie jar.
    pub fn new(base: &str) -> Self {
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(ANSWER)
            .no_proxy()
            .build()
            .expect("a client");
        Self { base: base.to_owned(), http, headers: HeaderMap::new() }
    }

    /// The same client, sending this header with every request.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        let name: HeaderName = name.parse().expect("a header's name");
        other
            .headers
            .insert(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header's value"));
        other
    }

    /// The same client with this access token.
    pub fn bearer(&self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// The same client with this access token as a cookie.
    pub fn cookie(&self, token: &str) -> Self {
        self.with("cookie", &format!("access_token={token}"))
    }

    /// Any request with a body as given.
    pub async fn send(&self, method: &str, path: &str, body: Option<(&str, Vec<u8>)>) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let what = format!("{method} {path}");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        request = request.headers(self.headers.clone());
        if let Some((content_type, body)) = body {
            request = request.header("content-type", content_type).body(body);
        }
        let response = request.send().await.unwrap_or_else(|why| panic!("{what}: {why:?}"));
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.unwrap_or_else(|why| panic!("{what}: {why:?}"));
        Answer { what, status, headers, text }
    }

    /// A request without a body.
    pub async fn bare(&self, method: &str, path: &str) -> Answer {
        self.send(method, path, None).await
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Answer {
        self.bare("GET", path).await
    }

    /// A request with a JSON body.
    pub async fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = serde_json::to_vec(body).expect("JSON");
        self.send(method, path, Some(("application/json", body))).await
    }

    /// POSTs JSON.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.json("POST", path, &body).await
    }

    /// POSTs JSON; the body when it was answered with 201, none when the server refused or has gone.
    pub async fn try_post(&self, path: &str, body: &Value) -> Option<Value> {
        let request = self.http.post(format!("{}{path}", self.base)).headers(self.headers.clone());
        let answer = request.json(body).send().await.ok()?;
        if answer.status().as_u16() == 201 { answer.json().await.ok() } else { None }
    }

    /// `PATCH` with JSON.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.json("PATCH", path, &body).await
    }

    /// DELETEs.
    pub async fn delete(&self, path: &str) -> Answer {
        self.bare("DELETE", path).await
    }

    /// POSTs a form, written as it goes over the wire.
    pub async fn form(&self, path: &str, body: &str) -> Answer {
        let kind = "application/x-www-form-urlencoded";
        self.send("POST", path, Some((kind, body.as_bytes().to_vec()))).await
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    what: String,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
}

impl Answer {
    /// The body, once the status is seen to be right.
    #[track_caller]
    pub fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text);
        self.body()
    }

    /// The body as JSON, null when there is none.
    #[track_caller]
    pub fn body(&self) -> Value {
        if self.text.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.text)
            .unwrap_or_else(|why| panic!("{}: {why}: {}", self.what, self.text))
    }

    /// The body of an error in the contract's shape: `detail`, `error` repeating it, and `code`.
    #[track_caller]
    pub fn error(self, status: u16) -> Value {
        let what = self.what.clone();
        let body = self.is(status);
        assert!(body["detail"].is_string(), "{what}: {body}");
        assert_eq!(body["error"], body["detail"], "{what}: {body}");
        let code = body["code"].as_str().unwrap_or_default();
        let snake = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(!code.is_empty() && code.chars().all(snake), "{what}: {body}");
        body
    }

    /// A validation error that names this field.
    #[track_caller]
    pub fn invalid(self, field: &str) -> Value {
        let what = self.what.clone();
        let body = self.error(400);
        assert!(body[field][0].is_string(), "{what}: {field} is not named in {body}");
        assert_eq!(body["code"], "invalid", "{what}: {body}");
        body
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The whole `Set-Cookie` line of this cookie.
    pub fn set_cookie(&self, name: &str) -> Option<&str> {
        self.headers
            .get_all("set-cookie")
            .iter()
            .filter_map(|line| line.to_str().ok())
            .find(|line| line.starts_with(&format!("{name}=")))
    }

    /// The value of a cookie that was set.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let line = self.set_cookie(name)?;
        line.split(';').next()?.split_once('=').map(|(_, value)| value)
    }

    /// The path and query to which `Link: <…>; rel="next"` leads.
    pub fn next(&self) -> Option<String> {
        let link = self.header("link")?;
        let (target, rest) = link.strip_prefix('<')?.split_once('>')?;
        assert!(rest.contains("rel=\"next\""), "{link}");
        let path = target
            .split_once("://")
            .map_or(target, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
        Some(path.to_owned())
    }
}
