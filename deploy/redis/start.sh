#!/bin/sh
# Starts Redis with the password in the URL that the gateways use, which so is in no argument that others could read.
set -eu
umask 077
{
  sed -n 's#^redis://:\([^@]*\)@.*#requirepass \1#p' "${REDIS_URL_FILE:-/run/secrets/gateway_redis_url}"
  echo
  # Whoever is signed in stays so when it restarts; and it says no when it is full, rather than sign people out.
  echo 'appendonly yes'
  echo 'maxmemory 200mb'
  echo 'maxmemory-policy noeviction'
} >"${REDIS_CONFIG:-/tmp/redis.conf}"
exec redis-server "${REDIS_CONFIG:-/tmp/redis.conf}" "$@"
