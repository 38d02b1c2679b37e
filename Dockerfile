# syntax=docker/dockerfile:1

# One image with the programs api, worker and rollcall. The command of the container selects one.

FROM rust:1.95-bookworm AS builder
WORKDIR /src
# This uses the toolchain of the image instead of rust-toolchain.toml, which also lists components that a
# build does not need.
ENV RUSTUP_TOOLCHAIN=${RUST_VERSION}
# The compiler checks statements against the committed .sqlx folder, because there is no database here.
ENV SQLX_OFFLINE=true
COPY . .
# The caches keep downloaded and compiled crates between builds. They are not part of the image, so the
# programs are copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release -p rollcall-cli -p rollcall-api -p rollcall-worker \
    && install -D -t /out target/release/api target/release/worker target/release/rollcall

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin rollcall \
    && install -d -o 10001 /archive
COPY --from=builder /out/ /usr/local/bin/
# A number, so that an orchestrator can check that the user is not root.
USER 10001
EXPOSE 8000 8001
CMD ["api"]
