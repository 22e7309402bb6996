# The production image: one static binary and one baked model, nothing else. docs/dockerfile.md explains each line.
#
#   docker build -t rescoldo .
#   docker run --rm -p 8080:8080 rescoldo
#
# --build-arg MODEL=     a name of models/catalogue.json, or a directory under models/; A,B puts two into one ember
#             PRECISION= int8 or f32
#             BASE=      another Debian 12 or 13 to build on
ARG BASE=debian:trixie-slim

FROM --platform=${BUILDPLATFORM} ${BASE} AS builder
WORKDIR /rescoldo
COPY scripts/deps scripts/deps
ARG TARGETARCH
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean \
    && printf 'path-exclude=%s\n' '*/lto1' '*-lto-dump*' '*/lib*san.*' >/etc/dpkg/dpkg.cfg.d/unused \
    && scripts/deps fetch build ccache "target-${TARGETARCH}" \
    && rm -rf /var/lib/apt/lists/*
COPY models/ models/
ARG MODEL=ms-marco-MiniLM-L-12-v2
ARG HF_ENDPOINT=
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked models/collect "${MODEL}" sources
ENV CC=gcc CFLAGS=-g0 PATH=/usr/lib/ccache:${PATH} CCACHE_COMPILERCHECK=content CCACHE_DEPEND=1
ARG PRECISION=int8
COPY Makefile ./
COPY scripts/ scripts/
COPY include/ include/
COPY src/ src/
RUN --mount=type=cache,target=/root/.cache --mount=type=tmpfs,target=/rescoldo/build \
    make -j"$(nproc)" release \
    && make -j"$(nproc)" ARCH="${TARGETARCH}" DESTDIR=/image PREFIX= install-program \
    && scripts/bake-once /root/.cache/embers sources /image/model.ember --precision "${PRECISION}" \
    && make ARCH="${TARGETARCH}" MODEL=/image/model.ember selftest

FROM scratch
ARG MODEL=ms-marco-MiniLM-L-12-v2
ARG VERSION=0.1.0
ARG REVISION=
ARG SOURCE=
LABEL org.opencontainers.image.title="rescoldo" \
      org.opencontainers.image.description="Reranking and embedding on the CPU, from one binary and one file" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0 AND BSD-2-Clause AND BSD-3-Clause AND Beerware AND GPL-3.0-or-later WITH GCC-exception-3.1 AND ISC AND LGPL-2.1-only AND LGPL-2.1-or-later AND LicenseRef-scancode-public-domain AND MIT AND Unicode-DFS-2015 AND Zlib" \
      rescoldo.model="${MODEL}"
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=2s --start-period=1s --retries=3 CMD ["/rescoldo", "health"]
ENTRYPOINT ["/rescoldo"]
CMD ["serve", "--model", "/model.ember", "--listen", "0.0.0.0:8080"]
COPY --from=builder /image/bin/rescoldo /rescoldo
COPY --from=builder /image/model.ember /model.ember
