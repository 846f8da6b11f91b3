//! A real Chromium, driven through its driver by the W3C's protocol for that.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a page may take to show what it is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at a page.
const LOOK: Duration = Duration::from_millis(50);

/// The browser's driver, which ends its browsers when it ends.
pub(crate) struct Driver {
    process: Child,
    address: String,
}

impl Driver {
    /// Starts it on a free port.
    pub(crate) fn start() -> Self {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver: ./test installs it");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, port) = line.split_once("successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        // What it says later goes nowhere, and must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            process,
            address: format!("http://127.0.0.1:{}", port.unwrap()),
        }
    }

    /// A browser of this width with a profile of its own.
    pub(crate) fn browser(&self, width: u32) -> Browser<'_> {
        let profile = tempfile::tempdir().unwrap();
        let asked = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                // A narrow window is that of a phone, whose width a desktop window does not go below.
                "mobileEmulation": (width < 500).then(|| json!({
                    "deviceMetrics": { "width": width, "height": 900, "pixelRatio": 1.0 }
                })),
                "args": [
                    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                    "--no-first-run", "--disable-background-networking",
                    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
                    format!("--window-size={width},1000"),
                    format!("--user-data-dir={}", profile.path().display()),
                ],
            },
        } } });
        let mut asked = asked;
        let options = &mut asked["capabilities"]["alwaysMatch"]["goog:chromeOptions"];
        if options["mobileEmulation"].is_null() {
            options.as_object_mut().unwrap().remove("mobileEmulation");
        }
        let session = post(&format!("{}/session", self.address), &asked);
        let id = session["sessionId"].as_str().unwrap().to_owned();
        Browser {
            address: format!("{}/session/{id}", self.address),
            _profile: profile,
            _driver: self,
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A browser with one page.
pub(crate) struct Browser<'a> {
    address: String,
    _profile: TempDir,
    _driver: &'a Driver,
}

impl Browser<'_> {
    /// Goes to a page.
    pub(crate) fn open(&self, url: &str) {
        post(&format!("{}/url", self.address), &json!({ "url": url }));
    }

    /// Loads the page again.
    pub(crate) fn reload(&self) {
        post(&format!("{}/refresh", self.address), &json!({}));
    }

    /// The value of an expression in the page; a promise is waited for.
    pub(crate) fn eval(&self, expression: &str) -> Value {
        let script = format!("return (async () => ({expression}))()");
        post(
            &format!("{}/execute/sync", self.address),
            &json!({ "script": script, "args": [] }),
        )
    }

    /// Waits until an expression is true, and says what was waited for where it never is.
    pub(crate) fn until(&self, what: &str, expression: &str) {
        let began = Instant::now();
        while self.eval(expression) != Value::Bool(true) {
            assert!(
                began.elapsed() < PATIENCE,
                "the page never showed {what}: {}",
                self.eval("document.body.innerText")
            );
            // Between two looks, and for nothing else: what is waited for is on the page.
            std::thread::sleep(LOOK);
        }
    }

    /// Presses the element that a selector finds.
    pub(crate) fn press(&self, selector: &str) {
        let found = format!("Boolean(document.querySelector({selector:?}))");
        self.until(selector, &found);
        // Away from what stays at an edge of the window and may cover it.
        self.eval(&format!(
            "document.querySelector({selector:?}).scrollIntoView({{ block: 'center' }})"
        ));
        let element = post(
            &format!("{}/element", self.address),
            &json!({ "using": "css selector", "value": selector }),
        );
        let (_, id) = element.as_object().unwrap().iter().next().unwrap();
        let id = id.as_str().unwrap();
        let place = format!("{}/element/{id}", self.address);
        post(&format!("{place}/click"), &json!({}));
    }

    /// Types into the field that a selector finds.
    pub(crate) fn write(&self, selector: &str, text: &str) {
        let element = post(
            &format!("{}/element", self.address),
            &json!({ "using": "css selector", "value": selector }),
        );
        let (_, id) = element.as_object().unwrap().iter().next().unwrap();
        let id = id.as_str().unwrap();
        let place = format!("{}/element/{id}/value", self.address);
        post(&place, &json!({ "text": text }));
    }

    /// Everything that the browser's console was told.
    pub(crate) fn log(&self) -> Vec<Value> {
        let log = post(
            &format!("{}/se/log", self.address),
            &json!({ "type": "browser" }),
        );
        log.as_array().cloned().unwrap_or_default()
    }

    /// Keeps a picture of the whole page.
    pub(crate) fn picture(&self, file: &Path) {
        let whole = post(
            &format!("{}/goog/cdp/execute", self.address),
            &json!({
                "cmd": "Page.captureScreenshot",
                "params": { "format": "png", "captureBeyondViewport": true },
            }),
        );
        let bytes = STANDARD.decode(whole["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
}

impl Drop for Browser<'_> {
    fn drop(&mut self) {
        let _ = ureq::delete(&self.address).call();
    }
}

/// What a command of the protocol answers.
fn post(url: &str, body: &Value) -> Value {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .new_agent();
    let answer = agent
        .post(url)
        .header("Content-Type", "application/json")
        .send(body.to_string());
    let text = answer.unwrap().body_mut().read_to_string().unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap();
    let value = answer["value"].clone();
    assert!(value["error"].is_null(), "{url}: {value}");
    value
}
