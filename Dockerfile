# Four images: docker build --target spai-web -t spai-web . (spai-worker, spai-scraper, spai-pipeline); docs/server.md.
# BASE is a Debian 12 with Python 3.11 to 3.13 and its module venv. A later image adds to the layers of an earlier one.
ARG BASE=python:3.11-slim-bookworm

# ── Packages ─────────────────────────────────────────────────────────────────────────────────────────────────────────
FROM ${BASE} AS web-packages
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin spai \
    && install -d -o spai -g spai -m 0700 /var/lib/spai
WORKDIR /srv/spai
# Only /var/lib/spai and /tmp are written to: the root file system may be read-only.
ENV PATH=/srv/spai/.venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=spai.settings \
    SPAI_VAR_DIR=/var/lib/spai SPAI_STATIC_DIR=/srv/spai/static NUMBA_CACHE_DIR=/var/lib/spai/kernels
ENTRYPOINT ["python", "-m", "spai.stack.container"]
RUN --mount=type=bind,source=requirements,target=/requirements sh /requirements/image.sh web

FROM web-packages AS worker-packages
RUN --mount=type=bind,source=requirements,target=/requirements sh /requirements/image.sh worker

FROM worker-packages AS scraper-packages
RUN apt-get update && apt-get install --yes --no-install-recommends chromium fonts-dejavu-core \
    && apt-get clean && rm -rf /var/lib/apt/lists/*

FROM worker-packages AS pipeline-packages
RUN --mount=type=bind,source=requirements,target=/requirements sh /requirements/image.sh pipeline

# ── The site: code, static files, and kernels for the processor of this machine ──────────────────────────────────────
FROM web-packages AS kernels
COPY apps/__init__.py apps/
COPY apps/matches apps/matches
COPY apps/ml apps/ml
RUN NUMBA_CACHE_DIR=/srv/spai/kernels python -m apps.ml.pipeline.warm_up

FROM web-packages AS site
COPY --from=kernels /srv/spai/kernels kernels
COPY . .
RUN rm -rf requirements && python -m compileall -q apps spai \
    && SECRET_KEY=build DATABASE_URL=postgresql://build/build REDIS_URL=redis://build \
       python manage.py collectstatic --no-input --verbosity 0 \
    && rm -rf .venv && chmod -R a+rX .

# ── Images ───────────────────────────────────────────────────────────────────────────────────────────────────────────
FROM web-packages AS spai-web
COPY --from=site /srv/spai /srv/spai
ARG REVISION=unknown
ENV SPAI_REVISION=$REVISION
USER 10001:10001
CMD ["web"]
EXPOSE 8000 8001 8002 8003

FROM worker-packages AS spai-worker
COPY --from=site /srv/spai /srv/spai
ARG REVISION=unknown
ENV SPAI_REVISION=$REVISION
USER 10001:10001
CMD ["worker-default"]

FROM scraper-packages AS spai-scraper
COPY --from=site /srv/spai /srv/spai
ARG REVISION=unknown
ENV SPAI_REVISION=$REVISION
# Runtimes of containers refuse the user namespaces that Chromium's own sandbox needs.
ENV SPAI_BROWSER=/usr/bin/chromium SPAI_BROWSER_SANDBOX=false
USER 10001:10001
CMD ["worker-scrape"]

FROM pipeline-packages AS spai-pipeline
COPY --from=site /srv/spai /srv/spai
ARG REVISION=unknown
ENV SPAI_REVISION=$REVISION
USER 10001:10001
CMD ["worker-ml"]
EXPOSE 5000
