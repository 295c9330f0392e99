#!/bin/sh
# Starts the tracking server on PostgreSQL. The password goes from the secret's file into the environment that libpq
# reads, so that it is in no command line and no URL.
set -eu
PGPASSWORD=$(cat "${POSTGRES_PASSWORD_FILE:-/run/secrets/postgres_password}")
export PGPASSWORD
exec mlflow server \
  --host "${MLFLOW_HOST:-0.0.0.0}" \
  --port "${MLFLOW_PORT:-5000}" \
  --workers "${MLFLOW_WORKERS:-2}" \
  --backend-store-uri "postgresql://${PGUSER:-mlflow}@${PGHOST:-postgres}:${PGPORT:-5432}/${PGDATABASE:-mlflow}" \
  --artifacts-destination "${MLFLOW_ARTIFACTS:-/artifacts}"
