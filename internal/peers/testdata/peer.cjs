// A peer of the tests: see package peers.
const [, , modules, mode, seed, count] = process.argv;
const { decode, encode } = require(`${modules}/@msgpack/msgpack`);
const { createInterface } = require("node:readline");
const { isDeepStrictEqual } = require("node:util");

const unhex = (line) => Buffer.from(line.trim(), "hex");
const read = (line) => decode(unhex(line), { useBigInt64: true });
const write = (v) => console.log(Buffer.from(encode(v, { useBigInt64: true })).toString("hex"));

// Node has no random numbers from a seed: this is mulberry32.
let state = Number(seed);
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const between = (a, b) => a + Math.floor(random() * (b - a + 1));

function value(s) {
  switch (s.kind) {
    case "bool": return true;
    case "int": {
      let n = 0n;
      for (let bits = between(1, s.bits); bits > 0; bits--) n = n * 2n + BigInt(between(0, 1));
      if (n === 0n) n = 1n;
      if (s.signed && random() < 0.5) n = -n;
      // With useBigInt64 the library writes a larger number that is no BigInt as a float.
      return n < 2n ** 31n && n > -(2n ** 31n) ? Number(n) : n;
    }
    case "binary": return Uint8Array.from({ length: s.fixed || between(1, s.max) }, () => between(1, 255));
    case "string": {
      const letters = s.name === "name" ? [..."az09Z"] : [..."az09 \"\\äßℵ中👍"];
      let text = "";
      for (let n = between(1, s.max); n > 0; n--) {
        const letter = letters[between(0, letters.length - 1)];
        if (Buffer.byteLength(text + letter) <= s.max) text += letter;
      }
      return text;
    }
    case "list": return Array.from({ length: between(1, Math.min(8, s.max)) }, () => value({ name: "", ...s.fields[0] }));
  }
  return Object.fromEntries(s.fields.filter((f) => f.must || random() < 0.7).map((f) => [f.name, value(f)]));
}

// Without what may be left out: zeros, and what is empty.
function bare(v) {
  if (typeof v === "number") return BigInt(v);
  if (Array.isArray(v)) return v.map(bare);
  if (v instanceof Uint8Array) return Buffer.from(v).toString("hex");
  if (typeof v !== "object") return v;
  const kept = Object.entries(v).map(([k, w]) => [k, bare(w)]).filter(([, w]) => w && w.length !== 0 && !(typeof w === "string" && /^(00)+$/.test(w)));
  return Object.fromEntries(kept.sort());
}

const made = [];
let same = 0, got = 0, shapes = null;
const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  if (mode === "recode") return write(read(line));
  if (!shapes) {
    shapes = JSON.parse(line);
    for (let i = 0; i < Number(count); i++) {
      const s = shapes[i % shapes.length];
      made.push([s.name, value(s)]);
      write(made[i]);
    }
    return;
  }
  const was = made[got++], now = read(line);
  if (isDeepStrictEqual(bare(now), bare(was))) same++;
  else console.log("made", was, "got", now);
});
lines.on("close", () => mode === "make" && console.log(`${same} same`));
