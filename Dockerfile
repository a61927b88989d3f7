# The image for those who build with a container engine:
#
#     docker buildx build --platform linux/amd64,linux/arm64 .
#
# To compile for another machine, buildah 1.28, as Debian 12 has it,
# has to be told which this is: `--build-arg BUILDPLATFORM=linux/amd64`.
#
# What is in it comes from `cargo xtask rootfs`; `cargo xtask image` makes an image
# of the same files without an engine, and `cargo xtask package` the package.
FROM --platform=$BUILDPLATFORM rust:1.95-bookworm AS build
ARG BUILDARCH
ARG TARGETARCH
WORKDIR /src

# Of two machines one compiles for the other. Debian keeps one version of a compiler.
# hadolint ignore=DL3008,SC2086
RUN set -eu; \
    case "$BUILDARCH-$TARGETARCH" in \
      amd64-arm64) packages="gcc-aarch64-linux-gnu libc6-dev-arm64-cross" target=aarch64-unknown-linux-gnu ;; \
      arm64-amd64) packages="gcc-x86-64-linux-gnu libc6-dev-amd64-cross" target=x86_64-unknown-linux-gnu ;; \
      *) exit 0 ;; \
    esac; \
    apt-get update; \
    apt-get install --yes --no-install-recommends $packages; \
    rm -rf /var/lib/apt/lists/*; \
    rustup target add "$target"

COPY . .
RUN cargo xtask rootfs --arch "$TARGETARCH" --output /rootfs

FROM scratch
COPY --from=build /rootfs /
USER 65532:65532
EXPOSE 9443 8080
ENTRYPOINT ["/function-infisical"]
