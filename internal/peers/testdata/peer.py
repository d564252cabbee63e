"""A peer of the tests: see package peers."""
import json, random, sys
import msgpack


def value(s):
    kind = s["kind"]
    if kind == "bool": return True
    if kind == "int":
        n = random.getrandbits(random.randint(1, s["bits"])) or 1
        return -n if s.get("signed") and random.random() < .5 else n
    if kind == "binary":
        return bytes(random.randint(1, 255) for _ in range(s.get("fixed") or random.randint(1, s["max"])))
    if kind == "string":
        text = "".join(random.choice("az09Z" if s["name"] == "name" else "az09 \"\\äßℵ中👍") for _ in range(random.randint(1, s["max"])))
        return text.encode()[:s["max"]].decode(errors="ignore") or "x"
    if kind == "list": return [value({"name": "", **s["fields"][0]}) for _ in range(random.randint(1, min(8, s["max"])))]
    return {f["name"]: value(f) for f in s["fields"] if f.get("must") or random.random() < .7}


def bare(v):
    """Without what may be left out: zeros, and what is empty."""
    if isinstance(v, dict): return {k: b for k, w in v.items() if (b := bare(w)) and (not isinstance(b, bytes) or any(b))}
    return [bare(w) for w in v] if isinstance(v, list) else v


if sys.argv[1] == "recode":
    for line in sys.stdin:
        print(msgpack.packb(msgpack.unpackb(bytes.fromhex(line))).hex())
else:
    random.seed(int(sys.argv[2]))
    shapes, made, same = json.loads(sys.stdin.readline()), [], 0
    for i in range(int(sys.argv[3])):
        s = shapes[i % len(shapes)]
        made.append([s["name"], value(s)])
        print(msgpack.packb(made[-1]).hex())
    sys.stdout.flush()
    for was, line in zip(made, sys.stdin):
        now = msgpack.unpackb(bytes.fromhex(line))
        if bare(now) == bare(was): same += 1
        else: print("made", was, "got", now)
    print(same, "same")
