// A bot that rolls dice and tells the time: node bot.js SERVER [ROOM [ADDRESS...]]
import { createHash, randomBytes, randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { decode, encode } from "@msgpack/msgpack";

const NICK = "dice-js"; // its own where there is dice-js.pem: a key and its certificate
const hex = (bytes) => Buffer.from(bytes).toString("hex");

// What to say to a text, or nothing. This is the part to make your own.
function answer(text) {
  const [, n, sides] = text.match(/^!roll ([1-9]\d?)d([1-9]\d{0,3})$/) ?? [];
  if (n) return `${Array.from({ length: n }, () => randomInt(1, +sides + 1)).reduce((a, b) => a + b)} with ${n}d${sides}`;
  if (text === "!time") return new Date().toLocaleTimeString();
}

// One question gives one UUIDv7: an answer that is sent again is there once.
function answerID(question) {
  const h = createHash("sha256").update(question).update(NICK).digest();
  return Uint8Array.of(...question.slice(0, 6), 0x70 | (h[6] & 15), h[7], 0x80 | (h[8] & 63), ...h.subarray(9, 16));
}

// Asks who has the name: its key, host and port. Anybody may answer; TLS proves it.
async function find(pin) {
  const udp = createSocket("udp4").bind(() => udp.setBroadcast(true)), token = randomBytes(16), found = new Map();
  udp.on("message", (packet, from) => {
    try {
      const [kind, f] = decode(packet.subarray(5));
      if (kind === "answer" && token.equals(f.token) && found.size < 16) found.set(hex(f.key), [from.address, f.port]);
    } catch {} // it is no packet of ours
  });
  for (const [seq, wait] of [100, 200, 400, 800, 1000, 1000].entries()) {
    const pad = new Uint8Array(201 - Buffer.byteLength(name)); // 256 bytes in all: no answer is longer than its query
    const query = Buffer.concat([Buffer.from("lcht\x01"), encode(["query", { token, name, seq, pad }])]);
    for (const address of ["127.0.0.1", "127.255.255.255", "255.255.255.255", ...addresses]) udp.send(query, 25252, address, () => {});
    await sleep(wait);
    if (found.has(pin) || (found.size && !pin)) break;
  }
  udp.close();
  const [key = pin, ...others] = found.has(pin) ? [pin] : found.keys();
  if (!found.size) throw Error(`nobody here answers to the name ${name}`);
  if (others.length || key !== (pin ?? key)) throw Error(`REFUSED: ${name} has the key ${[...found.keys()]}, not ${pin ?? "one"}`);
  return [key, ...found.get(key)];
}

// One connection. All up to state.cursor has its answer in the log, whatever is cut when.
async function talk([key, host, port]) {
  const pem = existsSync(`${NICK}.pem`) ? readFileSync(`${NICK}.pem`) : undefined;
  const socket = connect({ host, port, minVersion: "TLSv1.3", key: pem, cert: pem, rejectUnauthorized: false }, () => {
    if (createHash("sha256").update(socket.getPeerX509Certificate().raw).digest("hex") !== key)
      return socket.destroy(Error(`REFUSED: the server at ${host} does not have the key that it announced`));
    save({ pin: key });
    send("hello", { v: 1, software: "bot.js", nick: NICK, bot: true });
  });
  const send = (kind, fields, body = encode([kind, fields]), n = body.length) =>
    socket.write(Uint8Array.of(n >> 24, n >> 16, n >> 8, n, ...body)); // each modulo 256
  socket.setTimeout(75_000, () => socket.destroy(Error("the server is silent"))).on("error", () => {});
  const pings = setInterval(() => socket.closed ? clearInterval(pings) : send("ping", { n: 1 }), 25_000);
  let waiting = new Map(), seen = null, behind = false, buffer = Buffer.alloc(0);
  for await (const chunk of socket) {
    buffer = Buffer.concat([buffer, chunk]);
    for (let n; buffer.length >= 4 && buffer.length >= (n = 4 + buffer.readUInt32BE()); buffer = buffer.subarray(n)) {
      const [kind, f] = decode(buffer.subarray(4, n));
      if (kind === "welcome") {
        seen = state.epoch === hex(f.epoch) ? state.cursor : null;
        save({ epoch: hex(f.epoch), cursor: seen });
        send("join", { room, after: seen ?? 0, live: seen === null });
      }
      if (kind === "joined" && (seen === null || f.reset)) seen = f.head ?? 0;
      behind = kind === "skipped" || (behind && kind !== "joined"); // more was missed than is replayed: turn pages
      if (kind === "bye" || kind === "auth" || (kind === "error" && (!f.id || f.code === "limit"))) throw Error(f.text ?? kind);
      if (f.id) waiting.delete(hex(f.id)); // acknowledged, or seen, or refused for good
      for (const e of kind === "page" ? f.entries ?? [] : kind === "entry" && !behind ? [f] : []) {
        const text = e.seq > seen && !e.bot && !e.kind && answer(e.text ?? "");
        seen = Math.max(seen, e.seq);
        if (text) waiting.set(hex(answerID(e.id)), seen); // its cursor, while it is not acknowledged
        if (text) send("post", { id: answerID(e.id), room, text, to: e.id });
      }
      if (kind === "skipped" || (kind === "page" && f.more)) send("history", { room, after: seen, oldest: true });
      else if (kind === "page") send("join", { room, after: seen });
      if (seen !== null) save({ cursor: Math.min(seen + 1, ...waiting.values()) - 1 });
    }
  }
  throw Error("the server closed the connection");
}
const [name, room = "lobby", ...addresses] = process.argv.slice(2);
const path = `${NICK}.${name.toLowerCase().replaceAll("/", "_")}.${room}.json`;
const state = existsSync(path) ? JSON.parse(readFileSync(path)) : {};
function save(news) {
  writeFileSync(`${path}.new`, JSON.stringify(Object.assign(state, news)));
  renameSync(`${path}.new`, path);
}
for (let pause = 500, begin; (begin = Date.now()); await sleep(pause)) {
  await find(state.pin).then(talk).catch((e) => console.error(`${NICK}: ${e.message}`));
  if (!state.pin) process.exit(1); // one that knows its server waits for it
  pause = Date.now() - begin > 60_000 ? 500 : Math.min(30_000, pause * (1 + 2 * Math.random()));
}
