#!/usr/bin/env bash
# Runs once, when PostgreSQL's volume is new: a database and two roles per service.
# <service>_owner migrates and owns; <service> reads and writes rows and changes no table.
set -euo pipefail
for service in enrollment points rewards messaging offers; do
  psql --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set=service="$service" --set=owner="${service}_owner" \
    --set=owner_password="$DATABASE_OWNER_PASSWORD" \
    --set=service_password="$DATABASE_SERVICE_PASSWORD" <<'SQL'
CREATE ROLE :"owner" LOGIN NOINHERIT PASSWORD :'owner_password';
CREATE ROLE :"service" LOGIN NOINHERIT PASSWORD :'service_password';
CREATE DATABASE :"service" OWNER :"owner";
REVOKE CONNECT, TEMPORARY ON DATABASE :"service" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"service" TO :"service";
\connect :"service"
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"service";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
  GRANT USAGE, SELECT ON SEQUENCES TO :"service";
SQL
done
