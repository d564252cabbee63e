#!/usr/bin/python3
"""A bot that rolls dice and tells the time: bot.py SERVER [ROOM [ADDRESS...]]"""
import asyncio, hashlib, json, os, random, re, secrets, socket, ssl, sys, time
import msgpack  # Debian: python3-msgpack

NICK = "dice-py"  # its own where there is dice-py.pem: a key and its certificate

def answer(text):
    """What to say to a text, or None. This is the part to make your own."""
    if m := re.fullmatch(r"!roll ([1-9]\d?)d([1-9]\d{0,3})", text, re.ASCII):
        return f"{sum(random.randint(1, int(m[2])) for _ in range(int(m[1])))} with {m[1]}d{m[2]}"
    return time.strftime("%A, %H:%M") if text == "!time" else None

def answer_id(question):
    """One question gives one UUIDv7: an answer that is sent again is there once."""
    h = hashlib.sha256(question + NICK.encode()).digest()
    return question[:6] + bytes([0x70 | h[6] & 15, h[7], 0x80 | h[8] & 63]) + h[9:16]

def find(name, pin, addresses):
    """Asks who has the name: its key, host and port. Anybody may answer; TLS proves it."""
    udp, token, found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), secrets.token_bytes(16), {}
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    for seq, wait in enumerate((.1, .2, .4, .8, 1, 1)):
        pad = bytes(201 - len(name.encode()))  # 256 bytes in all: no answer is longer than its query
        query = msgpack.packb(["query", {"token": token, "name": name, "seq": seq, "pad": pad}])
        for address in addresses:
            try: udp.sendto(b"lcht\x01" + query, (address, 25252))
            except OSError: pass  # no way there; another address may do
        end = time.monotonic() + wait
        while (left := end - time.monotonic()) > 0 and len(found) < 16:
            udp.settimeout(left)
            try:
                packet, (host, _) = udp.recvfrom(2048)
                kind, f = msgpack.unpackb(packet[5:])
                if kind == "answer" and f["token"] == token: found[f["key"].hex()] = host, f["port"]
            except Exception: pass  # the time is up, or it is no packet of ours
        if pin in found or found and not pin: break
    if not found: raise OSError(f"nobody here answers to the name {name}")
    if pin not in found and (pin or len(found) > 1): raise OSError(f"REFUSED: {name} is {found}, not {pin or 'one'}")
    return (pin, *found[pin]) if pin else (*found, *found.popitem()[1])

async def talk(key, host, port, room, state, save):
    """One connection. All up to state["cursor"] has its answer in the log, whatever is cut when."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE  # the fingerprint instead
    if os.path.exists(NICK + ".pem"): tls.load_cert_chain(NICK + ".pem")
    reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port, ssl=tls), 10)
    if hashlib.sha256(writer.get_extra_info("ssl_object").getpeercert(True)).hexdigest() != key:
        raise OSError(f"REFUSED: the server at {host} does not have the key that it announced")
    save(pin=key)
    def send(kind, **fields):
        body = msgpack.packb([kind, fields])
        writer.write(len(body).to_bytes(4, "big") + body)
    async def pings():
        while not await asyncio.sleep(25): send("ping", n=1)
    waiting, seen, behind, pinging = {}, None, False, asyncio.create_task(pings())
    send("hello", v=1, software="bot.py", nick=NICK, bot=True)
    while True:
        size = int.from_bytes(await asyncio.wait_for(reader.readexactly(4), 75), "big")
        kind, f = msgpack.unpackb(await reader.readexactly(size))
        if kind == "welcome":
            seen = state.get("cursor") if state.get("epoch") == f["epoch"].hex() else None
            save(epoch=f["epoch"].hex(), cursor=seen)
            send("join", room=room, after=seen or 0, live=seen is None)
        if kind == "joined" and (seen is None or f.get("reset")): seen = f.get("head", 0)
        behind = kind == "skipped" or behind and kind != "joined"  # more was missed than is replayed: turn pages
        if kind in ("bye", "auth") or kind == "error" and ("id" not in f or f["code"] == "limit"):
            raise OSError(f.get("text", kind))
        waiting.pop(f.get("id"), None)  # acknowledged, or seen, or refused for good
        for e in f.get("entries", []) if kind == "page" else [f] if kind == "entry" and not behind else []:
            new, seen = e["seq"] > seen, max(seen, e["seq"])
            if new and "bot" not in e and "kind" not in e and (text := answer(e.get("text", ""))):
                waiting[answer_id(e["id"])] = seen  # its cursor, while it is not acknowledged
                send("post", id=answer_id(e["id"]), room=room, text=text, to=e["id"])
        if kind == "skipped" or f.get("more") and kind == "page": send("history", room=room, after=seen, oldest=True)
        elif kind == "page": send("join", room=room, after=seen)
        if seen is not None: save(cursor=min(waiting.values(), default=seen + 1) - 1)

def main(name, room="lobby", *addresses):
    path, pause = f"{NICK}.{name.lower().replace('/', '_')}.{room}.json", .5
    state = json.load(open(path)) if os.path.exists(path) else {}
    def save(**new):
        if new.items() <= state.items(): return
        state.update(new)
        with open(path + ".new", "w") as file: json.dump(state, file)
        os.replace(path + ".new", path)
    while True:
        begin = time.monotonic()
        try:
            server = find(name, state.get("pin"), ["127.0.0.1", "127.255.255.255", "255.255.255.255", *addresses])
            asyncio.run(talk(*server, room, state, save))
        except (OSError, EOFError, asyncio.TimeoutError) as e: print(f"{NICK}: {e}", file=sys.stderr)
        if "pin" not in state: sys.exit(1)  # one that knows its server waits for it
        time.sleep(pause := .5 if time.monotonic() - begin > 60 else min(30, pause * random.uniform(1, 3)))

if len(sys.argv) < 2: sys.exit("whom to serve? bot.py SERVER [ROOM [ADDRESS...]]")
main(*sys.argv[1:])
