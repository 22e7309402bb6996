# The production image: one static binary and one baked model, nothing else. docs/dockerfile.md explains each line.
#
#   docker build -t rescoldo .
#   docker run --rm -p 8080:8080 rescoldo
#
# --build-arg MODEL=     a name of models/catalogue.json, or a directory under models/; A,B puts two into one ember
#             PRECISION= int8 or f32
#             BASE=      another Debian 12 or 13 to build on
ARG BASE=debian:trixie-slim

FROM --platform=${BUILDPLATFORM} ${BASE} AS packages
RUN rm -f /etc/apt/apt.conf.d/docker-clean \
    && printf '%s\n' 'Dir::State::lists "/var/cache/apt/lists";' 'Acquire::Languages "none";' >/etc/apt/apt.conf.d/lists \
    && printf 'path-exclude=%s\n' '*/lto1' '*-lto-dump*' '*/lib*san.*' '*gprofng*' >/etc/dpkg/dpkg.cfg.d/unused
WORKDIR /model
COPY scripts/deps scripts/deps

FROM packages AS model
RUN --mount=type=cache,id=model-packages,target=/var/cache/apt,sharing=locked \
    mkdir -p /var/cache/apt/lists/partial && scripts/deps fetch
COPY models/ models/
ARG MODEL=ms-marco-MiniLM-L-12-v2
ARG HF_ENDPOINT=
RUN --mount=type=cache,id=model-packages,target=/var/cache/apt,sharing=locked models/collect "${MODEL}" /model/sources

FROM packages AS builder
ARG TARGETARCH
RUN --mount=type=cache,id=builder-packages,target=/var/cache/apt,sharing=locked \
    mkdir -p /var/cache/apt/lists/partial && scripts/deps build ccache "target-${TARGETARCH}"
WORKDIR /rescoldo
ENV CC=gcc CFLAGS=-g0 DEPENDENCIES=-MMD PATH=/usr/lib/ccache:${PATH} \
    CCACHE_EXTRAFILES=/var/lib/dpkg/status CCACHE_COMPILERCHECK=none CCACHE_DEPEND=1 CCACHE_NOSTATS=1
ARG PRECISION=int8
COPY --from=model /model/sources/arguments /model/sources/checksums /model/
COPY Makefile ./
COPY scripts/ scripts/
COPY include/ include/
COPY src/ src/
RUN --mount=type=cache,target=/root/.cache --mount=type=tmpfs,target=/rescoldo/build \
    --mount=type=bind,from=model,source=/model,target=/model \
    make -j"$(nproc)" ARCH="${TARGETARCH}" DESTDIR=/image PREFIX= install-program \
    && { [ -x build/rescoldo ] || make -j"$(nproc)" release; } \
    && scripts/bake-once /root/.cache/embers /model/sources /image/model.ember --precision "${PRECISION}" \
    && { cmp -s build/rescoldo /image/bin/rescoldo || make ARCH="${TARGETARCH}" MODEL=/image/model.ember selftest; }

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
