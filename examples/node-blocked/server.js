// A shop on Node whose report blocks the event loop, as a synchronous read from a slow disk
// does. Items, the health check and the metrics need the same loop. Nothing here knows of
// incidents.
"use strict";

const http = require("node:http");
const { performance } = require("node:perf_hooks");
const { Worker, isMainThread, parentPort } = require("node:worker_threads");

const REPORT_MS = Number(process.env.REPORT_MS ?? 2000);
// "loop": on the event loop. "worker": on a thread of its own. "parts": on the loop, 10 ms at
// a time.
const REPORT_ON = process.env.REPORT_ON ?? "loop";

// Blocks this thread without using the processor.
function block(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function main() {
  let before = performance.eventLoopUtilization();
  let inProgress = 0;

  // How much of the time since the last reading the loop was busy.
  function metrics(response) {
    const now = performance.eventLoopUtilization();
    const since = performance.eventLoopUtilization(now, before);
    before = now;
    response.end(`nodejs_eventloop_utilization ${since.utilization}\n`);
  }

  // One worker: reports wait for each other, and for nobody else does it matter.
  const worker = REPORT_ON === "worker" ? new Worker(__filename) : undefined;
  const asked = [];
  worker?.on("message", () => asked.shift()());

  function report(done) {
    if (REPORT_ON === "worker") {
      asked.push(done);
      worker.postMessage(REPORT_MS);
    } else if (REPORT_ON === "parts") {
      const end = Date.now() + REPORT_MS;
      const part = () => {
        block(10);
        if (Date.now() < end) setTimeout(part, 10);
        else done();
      };
      part();
    } else {
      block(REPORT_MS);
      done();
    }
  }

  http
    .createServer((request, response) => {
      if (request.url === "/metrics") return metrics(response);
      if (request.url === "/progress") return response.end(`requests_in_progress ${inProgress}\n`);
      inProgress += 1;
      response.on("close", () => (inProgress -= 1));
      if (request.url === "/report") return report(() => response.end("7 orders\n"));
      response.end("ok\n");
    })
    .listen(8461, "127.0.0.1");
}

if (isMainThread) main();
else parentPort.on("message", (ms) => { block(ms); parentPort.postMessage("done"); });
