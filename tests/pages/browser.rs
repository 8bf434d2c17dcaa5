//! Chromium through chromedriver's HTTP interface: the few words of it that the tests need. Each browser
//! has an empty profile of its own and ends with its value. Knows nothing of the pages.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64_of_the_wire::decode;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::support::eventually;

/// What a page may take until it shows what is awaited: the machine may be busy with other tests.
const SOON: Duration = Duration::from_secs(30);
/// One command to the browser.
const COMMAND: Duration = Duration::from_mins(1);
/// What W3C calls an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Tests with browsers at one time.
const STAGES: u32 = 2;
static STAGE: Semaphore = Semaphore::const_new(STAGES as usize);

/// Waits until a test with browsers may begin.
pub async fn stage() -> SemaphorePermit<'static> {
    STAGE.acquire().await.expect("never closed")
}

/// Waits until no other test has a browser: for what is measured.
pub async fn whole_stage() -> SemaphorePermit<'static> {
    STAGE.acquire_many(STAGES).await.expect("never closed")
}

/// A browser with one page.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    http: Client,
    _profile: TempDir,
}

impl Browser {
    /// A window as on a desk.
    pub async fn open() -> Self {
        let profile = tempfile::Builder::new().prefix("hubbub-page-").tempdir().expect("a folder");
        let (driver, port) = start_driver();
        let http = Client::builder().timeout(COMMAND).no_proxy().build().expect("a client");
        let folder = format!("--user-data-dir={}", profile.path().display());
        let mut browser = Self { driver, port, session: String::new(), http, _profile: profile };
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--lang=en-GB",
            "--window-size=1280,800",
            &folder,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": args},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let made = browser.command(Method::POST, "/session", &wanted).await;
        browser.session = made["sessionId"].as_str().expect("a session").to_owned();
        browser.resize(1280, 800, false).await;
        browser
    }

    /// A phone: its size, its density, and fingers.
    pub async fn phone() -> Self {
        let browser = Self::open().await;
        browser.resize(390, 844, true).await;
        browser
    }

    /// Makes the page so wide and high.
    pub async fn resize(&self, width: u32, height: u32, is_phone: bool) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": if is_phone { 2 } else { 1 },
            "mobile": is_phone,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let touch = json!({"enabled": is_phone});
        self.devtools("Emulation.setTouchEmulationEnabled", touch).await;
    }

    async fn command(&self, method: Method, path: &str, body: &Value) -> Value {
        match self.try_command(method, path, body).await {
            Ok(value) => value,
            Err(why) => panic!("{path}: {why}"),
        }
    }

    async fn try_command(&self, method: Method, path: &str, body: &Value) -> Result<Value, Value> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let mut request = self.http.request(method.clone(), url);
        if method == Method::POST {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap_or_else(|why| panic!("{path}: {why:?}"));
        let is_good = answer.status().is_success();
        let mut body: Value = answer.json().await.unwrap_or_else(|why| panic!("{path}: {why:?}"));
        if is_good { Ok(body["value"].take()) } else { Err(body["value"]["message"].take()) }
    }

    async fn ask(&self, what: &str, body: Value) -> Value {
        self.command(Method::POST, &format!("/session/{}{what}", self.session), &body).await
    }

    /// A word of the browser's developer tools.
    pub async fn devtools(&self, command: &str, params: Value) -> Value {
        self.ask("/goog/cdp/execute", json!({"cmd": command, "params": params})).await
    }

    /// Loads a page and waits until it is there.
    pub async fn goto(&self, url: &str) {
        self.ask("/url", json!({"url": url})).await;
    }

    /// Loads the page anew.
    pub async fn reload(&self) {
        self.ask("/refresh", json!({})).await;
    }

    /// Runs a script's body in the page.
    pub async fn js(&self, script: &str, args: Value) -> Value {
        self.ask("/execute/sync", json!({"script": script, "args": args})).await
    }

    /// Runs a script's body that calls its last argument when it is done.
    pub async fn js_done(&self, script: &str, args: Value) -> Value {
        self.ask("/execute/async", json!({"script": script, "args": args})).await
    }

    /// Waits until an expression is true in the page, and gives what it is.
    pub async fn until(&self, what: &str, expression: &str, args: Value) -> Value {
        let script = format!("return ({expression});");
        let script = &script;
        eventually(what, SOON, || {
            let args = args.clone();
            async move {
                let value = self.js(script, args).await;
                let is_so = !matches!(&value, Value::Null | Value::Bool(false));
                if is_so { Ok(value) } else { Err(self.text().await) }
            }
        })
        .await
    }

    /// What the page says, as a reader sees it.
    pub async fn text(&self) -> String {
        let text = self.js("return document.body.innerText", json!([])).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page says this.
    pub async fn sees(&self, words: &str) {
        let expression = "document.body.innerText.includes(arguments[0])";
        self.until(&format!("the page says {words:?}"), expression, json!([words])).await;
    }

    /// Waits until the page says this no longer.
    pub async fn sees_no(&self, words: &str) {
        let expression = "!document.body.innerText.includes(arguments[0])";
        self.until(&format!("the page says {words:?} no longer"), expression, json!([words])).await;
    }

    async fn element(&self, css: &str) -> String {
        let path = format!("/session/{}/element", self.session);
        let path = path.as_str();
        let query = json!({"using": "css selector", "value": css});
        let query = &query;
        eventually(css, SOON, || async move {
            match self.try_command(Method::POST, path, query).await {
                Ok(found) => Ok(found[ELEMENT].as_str().expect("an element").to_owned()),
                Err(why) => Err(format!("{why}: {}", self.text().await)),
            }
        })
        .await
    }

    /// Presses something with the pointer, as soon as it can be.
    pub async fn click(&self, css: &str) {
        eventually(css, SOON, || async move {
            let path =
                format!("/session/{}/element/{}/click", self.session, self.element(css).await);
            self.try_command(Method::POST, &path, &json!({})).await.map_err(|why| why.to_string())
        })
        .await;
    }

    /// Presses the button or the link with these words.
    pub async fn press(&self, words: &str) {
        let find = "[...document.querySelectorAll('button, a')].some((one) => \
            one.textContent.trim() === arguments[0] && one.checkVisibility() && (one.click(), true))";
        self.until(&format!("{words:?} can be pressed"), find, json!([words])).await;
    }

    /// Types into a field, as it stands.
    pub async fn write(&self, css: &str, text: &str) {
        let element = self.element(css).await;
        self.ask(&format!("/element/{element}/value"), json!({"text": text})).await;
    }

    /// Replaces what stands in a field.
    pub async fn fill(&self, css: &str, text: &str) {
        let element = self.element(css).await;
        self.ask(&format!("/element/{element}/clear"), json!({})).await;
        self.ask(&format!("/element/{element}/value"), json!({"text": text})).await;
    }

    /// Presses keys, wherever the focus is: characters, or W3C's code points for the others.
    pub async fn keys(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key})))
            .collect();
        let actions = json!({"actions": [{"type": "key", "id": "keys", "actions": strokes}]});
        self.ask("/actions", actions).await;
    }

    /// Throws a cookie away.
    pub async fn drop_cookie(&self, name: &str) {
        let path = format!("/session/{}/cookie/{name}", self.session);
        self.command(Method::DELETE, &path, &Value::Null).await;
    }

    /// Has the page believe that another tab is before it, or that it is seen again. Tabs of a browser
    /// without a screen are never hidden.
    pub async fn goes_behind(&self, is_behind: bool) {
        let hide = "const [is] = arguments; Object.defineProperty(document, 'hidden', \
            {configurable: true, get: () => is}); document.dispatchEvent(new Event('visibilitychange'))";
        self.js(hide, json!([is_behind])).await;
    }

    /// Stops it with all its processes, as a laptop does that is closed; or has it go on.
    pub fn sleeps(&self, is_asleep: bool) {
        let signal = if is_asleep { "-STOP" } else { "-CONT" };
        let (mut all, mut at) = (children(self.driver.id()), 0);
        while let Some(process) = all.get(at) {
            all.extend(children(*process));
            at += 1;
        }
        assert!(!all.is_empty(), "a browser is processes");
        let ids = all.iter().map(u32::to_string);
        let sent = Command::new("kill").arg(signal).args(ids).status().expect("kill is there");
        assert!(sent.success(), "they run");
    }

    /// Takes the network away, or gives it back.
    pub async fn offline(&self, is_offline: bool) {
        let speed = if is_offline { 0 } else { -1 };
        let conditions = json!({"network_conditions": {
            "offline": is_offline, "latency": 0, "download_throughput": speed,
            "upload_throughput": speed,
        }});
        self.ask("/chromium/network_conditions", conditions).await;
    }

    /// A picture of the page, under `target/tmp/pages/`.
    pub async fn picture(&self, name: &str) -> Vec<u8> {
        let path = format!("/session/{}/screenshot", self.session);
        let text = self.command(Method::GET, &path, &Value::Null).await;
        let bytes = decode(text.as_str().expect("base64"));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pages");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("{name}.png")), &bytes).expect("a file");
        bytes
    }

    /// What the console says that is the page's own fault: errors of scripts, and what the policy refused.
    pub async fn faults(&self) -> Vec<String> {
        let lines = self.ask("/se/log", json!({"type": "browser"})).await;
        let lines = lines.as_array().cloned().unwrap_or_default();
        let text = |line: &Value| line["message"].as_str().unwrap_or_default().to_owned();
        let own = ["Content Security Policy", "Uncaught", "Refused to", "Error:"];
        // That a request found nobody is the network's fault.
        let is_net =
            |line: &str| line.contains("net::ERR") || line.contains("WebSocket connection");
        let lines = lines.iter().map(text);
        lines.filter(|line| own.iter().any(|own| line.contains(own)) && !is_net(line)).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser when asked to, and not when it is killed.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
            let head = format!(
                "DELETE /session/{} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
                self.session
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.read(&mut [0; 64]);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The processes that this one started.
fn children(process: u32) -> Vec<u32> {
    let parent = process.to_string();
    let is_child = |id: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // After the name in brackets: the state, then the parent.
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        fields.split(' ').nth(1) == Some(parent.as_str())
    };
    let all = std::fs::read_dir("/proc").expect("/proc").flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(is_child).collect()
}

/// Starts the driver on a port that it chooses itself.
fn start_driver() -> (Child, u16) {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver: apt-get install chromium chromium-driver");
    let mut lines = BufReader::new(driver.stdout.take().expect("piped")).lines();
    let port = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| {
            line.rsplit_once("successfully on port ")?.1.trim_end_matches('.').parse().ok()
        })
        .expect("the driver says its port");
    // Whatever else it says is taken, so that it never waits for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    (driver, port)
}

mod base64_of_the_wire {
    /// The bytes of base64 with its padding.
    pub fn decode(text: &str) -> Vec<u8> {
        let value = |sign: u8| match sign {
            b'A'..=b'Z' => sign - b'A',
            b'a'..=b'z' => sign - b'a' + 26,
            b'0'..=b'9' => sign - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        let signs: Vec<u8> = text.bytes().filter(|sign| *sign != b'=').collect();
        let mut bytes = Vec::with_capacity(signs.len() * 3 / 4);
        for four in signs.chunks(4) {
            let bits = four.iter().fold(0_u32, |bits, sign| bits << 6 | u32::from(value(*sign)));
            let bits = bits << (6 * (4 - four.len()));
            bytes.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
        }
        bytes
    }
}
