# Frontdoor's images: one build stage, and one target per program. Each image contains a static binary, CA certificates, the
# licences of its dependencies and a user. It contains no shell.
#
#   docker build -t fn-recep-avro .                             the function: the last target, so `fn deploy` builds it
#   docker build -t api-avro-sample --target api-avro-sample .
#   docker build -t forward --target forward .
#
# The file does not need BuildKit: without buildx, `fn deploy` uses Docker's legacy builder.

FROM rust:1.95.0-bookworm AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /build
# A static binary at a fixed address: it starts without 96,000 relocations, and its constants need no memory of the container.
# The explicit target keeps the flags away from build scripts. Unwind tables are not needed, because a panic aborts.
ENV RUSTFLAGS="-C target-feature=+crt-static -C relocation-model=static -C force-unwind-tables=no" \
    CFLAGS="-fno-asynchronous-unwind-tables"

# Build the dependencies first, from the manifests and empty sources, so that a changed source file does not recompile
# OpenSSL and librdkafka.
COPY Cargo.toml Cargo.lock clippy.toml ./
COPY functions/api-avro-sample/Cargo.toml functions/api-avro-sample/
COPY functions/create-avro-sample/Cargo.toml functions/create-avro-sample/
COPY functions/fn-recep-avro/Cargo.toml functions/fn-recep-avro/
COPY jobs/forward/Cargo.toml jobs/forward/
COPY jobs/spark/Cargo.toml jobs/spark/
COPY shared/avro/Cargo.toml shared/avro/
COPY shared/bench-empty/Cargo.toml shared/bench-empty/
COPY shared/caller-auth/Cargo.toml shared/caller-auth/
COPY shared/delivery/Cargo.toml shared/delivery/
COPY shared/html-page/Cargo.toml shared/html-page/
COPY shared/http-proxy/Cargo.toml shared/http-proxy/
COPY shared/http-server/Cargo.toml shared/http-server/
COPY shared/kafka/Cargo.toml shared/kafka/
COPY shared/msk-iam/Cargo.toml shared/msk-iam/
COPY shared/oauth2/Cargo.toml shared/oauth2/
COPY shared/oci/Cargo.toml shared/oci/
COPY shared/offsets/Cargo.toml shared/offsets/
COPY shared/record/Cargo.toml shared/record/
COPY shared/request-template/Cargo.toml shared/request-template/
COPY shared/routes/Cargo.toml shared/routes/
COPY shared/runtime/Cargo.toml shared/runtime/
COPY shared/schema-registry/Cargo.toml shared/schema-registry/
COPY shared/settings/Cargo.toml shared/settings/
COPY shared/standard-webhooks/Cargo.toml shared/standard-webhooks/
COPY shared/telemetry/Cargo.toml shared/telemetry/
COPY shared/testkit/Cargo.toml shared/testkit/
COPY shared/tools/Cargo.toml shared/tools/
COPY shared/writer-schemas/Cargo.toml shared/writer-schemas/
COPY deploy/images/hollow deploy/images/hollow
RUN deploy/images/hollow \
 && cargo build --locked --release --target "$(rustc -vV | sed -n 's/host: //p')" -p fn-recep-avro -p api-avro-sample -p forward \
 && rm -rf shared/*/benches

COPY deploy/images/licences deploy/images/licences
RUN mkdir -p /out/licences \
 && for program in fn-recep-avro api-avro-sample forward; do \
      deploy/images/licences "$program" | gzip -9n > "/out/licences/$program.txt.gz" || exit; \
    done

COPY schemas schemas
COPY shared shared
COPY functions functions
COPY jobs jobs
RUN find functions jobs shared -name '*.rs' -exec touch {} + \
 && cargo build --locked --release --target "$(rustc -vV | sed -n 's/host: //p')" -p fn-recep-avro -p api-avro-sample -p forward --bins \
 && mkdir -p /out/etc/ssl/certs /out/bin \
 && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
 && printf 'fn:x:1000:1000::/:/none\n' > /out/etc/passwd \
 && printf 'fn:x:1000:\n' > /out/etc/group \
 && cp target/*/release/fn-recep-avro target/*/release/api-avro-sample target/*/release/forward /out/bin/

FROM scratch AS base
# `make images` sets both; `fn deploy` does not.
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/etc /etc
COPY LICENSE /LICENSE
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 1000:1000

FROM base AS api-avro-sample
LABEL org.opencontainers.image.title="api-avro-sample" \
      org.opencontainers.image.description="A sample endpoint that shows Avro records"
COPY --from=build /out/licences/api-avro-sample.txt.gz /licences.txt.gz
COPY --from=build /out/bin/api-avro-sample /api-avro-sample
ENV LISTEN=0.0.0.0:8080
EXPOSE 8080
ENTRYPOINT ["/api-avro-sample"]

FROM base AS forward
LABEL org.opencontainers.image.title="forward" \
      org.opencontainers.image.description="Delivers one window of a Kafka topic and reports the outcome"
COPY --from=build /out/licences/forward.txt.gz /licences.txt.gz
COPY --from=build /out/bin/forward /forward
ENTRYPOINT ["/forward"]
CMD ["run"]

FROM base AS fn-recep-avro
LABEL org.opencontainers.image.title="fn-recep-avro" \
      org.opencontainers.image.description="Validates Avro from HTTP and publishes it to Kafka"
COPY --from=build /out/licences/fn-recep-avro.txt.gz /licences.txt.gz
COPY --from=build /out/bin/fn-recep-avro /fn-recep-avro
ENTRYPOINT ["/fn-recep-avro"]
