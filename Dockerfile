# Every binary in one image: `docker build -t onhand .`. Which one runs is the container's command.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# The caches outlive the layer, so the binaries are taken out of them in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --workspace --bins \
    && mkdir /out \
    && cp target/release/onhand target/release/order-node target/release/product-node \
        target/release/point-node target/release/coupon-node target/release/ranking-node \
        target/release/payment-node /out/

FROM debian:bookworm-slim
# A number, so that Kubernetes and the like can see that it is not root.
RUN useradd --system --uid 10001 --home-dir /data --create-home onhand
COPY --from=build /out/ /usr/local/bin/
USER 10001
WORKDIR /data
VOLUME /data
ENV ONHAND_DATA=/data
# One command, no shell: it gets SIGTERM itself and finishes what is in flight.
CMD ["onhand", "--help"]
