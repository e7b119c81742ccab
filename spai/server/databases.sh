#!/bin/sh
# Roles and databases of a new PostgreSQL: the site and MLflow own a database each, and neither is a superuser.
set -eu
psql --username "$POSTGRES_USER" --set ON_ERROR_STOP=1 --set spai="$SPAI_PASSWORD" --set mlflow="$MLFLOW_PASSWORD" <<'SQL'
CREATE ROLE spai LOGIN PASSWORD :'spai';
CREATE ROLE spai_retention NOLOGIN;
GRANT spai_retention TO spai;
CREATE DATABASE spai OWNER spai ENCODING 'UTF8' TEMPLATE template0;
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow';
CREATE DATABASE spai_mlflow OWNER mlflow ENCODING 'UTF8' TEMPLATE template0;
SQL
