-- Random single events for wrk: users of 100,000, items of 20,000, nine views to one purchase.
-- They are made before the load begins, so that the client costs little of the machine.

local PREPARED = 65536
local requests, at = {}, 0

function init()
  math.randomseed(os.time())
  local headers = { ["Content-Type"] = "application/json" }
  for number = 1, PREPARED do
    local kind = number % 10 == 0 and "purchased" or "viewed"
    local body = string.format(
      '{"userId":"u%d","itemId":"i%d","eventType":"%s"}', math.random(100000), math.random(20000), kind)
    requests[number] = wrk.format("POST", nil, headers, body)
  end
end

function request()
  at = at % PREPARED + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  local failures = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  print(string.format('result {"requests":%d,"seconds":%.6f,"failures":%d,"p50_ms":%.4f,"p99_ms":%.4f}',
    summary.requests, summary.duration / 1e6, failures, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
