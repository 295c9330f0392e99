#!/usr/bin/env bash
# Makes the random secrets that docker-compose.yml and deploy/compose.replicas.yml ask for, here beside this script; one
# that exists is kept.
# The folder is closed to other users of the machine. The files are readable, because Compose mounts them as they are
# and the containers run as users of their own.
set -euo pipefail
cd "$(dirname "$0")"
chmod 0700 .
for name in gateway_database_url gateway_redis_url gateway_secret keycloak_password oidc_client_secret postgres_admin_password postgres_password; do
  if [ -s "$name" ]; then
    echo "kept     deploy/secrets/$name"
    continue
  fi
  value=$(head -c 36 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n')
  case $name in
    gateway_database_url) value="postgres://gateway:$value@postgres:5432/gateway?sslmode=disable" ;;
    gateway_redis_url) value="redis://:$value@redis:6379" ;;
  esac
  printf '%s' "$value" >"$name"
  chmod 0444 "$name"
  echo "created  deploy/secrets/$name"
done
