ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim AS build
WORKDIR /build
# The fleet's environment has no pip of its own: nothing is to be installed into it later.
COPY requirements requirements
RUN python -m venv --without-pip /opt/fleet \
 && pip --python /opt/fleet/bin/python install --no-cache-dir --require-hashes -r requirements/run.txt
# The run lock has no build tool. The one of the development lock, with its hashes, goes into an environment of its
# own, which stays behind with this stage.
RUN sed -n '/^setuptools==/,/[^\\]$/p' requirements/dev.txt > requirements/build.txt \
 && python -m venv /opt/tools \
 && /opt/tools/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md ./
COPY db db
COPY providers providers
COPY schedules schedules
COPY services services
COPY tasks tasks
COPY workers workers
RUN /opt/tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && pip --python /opt/fleet/bin/python install --no-cache-dir --no-deps --no-index dist/*.whl

FROM python:${PYTHON_VERSION}-slim
LABEL org.opencontainers.image.title="Partners VRAI fleet" \
      org.opencontainers.image.description="Delivers the notifications and settles the payments of the Partners VRAI platform"
# A number, so that an orchestrator can see that it is not root.
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent fleet
COPY --from=build /opt/fleet /opt/fleet
# Bytecode came with the installation; the file system is read-only where the image runs.
ENV PATH=/opt/fleet/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001
WORKDIR /opt/fleet
ENTRYPOINT ["fleet"]
