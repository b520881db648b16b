-- Takes a token from each bucket of an item, or from none. kernel/rates.py describes what is stored of a bucket.
--
-- KEYS: the buckets of all items, one after the other.
-- ARGV: for each item the number of its buckets, then for each bucket its interval and its period in microseconds.
-- Returns for each item two numbers, then one for each of its buckets: 0 and 0 if tokens were taken, otherwise the position
-- of an empty bucket, from 1, and the wait in microseconds; then the microseconds until each bucket would be full.
--
-- A key expires when its bucket is full. Only the clock of this server is used. If the clock was set back or the limit was
-- changed, the stored moment may be more than one period in the future; it is then limited to one period.
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local results = {}
local key, argument = 0, 1

while argument <= #ARGV do
  local buckets = tonumber(ARGV[argument])
  local full_at_us = {}
  local empty, wait_us = 0, 0
  for bucket = 1, buckets do
    local interval_us = tonumber(ARGV[argument + 2 * bucket - 1])
    local period_us = tonumber(ARGV[argument + 2 * bucket])
    local kept_us = tonumber(redis.call('GET', KEYS[key + bucket]) or now_us)
    full_at_us[bucket] = math.min(math.max(kept_us, now_us), now_us + period_us) + interval_us
    if empty == 0 and full_at_us[bucket] > now_us + period_us then
      empty, wait_us = bucket, full_at_us[bucket] - now_us - period_us
    end
  end
  if empty == 0 then
    for bucket = 1, buckets do
      local lasts_ms = math.ceil((full_at_us[bucket] - now_us) / 1000)
      redis.call('SET', KEYS[key + bucket], string.format('%.0f', full_at_us[bucket]), 'PX', lasts_ms)
    end
  end
  results[#results + 1] = empty
  results[#results + 1] = wait_us
  for bucket = 1, buckets do
    results[#results + 1] = full_at_us[bucket] - now_us
  end
  key = key + buckets
  argument = argument + 1 + 2 * buckets
end

return results
