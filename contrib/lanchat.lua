-- lanchat.lua: a dissector for Wireshark and tshark. It names the datagrams of
-- discovery (UDP port 25252) and the frames of the stream (TCP), with their fields.
--
--   wireshark -X lua_script:contrib/lanchat.lua talk.pcap
--   tshark    -X lua_script:contrib/lanchat.lua -r talk.pcap
--
-- or put it into Wireshark's folder of personal Lua plugins (Help, About, Folders).
--
-- On the network the stream is inside TLS 1.3, and nobody reads it there: what is
-- dissected is a capture that "chat wire --pcap FILE" wrote, or a client without
-- TLS. Other ports than 25252 are noticed by how the bytes begin.
--
-- Filters: lanchat.type == "post", lanchat.field contains "pizza",
-- lanchat.malformed. The formats are those of the package comments of discovery
-- and protocol. For Lua 5.2 (Wireshark 4.0) and later.

local PORT = 25252
local MAGIC = "lcht"
local VERSION = 1
local MAX_PACKET = 256
local MAX_FRAME = 65536
local MAX_DEPTH = 16    -- the protocol allows 8
local MAX_NODES = 20000 -- a frame holds no more that is worth a line

local stream = Proto("lanchat", "lanchat")
local datagram = Proto("lanchat_discovery", "lanchat discovery")

local f = {
  length = ProtoField.uint32("lanchat.length", "Length of the body"),
  magic = ProtoField.string("lanchat.magic", "Magic"),
  version = ProtoField.uint8("lanchat.version", "Version"),
  type = ProtoField.string("lanchat.type", "Type"),
  field = ProtoField.string("lanchat.field", "Field"),
}
stream.fields = { f.length, f.magic, f.version, f.type, f.field }

local malformed = ProtoExpert.new("lanchat.malformed", "Malformed", expert.group.MALFORMED, expert.severity.ERROR)
stream.experts = { malformed }

-- MessagePack ------------------------------------------------------------------

-- A node is a decoded value: where it stands (off, len), what kind it is, its text,
-- and of a map or array what is in it. Errors are thrown as tables: { message }.
local function fail(message) error({ message }, 0) end

-- clean makes a text one that is safe in a column: no controls.
local function clean(s) return (s:gsub("%c", ".")) end

local node -- defined below

-- reader walks over the bytes of tvb from off to stop, and not one further.
local function reader(tvb, off, stop) return { tvb = tvb, off = off, stop = stop, nodes = 0 } end

local function take(r, n)
  if n > r.stop - r.off then fail("it ends in the middle of a value") end
  local at = r.off
  r.off = at + n
  return at
end

local function uint(r, n)
  local at = take(r, n)
  if n == 8 then return r.tvb(at, 8):uint64() end
  return r.tvb(at, n):uint()
end

local function int(r, n)
  local at = take(r, n)
  if n == 8 then return r.tvb(at, 8):int64() end
  return r.tvb(at, n):int()
end

local function text(r, n)
  if n == 0 then return "string", "" end
  return "string", clean(r.tvb(take(r, n), n):string(ENC_UTF_8))
end

local function binary(r, n)
  if n == 0 then return "binary", "" end
  local shown = math.min(n, 64)
  local hex = tostring(r.tvb(take(r, n), shown):bytes()):lower()
  if shown < n then hex = hex .. "… (" .. n .. " bytes)" end
  return "binary", hex
end

local function ext(r, n)
  local kind = int(r, 1)
  local _, hex = binary(r, n)
  return "ext", "type " .. kind .. ": " .. hex
end

local function array(r, n, depth)
  if n > r.stop - r.off then fail("an array of " .. n .. " in " .. (r.stop - r.off) .. " bytes") end
  local items = {}
  for i = 1, n do items[i] = node(r, depth + 1) end
  return "array", n == 1 and "1 element" or n .. " elements", items
end

local function map(r, n, depth)
  if 2 * n > r.stop - r.off then fail("a map of " .. n .. " in " .. (r.stop - r.off) .. " bytes") end
  local items = {}
  for i = 1, n do
    local key = node(r, depth + 1)
    if key.kind ~= "string" then fail("a key that is no string") end
    local value = node(r, depth + 1)
    value.key, value.len, value.off = key.text, value.off + value.len - key.off, key.off
    items[i] = value
  end
  return "map", n == 1 and "1 field" or n .. " fields", items
end

-- form says what the bytes from 0xc0 to 0xdf mean.
local form = {
  [0xc0] = function() return "nil", "nil" end,
  [0xc2] = function() return "bool", "false" end,
  [0xc3] = function() return "bool", "true" end,
  [0xc4] = function(r) return binary(r, uint(r, 1)) end,
  [0xc5] = function(r) return binary(r, uint(r, 2)) end,
  [0xc6] = function(r) return binary(r, uint(r, 4)) end,
  [0xc7] = function(r) return ext(r, uint(r, 1)) end,
  [0xc8] = function(r) return ext(r, uint(r, 2)) end,
  [0xc9] = function(r) return ext(r, uint(r, 4)) end,
  [0xca] = function(r) return "float", tostring(r.tvb(take(r, 4), 4):float()) end,
  [0xcb] = function(r) return "float", tostring(r.tvb(take(r, 8), 8):float()) end,
  [0xcc] = function(r) return "int", tostring(uint(r, 1)) end,
  [0xcd] = function(r) return "int", tostring(uint(r, 2)) end,
  [0xce] = function(r) return "int", string.format("%.0f", uint(r, 4)) end,
  [0xcf] = function(r) return "int", tostring(uint(r, 8)) end,
  [0xd0] = function(r) return "int", tostring(int(r, 1)) end,
  [0xd1] = function(r) return "int", tostring(int(r, 2)) end,
  [0xd2] = function(r) return "int", string.format("%.0f", int(r, 4)) end,
  [0xd3] = function(r) return "int", tostring(int(r, 8)) end,
  [0xd4] = function(r) return ext(r, 1) end,
  [0xd5] = function(r) return ext(r, 2) end,
  [0xd6] = function(r) return ext(r, 4) end,
  [0xd7] = function(r) return ext(r, 8) end,
  [0xd8] = function(r) return ext(r, 16) end,
  [0xd9] = function(r) return text(r, uint(r, 1)) end,
  [0xda] = function(r) return text(r, uint(r, 2)) end,
  [0xdb] = function(r) return text(r, uint(r, 4)) end,
  [0xdc] = function(r, depth) return array(r, uint(r, 2), depth) end,
  [0xdd] = function(r, depth) return array(r, uint(r, 4), depth) end,
  [0xde] = function(r, depth) return map(r, uint(r, 2), depth) end,
  [0xdf] = function(r, depth) return map(r, uint(r, 4), depth) end,
}

node = function(r, depth)
  r.nodes = r.nodes + 1
  if depth > MAX_DEPTH then fail("more than " .. MAX_DEPTH .. " levels") end
  if r.nodes > MAX_NODES then fail("more than " .. MAX_NODES .. " values") end
  local at = r.off
  local b = uint(r, 1)
  local kind, shown, items
  if b <= 0x7f then
    kind, shown = "int", tostring(b)
  elseif b <= 0x8f then
    kind, shown, items = map(r, b - 0x80, depth)
  elseif b <= 0x9f then
    kind, shown, items = array(r, b - 0x90, depth)
  elseif b <= 0xbf then
    kind, shown = text(r, b - 0xa0)
  elseif b >= 0xe0 then
    kind, shown = "int", tostring(b - 0x100)
  elseif form[b] then
    kind, shown, items = form[b](r, depth)
  else
    fail(string.format("a byte 0x%02x, which means nothing", b))
  end
  return { kind = kind, text = shown, items = items, off = at, len = r.off - at }
end

-- What both sides share ----------------------------------------------------------

-- body decodes [type, fields] and returns it, or nil and what is wrong.
local function body(tvb, off, stop)
  local ok, result = pcall(function()
    local r = reader(tvb, off, stop)
    local all = node(r, 1)
    if r.off ~= stop then fail((stop - r.off) .. " bytes stand behind the body") end
    if all.kind ~= "array" or #all.items ~= 2 or all.items[1].kind ~= "string" or all.items[2].kind ~= "map" then
      fail("the body is not [type, fields]")
    end
    return all
  end)
  if ok then return result end
  return nil, type(result) == "table" and result[1] or "it cannot be decoded"
end

-- short is a value for the Info column.
local function short(v)
  local s = v.text
  if v.kind == "binary" and #s > 8 then return s:sub(1, 8) .. "…" end
  if v.kind == "string" then
    if #s > 48 then
      local cut = 48
      while cut > 0 and (s:byte(cut + 1) or 0) >= 0x80 and (s:byte(cut + 1) or 0) < 0xc0 do cut = cut - 1 end
      s = s:sub(1, cut) .. "…"
    end
    if s == "" or s:find(" ", 1, true) then s = '"' .. s .. '"' end
  end
  return s
end

-- summary is the type and the chief fields.
local function summary(all)
  local parts = { all.items[1].text }
  for _, v in ipairs(all.items[2].items) do
    if v.key ~= "pad" and #parts <= 8 then parts[#parts + 1] = v.key .. "=" .. short(v) end
  end
  return table.concat(parts, " ")
end

local function show(tree, tvb, v, name)
  local item = tree:add(f.field, tvb(v.off, v.len), name .. ": " .. v.text)
  item:set_text(name .. ": " .. v.text)
  for i, inner in ipairs(v.items or {}) do show(item, tvb, inner, inner.key or ("[" .. i .. "]")) end
end

-- dissect shows one body and returns its line for the Info column.
local function dissect(tree, tvb, off, stop)
  local all, wrong = body(tvb, off, stop)
  if not all then
    tree:add_proto_expert_info(malformed, "Malformed: " .. wrong)
    tree:append_text(", malformed")
    return "malformed: " .. wrong
  end
  local kind = all.items[1]
  tree:add(f.type, tvb(kind.off, kind.len), kind.text)
  for _, v in ipairs(all.items[2].items) do show(tree, tvb, v, v.key) end
  local line = summary(all)
  tree:append_text(", " .. kind.text)
  return line
end

-- The datagram ---------------------------------------------------------------------

function datagram.dissector(tvb, pinfo, tree)
  local n = tvb:captured_len()
  if n < #MAGIC + 1 or tvb(0, #MAGIC):string() ~= MAGIC then return 0 end
  pinfo.cols.protocol = "lanchat"
  local top = tree:add(datagram, tvb(), "lanchat discovery")
  top:add(f.magic, tvb(0, #MAGIC))
  local version = tvb(#MAGIC, 1):uint()
  top:add(f.version, tvb(#MAGIC, 1))
  local line
  if version ~= VERSION then
    line = "another version: " .. version
  elseif n > MAX_PACKET then
    line = "malformed: " .. n .. " bytes, at most " .. MAX_PACKET
    top:add_proto_expert_info(malformed, line)
  else
    line = dissect(top, tvb, #MAGIC + 1, n)
  end
  pinfo.cols.info = line
  return n
end

-- The stream -------------------------------------------------------------------------

-- frames shows all the frames that begin in tvb. What is missing of the last one
-- is asked for: it comes again, put together.
local function frames(tvb, pinfo, tree)
  local n = tvb:captured_len()
  if n ~= tvb:reported_len() then return 0 end -- the capture cut it short
  local off, lines = 0, {}
  local function finish()
    if #lines > 0 then
      pinfo.cols.protocol = "lanchat"
      pinfo.cols.info = table.concat(lines, " | ")
    end
    return n
  end
  while off < n do
    local rest = n - off
    local length = rest >= 4 and tvb(off, 4):uint() or nil
    if length and (length == 0 or length > MAX_FRAME) then
      local top = tree:add(stream, tvb(off), "lanchat")
      local wrong = string.format("a frame of %.0f bytes, at most %d", length, MAX_FRAME)
      top:add_proto_expert_info(malformed, "Malformed: " .. wrong)
      lines[#lines + 1] = "malformed: " .. wrong
      return finish()
    end
    if not length or rest < 4 + length then
      pinfo.desegment_offset = off
      pinfo.desegment_len = length and (4 + length - rest) or DESEGMENT_ONE_MORE_SEGMENT
      return finish()
    end
    local top = tree:add(stream, tvb(off, 4 + length), "lanchat")
    top:add(f.length, tvb(off, 4))
    lines[#lines + 1] = dissect(top, tvb, off + 4, off + 4 + length)
    off = off + 4 + length
  end
  return finish()
end

function stream.dissector(tvb, pinfo, tree)
  if tvb:captured_len() == 0 then return 0 end
  local first = tvb(0, 1):uint()
  if first == 0x16 or first == 0x14 or first == 0x15 or first == 0x17 then -- TLS
    local tls = Dissector.get("tls")
    if tls then return tls:call(tvb, pinfo, tree) end
  end
  if first ~= 0 then return 0 end -- a person on plain lines
  return frames(tvb, pinfo, tree)
end

-- Ports, and other ports -----------------------------------------------------------------

DissectorTable.get("udp.port"):add(PORT, datagram)
DissectorTable.get("tcp.port"):add(PORT, stream)

datagram:register_heuristic("udp", function(tvb, pinfo, tree)
  if tvb:captured_len() < #MAGIC + 1 or tvb(0, #MAGIC):string() ~= MAGIC then return false end
  datagram.dissector(tvb, pinfo, tree)
  return true
end)

stream:register_heuristic("tcp", function(tvb, pinfo, tree)
  -- A length, an array of two, a type of 1 to 31 letters.
  if tvb:captured_len() < 7 then return false end
  local length = tvb(0, 4):uint()
  local kind = tvb(5, 1):uint()
  local letter = tvb(6, 1):uint()
  if length < 3 or length > MAX_FRAME or tvb(4, 1):uint() ~= 0x92 or kind < 0xa1 or kind > 0xbf or letter < 0x61 or letter > 0x7a then
    return false
  end
  pinfo.conversation = stream
  stream.dissector(tvb, pinfo, tree)
  return true
end)
