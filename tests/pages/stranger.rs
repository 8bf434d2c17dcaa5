//! A stranger's page: the lines of the README, copied, on another host's address, and nothing else.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::browser::{Browser, stage};
use super::page::server;

/// The page in the README, which is the first fenced block of HTML there.
fn page_of_the_readme() -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(path).expect("README.md");
    let (_, rest) = readme.split_once("```html\n").expect("a block of HTML");
    let (page, _) = rest.split_once("```").expect("its end");
    page.to_owned()
}

#[tokio::test]
async fn the_readmes_20_lines_are_a_working_chat() {
    let _stage = stage().await;
    let server = server().await;
    let page = page_of_the_readme();
    assert!(page.lines().count() <= 20, "{page}");
    let page = page.replace("http://127.0.0.1:8000", &server.origin());
    assert!(page.contains(&server.origin()));
    // Any web server will do; this one knows one page.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let page = page.clone();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let kind = "Content-Type: text/html; charset=utf-8\r\nConnection: close";
                let head = format!("HTTP/1.1 200 OK\r\n{kind}\r\nContent-Length: {}", page.len());
                let _ = stream.write_all(format!("{head}\r\n\r\n{page}").as_bytes()).await;
            });
        }
    });
    let (ann, ben) = tokio::join!(Browser::open(), Browser::open());
    for page in [&ann, &ben] {
        page.goto(&format!("http://{address}/")).await;
    }
    ann.write("input", "hello, stranger\u{E007}").await;
    for page in [&ann, &ben] {
        page.sees("hello, stranger").await;
    }
    // Over a restart, without a line for it.
    let _server = server.restart().await;
    ben.write("input", "still here\u{E007}").await;
    ann.sees("still here").await;
    let once = "document.body.innerText.split('still here').length === 2 && \
        document.body.innerText.split('hello, stranger').length === 2";
    for page in [&ann, &ben] {
        page.until("each once", once, json!([])).await;
        page.is_without_faults().await;
    }
}
