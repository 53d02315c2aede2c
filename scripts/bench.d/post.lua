-- Random single events for wrk: users of 100,000, items of 20,000, nine views to one purchase.
-- All bodies of a type are equally long, so that the head is made once and the client costs little.

local BODY = '{"userId":"u%06d","itemId":"i%05d","eventType":"%s"}'
local viewed, purchased
local headers = { ["Content-Type"] = "application/json" }
local number = 0

local function template(kind)
  local sample = string.format(BODY, 0, 0, kind)
  local request = wrk.format("POST", nil, headers, sample)
  local head = request:sub(1, #request - #sample):gsub("%%", "%%%%")
  return head .. BODY:gsub("%%s", kind)
end

-- A key may be given behind the address.
function init(arguments)
  if arguments[1] then
    headers["Authorization"] = "Bearer " .. arguments[1]
  end
  math.randomseed(os.time())
  viewed, purchased = template("viewed"), template("purchased")
end

function request()
  number = number + 1
  local kind = number % 10 == 0 and purchased or viewed
  return string.format(kind, math.random(0, 99999), math.random(0, 19999))
end

function done(summary, latency)
  local errors = summary.errors
  local failures = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  print(string.format('result {"requests":%d,"seconds":%.6f,"failures":%d,"p50_ms":%.4f,"p99_ms":%.4f}',
    summary.requests, summary.duration / 1e6, failures, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
