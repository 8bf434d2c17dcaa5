# The server as an image: `docker build -t hubbub .`, then
# `docker run -p 8000:8000 -v hubbub:/data -e SECRET_KEY=… -e ALLOWED_HOSTS=… hubbub`.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY . .
# Dependencies and their objects outlive a change in the code; the cache is no layer, hence the copy.
# Debug lines are most of the binary and help only those who read backtraces.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin hubbub \
    && strip --strip-debug -o /hubbub target/release/hubbub

FROM debian:bookworm-slim
# For `rediss://` and databases with TLS; copied, so that this stage installs nothing.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /hubbub /usr/local/bin/hubbub
RUN useradd --system --uid 10001 --no-create-home --home-dir /data hubbub \
    && install -d -o hubbub -g hubbub -m 0700 /data
USER hubbub
# The default database is a file in the working directory.
WORKDIR /data
VOLUME /data
# Not loopback, so SECRET_KEY is a must: without one the container ends with a line that says so.
ENV BIND=0.0.0.0:8000
EXPOSE 8000
# /healthz skips the host check. The shell's own sockets spare the image a client.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${BIND##*:} && printf 'GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
ENTRYPOINT ["hubbub"]
CMD ["serve"]
