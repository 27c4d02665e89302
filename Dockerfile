# One image for every component and for the model server: non-root, nothing installed at run time.
FROM docker.io/library/python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils >/dev/null
RUN python3 -m venv --without-pip /opt/evergreen
WORKDIR /src
COPY requirements.txt .
RUN python3 -m pip --python /opt/evergreen/bin/python install --quiet --no-compile --require-hashes -r requirements.txt
COPY tools/slim.py tools/slim.py
COPY evergreen evergreen
COPY components components
COPY pipelines pipelines
RUN site=$(/opt/evergreen/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
 && cp -r evergreen components pipelines "$site/" \
 && printf '%s\n' '#!/opt/evergreen/bin/python' 'from evergreen.cli.__main__ import main' 'main()' > /opt/evergreen/bin/evergreen \
 && chmod 0755 /opt/evergreen/bin/evergreen \
 && python3 tools/slim.py /opt/evergreen

FROM docker.io/library/python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="evergreen-python" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/evergreen /opt/evergreen
ENV PATH=/opt/evergreen/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp EVERGREEN_LOG=json
USER 65532:65532
WORKDIR /tmp
CMD ["evergreen", "--help"]
