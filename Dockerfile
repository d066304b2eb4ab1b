# Frontdoor's images: one stage that builds, one target a program. Each holds a static binary, the certificates of the
# authorities that it trusts, and the user it runs as; there is no shell in it.
#
#   docker build -t fn-recep-avro .                             the function: the last target, so `fn deploy` takes it
#   docker build -t api-avro-sample --target api-avro-sample .
#   docker build -t forward --target forward .
#
# Nothing here needs BuildKit: `fn deploy` uses Docker's older builder where there is no buildx.

FROM rust:1.95-bookworm AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /build
# A binary that needs no system libraries; the explicit target keeps the flag away from build scripts.
ENV RUSTFLAGS="-C target-feature=+crt-static"

# First the dependencies alone, from the manifests and empty sources: a change of a source file compiles no OpenSSL and
# no librdkafka again.
COPY Cargo.toml Cargo.lock clippy.toml ./
COPY functions/Cargo.toml functions/
COPY jobs/Cargo.toml jobs/
COPY shared/Cargo.toml shared/
COPY shared/lab/Cargo.toml shared/lab/
COPY deploy/images/hollow deploy/images/hollow
RUN deploy/images/hollow \
 && cargo build --locked --release --target "$(rustc -vV | sed -n 's/host: //p')" -p functions -p jobs \
 && rm -rf shared/benches jobs/benches

COPY schemas schemas
COPY shared shared
COPY functions functions
COPY jobs jobs
RUN find functions/src jobs/src shared/src -name '*.rs' -exec touch {} + \
 && cargo build --locked --release --target "$(rustc -vV | sed -n 's/host: //p')" -p functions -p jobs --bins \
 && mkdir -p /out/etc/ssl/certs /out/bin \
 && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
 && printf 'fn:x:1000:1000::/:/none\n' > /out/etc/passwd \
 && printf 'fn:x:1000:\n' > /out/etc/group \
 && cp target/*/release/fn-recep-avro target/*/release/api-avro-sample target/*/release/forward /out/bin/

FROM scratch AS base
LABEL org.opencontainers.image.title="Frontdoor" \
      org.opencontainers.image.description="Avro at the door, bounded windows, delivery with proof" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/etc /etc
COPY LICENSE /LICENSE
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 1000:1000

FROM base AS api-avro-sample
COPY --from=build /out/bin/api-avro-sample /api-avro-sample
ENV LISTEN=0.0.0.0:8080
EXPOSE 8080
ENTRYPOINT ["/api-avro-sample"]

FROM base AS forward
COPY --from=build /out/bin/forward /forward
ENTRYPOINT ["/forward"]
CMD ["run"]

FROM base AS fn-recep-avro
COPY --from=build /out/bin/fn-recep-avro /fn-recep-avro
ENTRYPOINT ["/fn-recep-avro"]
