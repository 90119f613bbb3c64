-- Lines of JSON on their way to the service: noise is dropped, secrets are taken out, what is left is marked as seen.
-- One connection has one server in HAProxy, so a line cannot be sent elsewhere: this does not route.
local cjson = require("cjson.safe")
local decode, encode = cjson.decode, cjson.encode

local Rewrite = { id = "rewrite", flags = 0 }

function Rewrite:new()
    return setmetatable({}, { __index = self })
end

function Rewrite:start_analyze(txn, chn)
    if not chn:is_resp() then
        filter.register_data_filter(self, chn)
    end
    return filter.CONTINUE
end

function Rewrite:tcp_payload(txn, chn)
    local count = chn:input()
    if count == 0 then
        return 0
    end
    local data = chn:data(0, count)
    local out, position = {}, 1
    while true do
        local at = data:find("\n", position, true)
        if not at then break end
        local message = decode(data:sub(position, at - 1))
        if message and message.type ~= "noise" then
            message.secret = nil
            message.seen = true
            out[#out + 1] = encode(message)
            out[#out + 1] = "\n"
        end
        position = at + 1
    end
    if position == 1 then
        return 0
    end
    local text = table.concat(out)
    if #text == 0 then
        chn:remove(0, position - 1)
        return 0
    end
    chn:set(text, 0, position - 1)
    return #text
end

core.register_filter("rewrite", Rewrite, function(class, args)
    return class
end)
