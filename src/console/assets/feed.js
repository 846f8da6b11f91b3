// What the page asks of the console and what it is sent. The key comes from the link's
// fragment, which no browser sends; it travels in a header. A feed that breaks is taken up
// again after the last message that arrived, so nothing is lost.

// Of finished runs the one that is meant, where there are several.
export const run = new URLSearchParams(location.search).get("run");
const KEPT = "threadbare:console";
const asked = (path) => (run ? path + (path.includes("?") ? "&" : "?") + new URLSearchParams({ run }) : path);
// The console sends a comment every 5 s: a feed that is silent for longer is broken.
const SILENT_MS = 15000;
const WAIT_MS = [300, 600, 1200, 2500, 5000];
// How often an order to stop is sent again while the console does not answer.
const STOP_TRIES = 60;

const kept = () => {
  try { return JSON.parse(sessionStorage.getItem(KEPT)) || {}; } catch { return {}; }
};
const keep = (more) => {
  try { sessionStorage.setItem(KEPT, JSON.stringify(Object.assign(kept(), more))); } catch { /* this tab only */ }
};

const fragment = new URLSearchParams(location.hash.slice(1)).get("key");
export const key = fragment || kept().key || "";
// A session belongs to the key with which it was begun.
if (kept().key !== key) keep({ key, session: null, person: null });
// A projector shows the address: the key leaves it once this tab keeps it.
if (fragment && kept().key === key) history.replaceState(null, "", location.pathname + location.search);

export const joined = () => (kept().session ? kept().person : null);
export const leave = () => keep({ session: null, person: null });

const headers = (more) => {
  const all = Object.assign({ "X-Threadbare-Key": key }, more);
  const session = kept().session;
  if (session) all["X-Threadbare-Session"] = session;
  return all;
};

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// The plan of the run that is meant, or the list of runs.
export const plan = () => get(asked("/plan"));

// `{ status, body }`; the status is 0 where the console did not answer.
export const get = async (path) => {
  try {
    const answer = await fetch(path, { headers: headers(), cache: "no-store" });
    return { status: answer.status, body: await answer.json().catch(() => ({})) };
  } catch {
    return { status: 0, body: {} };
  }
};

// `null` where it was accepted; the reason as a sentence where it was not.
const send = async (path, body) => {
  try {
    const answer = await fetch(path, {
      method: "POST", headers: headers({ "Content-Type": "application/json" }), body: JSON.stringify(body || {}),
    });
    const said = await answer.json().catch(() => ({}));
    if (answer.ok) return { refused: null, said };
    return { refused: said.error || "The console answered with status " + answer.status + ".", status: answer.status };
  } catch {
    return { refused: "The console does not answer.", status: 0 };
  }
};
export const post = async (path, body) => (await send(path, body)).refused;

export const join = async (name, role) => {
  const { refused, said } = await send("/join", { name, role });
  if (refused) return refused;
  if (!said.session) return "The console gave no session.";
  keep({ session: said.session, person: { name, role } });
  return null;
};

// The one order that is sent until somebody answers.
export const stop = async (waiting) => {
  for (let tries = 0; tries < STOP_TRIES; tries++) {
    const { refused, status } = await send("/stop");
    if (status !== 0) return refused;
    waiting();
    await wait(1000);
  }
  return "The console does not answer; end threadbare itself with Ctrl-C.";
};

// Reads messages from the feed for as long as there are any. `on` has `message(message)` and
// `state(name)`; names are `connecting`, `live`, `reconnecting`, `over` and `refused`.
export const follow = async (on) => {
  let last = 0;
  let over = false;
  let failed = 0;
  on.state("connecting");
  while (!over) {
    const broken = new AbortController();
    let watch = 0;
    const alive = () => {
      clearTimeout(watch);
      watch = setTimeout(() => broken.abort(), SILENT_MS);
    };
    try {
      alive();
      const answer = await fetch(asked("/events?from=" + last), { headers: headers(), signal: broken.signal, cache: "no-store" });
      if (answer.status === 401 || answer.status === 403) { on.state("refused"); return; }
      if (!answer.ok) throw new Error("status " + answer.status);
      on.state("live");
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        failed = 0;
        alive();
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        for (const line of lines) {
          if (!line.startsWith("data:")) continue;
          const message = JSON.parse(line.slice(5));
          if (!(message.seq > last)) continue;
          last = message.seq;
          over = over || message.kind === "end";
          on.message(message);
        }
      }
    } catch { /* taken up again below */ }
    clearTimeout(watch);
    broken.abort();
    if (over) break;
    on.state("reconnecting");
    await wait(WAIT_MS[Math.min(failed, WAIT_MS.length - 1)] * (0.75 + Math.random() / 2));
    failed += 1;
  }
  on.state("over");
};
