-- One event a request: the two vertices at the same time, then the edge, and only then 202.
-- Connections to the database are kept and used again, as they would be in production.

local json = require "cjson.safe"

local PORT = tonumber(ngx.var.database_port)
local TIMEOUT_MS, IDLE_MS, POOL = 2000, 60000, 256
local STORED = { [201] = true, [202] = true, [409] = true }
local TYPES = { viewed = true, purchased = true }

local function answer(status, document)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.print(json.encode(document))
  return ngx.exit(ngx.HTTP_OK)
end

local function read_answer(socket)
  local first, problem = socket:receive("*l")
  if not first then return nil, problem end
  local length = 0
  for line in function() return socket:receive("*l") end do
    if line == "" then break end
    local value = line:lower():match("^content%-length:%s*(%d+)")
    length = value and tonumber(value) or length
  end
  if length > 0 then
    local _, cut = socket:receive(length)
    if cut then return nil, cut end
  end
  return tonumber(first:match("^HTTP/1%.1 (%d+)"))
end

local function write(path, document)
  local socket = ngx.socket.tcp()
  socket:settimeout(TIMEOUT_MS)
  local connected, problem = socket:connect("127.0.0.1", PORT)
  if not connected then return false, problem end
  local body = json.encode(document)
  local sent, broken = socket:send {
    "POST ", path, " HTTP/1.1\r\nHost: database\r\nContent-Type: application/json\r\nContent-Length: ",
    #body, "\r\n\r\n", body,
  }
  if not sent then return false, broken end
  local status, unread = read_answer(socket)
  if not status then return false, unread end
  socket:setkeepalive(IDLE_MS, POOL)
  return STORED[status] or false, status
end

local function stored(thread)
  local ran, result = ngx.thread.wait(thread)
  return ran and result
end

ngx.req.read_body()
local body = ngx.req.get_body_data()
if not body then return answer(400, { error = "the body is empty" }) end
local event = json.decode(body)
if type(event) ~= "table" then return answer(400, { error = "the body is not a JSON object" }) end
if not (event.userId and event.itemId and event.eventType) then
  return answer(400, { error = "userId, itemId and eventType are required" })
end
if not TYPES[event.eventType] then return answer(400, { error = "eventType is not known" }) end

local user, item = tostring(event.userId), tostring(event.itemId)
local of_user = ngx.thread.spawn(write, "/users?overwriteMode=ignore", { _key = user })
local of_item = ngx.thread.spawn(write, "/items?overwriteMode=ignore", { _key = item })
local both = stored(of_user)
both = stored(of_item) and both
if not both then return answer(503, { error = "a vertex was not stored" }) end

local edge = { _from = "users/" .. user, _to = "items/" .. item, timestamp = ngx.time() }
if not write("/" .. event.eventType, edge) then return answer(503, { error = "the edge was not stored" }) end
return answer(202, { status = "accepted" })
