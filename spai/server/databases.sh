#!/bin/sh
# Roles and databases of a new PostgreSQL, as docs/postgresql.md has them: the tables of the site belong to spai_owner, as
# whom only the migrations log in. MLflow owns its database. None of these roles is a superuser.
set -eu
psql --username "$POSTGRES_USER" --set ON_ERROR_STOP=1 \
    --set owner="$OWNER_PASSWORD" --set spai="$SPAI_PASSWORD" --set mlflow="$MLFLOW_PASSWORD" <<'SQL'
CREATE ROLE spai_owner LOGIN PASSWORD :'owner';
CREATE ROLE spai_application NOLOGIN;
CREATE ROLE spai_retention NOLOGIN;
CREATE ROLE spai LOGIN PASSWORD :'spai' IN ROLE spai_application, spai_retention;
CREATE DATABASE spai OWNER spai_owner ENCODING 'UTF8' TEMPLATE template0;
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow';
CREATE DATABASE spai_mlflow OWNER mlflow ENCODING 'UTF8' TEMPLATE template0;
SQL
