#!/usr/bin/env bash
# Makes a Keycloak that starts without building first: keycloak.sh FOLDER VERSION SHA256. From Maven's repository, as the
# settings of this machine's Maven say; what does not have the digest is not unpacked.
set -euo pipefail

folder=$1
version=$2
sha256=$3
archive=keycloak-quarkus-dist-$version.zip

"$(dirname "$0")/packages.sh" java=default-jre-headless mvn=maven unzip=unzip
rm -rf "$folder"
mkdir -p "$folder"
mvn -q -B -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
  -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" -DoutputDirectory="$folder"
echo "$sha256  $folder/$archive" | sha256sum --check --quiet
unzip -q "$folder/$archive" -d "$folder"
rm "$folder/$archive"
mv "$folder/keycloak-$version" "$folder/server"
# Its database is memory: every start begins anew, and several can run at once.
if ! "$folder/server/bin/kc.sh" build --db=dev-mem >"$folder/build.log" 2>&1; then
  tail -n 20 "$folder/build.log" >&2
  exit 1
fi
