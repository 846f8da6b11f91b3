// Drives the proxy with toxiproxy-node-client: node drive.cjs API ECHO.
"use strict";

const assert = require("node:assert");
const net = require("node:net");
const { Toxiproxy } = require("toxiproxy-node-client");

const [api, echo] = process.argv.slice(2);
const server = new Toxiproxy(`http://${api}`);

// Milliseconds that a byte takes there and back.
const roundTrip = (proxy) =>
  new Promise((resolve, reject) => {
    const port = Number(proxy.listen.split(":").pop());
    const connection = net.connect(port, "127.0.0.1");
    let began;
    connection.on("connect", () => {
      began = performance.now();
      connection.write("x");
    });
    connection.on("data", () => {
      connection.destroy();
      resolve(performance.now() - began);
    });
    connection.on("error", reject);
  });

const main = async () => {
  assert.match(await server.getVersion(), /version/);
  const proxy = await server.createProxy({ name: "db", listen: "127.0.0.1:0", upstream: echo });
  await roundTrip(proxy);
  await assert.rejects(server.createProxy({ name: "db", listen: "127.0.0.1:0", upstream: echo }));

  const toxic = await proxy.addToxic({
    name: "late",
    type: "latency",
    stream: "upstream",
    toxicity: 1,
    attributes: { latency: 150, jitter: 0 },
  });
  assert.deepStrictEqual(toxic.attributes, { latency: 150, jitter: 0 });
  assert.ok((await roundTrip(proxy)) >= 149);
  const changed = await toxic.update({ attributes: { latency: 1, jitter: 0 } });
  assert.strictEqual(changed.attributes.latency, 1);
  assert.strictEqual((await proxy.getToxic("late")).stream, "upstream");
  await toxic.remove();
  await assert.rejects(proxy.getToxic("late"));

  const down = await proxy.update({ enabled: false, listen: proxy.listen, upstream: proxy.upstream });
  assert.strictEqual(down.enabled, false);
  await assert.rejects(roundTrip(proxy), /ECONNREFUSED/);
  await server.reset();
  assert.strictEqual((await server.get("db")).enabled, true);
  await roundTrip(proxy);

  const made = await server.populate([
    { name: "cache", listen: "127.0.0.1:0", upstream: echo },
    { name: "db", listen: proxy.listen, upstream: echo },
  ]);
  await roundTrip(made.cache);
  await roundTrip(made.db);
  assert.deepStrictEqual(Object.keys(await server.getAll()).sort(), ["cache", "db"]);
  await made.cache.remove();
  await proxy.remove();
  assert.deepStrictEqual(await server.getAll(), {});
  console.log("driven");
};

main().catch((cause) => {
  console.error(cause);
  process.exit(1);
});
