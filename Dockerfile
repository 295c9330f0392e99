# Base images are pinned by tag. A digest could not be looked up where this file was written: whoever builds it for
# production should add one (docker buildx imagetools inspect node:24.21.0-bookworm-slim).
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
# No package needs its install script: better-sqlite3 brings its binaries along.
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json rolldown.config.ts ./
COPY src src
COPY plugins plugins
RUN npm run build \
    && npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
    && install -d -m 0700 /data

FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=8080 \
    DATABASE_URL=sqlite:/data/gateway.db
WORKDIR /app
# Owned by root: the process cannot change its own program.
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
# The only place that is written to. A read-only root file system is fine.
COPY --from=build --chown=1000:1000 /data /data
VOLUME /data
# node; as a number, so that Kubernetes can tell it is not root.
USER 1000:1000
EXPOSE 8080
# Below https and the PROXY protocol, what can be asked from here is whether connections are taken.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["node", "-e", "const { PORT, TLS_CERT_FILE, PROXY_PROTOCOL } = process.env; const end = (well) => process.exit(well ? 0 : 1); if (TLS_CERT_FILE || PROXY_PROTOCOL === 'true') net.connect(PORT, '127.0.0.1', () => end(true)).on('error', () => end(false)); else fetch(`http://127.0.0.1:${PORT}/healthz`).then((r) => end(r.ok), () => end(false))"]
CMD ["node", "dist/src/server.js"]
