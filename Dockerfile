FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN /opt/venv/bin/pip install -r requirements.txt

FROM python:3.13-slim
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN groupadd --gid 10001 app && useradd --uid 10001 --gid app --home-dir /app --no-create-home app \
    && install -d -o app -g app /data/media
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY . .
# Only collecting needs no secret; everything that serves refuses to start without one.
RUN DJANGO_DEBUG=true python manage.py collectstatic --noinput
USER app
# Through sh, because a zip download loses the executable bit.
ENTRYPOINT ["sh", "entrypoint.sh"]
CMD ["gunicorn", "myproject.wsgi:application", "--bind", "0.0.0.0:8080", "--preload", "--no-control-socket", "--worker-tmp-dir", "/tmp"]
