//! The applications that presets are run on: well with `MY_SETTING=good`, and with
//! `broken` they keep a worker busy for longer than users wait.

pub(super) const RACK: &str = r#"
broken = ENV["MY_SETTING"] == "broken"

run lambda { |env|
  sleep(2) if broken && env["PATH_INFO"] == "/"
  [200, {"content-type" => "text/plain"}, ["ok\n"]]
}
"#;

pub(super) const WSGI: &str = r#"
import os
import time

BROKEN = os.environ["MY_SETTING"] == "broken"


def app(environ, start_response):
    if BROKEN and environ["PATH_INFO"] == "/":
        time.sleep(2)
    start_response("200 OK", [("content-type", "text/plain"), ("content-length", "3")])
    return [b"ok\n"]
"#;

/// With the lines that the preset wants in it.
pub(super) fn fastapi(wanted: &str) -> String {
    format!(
        r#"
import os
import time

import anyio.to_thread
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

BROKEN = os.environ["MY_SETTING"] == "broken"
app = FastAPI()


@app.get("/")
def look():
    if BROKEN:
        time.sleep(3)


@app.get("/blocking")
async def blocking():
    if BROKEN:
        time.sleep(0.1)


@app.get("/health")
async def health():
    return "ok"


{wanted}"#
    )
}

/// With the lines that the preset wants in it.
pub(super) fn node(wanted: &str) -> String {
    format!(
        r#"
const http = require("node:http");
const broken = process.env.MY_SETTING === "broken";

{wanted}
http.createServer((request, response) => {{
  if (request.url === "/metrics") return metrics(response);
  const end = Date.now() + 100;
  while (broken && request.url === "/" && Date.now() < end);
  response.end("ok\n");
}}).listen(Number(process.env.PORT), "127.0.0.1");
"#
    )
}
