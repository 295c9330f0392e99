#!/bin/bash
# Run once by the image of PostgreSQL, as its superuser, when the volume is empty: one database for the gateway and one
# for MLflow, each with an owner that cannot connect to the other's. What the gateway keeps decides who may do what.
set -euo pipefail
secrets=${SECRETS_DIR:-/run/secrets}

create() {
  local name=$1 password=$2
  if [[ ! $password =~ ^[A-Za-z0-9_-]{16,}$ ]]; then
    echo "The password of $name must be 16 or more letters, digits, - and _, as deploy/secrets/create.sh makes it." >&2
    return 1
  fi
  # By standard input: in no list of processes.
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<SQL
CREATE ROLE $name LOGIN PASSWORD '$password';
CREATE DATABASE $name OWNER $name;
REVOKE CONNECT, TEMPORARY ON DATABASE $name FROM PUBLIC;
SQL
}

url=$(<"$secrets/gateway_database_url")
url=${url#postgres://gateway:}
create gateway "${url%%@*}"
create mlflow "$(<"$secrets/postgres_password")"
