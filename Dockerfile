# The production image: the rescoldo binary and one baked model, nothing else.
#
#   docker build -t rescoldo .
#   docker run --rm -p 8080:8080 rescoldo
#
# --build-arg MODEL=NAME takes another model of models/catalogue.json, PRECISION=f32 bakes without quantizing.
ARG BASE=debian:trixie-slim

FROM ${BASE} AS builder
WORKDIR /rescoldo

# From what changes least to what changes most: packages, model, source. An edit of the source fetches neither.
COPY scripts/deps scripts/deps
RUN scripts/deps build run && rm -rf /var/lib/apt/lists/*

COPY models/ models/
ARG MODEL=ms-marco-MiniLM-L-12-v2
RUN models/fetch "${MODEL}" "models/cache/sources/${MODEL}"

COPY Makefile ./
COPY include/ include/
COPY src/ src/
RUN make -j"$(nproc)" release

ARG PRECISION=int8
RUN build/rescoldo bake --model "models/cache/sources/${MODEL}" --precision "${PRECISION}" --output model.ember \
    && build/rescoldo selftest --model model.ember

FROM scratch
LABEL org.opencontainers.image.title="rescoldo" \
      org.opencontainers.image.description="Reranking and embedding on the CPU, from one binary and one file" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=builder /rescoldo/build/rescoldo /rescoldo
COPY --from=builder /rescoldo/model.ember /model.ember
# No user database here: a number. 65532 is what distroless images call nonroot.
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=2s --start-period=1s --retries=3 CMD ["/rescoldo", "health"]
ENTRYPOINT ["/rescoldo"]
CMD ["serve", "--model", "/model.ember", "--listen", "0.0.0.0:8080"]
