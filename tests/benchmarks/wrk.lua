-- Asks for one patient after another, from a file of one body a line.
--   CART_RISK_KEY=... wrk -s wrk.lua ADDRESS -- BODIES

local requests = {}
local last = 0

function init(arguments)
  local headers = {
    ["authorization"] = "Bearer " .. os.getenv("CART_RISK_KEY"),
    ["content-type"] = "application/json",
  }
  for body in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("POST", nil, headers, body)
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"answers": %d, "microseconds": %d, "p50": %d, "p99": %d, "longest": %d, '
      .. '"refused": %d, "broken": %d, "too_late": %d}\n',
    summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency.max,
    errors.status, errors.connect + errors.read + errors.write, errors.timeout
  ))
end
