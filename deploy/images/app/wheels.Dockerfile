# The pinned packages of the services in /opt/venv, from wheels that pip fetched outside: app/Dockerfile takes them over.
# An image of its own, because its tools stay out of the app's and because it changes far less often than the source.
FROM firenet/base:local
RUN apt-get update && apt-get install -y python3 python3-venv && rm -rf /var/lib/apt/lists/*
COPY wheels /wheels
COPY runtime.txt /runtime.txt
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-index --find-links /wheels --no-compile --requirement /runtime.txt \
 && /opt/venv/bin/pip uninstall --yes pip
