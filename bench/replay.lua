-- Sends the requests of a plan file round robin. Arguments: plan, API key, and a file for the ids of acknowledged tasks.
-- A line of the plan is METHOD<tab>PATH<tab>BODY. The last line of the output is JSON.

local requests, turn = {}, 0

function init(args)
  local headers = { ["Authorization"] = "Bearer " .. args[2], ["Host"] = wrk.headers["Host"] }
  local with_body = { ["Content-Type"] = "application/json" }
  for name, value in pairs(headers) do with_body[name] = value end
  for line in io.lines(args[1]) do
    local method, path, body = line:match("^(%S+)\t(%S+)\t(.*)$")
    requests[#requests + 1] = wrk.format(method, path, body == "" and headers or with_body, body ~= "" and body or nil)
  end
  if args[3] then
    local acknowledged = assert(io.open(args[3], "w"))
    acknowledged:setvbuf("line")
    function response(status, _, body)
      if status == 201 then acknowledged:write(body:match('"id":"([^"]+)"'), "\n") end
    end
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "seconds": %f, "bytes": %d, "refused": %d, "broken": %d, "p50": %f, "p99": %f}',
    summary.requests, summary.duration / 1e6, summary.bytes, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
  ))
end
