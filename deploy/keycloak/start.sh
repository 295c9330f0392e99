#!/bin/bash
# Starts Keycloak for a trial. Keycloak knows no *_FILE variables; the realm file takes the two secrets from here.
set -eu
read -r OIDC_CLIENT_SECRET </run/secrets/oidc_client_secret || [ -n "$OIDC_CLIENT_SECRET" ]
read -r KEYCLOAK_PASSWORD </run/secrets/keycloak_password || [ -n "$KEYCLOAK_PASSWORD" ]
export OIDC_CLIENT_SECRET KEYCLOAK_PASSWORD
export KC_BOOTSTRAP_ADMIN_PASSWORD=$KEYCLOAK_PASSWORD
exec "${KEYCLOAK_HOME:-/opt/keycloak}/bin/kc.sh" start-dev --import-realm --http-port=8180
