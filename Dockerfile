# Zeren in a container. Build and start it with PostgreSQL: docker compose up --build
# Alone, it keeps a SQLite file in the volume /data: docker run -p 127.0.0.1:8000:8000 -v zeren:/data zeren
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# The dependencies first: a change of the code alone then uses this layer again.
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /opt/zeren \
    && /opt/zeren/bin/python -m pip install --require-hashes --requirement requirements.lock
# The build backend has an environment of its own, so that it does not come along into the second stage.
RUN python -m venv /opt/build \
    && /opt/build/bin/python -m pip install --require-hashes --requirement requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY migrations migrations
COPY seed seed
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
    && /opt/zeren/bin/python -m pip install --no-deps --no-index /dist/*.whl \
    && /opt/zeren/bin/python -m compileall -q /opt/zeren/lib

FROM python:${PYTHON}
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin zeren \
    && install --directory --owner zeren --group zeren --mode 0750 /data
COPY --from=build /opt/zeren /opt/zeren
ENV PATH=/opt/zeren/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ZEREN_DATABASE_URL=sqlite:////data/zeren.db \
    ZEREN_MIGRATE_ON_START=true
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
# By Python, because the image has no curl, and by http.client, because a proxy in the environment must not be asked.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/readyz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["zeren"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
